"""Our client plays from servers that know little more than they must, and by UDP alone."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_servers
from movies import MOVIE, frames_of
from needs import need
from peers import need_command, need_import
from processes import run_client
from real_servers import need_npm
from standard_servers import taken_apart
from strip import frame_number_of_jpeg
from test_servers import COUNT, LIMIT, play, viewer

from Client import Client
from rtplab.receiving.files.observer import Observer

pytestmark = pytest.mark.peers

MOVIE_FRAMES = 100
RELAYS = {
    "rtsp-streaming-server": small_servers.rtsp_streaming_server,
    "rtsp-server-perl": small_servers.rtsp_server_perl,
}
SERVERS = ("espp", *RELAYS)
MAY_MISS = 20
"""Frames in a row, a second's, on a busy machine."""
UNLIKE_OTHERS = 400
"""The status of rtsp-server-perl where 461 is right: it finds no client_port."""


@pytest.fixture(scope="module")
def originals() -> list[bytes]:
    return frames_of(MOVIE)[:MOVIE_FRAMES]


@pytest.fixture(scope="module", params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def url(
    name: str, originals: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("frames")
    if name == "espp":
        need_import(sys.executable, "import espp", name)
        server = small_servers.espp(originals, folder)
    else:
        need_command("ffmpeg")
        if name == "rtsp-server-perl":
            need(shutil.which(name), name)
        else:
            need_npm(name)
        server = small_servers.relay(RELAYS[name], originals, folder)
    with server as address:
        yield address


def check_pictures(name: str, shown: list[bytes], originals: list[bytes]) -> None:
    """In order, each to the bit, and none left out but by espp, which overwrites what must wait.

    Its movie begins with its viewer; those of the others go on for ever.
    """
    numbers = list(map(frame_number_of_jpeg, shown))
    steps = [(after - before) % MOVIE_FRAMES for before, after in itertools.pairwise(numbers)]
    if name == "espp":
        assert numbers[0] <= MAY_MISS and all(0 < step <= MAY_MISS for step in steps), numbers
    else:
        assert {*steps} == {1}, numbers
    expected = [taken_apart(originals[number - 1]) for number in numbers]
    assert [*map(taken_apart, shown)] == expected


@pytest.mark.parametrize("transport", ["udp", "auto"])
def test_plays_every_frame(
    name: str, url: str, originals: list[bytes], transport: str, tmp_path: Path
) -> None:
    run, frames = play(url, transport, tmp_path)
    report = run.report
    assert (run.status, run.told, report["error"], report["state"]) == (0, "", None, "PLAYING")
    assert report["frames"] == len(frames) == COUNT
    assert (report["lost"], report["duplicates"]) == (0, 0) or name == "espp"
    check_pictures(name, frames, originals)


def test_tcp_is_refused_in_one_sentence(name: str, url: str) -> None:
    run = run_client(url, "--headless", "--json", "--transport", "tcp", limit=LIMIT)
    assert (run.status, run.report["frames"]) == (1, 0)
    status = UNLIKE_OTHERS if name == "rtsp-server-perl" else 461
    assert re.search(rf"\bSETUP\b.* {status} ", run.report["error"])
    assert run.stderr == run.report["error"] + "\n"


class Traffic(Observer):
    """Notes the client's requests with the status of each reply, in the order of these."""

    def __init__(self) -> None:
        self.methods: dict[str, str] = {}  # by CSeq
        self.answered: list[tuple[str, int]] = []
        self.reports = 0

    def message_sent(self, data: bytes, when: float) -> None:
        self.methods[_number(data)] = data.split()[0].decode()

    def message_received(self, data: bytes, when: float) -> None:
        self.answered.append((self.methods[_number(data)], int(data.split()[1])))

    def packets_received(self, packets, source_port: int, is_rtcp: bool, when: float) -> None:
        self.reports += is_rtcp


def _number(message: bytes) -> str:
    found = re.search(rb"^CSeq: *(\d+)\r$", message, re.MULTILINE)
    assert found is not None, message
    return found[1].decode()


def test_signs_of_life_and_teardown_are_understood(
    name: str, url: str, originals: list[bytes]
) -> None:
    """And the sender reports of the one that publishes come, if a relay is between."""
    traffic = Traffic()
    frames: list[bytes] = []
    with viewer(url, "udp") as watching:
        watching.client.observer = traffic
        watching.client.on_frame = lambda frame: frames.append(frame.data)
        watching.set_up()
        watching.client._dialogue.timeout = 0.8
        watching.client.playMovie()
        options = ("OPTIONS", 200)
        watching.wait(lambda: traffic.answered.count(options) >= 4, "no signs of life")
        watching.wait(lambda: traffic.reports or name == "espp", "no sender report")
        seen = len(frames)
        watching.wait(lambda: len(frames) > seen + COUNT, "it does not go on")
        assert watching.client.state == Client.PLAYING
        check_pictures(name, frames[:], originals)
        watching.client._dialogue.timeout = 60.0
    refused = [answer for answer in traffic.answered if answer[1] != 200]
    assert refused == [("GET_PARAMETER", 501)] * (name == "rtsp-streaming-server")
    assert traffic.answered[:2] == [options, ("DESCRIBE", 200)]
    assert "TEARDOWN" in traffic.methods.values()
    assert ("TEARDOWN", 200) in traffic.answered or name == "rtsp-server-perl"  # which is silent


def test_a_pause_is_granted_or_refused_in_one_sentence(name: str, url: str) -> None:
    status = {"espp": 200, "rtsp-streaming-server": 501, "rtsp-server-perl": 405}[name]
    with viewer(url, "udp") as watching:
        watching.set_up()
        watching.play(3)
        watching.client.pauseMovie()
        if status == 200:
            watching.wait(lambda: watching.client.state == Client.READY, "no pause")
            watching.play(3)
        else:
            assert watching.client.wait_for(lambda: bool(watching.client.error), LIMIT)
            assert f"PAUSE: {status} " in watching.client.error
            seen = len(watching.shown)
            watching.client.wait_for(lambda: len(watching.shown) > seen + 3, LIMIT)
            assert len(watching.shown) > seen + 3
            assert watching.client.state == Client.PLAYING
