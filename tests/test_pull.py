"""`--pull`: streams that are fetched while somebody watches."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from http_cameras import HEAD, PICTURES, HttpCamera, part, stream
from local_server import in_a_thread
from needs import need
from processes import HOST, ServerProcess
from systems import needs_workers

import rtplab
from rtplab.protocol.errors import MessageError
from rtplab.serving.process.server import RtspServer
from rtplab.serving.rtp import pulled
from rtplab.serving.rtp.live import MAX_PICTURE
from rtplab.serving.rtp.livestreams import LiveStreams
from rtplab.serving.rtp.pulled import PulledStream, Show, pull
from rtplab.serving.rtsp.service import Service

LIMIT = 10.0


def soon(condition: Callable[[], object], limit: float = LIMIT) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


# --- When it is fetched --------------------------------------------------------------------------


class Source:
    """Fetches what it is told to: pictures while `picture` is not empty, until `end` is set."""

    def __init__(self) -> None:
        self.picture = PICTURES[0]
        self.why = ""  # not "": it is lost at once, for that
        self.fetches = 0
        self.is_fetching = False

    def __call__(self, show: Show, is_wanted: Callable[[], bool]) -> str:
        self.fetches += 1
        self.is_fetching = True
        try:
            while is_wanted() and not self.why:
                if self.picture:
                    show(self.picture, 20.0)
                time.sleep(0.01)
            return self.why
        finally:
            self.is_fetching = False


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def live(source: Source, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulledStream]:
    monkeypatch.setattr(pulled, "IDLE", 0.15)
    monkeypatch.setattr(pulled, "PAUSES", (0.2, 5.0))
    streams = LiveStreams(1400, "name")
    yield pull(streams, "cam", source, wait=0.0)
    streams.close()
    assert not source.is_fetching


def test_it_is_fetched_for_the_first_and_no_more_after_the_last(live, source) -> None:
    time.sleep(0.05)
    assert source.fetches == 0
    picture = live.picture()
    assert picture is not None and picture.jpeg() == PICTURES[0] and source.is_fetching
    assert soon(lambda: not source.is_fetching)
    source.picture = PICTURES[1]
    again = live.picture()  # not the old one, which nobody has seen for long
    assert again is not None and again.jpeg() == PICTURES[1]
    assert source.fetches == 2 and live.fps == 20.0


def test_why_it_can_t_be_fetched_is_the_answer_to_the_viewer(live, source) -> None:
    source.why = "No server is listening there."
    with pytest.raises(MessageError, match=f"cam .*{source.why[:-1]}") as error:
        live.prepare()
    assert error.value.status == 503


def test_a_source_that_is_silent_is_a_gateway_s_time_out(live, source) -> None:
    source.picture = b""
    with pytest.raises(MessageError, match=r"cam .*0.05 s") as error:
        live.picture(0.05)
    assert error.value.status == 504


def test_one_that_is_down_is_not_asked_by_every_viewer(live, source) -> None:
    source.why = "It is down."
    for _ in range(20):
        with pytest.raises(MessageError):
            live.picture()
    assert source.fetches == 2


def test_pictures_that_are_too_large_or_too_many_are_left_out(live, source, monkeypatch) -> None:
    source.picture = b"\xff\xd8" + bytes(MAX_PICTURE)
    with pytest.raises(MessageError):
        live.picture(0.1)
    assert live.skipped
    monkeypatch.setattr(pulled, "MAX_RATE", 100_000)
    shown = []
    monkeypatch.setattr(live, "show", shown.append)
    for _ in range(100):
        live._show_pulled(bytes(10_000), None)
    assert len(shown) <= 11


def test_nobody_else_publishes_under_its_name(live) -> None:
    streams = LiveStreams(1400, "name")
    pull(streams, "cam", Source(), 0.0)
    with pytest.raises(ValueError, match="cam"):
        streams.publish("cam", 25)
    for user in (None, "ann"):
        with pytest.raises(MessageError) as error:
            streams.take_over("cam", 25, user, lambda: None)
        assert error.value.status == 403
    streams.close()


# --- In a server ---------------------------------------------------------------------------------


class Sessions:
    """An observer that counts sessions."""

    def __init__(self) -> None:
        self.now = self.ever = 0

    def session_began(self, session: object) -> None:
        self.now += 1
        self.ever += 1

    def session_ended(self, session: object) -> None:
        self.now -= 1


@pytest.fixture
def first(small_movie) -> Iterator[tuple[int, Sessions]]:
    """A server with a movie: its port, and how many watch."""
    from rtplab.serving.media.library import MovieLibrary

    sessions = Sessions()
    service = Service(MovieLibrary(small_movie.parent), loop=True, observer=sessions, fps=50)
    with in_a_thread(RtspServer(service), HOST) as port:
        yield port, sessions


@pytest.mark.long
def test_a_second_server_carries_the_viewers_of_the_first(first, tmp_path) -> None:
    port, sessions = first
    option = f"live=rtsp://{HOST}:{port}/movie.Mjpeg"
    with ServerProcess(tmp_path, "--pull", option) as relay:
        url = f"rtsp://{HOST}:{relay.port}/live"
        found: list[bytes] = []
        meet = threading.Barrier(21)

        def watch() -> None:
            with rtplab.play(url) as frames:
                found.extend(next(frames).jpeg for _ in range(3))
                meet.wait(LIMIT)
                meet.wait(LIMIT)

        threads = [threading.Thread(target=watch) for _ in range(20)]
        for thread in threads:
            thread.start()
        meet.wait(LIMIT)
        assert (sessions.now, sessions.ever) == (1, 1)
        meet.wait(LIMIT)
        for thread in threads:
            thread.join()
        assert len(found) == 60
        assert soon(lambda: sessions.now == 0), "it goes on although nobody watches"
        assert sessions.ever == 1


@pytest.mark.long
def test_a_camera_by_http_for_browsers_and_players_without_its_password(tmp_path) -> None:
    with HttpCamera(stream) as camera:
        need(shutil.which("curl"), "curl")
        options = ["--pull", f"cam={camera.url(user='ann:secret@')}", "--http", "0"]
        options += ["--log-level", "debug"]
        with ServerProcess(tmp_path, *options) as server:
            assert not camera.requests
            frame = next(rtplab.play(f"rtsp://{HOST}:{server.port}/cam"))
            assert frame.image().size == (384, 288)
            printed = server.output()
            http = int(re.search(r"In a browser: http://[^:]+:(\d+)/", printed)[1])
            with rtplab.play(f"http://{HOST}:{http}/cam.mjpeg") as frames:
                assert next(frames).jpeg in PICTURES
            listed = subprocess.run(
                ["curl", "-s", f"http://{HOST}:{http}/"], capture_output=True, check=True
            )
            assert b'href="/cam"' in listed.stdout
            assert len(camera.requests) == 1
            printed = server.output() + server.errors()
    assert f"cam: from http://127.0.0.1:{camera.port}/stream" in printed
    assert "secret" not in printed


def lost_after(pictures: int):
    """A camera that closes its first connection after so many pictures."""

    def answer(camera, connection, request) -> None:
        if len(camera.requests) > 1:
            stream(camera, connection)
        connection.sendall(HEAD + b"\r\n")
        for number in range(pictures):
            connection.sendall(part(PICTURES[number], number))
            time.sleep(0.05)

    return answer


@pytest.mark.long
def test_viewers_wait_for_a_camera_that_is_lost(tmp_path) -> None:
    with HttpCamera(lost_after(3)) as camera:
        options = ["--pull", f"cam={camera.url()}", "--wait", "20"]
        with ServerProcess(tmp_path, *options) as server:
            with rtplab.play(f"rtsp://{HOST}:{server.port}/cam") as frames:
                some = [next(frames) for _ in range(8)]
    assert len(camera.requests) == 2
    assert [frame.time for frame in some] == sorted({frame.time for frame in some})


@pytest.mark.long
def test_without_wait_they_are_told_that_it_is_over(tmp_path) -> None:
    with HttpCamera(lost_after(3)) as camera:
        with ServerProcess(tmp_path, "--pull", f"cam={camera.url()}") as server:
            assert 1 <= len(list(rtplab.play(f"rtsp://{HOST}:{server.port}/cam"))) <= 3
            with rtplab.play(f"rtsp://{HOST}:{server.port}/cam") as frames:
                assert next(frames).jpeg


@pytest.mark.long
def test_what_is_wrong_with_the_camera_reaches_the_player(tmp_path) -> None:
    with ServerProcess(tmp_path, "--pull", f"cam=rtsp://ann:secret@{HOST}:9/x") as server:
        began = time.monotonic()
        with pytest.raises(rtplab.PlayError, match="503.*listening.*127.0.0.1 port 9"):
            next(rtplab.play(f"rtsp://{HOST}:{server.port}/cam"))
        assert time.monotonic() - began < 3
        assert "secret" not in server.output() + server.errors()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--pull", "cam=rtsp://host/x", "--workers", "2"], marks=needs_workers),
        ["--pull", "cam"],
        ["--pull", "=rtsp://host/x"],
        ["--pull", "a/b=rtsp://host/x"],
        ["--pull", "cam=ftp://host/x"],
        ["--pull", "cam=rtsp://ann:secret@host:x/"],
        ["--pull", "cam=rtsp://host/x", "--pull", "cam=rtsp://host/y"],
        ["--pull", "test=rtsp://host/x", "--test-picture"],
        ["--allow-basic"],
    ],
)
def test_what_can_t_be_pulled_is_a_sentence(options, capsys) -> None:
    from rtplab.serving.process.options import parse_arguments

    with pytest.raises(SystemExit) as end:
        parse_arguments(options)
    printed = capsys.readouterr().err
    assert end.value.code == 2 and "secret" not in printed
    assert options[0] in printed.splitlines()[-1] or "named" in printed.splitlines()[-1]
