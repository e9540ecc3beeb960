"""A viewer by TCP whose line is slower than a film of 1920x1080: frames are dropped, whole ones."""

from __future__ import annotations

import random
import struct

from standard_clients import RtpHeader, read_rtp

from soak.hostile import INTERLEAVED
from soak.peer import connected
from soak.screen import picture_of
from soak.stage import Stage
from soak.tally import Fault
from soak.viewer import BYE

SLOW = "slow TCP, 1080p"
ROOM = 64 << 10  # bytes of receive buffer
RATES = (0.4e6, 1e6, 2.5e6)  # bytes a second; the film has 3 million
GIVE_UP = 10.0  # seconds without a byte


async def visit(stage: Stage, rng: random.Random) -> None:
    """Watch for a while, and compare each frame that comes. Raises Fault."""
    film = stage.slow_film
    async with connected(stage, rng, room=ROOM, port=stage.plain) as peer:
        session = await peer.set_up(film.name, INTERLEAVED)
        await peer.send(peer.request("PLAY", film.name, session))
        stage.tally.sessions[SLOW] += 1
        rate, left = rng.choice(RATES), rng.uniform(4, 20)
        buffer, packets = b"", list[RtpHeader]()
        while left > 0 and stage.remaining:
            data = await peer.hear(GIVE_UP)
            if not data:
                raise Fault(f"{SLOW}: nothing has come for {GIVE_UP:g} s")
            buffer += data
            left -= len(data) / rate
            await stage.rest(len(data) / rate)
            while (message := _message(buffer)) is not None:
                buffer = buffer[len(message) :]
                if message[:2] == b"$\1" and BYE in _types(message[4:]):
                    again = peer.request("PLAY", film.name, session, "Range: npt=0-")
                    await peer.send(again)
                if message[:2] != b"$\0":
                    continue
                packet = read_rtp(message[4:])
                if packets and packet.timestamp != packets[-1].timestamp:
                    raise Fault(f"{SLOW}: a frame without its end")
                packets.append(packet)
                if packet.marker:
                    picture = picture_of(packets)
                    if picture is None or not film.number_of(picture):
                        raise Fault(f"{SLOW}: a frame is not the film's")
                    stage.tally.frames[SLOW] += 1
                    stage.tally.bytes += sum(len(one.payload) for one in packets)
                    packets = []
        await peer.send(peer.request("TEARDOWN", film.name, session))


def _types(compound: bytes) -> list[int]:
    """The packet types of an RTCP compound packet."""
    types = []
    while len(compound) >= 4:
        _, kind, words = struct.unpack_from(">BBH", compound)
        types.append(kind)
        compound = compound[4 * (words + 1) :]
    return types


def _message(buffer: bytes) -> bytes | None:
    """The first whole message: an interleaved frame, or a reply without a body. Raises Fault."""
    if buffer[:1] == b"$":
        if len(buffer) < 4:
            return None
        end = 4 + int(struct.unpack_from(">H", buffer, 2)[0])
    elif buffer[:5] == b"RTSP/"[: len(buffer)]:
        end = buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
    else:
        raise Fault(f"{SLOW}: framing is lost at {buffer[:40]!r}")
    return buffer[:end] if len(buffer) >= end else None
