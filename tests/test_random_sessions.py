"""Several viewers say anything in any state to a live server, and each answer is the right one.

Hypothesis plays them: legal and illegal requests of both dialects, wrong sessions, broken requests,
pipelines, hang-ups. A bystander watches a movie all the while and must never notice. In the end
the server has no session, thread or descriptor more than before.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from movies import jpeg_of_size, write_movie
from processes import ServerProcess, _content
from raw_rtsp import HOST, LIMIT, Peer
from session_model import (
    BAD_RANGE,
    BAD_TRANSPORT,
    ENDLESS,
    GOOD_TRANSPORT,
    MOVIE,
    NO_RANGE,
    STANDARD_METHODS,
    UNKNOWN_TRANSPORT,
    WITH_END,
    Ask,
    Model,
)

from rtplab.protocol.rtp.jpegassembler import JpegAssembler
from rtplab.protocol.rtp.packet import ReceivedPacket, parse_packet
from rtplab.protocol.rtp.rtpjpeg import packetize, parse_payload
from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.protocol.rtsp.messages import InterleavedFrame, Response
from rtplab.receiving.rtp.frames import RtpJpegFrames

pytestmark = pytest.mark.long

# The same examples every time: the server is to be judged, not luck.
SETTINGS = settings(
    # Many of them wait for seconds, as half a request does.
    max_examples=settings.default.max_examples * 3 // 8,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # To shrink what waits for an answer takes minutes, which is for people.
    phases=[Phase.generate] if os.environ.get("CI") else [Phase.generate, Phase.shrink],
)
FRAMES = 40
TICKS = 90_000 // 20  # from one frame to the next
FRAME_SIZE = 1200  # bytes: all that comes while somebody waits fits the socket's buffer
KEEP_ALIVE = 5.0  # seconds
MAX_VIEWERS = 5
BAD_REQUESTS = 10  # 400s in a row after which the server hangs up


class Viewer:
    """One connection, the ports that its media go to, and what its session must be like."""

    def __init__(self, port: int, lab: bool) -> None:
        self.peer = Peer(port)
        self.peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lab = lab
        self.model = Model()
        self.ports = [_udp_socket(), _udp_socket()]
        self.bad_in_row = 0
        self.cseq = 0

    def close(self) -> None:
        for each in (self.peer.socket, *self.ports):
            each.close()

    def reset(self) -> None:
        """Have the system send RST when the connection is closed."""
        linger = struct.pack("ii", 1, 0)
        self.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def write(self, ask: Ask, form: str) -> bytes:
        """The bytes of a request, with the next number."""
        self.cseq += 1
        return self._lab_bytes(ask, form) if self.lab else self._standard_bytes(ask)

    def _standard_bytes(self, ask: Ask) -> bytes:
        track = "/trackID=0" if ask.method == "SETUP" else ""
        lines = [f"{ask.method} {self.peer.base}/{ask.movie}{track} RTSP/1.0"]
        lines += [f"CSeq: {self.cseq}"]
        lines += [f"Session: {ask.session}"] * bool(ask.session)
        if ask.method == "SETUP":
            lines.append(f"Transport: {self._transport(ask)}")
        lines += [f"Range: {ask.span}"] * (ask.span != NO_RANGE) + ["Speed: 2"] * ask.speed
        lines += [f"Content-Length: {len(ask.body)}"] * bool(ask.body)
        return "\r\n".join([*lines, "", ""]).encode() + ask.body

    def _transport(self, ask: Ask) -> str:
        rtp, rtcp = (each.getsockname()[1] for each in self.ports)
        return {
            GOOD_TRANSPORT: f"RTP/AVP;unicast;client_port={rtp}-{rtcp}",
            "interleaved": "RTP/AVP/TCP;unicast;interleaved=2-3",
            BAD_TRANSPORT: "RTP/AVP;unicast;client_port=80-81",
            UNKNOWN_TRANSPORT: "RAW/RAW/UDP;unicast",
        }[ask.transport]

    def _lab_bytes(self, ask: Ask, form: str) -> bytes:
        port = 80 if ask.transport == BAD_TRANSPORT else self.ports[0].getsockname()[1]
        lines = [f"{ask.method} {ask.movie} RTSP/1.0", f"CSeq: {self.cseq}"]
        if ask.method == "SETUP":
            lines.append(f"Transport: RTP/UDP; client_port= {port}")
        elif ask.session:
            lines.append(f"Session: {ask.session}")
        else:
            form = "blank line"  # nothing else would end it
        eol = "\r\n" if form == "CRLF" else "\n"
        end = "" if form == "no end" else eol * 2
        return (eol.join(lines) + end).encode()

    def check(self, ask: Ask, cseq: int) -> None:
        """Read the next answer: it must be one that the model allows."""
        reply = self.check_status(self.model.answers(ask), f"{ask} in {self.model}")
        assert reply.cseq == str(cseq)
        self.model.answered(ask, reply.status, reply.session)

    def check_status(self, allowed: set[int], asked: str = "") -> Response:
        """Read the next answer, which must have one of these."""
        reply = self.peer.answer()
        assert reply is not None, f"the server has hung up {asked}"
        assert reply.status in allowed, f"{reply.status}, not {allowed}: {asked}"
        self.bad_in_row = self.bad_in_row + 1 if reply.status == 400 else 0
        return reply

    @property
    def is_hung_up_on(self) -> bool:
        return self.bad_in_row > BAD_REQUESTS


def _udp_socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((HOST, 0))
    return opened


# ---------------------------------------------------------------------- the bystander


@dataclass
class Bystander:
    """Plays the movie over its own connection; `look` fails if anything of it is lost or wrong."""

    peer: Peer
    expected: list[bytes]
    seen: int = 0
    _session: str = ""
    _kept_alive: float = 0.0
    _frames: RtpJpegFrames = field(default_factory=lambda: RtpJpegFrames(26))
    _last: ReceivedPacket | None = None
    _first_timestamp: int = 0

    def begin(self) -> None:
        movie = f"{self.peer.base}/{MOVIE}"
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        self._session = self.peer.ask("SETUP", f"{movie}/trackID=0", transport).session
        assert self.peer.ask("PLAY", movie, f"Session: {self._session}").status == 200
        self.peer.socket.setblocking(False)
        self._kept_alive = time.monotonic()

    def look(self) -> None:
        """Take all that has come, and give a sign of life now and then."""
        if time.monotonic() > self._kept_alive + KEEP_ALIVE:
            self._kept_alive = time.monotonic()
            self.peer.send("GET_PARAMETER", self.peer.base, f"Session: {self._session}")
        while (message := self._next_message()) is not None:
            if isinstance(message, InterleavedFrame) and message.channel == 0:
                self._take(message.payload)

    def _next_message(self) -> Response | InterleavedFrame | None:
        try:
            message = self.peer.message()
        except BlockingIOError:
            return None
        assert message is not None, "the server has hung up on the bystander"
        return message

    def _take(self, datagram: bytes) -> None:
        packet = parse_packet(datagram)
        if self._last is None:
            self._first_timestamp = packet.timestamp
        else:
            assert packet.sequence_number == (self._last.sequence_number + 1) % 2**16, (
                "a packet is lost"
            )
            assert timestamp_delta(packet.timestamp, self._last.timestamp) > 0
        self._last = packet
        for _, frame in self._frames.add(packet.sequence_number, packet):
            # A server that can't keep up leaves frames out: the timestamp tells which one is due.
            due = timestamp_delta(packet.timestamp, self._first_timestamp) // TICKS
            assert frame == self.expected[due % FRAMES], "the bystander sees another frame"
            self.seen += 1


def _as_carried(jpeg: bytes) -> bytes:
    """What a viewer of the standard gets of a picture."""
    (packet,) = packetize(jpeg, 8000)
    carried = JpegAssembler().add(parse_payload(packet), 0, True)
    assert carried is not None
    return carried


# ---------------------------------------------------------------------- the viewers


picks = st.integers(0, MAX_VIEWERS - 1)
methods = st.sampled_from(["SETUP", "PLAY", "PLAY", "PAUSE", "TEARDOWN", *STANDARD_METHODS, "JUMP"])
asks = st.fixed_dictionaries(
    {
        "method": methods,
        "movie": st.sampled_from([MOVIE] * 5 + ["missing.Mjpeg"]),
        "session": st.sampled_from(["own"] * 6 + ["none", "another's", "wrong"]),
        "transport": st.sampled_from(
            [GOOD_TRANSPORT, GOOD_TRANSPORT, "interleaved", BAD_TRANSPORT, UNKNOWN_TRANSPORT]
        ),
        "span": st.sampled_from([NO_RANGE, ENDLESS, WITH_END, BAD_RANGE]),
        "speed": st.booleans(),
        "body": st.sampled_from([b"", b"", b"packets_received\r\n"]),
        "form": st.sampled_from(["no end", "blank line", "CRLF"]),
    }
)
# Requests that can't be obeyed in any state, with their status; those in FATAL lose the framing.
NONSENSE = b"!!\r\n\r\n"
BROKEN = {
    b"OPTIONS * RTSP/1.0\r\n\r\n": 400,
    b"OPTIONS * RTSP/1.0\r\nCSeq: x\r\n\r\n": 400,
    NONSENSE: 400,
    b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n": 505,
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nRequire: x\r\n\r\n": 551,
    b"PLAY * RTSP/1.0\r\nCSeq: 1\r\n\r\n": 405,
    b"DESCRIBE rtsp://[x/m RTSP/1.0\r\nCSeq: 1\r\n\r\n": 400,
    b"DESCRIBE rtsp://h/\xff%ff%00../m RTSP/1.0\r\nCSeq: 1\r\n\r\n": 404,
    b"DESCRIBE rtsp://h/m RTSP/1.0\r\nCSeq: 1\r\nAccept: text/html\r\n\r\n": 406,
}
FATAL = {
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n": 400,
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 999999\r\n\r\n": 413,
    b"OPTIONS * RTSP/1.0\r\nX: " + b"y" * 17_000: 400,
}


class RandomSessions(RuleBasedStateMachine):
    """The viewers of one example; a step is taken by the one that `which` picks."""

    def __init__(self, port: int, bystander: Bystander, is_clean: Callable[[], None]) -> None:
        super().__init__()
        self.port = port
        self.bystander = bystander
        self.is_clean = is_clean
        self.viewers: list[Viewer] = []

    def viewer(self, which: int) -> Viewer:
        return self.viewers[which % len(self.viewers)]

    @initialize(dialects=st.lists(st.booleans(), min_size=1, max_size=MAX_VIEWERS))
    def begin(self, dialects: list[bool]) -> None:
        for lab in dialects:
            self.viewers.append(Viewer(self.port, lab))

    @precondition(lambda self: len(self.viewers) < MAX_VIEWERS)
    @rule(lab=st.booleans())
    def connect(self, lab: bool) -> None:
        self.viewers.append(Viewer(self.port, lab))

    @precondition(lambda self: self.viewers)
    @rule(which=picks, ask=asks)
    def request(self, which: int, ask: dict[str, Any]) -> None:
        self._say(self.viewer(which), [ask], [])

    @precondition(lambda self: self.viewers)
    @rule(which=picks, several=st.lists(asks, min_size=2, max_size=8))
    def pipeline(self, which: int, several: list[dict[str, Any]]) -> None:
        self._say(self.viewer(which), [{**ask, "form": "blank line"} for ask in several], [])

    @precondition(lambda self: self.viewers)
    @rule(which=picks, ask=asks, cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6))
    def request_in_pieces(self, which: int, ask: dict[str, Any], cuts: list[int]) -> None:
        self._say(self.viewer(which), [ask], cuts)

    @precondition(lambda self: self.viewers)
    @rule(which=picks, data=st.sampled_from(sorted(BROKEN)))
    def broken_request(self, which: int, data: bytes) -> None:
        viewer = self.viewer(which)
        if viewer.lab:  # which would take most of them for lab requests with an odd name
            data = NONSENSE
        viewer.peer.socket.sendall(data)
        viewer.check_status({BROKEN[data]})
        self._see_if_hung_up(viewer)

    @precondition(lambda self: any(not viewer.lab for viewer in self.viewers))
    @rule(which=picks, data=st.sampled_from(sorted(FATAL)))
    def hopeless_request(self, which: int, data: bytes) -> None:
        standard = [viewer for viewer in self.viewers if not viewer.lab]
        viewer = standard[which % len(standard)]
        viewer.peer.socket.sendall(data)
        viewer.check_status({FATAL[data]})
        assert viewer.peer.is_hung_up()
        self._leave(viewer)

    @precondition(lambda self: self.viewers)
    @rule(which=picks, channel=st.integers(0, 255), payload=st.binary(max_size=40))
    def interleaved_frame(self, which: int, channel: int, payload: bytes) -> None:
        frame = struct.pack(">cBH", b"$", channel, len(payload)) + payload
        self.viewer(which).peer.socket.sendall(frame)

    @precondition(lambda self: self.viewers)
    @rule(which=picks, how=st.sampled_from(["close", "abort", "cut off"]))
    def hang_up(self, which: int, how: str) -> None:
        viewer = self.viewer(which)
        if how == "cut off":
            viewer.peer.socket.sendall(b"PLAY rtsp://h/m RTSP/1.0\r\nCSe")
        if how == "abort":
            viewer.reset()
        self._leave(viewer)

    @invariant()
    def nobody_else_notices(self) -> None:
        self.bystander.look()

    def teardown(self) -> None:
        for viewer in self.viewers:
            viewer.close()
        self.is_clean()

    def _say(self, viewer: Viewer, several: list[dict[str, Any]], cuts: list[int]) -> None:
        """Send requests, at once or in pieces, and check all answers."""
        asked = [self._ask(viewer, **ask) for ask in several]
        first = viewer.cseq + 1
        data = b"".join(
            viewer.write(ask, given["form"]) for ask, given in zip(asked, several, strict=True)
        )
        for cut in cuts if not viewer.lab else []:  # a lab request may be complete half-way
            viewer.peer.socket.sendall(data[:cut])
            data = data[cut:]
        viewer.peer.socket.sendall(data)
        for cseq, ask in enumerate(asked, first):
            viewer.check(ask, cseq)
            if viewer.is_hung_up_on:
                break
        self._see_if_hung_up(viewer)

    def _ask(self, viewer: Viewer, session: str, form: str, **details: Any) -> Ask:
        others = [other.model.session_id for other in self.viewers if other is not viewer]
        named = {
            "own": viewer.model.session_id,
            "none": "",
            "another's": next(filter(None, others), "99"),
            "wrong": "123;timeout=1",
        }[session]
        ask = Ask(lab=viewer.lab, session=named, **details)
        return _as_lab_clients_ask(ask) if viewer.lab else ask

    def _see_if_hung_up(self, viewer: Viewer) -> None:
        if viewer.is_hung_up_on:
            assert viewer.peer.is_hung_up()
            self._leave(viewer)

    def _leave(self, viewer: Viewer) -> None:
        self.viewers.remove(viewer)
        viewer.close()


def _as_lab_clients_ask(ask: Ask) -> Ask:
    """The lab knows no ranges and bodies, one kind of transport, and no parameters of a session."""
    method = ask.method if ask.method in ("SETUP", "PLAY", "PAUSE", "TEARDOWN") else "OPTIONS"
    transport = BAD_TRANSPORT if ask.transport == BAD_TRANSPORT else GOOD_TRANSPORT
    session = ask.session.partition(";")[0]
    return Ask(method, True, ask.movie, session, transport)


# ---------------------------------------------------------------------- the server


@dataclass
class Clean:
    """Waits until the server has no more threads and descriptors than at first (on Linux)."""

    server: ServerProcess
    baseline: tuple[int, int] | None

    def __call__(self, idle: int = 1) -> None:
        """So many more threads may be idle, and wait for the next client."""
        if self.baseline is not None:
            threads, files = self.baseline
            most = threads + idle, files
            _wait_for(lambda: self._has_at_most(most), lambda: f"{self._now()}, at most {most}")

    def _has_at_most(self, most: tuple[int, int]) -> bool:
        return all(now <= limit for now, limit in zip(self._now(), most, strict=True))

    def _now(self) -> tuple[int, int]:
        return self.server.threads(), self.server.open_files()


def _wait_for(condition: Callable[[], bool], explanation: Callable[[], str]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, explanation()
        time.sleep(0.01)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    frames = [jpeg_of_size(FRAME_SIZE, seed) for seed in range(FRAMES)]
    write_movie(tmp_path / MOVIE, frames)
    with ServerProcess(tmp_path, "--loop", "--status", "0.1") as server:
        yield server


def test_any_requests_in_any_state(server: ServerProcess) -> None:
    expected = [_as_carried(jpeg_of_size(FRAME_SIZE, seed)) for seed in range(FRAMES)]
    with Peer(server.port) as peer:
        bystander = Bystander(peer, expected)
        bystander.begin()
        _wait_for(lambda: bystander.look() or bystander.seen > 0, lambda: "no frames")
        has_proc = Path(f"/proc/{server.pid}/task").is_dir()
        baseline = (server.threads(), server.open_files()) if has_proc else None
        is_clean = Clean(server, baseline)
        run_state_machine_as_test(
            lambda: RandomSessions(server.port, bystander, is_clean), settings=SETTINGS
        )
        is_clean(idle=0)
        bystander.look()
        seen = bystander.seen
        _wait_for(lambda: bystander.look() or bystander.seen > seen, lambda: "no more frames")
    _wait_for(
        lambda: ": 0 sessions" in _content(server._stdout).splitlines()[-1],
        lambda: _content(server._stdout)[-500:],
    )
