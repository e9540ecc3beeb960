"""Publishers who behave, and those who watch what they show: every picture is one of the film's."""

from __future__ import annotations

import random
import struct
import time

from standard_clients import RtpHeader, put_together, read_rtp
from standard_servers import jpeg_payloads

from soak.films import FPS, Film
from soak.link import HOST, Link, Port, Reply, open_pair
from soak.stage import EXCUSE, Stage
from soak.tally import Fault

LIVE = "live"
MJPEG = 26
MODE = "mode=record"
DESCRIPTION = (
    f"v=0\r\no=- 0 0 IN IP4 {HOST}\r\ns=x\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    f"m=video 0 RTP/AVP {MJPEG}\r\na=control:streamid=0\r\n"
)


class _Speaker:
    """A connection to the plain server, about one stream."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.link = Link(stage.tally, self._interleaved)
        self.ports: tuple[Port, ...] = ()
        self._url = f"rtsp://{HOST}:{stage.plain}/{name}"
        self._cseq = 0
        self._session = ""

    async def ask(self, method: str, *headers: str, track: str = "", body: str = "") -> Reply:
        """Raises Fault when there is no answer."""
        self._cseq += 1
        lines = [f"{method} {self._url}{track} RTSP/1.0", f"CSeq: {self._cseq}", *headers]
        lines += [f"Session: {self._session}"] if self._session else []
        lines += [f"Content-Length: {len(body)}"] if body else []
        reply = await self.link.ask(method, "\r\n".join([*lines, "", body]).encode())
        self._session = reply["session"].partition(";")[0] or self._session
        return reply

    async def demand(self, method: str, *headers: str, track: str = "", body: str = "") -> Reply:
        """Ask, and expect 200. Raises Fault."""
        reply = await self.ask(method, *headers, track=track, body=body)
        if reply.status != 200:
            raise Fault(f"{LIVE}: {method} is answered with {reply.status}")
        return reply

    async def set_up(self, track: str, is_udp: bool, *more: str) -> None:
        parts = ["RTP/AVP/TCP", "unicast", "interleaved=0-1"]
        if is_udp:
            self.ports = open_pair(self.take, lambda report: None)
            first, second = (port.number for port in self.ports)
            parts = ["RTP/AVP", "unicast", f"client_port={first}-{second}"]
        transport = ";".join([*parts, *more])
        reply = await self.demand("SETUP", f"Transport: {transport}", track=track)
        if is_udp:
            theirs = reply.parameter("transport", "server_port").split("-")
            for port, number in zip(self.ports, theirs, strict=True):
                port.socket.connect((HOST, int(number)))

    def _interleaved(self, channel: int, packet: bytes) -> None:
        if channel == 0:
            self.take(packet)

    def take(self, packet: bytes) -> None:
        """An RTP packet has come."""

    def close(self) -> None:
        for port in self.ports:
            port.close()
        self.link.close()


async def publish(stage: Stage, rng: random.Random, name: str) -> None:
    """Show a film for a while, and go. Raises Fault."""
    film, is_udp = stage.films[1], rng.random() < 0.5
    speaker = _Speaker(stage, name)
    try:
        await speaker.link.connect(stage.plain)
        await speaker.demand("ANNOUNCE", "Content-Type: application/sdp", body=DESCRIPTION)
        await speaker.set_up("/streamid=0", is_udp, MODE)
        await speaker.demand("RECORD")
        stage.tally.sessions[f"published by {'UDP' if is_udp else 'TCP'}"] += 1
        stage.published.add(name)
        await _show(speaker, film, rng.uniform(3, 8), rng)
        stage.published.discard(name)
        if rng.random() < 0.7:
            await speaker.demand("TEARDOWN")
        else:
            speaker.link.hang_up()
    finally:
        stage.published.discard(name)
        speaker.close()


async def _show(speaker: _Speaker, film: Film, seconds: float, rng: random.Random) -> None:
    number, timestamp, ssrc = (rng.getrandbits(bits) for bits in (16, 32, 32))
    due = time.monotonic()
    for index in range(round(seconds * FPS)):
        payloads = jpeg_payloads(film.frames[index % len(film)], size=1300)
        for payload in payloads:
            kind = MJPEG | (0x80 if payload is payloads[-1] else 0)
            packet = struct.pack(">BBHII", 0x80, kind, number, timestamp, ssrc) + payload
            number = (number + 1) & 0xFFFF
            if speaker.ports:
                speaker.ports[0].socket.send(packet)
            else:
                speaker.link.write(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
        timestamp = (timestamp + 90_000 // FPS) & 0xFFFFFFFF
        due += 1 / FPS
        await speaker.stage.rest(max(0.0, due - time.monotonic()))
        speaker.link.check()
        if not speaker.stage.remaining:
            return


class _Watcher(_Speaker):
    """One who watches a live stream, and knows the film that it shows."""

    def __init__(self, stage: Stage, name: str) -> None:
        super().__init__(stage, name)
        self._packets: list[RtpHeader] = []
        self._is_whole = False  # nothing is missing of the frame that is coming
        self._next: int | None = None  # sequence number
        self.frames = self.lost = 0

    def take(self, packet: bytes) -> None:
        header = read_rtp(packet)
        gap = 0 if self._next is None else (header.sequence - self._next) & 0xFFFF
        if gap:
            self.lost += gap
            self._is_whole = False
        self._next = (header.sequence + 1) & 0xFFFF
        if header.payload[1:4] == b"\0\0\0":
            self._packets, self._is_whole = [], True
        self._packets.append(header)
        if header.marker and self._is_whole:
            self._compare()

    def _compare(self) -> None:
        (picture,) = put_together(self._packets)
        if picture not in self.stage.films[1].pictures:
            raise Fault(f"{LIVE}: a picture that nobody has published")
        self.frames += 1
        self.stage.tally.frames[LIVE] += 1
        self.stage.tally.bytes += len(picture.scan)


async def watch(stage: Stage, rng: random.Random) -> None:
    """Look at a stream that is published now, for a while. Raises Fault."""
    names = sorted(stage.published)
    if not names:
        await stage.rest(0.2)
        return
    name, began = rng.choice(names), time.monotonic()
    watcher = _Watcher(stage, name)
    try:
        await watcher.link.connect(stage.plain)
        described = await watcher.ask("DESCRIBE")
        if described.status != 200:
            if name in stage.published:
                raise Fault(f"{LIVE}: DESCRIBE is answered with {described.status}")
            return  # the publisher has gone meanwhile
        await _look(watcher, name, rng)
        _judge(watcher, began)
    except Fault:
        if name in stage.published:
            raise
    finally:
        watcher.close()


async def _look(watcher: _Watcher, name: str, rng: random.Random) -> None:
    await watcher.set_up("/trackID=0", rng.random() < 0.5)
    await watcher.demand("PLAY")
    stage, way = watcher.stage, "UDP" if watcher.ports else "TCP"
    stage.tally.sessions[f"{LIVE} by {way}"] += 1
    before, seconds = watcher.frames, rng.uniform(0.5, 3)
    await stage.rest(seconds)
    if name in stage.published and stage.remaining and watcher.frames == before:
        if stage.tally.beat.held_up_since(time.monotonic() - seconds) < EXCUSE:
            raise Fault(f"{LIVE}: no picture in {seconds:.1f} s")
    if rng.random() < 0.5 and name in stage.published:
        await watcher.demand("TEARDOWN")


def _judge(watcher: _Watcher, began: float) -> None:
    tally = watcher.stage.tally
    for port in watcher.ports:
        if port.fault is not None:
            raise port.fault
    watcher.link.check()
    if watcher.lost:
        has_room = watcher.ports and not any(port.dropped for port in watcher.ports)
        if has_room and tally.beat.held_up_since(began) < EXCUSE:
            raise Fault(f"{LIVE}: {watcher.lost} packets lost")
        tally.lost_packets += watcher.lost
