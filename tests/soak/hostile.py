"""Viewers who do not behave. Nothing they do may be noticed by anybody else.

Each act is a function that comes, does its worst and is gone; what the server answers to it is
looked at only where an answer would let somebody in.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from soak import hostile_live
from soak.link import HOST
from soak.peer import REPLY_LIMIT, connected
from soak.stage import Stage
from soak.tally import Fault

INTERLEAVED = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
FLOOD = 400  # requests in one piece
NOT_READ = 4096  # bytes of receive buffer of one who does not read
BROKEN = (
    b"\0" * 200 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"SETUP\r\n\r\n" * 20,
    b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: -1\nTransport: RTP/UDP; client_port= 99999\n\n",
    b"SETUP movie.Mjpeg\n1\n RTSP/1.0 RTP/UDP x\n",
    b"PLAY ../../etc/passwd RTSP/1.0\r\nCSeq: 1\r\nSession: \x1b[31m\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -5\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * 5000,
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: " + b"A" * 200_000 + b"\r\n\r\n",
    b"DESCRIBE rtsp://[::1/x RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"DESCRIBE rtsp://h/%2e%2e%2f%2e%2e%2fx RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"PLAY * RTSP/1.0\r\nCSeq: 1\r\nRange: npt=1e9-\r\nSession: 1\r\n\r\n",
    b"\xff\xfe\xfd" * 1000 + b"\n\n",
)

Act = Callable[[Stage, random.Random], Awaitable[None]]


async def broken_requests(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng) as peer:
        for data in rng.sample(BROKEN, 4):
            await peer.send(data)
            await peer.hear(0.1)


async def flood(stage: Stage, rng: random.Random) -> None:
    """More requests than are served, in one piece, and no look at the replies."""
    async with connected(stage, rng) as peer:
        name = stage.films[0].name
        methods = ("OPTIONS", "DESCRIBE", "PLAY", "GET_PARAMETER")
        await peer.send(b"".join(peer.request(rng.choice(methods), name) for _ in range(FLOOD)))
        await stage.rest(rng.uniform(0, stage.patience))


async def silence(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng):
        await stage.rest(stage.patience)


async def half_a_request(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng) as peer:
        request = peer.request("SETUP", stage.films[0].name, INTERLEAVED)
        await peer.send(request[: rng.randrange(1, len(request))])
        await stage.rest(rng.uniform(0, stage.patience))


async def byte_by_byte(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng) as peer:
        request = peer.request("OPTIONS", "*")
        for byte in request:
            await peer.send(bytes([byte]))
            await stage.rest(stage.patience / len(request))


async def slow_reader(stage: Stage, rng: random.Random) -> None:
    """Asks for everything at four times the speed, and reads nothing of it."""
    async with connected(stage, rng, room=NOT_READ, port=stage.plain) as peer:
        film = rng.choice(stage.films)
        session = await peer.set_up(film.name, INTERLEAVED)
        await peer.send(peer.request("PLAY", film.name, session, "Speed: 4", "Range: npt=0-"))
        await stage.rest(stage.patience)
        for _ in range(rng.randrange(20)):
            await peer.send(peer.request("GET_PARAMETER", film.name, session))


async def closed_ports(stage: Stage, rng: random.Random) -> None:
    """The server hears from ICMP that nobody is there, and hangs up after a while."""
    async with connected(stage, rng, port=stage.plain) as peer:
        name = stage.films[0].name
        port = rng.randrange(20_000, 30_000, 2)  # below those that the system gives to others
        if rng.random() < 0.5:
            transport = f"Transport: RTP/AVP;unicast;client_port={port}-{port + 1}"
            session = await peer.set_up(name, transport)
            await peer.send(peer.request("PLAY", name, session))
        else:
            setup = f"SETUP {name} RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= {port}\n\n"
            await peer.send(setup.encode())
            await peer.hear(1)
            await peer.send(f"PLAY {name}\n2\n".encode())
        await stage.rest(max(7.0, stage.patience))


async def junk_to_media_ports(stage: Stage, rng: random.Random) -> None:
    """To the RTP and RTCP ports of one's own session, and to those of others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.bind((HOST, 0))
        port = udp.getsockname()[1]
        async with connected(stage, rng, port=stage.plain) as peer:
            name = rng.choice(stage.films).name
            transport = f"Transport: RTP/AVP;unicast;client_port={port}-{port}"
            session = await peer.set_up(name, transport)
            await peer.send(peer.request("PLAY", name, session))
            for _ in range(200):
                ports = sorted({*peer.server_ports, *stage.server_ports})
                with suppress(OSError):
                    udp.sendto(_junk(rng), (HOST, rng.choice(ports)))
                await stage.rest(0.005)


async def wrong_sessions(stage: Stage, rng: random.Random) -> None:
    """Sessions that others have, and some that nobody has."""
    async with connected(stage, rng, port=stage.plain) as peer:
        known = [*stage.sessions, "0", "1", "x" * 2000, "\x1b]0;x\x07", "-1"]
        for session in rng.sample(known, min(len(known), 8)):
            method = rng.choice(("PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER"))
            reply = await peer.ask(method, stage.films[0].name, f"Session: {session}")
            if reply.startswith(b"RTSP/1.0 200"):
                raise Fault(f"{method} is allowed with session {session[:20]!r} of others")


async def cut_off_frames(stage: Stage, rng: random.Random) -> None:
    """Interleaved frames on unknown channels, of no length, and one that breaks off."""
    async with connected(stage, rng, port=stage.plain) as peer:
        name = rng.choice(stage.films).name
        session = await peer.set_up(name, INTERLEAVED)
        await peer.send(peer.request("PLAY", name, session))
        for _ in range(20):
            junk = _junk(rng)
            await peer.send(struct.pack(">BBH", 0x24, rng.randrange(256), len(junk)) + junk)
        request = peer.request("PAUSE", name, session)
        cut = rng.randrange(len(request))
        await peer.send(request[:cut] + b"$\x01\x00\x00" + request[cut:])
        await peer.send(b"$\x01\xff\xff" + bytes(rng.randrange(60_000)))
        await stage.rest(rng.uniform(0, stage.patience / 2))


async def reset_while_it_plays(stage: Stage, rng: random.Random) -> None:
    async with connected(stage, rng, port=stage.plain) as peer:
        name = rng.choice(stage.films).name
        session = await peer.set_up(name, INTERLEAVED)
        await peer.send(peer.request("PLAY", name, session))
        await stage.rest(rng.uniform(0, 1))
        peer.reset()


async def media_for_others(stage: Stage, rng: random.Random) -> None:
    """Ports of the system, other hosts, and invalid transports."""
    transports = (
        "RTP/AVP;unicast;client_port=53-54",
        "RTP/AVP;unicast;client_port=0-0",
        "RTP/AVP;unicast;client_port=99999-100000",
        "RTP/AVP/TCP;interleaved=256-257",
        "RTP/AVP/TCP;interleaved=0-0" + ";" * 5000,
        "RAW/RAW/UDP;unicast;client_port=5000",
        ",".join(["RTP/AVP;unicast"] * 40),
    )
    async with connected(stage, rng, port=stage.plain) as peer:
        for transport in transports[:3]:
            reply = await peer.ask("SETUP", stage.films[0].name, f"Transport: {transport}")
            if reply.startswith(b"RTSP/1.0 200"):
                raise Fault(f"SETUP is granted for {transport}")
        for transport in transports[3:]:
            await peer.ask("SETUP", stage.films[0].name, f"Transport: {transport}")


async def wrong_passwords(stage: Stage, rng: random.Random) -> None:
    """Guesses, replays and overlong names at the server that asks for a login."""
    guesses = (
        "Basic " + "YW5uOm5vdCBpdA==",
        'Digest username="ann", realm="rtplab", nonce="x", uri="x", response="x"',
        "Digest " + "a=b, " * 500,
        "Basic " + "A" * 6000,
    )
    reader, writer = await asyncio.open_connection(
        HOST, stage.secure, ssl=stage.tls, server_hostname=HOST
    )
    try:
        for number in range(rng.randint(1, 3)):
            lines = [f"DESCRIBE rtsps://{HOST}:{stage.secure}/movie.Mjpeg RTSP/1.0"]
            lines += [f"CSeq: {number}", f"Authorization: {rng.choice(guesses)}", "", ""]
            writer.write("\r\n".join(lines).encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REPLY_LIMIT)
            if head.startswith(b"RTSP/1.0 200"):
                raise Fault("a wrong password is as good as the right one")
    finally:
        writer.transport.abort()


async def half_a_handshake(stage: Stage, rng: random.Random) -> None:
    """The beginning of TLS, or plain requests, where TLS is spoken."""
    async with connected(stage, rng, port=stage.secure) as peer:
        outgoing = ssl.MemoryBIO()
        with suppress(ssl.SSLWantReadError):
            stage.tls.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST).do_handshake()
        hello = outgoing.read()
        plain = peer.request("OPTIONS", "*")
        cut = hello[: rng.randrange(1, len(hello))]
        await peer.send(rng.choice((hello, cut, plain, hello + plain, cut + plain)))
        await stage.rest(rng.uniform(0, stage.patience))


ACTS: tuple[Act, ...] = (
    broken_requests,
    flood,
    silence,
    half_a_request,
    byte_by_byte,
    slow_reader,
    closed_ports,
    junk_to_media_ports,
    wrong_sessions,
    cut_off_frames,
    reset_while_it_plays,
    media_for_others,
    wrong_passwords,
    half_a_handshake,
    *hostile_live.ACTS,
)


def name_of(act: Act) -> str:
    return getattr(act, "__name__", "?").replace("_", " ")


def _junk(rng: random.Random) -> bytes:
    """Random bytes, now and then with the first ones of RTCP."""
    start = rng.choice((b"", b"\x80\xc8", b"\x81\xc9\x00\x07", b"\x81\xcb\x00\x01", b"\xff"))
    return start + rng.randbytes(rng.randrange(200))
