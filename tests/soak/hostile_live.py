"""Publishers and browsers who do not behave."""

from __future__ import annotations

import random
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from soak.link import HOST
from soak.live import DESCRIPTION, MJPEG, MODE
from soak.peer import Peer, connected
from soak.stage import Stage
from soak.tally import Fault

INTERLEAVED = f"Transport: RTP/AVP/TCP;unicast;interleaved=0-1;{MODE}"
LARGE = 9 << 20  # bytes of a picture: more than is taken
HTTP_NONSENSE = (
    b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01" + b"\xaa" * 300,
    b"GET /movie.Mjpeg.mjpeg HTTP/9.9\r\n\r\n",
    b"OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"GET /\x1b[31m<script> HTTP/1.1\r\nHost: localhost\r\n\r\n",
)

Act = Callable[[Stage, random.Random], Awaitable[None]]


async def garbage_published(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng, port=stage.plain) as peer:
        await _record(peer, rng)
        for _ in range(100):
            await peer.send(_packet(rng.randrange(9), rng.randbytes(rng.randrange(300))))
            await peer.send(_framed(rng.randbytes(rng.randrange(60))))


async def a_picture_too_large(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng, port=stage.plain) as peer:
        await _record(peer, rng)
        piece = 60_000
        for number, offset in enumerate(range(0, LARGE, piece)):
            head = offset.to_bytes(4, "big") + bytes([1, 50, 40, 30])
            await peer.send(_packet(number, head + bytes(piece)))
            if not stage.remaining:
                break


async def half_a_picture(stage: Stage, rng: random.Random) -> None:
    """It stops in the middle, of a packet too, and goes or says nothing more."""
    async with connected(stage, rng, port=stage.plain) as peer:
        await _record(peer, rng)
        packet = _packet(1, bytes([0, 0, 0, 0, 1, 50, 40, 30]) + bytes(1000))
        await peer.send(packet + packet[: rng.randrange(len(packet))])
        await stage.rest(rng.uniform(0, stage.patience))
        if rng.random() < 0.5:
            peer.reset()


async def another_codec(stage: Stage, rng: random.Random) -> None:
    h264 = DESCRIPTION.replace(str(MJPEG), "96") + "a=rtpmap:96 H264/90000\r\n"
    sound = DESCRIPTION + "m=audio 0 RTP/AVP 0\r\n"
    nonsense = rng.randbytes(200).hex()
    async with connected(stage, rng, port=stage.plain) as peer:
        for description in (h264, sound, nonsense, DESCRIPTION.replace("26", "9" * 5000)):
            if (await _announce(peer, rng, description)).startswith(b"RTSP/1.0 200"):
                raise Fault("what can't be published may be announced")


async def announced_only(stage: Stage, rng: random.Random) -> None:
    """ANNOUNCE, maybe SETUP, and then nothing or what does not belong here."""
    async with connected(stage, rng, port=stage.plain) as peer:
        await _announce(peer, rng, DESCRIPTION)
        name = f"hostile-{rng.randrange(5)}"
        if rng.random() < 0.5:
            await peer.ask("SETUP", f"{name}/streamid=0", INTERLEAVED)
        await peer.ask(rng.choice(("PLAY", "PAUSE", "ANNOUNCE", "RECORD")), name)
        await peer.send(_packet(1, bytes(500)))
        await stage.rest(rng.uniform(0, stage.patience))


async def takeover(stage: Stage, rng: random.Random) -> None:
    """Another's stream, and a movie's name: neither may be published."""
    names = [*sorted(stage.published), stage.films[0].name]
    async with connected(stage, rng, port=stage.plain) as peer:
        name = rng.choice(names)
        headers = ("Content-Type: application/sdp", f"Content-Length: {len(DESCRIPTION)}")
        await peer.send(peer.request("ANNOUNCE", name, *headers) + DESCRIPTION.encode())
        await peer.hear(5)
        reply = await peer.ask("SETUP", f"{name}/streamid=0", INTERLEAVED)
        with suppress(IndexError):
            session = reply.split(b"Session: ")[1].split(b"\r\n")[0].split(b";")[0].decode()
            was_published = name in stage.published
            answer = await peer.ask("RECORD", name, f"Session: {session}")
            if was_published and name in stage.published and answer.startswith(b"RTSP/1.0 200"):
                raise Fault("a stream may be taken over by anybody")


async def broken_http(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng, port=stage.http) as peer:
        await peer.send(rng.choice(HTTP_NONSENSE))
        answer = await peer.hear(1)
        if answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 500")):
            raise Fault(f"a broken HTTP request is answered with {answer[:20]!r}")


async def unread_moving_picture(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng, room=4096, port=stage.http) as peer:
        name = rng.choice(stage.films).name
        await peer.send(f"GET /{name}.mjpeg HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        await stage.rest(rng.uniform(0, stage.patience))
        if rng.random() < 0.5:
            peer.reset()


async def half_a_get(stage: Stage, rng: random.Random) -> None:
    request = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    async with connected(stage, rng, port=stage.http) as peer:
        await peer.send(request[: rng.randrange(len(request))])
        await stage.rest(rng.uniform(0, stage.patience))


ACTS: tuple[Act, ...] = (
    garbage_published,
    a_picture_too_large,
    half_a_picture,
    another_codec,
    announced_only,
    takeover,
    broken_http,
    unread_moving_picture,
    half_a_get,
)


async def _announce(peer: Peer, rng: random.Random, description: str) -> bytes:
    headers = ("Content-Type: application/sdp", f"Content-Length: {len(description)}")
    request = peer.request("ANNOUNCE", f"hostile-{rng.getrandbits(32)}", *headers)
    await peer.send(request + description.encode())
    return await peer.hear(5)


async def _record(peer: Peer, rng: random.Random) -> None:
    """Publish under a name of one's own."""
    name = f"hostile-{rng.getrandbits(32)}"
    headers = ("Content-Type: application/sdp", f"Content-Length: {len(DESCRIPTION)}")
    await peer.send(peer.request("ANNOUNCE", name, *headers) + DESCRIPTION.encode())
    await peer.hear(5)
    session = await peer.set_up(f"{name}/streamid=0", INTERLEAVED)
    await peer.ask("RECORD", name, session)


def _packet(number: int, payload: bytes) -> bytes:
    return _framed(struct.pack(">BBHII", 0x80, MJPEG, number, 1, 1) + payload)


def _framed(data: bytes) -> bytes:
    return struct.pack(">BBH", 0x24, 0, len(data)) + data
