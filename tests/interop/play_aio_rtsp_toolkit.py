"""Plays with aio-rtsp-toolkit, over TCP, until so many frames have come: URL FRAMES.

Each RTP packet goes to stdout behind its length in two bytes (RFC 4571).
"""

import asyncio
import logging
import sys

import aio_rtsp_toolkit
import aio_sockets
from aio_rtsp_toolkit import RtpPacketEvent, RtspMethodEvent


async def play(url, frames):
    stop = asyncio.Event()
    async with aio_rtsp_toolkit.open_session(url, enable_audio=False) as session:
        async for event in session.iter_events(stop):
            if isinstance(event, RtspMethodEvent):
                assert event.response.status_code == 200, (event.method, event.response)
            elif isinstance(event, RtpPacketEvent) and event.media_channel == "video_rtp":
                write(event.rtp)
                frames -= event.rtp.marker
                if not frames:
                    stop.set()


def write(rtp):
    """Put the packet together again from what is left of it."""
    second = rtp.marker << 7 | rtp.payload_type
    numbers = [(rtp.sequence_number, 2), (rtp.timestamp, 4), (rtp.ssrc, 4)]
    header = bytes([0x80, second]) + b"".join(n.to_bytes(size, "big") for n, size in numbers)
    packet = header + rtp.payload
    sys.stdout.buffer.write(len(packet).to_bytes(2, "big") + packet)


# They write to stdout otherwise.
aio_rtsp_toolkit.types.logger = aio_sockets.aio_sockets.logger = logging.getLogger()
asyncio.run(play(sys.argv[1], int(sys.argv[2])))
