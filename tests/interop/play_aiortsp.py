"""Plays with aiortsp to the end of the movie, on the arguments URL udp|tcp.

Each RTP packet goes to stdout behind its length in two bytes (RFC 4571).
"""

import asyncio
import sys

from aiortsp.rtcp.parser import BYE
from aiortsp.rtsp.reader import RTSPReader

LIMIT = 25.0  # seconds
SCHEMES = {"udp": "rtsp", "tcp": "rtspt"}  # by which it chooses the transport


class Player(RTSPReader):
    def __init__(self, url):
        super().__init__(url)
        self.has_ended = asyncio.Event()

    def handle_rtp(self, rtp):
        packet = bytes(rtp)
        sys.stdout.buffer.write(len(packet).to_bytes(2, "big") + packet)

    def handle_rtcp(self, rtcp):
        if any(isinstance(packet, BYE) for packet in rtcp.packets):
            self.has_ended.set()


async def play(url):
    async with Player(url) as player:
        await asyncio.wait_for(player.has_ended.wait(), LIMIT)
    await asyncio.wait([player._runner], timeout=LIMIT)  # which sends TEARDOWN


address, transport = sys.argv[1:]
asyncio.run(play(address.replace("rtsp", SCHEMES[transport], 1)))
