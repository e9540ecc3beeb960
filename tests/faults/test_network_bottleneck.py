"""8 Mbit/s of movie for viewers whose lines carry 1 Mbit/s, over UDP and over TCP.

The router before each of these lines has a queue of 300 ms, and drops what finds it full.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from frames import numbers_among, share_to_come
from movies import MOVIE, frames_of, write_movie
from namespaces import Network
from peers import TCP, UDP
from programs import wait_until
from remote import LAB, RemoteServer

from rtplab.protocol.rtp.packet import parse_packet
from rtplab.receiving.rtp.frames import RtpJpegFrames

pytestmark = pytest.mark.peers  # needs root, or user namespaces

JPEG = 26  # payload type
FRAMES = 500
FPS = 100  # which makes 8.3 Mbit/s of the movie
RATE = "1mbit"
SECONDS = 6.0
VIEWERS = 6
WARM = 3.0  # seconds with all viewers, until memory and buffers are as full as they get
FRAMES_THROUGH = 70  # frames that 1 Mbit/s carries in that time
ANSWER_LIMIT = 5.0  # seconds: what our player waits for a reply
MORE_MEMORY = 8e6  # bytes: less than a second of what does not get through, for one viewer


@dataclass
class Slow:
    """What the scripted viewer saw, over TCP on a slow line."""

    answers: list[float]  # seconds from each request to its reply
    shown: list[int]
    unfinished: int  # frames that have an end but are not whole


@pytest.fixture(scope="module")
def originals():
    return frames_of(MOVIE)[:FRAMES]


@pytest.fixture(scope="module")
def seen(tmp_path_factory, originals):
    """What came of it for each viewer, and the server's memory before and after."""
    folder = tmp_path_factory.mktemp("bottleneck")
    media = write_movie(folder / "media" / "movie.Mjpeg", originals).parent
    options = ("--fps", str(FPS), "--loop", "--log-level", "warning")
    with (
        Network(viewers=VIEWERS) as network,
        RemoteServer(network, media, *options) as server,
        ThreadPoolExecutor(VIEWERS) as pool,
    ):
        quiet = server.threads()
        for place in (1, 2, 3, 4):
            network.slow_down(place, RATE)

        def ours(place, kind):
            options = ("--duration", SECONDS)
            return pool.submit(server.watch, place, kind, folder / str(place), originals, *options)

        futures = {UDP: ours(1, UDP), TCP: ours(2, TCP), LAB: ours(3, LAB)}
        futures["answers"] = pool.submit(ask_again_and_again, server, 4, originals)
        futures |= {"calm": ours(5, TCP), "calm lab": ours(6, LAB)}
        wait_until(lambda: server.threads() >= quiet + VIEWERS, "all have come")
        time.sleep(WARM)
        memory = [server.memory()]
        found = {name: future.result() for name, future in futures.items()}
        memory.append(server.memory())
        log = server.log()
    return found | {"memory": memory, "log": log}


def ask_again_and_again(server, place, originals):
    """Watch by TCP and have something to ask all the time."""
    answers = []
    with server.viewer(place) as viewer:
        viewer.watch()
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            asked = time.monotonic()
            assert viewer.ask_in_session("GET_PARAMETER").status == 200
            answers.append(time.monotonic() - asked)
        assert viewer.ask_in_session("TEARDOWN").status == 200
        packets = [parse_packet(data) for data in viewer.media(0)]
    assembler = RtpJpegFrames(JPEG)
    frames = [frame for packet in packets for _, frame in assembler.add(0, packet)]
    ends = sum(packet.marker for packet in packets)
    return Slow(answers, numbers_among(frames, originals), ends - len(frames))


def goes_forward(shown):
    """Whether frames come in the order of the movie, which may have begun again once or twice."""
    return sum(later <= earlier for earlier, later in zip(shown, shown[1:], strict=False)) <= 2


def test_over_udp_only_whole_frames_are_shown(seen):
    """Each is equal to the file's, though seven of eight packets are lost.

    The viewer knows how much it has lost, and its TEARDOWN is answered.
    """
    view = seen[UDP]
    assert view.shown and goes_forward(view.shown)
    assert view.run.report["loss_rate"] == pytest.approx(7 / 8, abs=0.1)
    assert (view.run.status, view.run.stderr) == (0, "")


def test_over_udp_in_the_lab_dialect_the_viewer_is_told(seen):
    """The first frames fit the router's queue; of the others some piece is always lost.

    A frame in one datagram is whole or it is nothing, and so nothing arrives: that is said.
    """
    view = seen[LAB]
    assert view.shown and goes_forward(view.shown)
    assert view.run.status == 0
    assert "for 5 s" in view.run.stderr or len(view.shown) > FRAMES_THROUGH / 10


def test_over_tcp_whole_frames_are_dropped(seen):
    """As many come as the line carries, none is torn, and all are equal to the file's."""
    view, slow = seen[TCP], seen["answers"]
    assert view.run.status == 0 and view.run.report["error"] is None
    for shown in (view.shown, slow.shown):
        assert len(shown) > FRAMES_THROUGH / 2
        assert goes_forward(shown)
    assert slow.unfinished == 0


def test_over_tcp_every_request_is_answered(seen):
    """Behind what already waits, but sooner than a player gives up."""
    answers = seen["answers"].answers
    assert answers and max(answers) < ANSWER_LIMIT


def test_the_server_keeps_little_for_those_who_are_slow(seen):
    """Its memory grows by no more than the bounded queues."""
    before, after = seen["memory"]
    assert after - before < MORE_MEMORY


@pytest.mark.parametrize("kind", ["calm", "calm lab"])
def test_a_viewer_on_a_fast_line_notices_nothing(seen, kind):
    """It has the frames at the pace of the movie, in order and each equal to the file's.

    All of them, but for what a busy machine may lose of 100 frames a second: by UDP a socket holds
    a third of a second of them.
    """
    view = seen[kind]
    assert goes_forward(view.shown)
    assert len(view.shown) > SECONDS * FPS * share_to_come(seen["log"]) / 2
    if kind == "calm":
        assert view.run.report["loss_rate"] <= 1 - share_to_come(seen["log"])
