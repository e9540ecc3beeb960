"""Libraries that hand over RTP packets, on our server: each frame to the bit, and their manners."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from local_server import local_server
from movies import MOVIE, frames_of, write_movie
from peers import HERE, TCP, UDP, need_import, output_of
from real_servers import NODE, need_npm
from received import RTP_HEAD, Received
from standard_servers import taken_apart

from rtplab.protocol.rtsp.messages import Request
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.worker import RtspWorker
from ServerWorker import ServerWorker

pytestmark = pytest.mark.peers

SESSION_TIMEOUT = 5.0
"""Seconds: shorter than a long movie lasts, and longer than a short one."""

SHORT, LONG = 60, 200  # frames, 20 a second

START = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY")
UNICAST = {
    UDP: r"RTP/AVP;unicast;client_port=\d+-\d+",
    TCP: r"RTP/AVP/TCP;unicast;interleaved=0-1",
}


@dataclass(frozen=True)
class Library:
    """How one is run, and what it does."""

    package: str
    command: tuple[str, ...]  # the movie's address goes behind the script
    transport: str
    methods: tuple[str, ...] = (*START, "TEARDOWN")
    frames: int = SHORT
    reports: bool = False
    may_miss: int = 0
    """Frames at the start: yellowstone throws away what comes in one segment with a reply."""

    def need(self) -> None:
        if self.command[0] == "node":
            need_npm(self.package)
        else:
            need_import(sys.executable, f"import {self.package}", self.package)

    def play(self, url: str) -> bytes:
        program, script, *others = self.command
        return output_of([program, str(HERE / script), url, *others], environment=NODE)


def aiortsp(transport: str) -> Library:
    return Library(
        package="aiortsp",
        command=(sys.executable, "play_aiortsp.py", transport),
        transport=UNICAST[transport],
        methods=(*START, "GET_PARAMETER", "TEARDOWN"),
        frames=LONG,
        reports=True,
    )


LIBRARIES = {
    "aiortsp-udp": aiortsp(UDP),
    "aiortsp-tcp": aiortsp(TCP),
    "aio-rtsp-toolkit": Library(
        package="aio_rtsp_toolkit",
        command=(sys.executable, "play_aio_rtsp_toolkit.py", str(SHORT)),
        transport=UNICAST[TCP],
    ),
    "yellowstone": Library(
        package="yellowstone",
        command=("node", "play_yellowstone.js"),
        transport="RTP/AVP/TCP;interleaved=0-1",
        methods=(*START[1:], "TEARDOWN"),
        may_miss=5,
    ),
}


@dataclass
class Played:
    """What came of a play, and what the server has heard of it."""

    requests: list[Request] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    reports: int = 0
    output: Future[bytes] = field(default_factory=Future)

    def packets(self) -> list[bytes]:
        """The packets, each of them behind its length in two bytes (RFC 4571)."""
        output = self.output.result()
        packets, offset = [], 0
        while offset < len(output):
            start = offset + 2
            offset = start + int.from_bytes(output[offset:start], "big")
            packets.append(output[start:offset])
        assert offset == len(output)
        return packets


@pytest.fixture(scope="module")
def originals() -> list[bytes]:
    return frames_of(MOVIE)[:LONG]


@pytest.fixture(scope="module")
def plays(tmp_path_factory, originals: list[bytes]) -> Iterator[dict[str, Played]]:
    """All at the same time, as they wait most of it, each of a movie of its own name."""
    media = tmp_path_factory.mktemp("media")
    for name, library in LIBRARIES.items():
        write_movie(media / f"{name}.Mjpeg", originals[: library.frames])
    played = {name: Played() for name in LIBRARIES}
    process, arrived = ServerWorker.processRtspRequest, RtspWorker._note_sign_of_life

    def note_request(worker: ServerWorker, request: Request) -> int:
        status = process(worker, request)
        name = request.uri.rpartition(".Mjpeg")[0].rpartition("/")[2]
        played[name].requests.append(request)
        played[name].statuses.append(status)
        return status

    def note_report(worker: RtspWorker, was_report: bool) -> None:
        arrived(worker, was_report)
        assert worker._session is not None
        played[worker._session.resource.name.removesuffix(".Mjpeg")].reports += was_report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServerWorker, "processRtspRequest", note_request)
        patch.setattr(RtspWorker, "_note_sign_of_life", note_report)
        service = Service(MovieLibrary(media), session_timeout=SESSION_TIMEOUT)
        with local_server(service) as port, ThreadPoolExecutor() as pool:
            for name, library in LIBRARIES.items():
                url = f"rtsp://127.0.0.1:{port}/{name}.Mjpeg"
                played[name].output = pool.submit(library.play, url)
    yield played


def is_within_frame(packet: bytes) -> bool:
    """Whether it is not the first of a frame (RFC 2435 section 3.1.2)."""
    return packet[RTP_HEAD.size + 1 : RTP_HEAD.size + 4] != bytes(3)


@pytest.mark.parametrize("name", LIBRARIES)
class TestPlays:
    def test_every_frame_to_the_bit(self, plays, originals, name) -> None:
        library = LIBRARIES[name]
        library.need()
        packets = itertools.dropwhile(is_within_frame, plays[name].packets())
        received = Received(rtp=[*packets])
        shown = received.frames()
        assert shown == list(range(shown[0], library.frames + 1))
        assert shown[0] - 1 <= library.may_miss
        expected = originals[shown[0] - 1 : library.frames]
        assert list(map(taken_apart, received.pictures())) == list(map(taken_apart, expected))

    def test_what_it_asks_for(self, plays, name) -> None:
        library = LIBRARIES[name]
        library.need()
        asked = [request.method for request in plays[name].requests]
        assert tuple(method for method, _ in itertools.groupby(asked)) == library.methods
        assert {*plays[name].statuses} == {200}
        setup = plays[name].requests[asked.index("SETUP")]
        assert re.fullmatch(library.transport, setup.headers.get("Transport"))

    def test_its_reports(self, plays, name) -> None:
        library = LIBRARIES[name]
        library.need()
        assert bool(plays[name].reports) == library.reports
