"""A viewer of the standard: asks as RFC 2326 says, and holds the server to its answers."""

from __future__ import annotations

import asyncio
import random
import struct
import time

from soak.films import FPS, Film
from soak.link import HOST, Link, Port, Reply, open_pair
from soak.login import Login
from soak.screen import Screen, Stretch
from soak.stage import EXCUSE, LONGEST_LEAP, PATIENCE, Stage
from soak.tally import Fault

UDP, TCP, TLS = "UDP", "TCP", "TLS, login"
SENDER_REPORT, RECEIVER_REPORT, BYE = 200, 201, 203
SIGN_OF_LIFE = 20.0  # seconds: a session without one ends after 60


class Viewer:
    """A connection, and a session on it, by unicast."""

    def __init__(self, stage: Stage, rng: random.Random, way: str, film: Film) -> None:
        self.stage = stage
        self.rng = rng
        self.way = way
        self.film = film
        self._is_private = way == TLS
        self._port = stage.secure if self._is_private else stage.plain
        self._login = Login(rng) if self._is_private else None
        scheme = "rtsps" if self._is_private else "rtsp"
        self.url = f"{scheme}://{HOST}:{self._port}/{film.name}"
        self._link = Link(stage.tally, self._interleaved)
        self._channels = rng.choice([(0, 1), (2, 3), (8, 9)])
        self._ports: list[Port] = []
        self._cseq = rng.randrange(1000)
        self._session = ""
        self._server_ports: tuple[int, ...] = ()
        self._began = 0.0
        self.screen = Screen(way, film, stage.tally, None)
        self.is_playing = False
        self._bye: int | None = None  # the timestamp of the report with it
        self._over = asyncio.Event()  # BYE has come, for what plays now

    # ------------------------------------------------------------------ connection

    async def connect(self) -> None:
        await self._link.connect(self._port, self.stage.tls if self._is_private else None)

    def close(self) -> None:
        """Close everything. May be called twice."""
        self.stage.server_ports.difference_update(self._server_ports)
        self._close_ports()
        self._link.close()

    def hang_up(self) -> None:
        """Be gone without a word."""
        self._link.hang_up()
        self.close()

    def check(self) -> None:
        """Raises the Fault that has come to light in the meantime, if there is one."""
        self._link.check()
        for port in self._ports:
            if port.fault is not None:
                raise port.fault
        if self.screen.lost and not self._may_have_lost():
            raise Fault(f"{self.way}: {self.screen.lost} packets lost")

    def _may_have_lost(self) -> bool:
        """Whether the load itself had no room or no time for what came."""
        is_held_up = self.stage.tally.beat.held_up_since(self._began) > EXCUSE
        return is_held_up or any(port.dropped for port in self._ports)

    async def ask(self, method: str, *headers: str, uri: str = "") -> Reply:
        """Ask, log in if need be, and expect 200. Raises Fault."""
        reply = await self._ask(method, uri or self.url, *headers)
        if reply.status == 401 and self._login is not None:
            self._login.challenged(reply)
            reply = await self._ask(method, uri or self.url, *headers)
        if reply.status != 200:
            raise Fault(f"{self.way}: {method} is answered with {reply.status}")
        named = reply["session"].partition(";")[0]
        if self._session and named != self._session:
            raise Fault(f"{self.way}: {method} is answered for session {named!r}")
        return reply

    async def _ask(self, method: str, uri: str, *headers: str) -> Reply:
        self._cseq += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._cseq}", *headers]
        lines += [f"Session: {self._session}"] if self._session else []
        lines += self._login.headers(method, uri) if self._login else []
        reply = await self._link.ask(method, "\r\n".join([*lines, "", ""]).encode())
        if reply["cseq"] != str(self._cseq):
            raise Fault(f"{self.way}: {method} {self._cseq} is answered as {reply['cseq']}")
        return reply

    # ------------------------------------------------------------------ session

    async def set_up(self) -> None:
        """Make a session. Raises Fault."""
        offer = f"Transport: {self._offer()}"
        reply = await self.ask("SETUP", offer, uri=f"{self.url}/trackID=0")
        self._session = reply["session"].partition(";")[0]
        self.screen = self._new_screen()
        self.screen.ssrc = int(reply.parameter("transport", "ssrc"), 16)
        self._began = time.monotonic()
        self._take_up(reply)
        self.is_playing = False
        self.stage.sessions.append(self._session)
        self.stage.tally.sessions[self.way] += 1

    def _new_screen(self) -> Screen:
        return Screen(self.way, self.film, self.stage.tally, None)

    def _offer(self) -> str:
        if self.way == UDP:
            self._ports = [*open_pair(self._rtp, self._rtcp)]
            return "RTP/AVP;unicast;client_port={}-{}".format(*(p.number for p in self._ports))
        return "RTP/AVP/TCP;unicast;interleaved={}-{}".format(*self._channels)

    def _take_up(self, reply: Reply) -> None:
        if self.way == UDP:
            theirs = pair(reply.parameter("transport", "server_port"))
            self._server_ports = theirs
            self.stage.server_ports.update(theirs)
            for port, number in zip(self._ports, theirs, strict=True):
                port.socket.connect((HOST, number))  # nobody else is listened to
        elif pair(reply.parameter("transport", "interleaved")) != self._channels:
            raise Fault(f"{self.way}: other channels than asked for: {reply['transport']}")

    async def tear_down(self) -> None:
        self.stage.server_ports.difference_update(self._server_ports)
        await self.ask("TEARDOWN")
        self._read_ports()
        self.screen.stop()
        self.check()
        self._close_ports()
        self._session = ""

    def _close_ports(self) -> None:
        self.stage.tally.lost_packets += self.screen.lost
        self.screen.lost = 0
        for port in self._ports:
            port.close()
        self._ports = []

    def _read_ports(self) -> None:
        """Take what was sent before now: it must not be taken for what comes later."""
        for port in self._ports:
            port.take_all()

    # ------------------------------------------------------------------ playing

    async def play(self, start: int = 0, end: int = 0, scale: float = 0, speed: float = 0) -> None:
        """PLAY, from frame `start` to `end`, counted from 1; 0 is not said. Raises Fault."""
        headers = [f"Range: npt={(start - 1) / FPS:.3f}-{f'{end / FPS:.3f}' if end else ''}"]
        headers = headers if start else []
        headers += [f"Scale: {scale}"] if scale else []
        headers += [f"Speed: {speed}"] if speed else []
        self.screen.hold()
        self._read_ports()
        self._bye = None  # what has come is of what played before
        reply = await self.ask("PLAY", *headers)
        self._read_ports()
        stretch = self._promise(reply, scale, speed)
        sequence_number = int(reply.parameter("rtp-info", "seq"))
        if not headers and self._goes_on(stretch):
            self.screen.go_on(sequence_number)
            return
        self._check_promise(stretch, start, end)
        self.screen.play(stretch, sequence_number)
        self.is_playing = True
        self._look_for_bye()

    def _promise(self, reply: Reply, scale: float, speed: float) -> Stretch:
        """What the reply to PLAY says will come. Raises Fault."""
        first, _, last = reply["range"].removeprefix("npt=").partition("-")
        for name, value in (("scale", scale), ("speed", speed)):
            if value and float(reply[name] or 0) != value:
                raise Fault(f"{self.way}: {name} {value} is answered with {reply[name]!r}")
        return Stretch(
            int(reply.parameter("rtp-info", "rtptime")),
            round(float(first) * FPS) + 1,
            max(1, int(scale)),
            max(1.0, 1 / (scale or 1)) / FPS,
            speed or 1,
            round(float(last) * FPS),
        )

    def _goes_on(self, stretch: Stretch) -> bool:
        """Whether the server says where it is, and will not begin anew."""
        if not self.is_playing:
            return False
        now = self.screen.stretches[-1]
        number = now.number(now.index(stretch.timestamp) or 0)
        if number <= now.last and number != stretch.first:
            raise Fault(f"{self.way}: it says {stretch.first} and plays {number}")
        return number <= now.last or stretch.first != 1

    def _check_promise(self, stretch: Stretch, start: int, end: int) -> None:
        expected = start or self._next_number(stretch.timestamp)
        if stretch.first != expected:
            raise Fault(f"{self.way}: PLAY begins at frame {stretch.first}, not {expected}")
        if stretch.last != (end or len(self.film)):
            raise Fault(f"{self.way}: PLAY ends at frame {stretch.last}, not {end}")

    def _next_number(self, timestamp: int) -> int:
        """The frame that follows what has been seen; at the end the film begins again."""
        if not self.screen.stretches:
            return 1
        seen = self.screen.stretches[-1]
        index = seen.index(timestamp)
        if index is None:
            raise Fault(f"{self.way}: timestamp {timestamp} does not go on from those before")
        number = seen.number(index)
        return number if number <= seen.last else 1

    async def pause(self) -> None:
        await self.ask("PAUSE")
        self._read_ports()
        self.screen.stop()
        self.is_playing = False
        self.check()

    async def see_the_end(self) -> None:
        """Stay until BYE, which comes after the last frame. Raises Fault."""
        stretch = self.screen.stretches[-1]
        limit = len(self.film) * stretch.interval + PATIENCE
        if not await self._wait_for_bye(limit):
            return
        self._read_ports()
        self.check()
        self._check_last_frame(stretch, self.screen.last_number)
        self.screen.stop()
        self.is_playing = False
        self.stage.tally.films_seen += 1

    def _check_last_frame(self, stretch: Stretch, seen: int) -> None:
        expected = stretch.last - (stretch.last - stretch.first) % stretch.step
        missing = (expected - seen) // stretch.step
        if missing and not self.screen.lost:
            if not 0 < missing * stretch.interval < LONGEST_LEAP:
                raise Fault(f"{self.way}: BYE after frame {seen}, not {expected}")
            self.screen.leave_out(missing)

    async def _wait_for_bye(self, seconds: float) -> bool:
        """Tell if it has come; not when the soak ends first. Raises Fault when it does not."""
        deadline = time.monotonic() + seconds
        while not await self.stage.wait(self._over, min(seconds, SIGN_OF_LIFE)):
            self.check()
            if not self.stage.remaining:
                return False
            if time.monotonic() > deadline:
                held_up = self.stage.tally.beat.held_up_since(self._began)
                if held_up < EXCUSE:
                    raise Fault(f"{self.way}: no end of {self.film.name}")
                return False
            await self.ask("GET_PARAMETER")
        return True

    def send_report(self) -> None:
        """An empty receiver report, as many players send it."""
        ssrc = self.rng.getrandbits(32)
        report = struct.pack(">BBHI", 0x80, RECEIVER_REPORT, 1, ssrc)
        report += struct.pack(">BBHIBB6sxxxx", 0x81, 202, 4, ssrc, 1, 6, b"viewer")
        if self.way in (TCP, TLS):
            self._link.write(struct.pack(">BBH", 0x24, self._channels[1], len(report)) + report)
        elif self.way == UDP:
            self._ports[1].socket.send(report)

    # ------------------------------------------------------------------ what comes

    def _interleaved(self, channel: int, packet: bytes) -> None:
        if channel == self._channels[0]:
            self._rtp(packet)
        elif channel == self._channels[1]:
            self._rtcp(packet)
        else:
            raise Fault(f"{self.way}: a frame on channel {channel}")

    def _rtp(self, packet: bytes) -> None:
        self.screen.take(packet)

    def _rtcp(self, compound: bytes) -> None:
        kinds, timestamp = _read_compound(compound)
        if kinds[:1] != [SENDER_REPORT]:
            raise Fault(f"{self.way}: RTCP of types {kinds}")
        if BYE in kinds:
            self._bye = timestamp
            self._look_for_bye()

    def _look_for_bye(self) -> None:
        """One that is of what played before does not count: its moment is before the last frame."""
        stretches, bye = self.screen.stretches, self._bye
        if stretches and bye is not None and stretches[-1].is_over_at(bye):
            self._over.set()
        else:
            self._over.clear()


def pair(text: str) -> tuple[int, int]:
    """Two ports or channels, as a Transport header has them."""
    first, _, second = text.partition("-")
    return int(first), int(second)


def _read_compound(data: bytes) -> tuple[list[int], int]:
    """The types of the packets in an RTCP compound, and the RTP timestamp of a sender report."""
    kinds, timestamp, offset = [], 0, 0
    while offset < len(data):
        _, kind, words = struct.unpack_from(">BBH", data, offset)
        if kind == SENDER_REPORT:
            (timestamp,) = struct.unpack_from(">I", data, offset + 16)
        kinds.append(kind)
        offset += 4 + 4 * words
    return kinds, timestamp
