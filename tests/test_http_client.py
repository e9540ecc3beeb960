"""Cameras by HTTP, as the player and the library play them: our own server, ffmpeg, odd ones."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest
from http_cameras import HEAD, PICTURES, HttpCamera, chunked, part, sends, stream
from needs import need
from processes import PYTHON
from wording import lacks

import rtplab
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.http.client import READY_TIME, HttpClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.receiving.rtsp.watch import TimeLimits
from rtplab.serving.admission.access import UserDatabase
from rtplab.serving.http.server import HttpServer
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service

LIMIT = 10.0
SHORT = TimeLimits(connect=1.0, reply=0.3, silence=0.3, loss=0.3)


def play(url: str, count: int, trust: TlsTrust | None = None, limits: TimeLimits = SHORT):
    """Play until so many pictures have come, or it is over; return client and pictures."""
    client = HttpClient(MovieSource("", 0, url, trust=trust), limits=limits)
    pictures: list[bytes] = []
    client.on_frame = lambda frame: pictures.append(frame.data)
    try:
        client.set_up()
        client.wait_for(lambda: client.state is State.READY or bool(client.error), LIMIT)
        client.play_movie()
        client.wait_for(lambda: len(pictures) >= count or bool(client.error) or client.ended, LIMIT)
    finally:
        error, state = client.error, client.state
        client.close()
    client.error, client.state = error, state
    return client, pictures


def headless(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, "-m", "rtplab", "play", *map(str, arguments), "--headless", "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# --- What is played ------------------------------------------------------------------------------


def test_our_own_server_in_the_library(small_movie) -> None:
    with rtplab.serve(port=0, media=str(small_movie.parent), http=0, fps=50) as server:
        url = f"http://127.0.0.1:{server.http_port}/movie.Mjpeg.mjpeg"
        with rtplab.play(url) as frames:
            some = [next(frames) for _ in range(5)]
    assert [frame.number for frame in some] == [1, 2, 3, 4, 5]
    assert some[0].jpeg in PICTURES and some[0].image().size == (384, 288)
    assert 0 < some[4].time < 2


@pytest.mark.long
def test_headless_reports_as_for_rtsp(tmp_path) -> None:
    with HttpCamera(stream) as camera:
        url = camera.url(user="ann:secret@")
        run = headless(url, "--frames", 12, "--save", tmp_path / "out")
    report = json.loads(run.stdout)
    assert (run.returncode, run.stderr, report["error"]) == (0, "", None)
    assert (report["frames"], report["packets"], report["lost"]) == (12, 12, 0)
    assert report["bytes"] == sum(map(len, PICTURES[:12]))
    assert 10 < report["fps"] < 60 and report["jitter_ms"] < 50
    saved = [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())]
    assert saved == PICTURES[:12]


@pytest.mark.peers
def test_ffmpeg_as_a_camera() -> None:
    need(shutil.which("ffmpeg"), "ffmpeg")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/feed"
    source = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-c:v", "mjpeg"]
    what = ["-content_type", "multipart/x-mixed-replace;boundary=ffmpeg", "-listen", "1"]
    command = ["ffmpeg", "-v", "error", "-re", *source, "-f", "mpjpeg", *what, url]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as ffmpeg:
        try:
            deadline = time.monotonic() + LIMIT
            pictures: list[bytes] = []
            while not pictures and time.monotonic() < deadline:
                client, pictures = play(url, 10, limits=TimeLimits())
        finally:
            ffmpeg.kill()
    assert len(pictures) >= 10 and not client.error and client.forgiven == []


@pytest.mark.parametrize("end", [True, False])
def test_chunks_that_have_nothing_to_do_with_the_parts(end: bool) -> None:
    data = b"".join(part(picture, n) for n, picture in enumerate(PICTURES[:3]))
    pieces = (data[at : at + 1000] for at in range(0, len(data), 1000))
    body = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(pieces, end)
    with HttpCamera(sends(body)) as camera:
        client, pictures = play(camera.url(), 99)
    assert pictures == PICTURES[:3]
    assert client.ended is end
    assert bool(client.error) is not end and (end or "closed" in client.error)
    assert client.is_lost is not end
    assert client.state is (State.READY if end else State.INIT)


def test_the_timestamps_of_a_camera_are_believed() -> None:
    data = b"".join(part(picture, n) for n, picture in enumerate(PICTURES[:3]))
    client = HttpClient(MovieSource("", 0, "http://camera/"))
    times = []
    client.on_frame = lambda frame: times.append(frame.media_time)
    with HttpCamera(sends(HEAD + b"\r\n" + data, then=1)) as camera:
        client._source = MovieSource("", 0, camera.url())
        client.set_up()
        assert client.wait_for(lambda: client.state is State.READY, LIMIT)
        client.play_movie()
        assert client.wait_for(lambda: len(times) == 3, LIMIT)
        client.close()
    assert times == pytest.approx([0.0, 0.05, 0.1], abs=0.01)


def test_a_frame_of_eight_megabytes() -> None:
    large = PICTURES[0][:-2] + bytes(8_000_000) + b"\xff\xd9"
    with HttpCamera(sends(HEAD + b"\r\n" + part(large, 0), then=1)) as camera:
        _, pictures = play(camera.url(), 1)
    assert pictures == [large]


def test_a_redirection_is_followed_without_the_password() -> None:
    with HttpCamera(stream) as there:
        location = f"HTTP/1.1 302 Found\r\nLocation: {there.url()}\r\n\r\n".encode()
        with HttpCamera(sends(location)) as camera:
            _, pictures = play(camera.url(user="ann:secret@"), 2)
    assert pictures == PICTURES[:2]
    assert b"Authorization" not in there.requests[0]


# --- Pause ---------------------------------------------------------------------------------------


def test_a_pause_hangs_up_and_play_asks_again() -> None:
    with HttpCamera(stream) as camera:
        client = HttpClient(MovieSource("", 0, camera.url()), limits=SHORT)
        pictures: list[bytes] = []
        client.on_frame = lambda frame: pictures.append(frame.data)
        client.set_up()
        assert client.wait_for(lambda: client.state is State.READY, LIMIT)
        client.play_movie()
        assert client.wait_for(lambda: len(pictures) >= 2, LIMIT)
        client.pause_movie()
        assert client.state is State.READY
        assert _soon(lambda: not camera.open)
        so_far = len(pictures)
        client.play_movie()
        assert client.wait_for(lambda: len(pictures) > so_far + 1, LIMIT)
        assert len(camera.requests) == 2 and client.state is State.PLAYING
        client.tear_down()
        assert client.state is State.INIT and not client.error
        assert _soon(lambda: not camera.open)


def test_one_that_is_set_up_and_not_played_is_left_to_others() -> None:
    with HttpCamera(stream) as camera:
        client = HttpClient(MovieSource("", 0, camera.url()), limits=SHORT)
        client.set_up()
        assert client.wait_for(lambda: client.state is State.READY, LIMIT)
        assert _soon(lambda: not camera.open, READY_TIME + 5)
        assert client.state is State.READY and not client.error
        client.play_movie()
        assert client.wait_for(lambda: client.state is State.PLAYING, LIMIT)
        client.close()


def _soon(condition, limit: float = LIMIT) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# --- Logging in ----------------------------------------------------------------------------------

CHALLENGES = {
    "digest": b'Digest realm="cam", nonce="n1", qop="auth"',
    "basic": b'Basic realm="cam"',
}


def asks(challenge: bytes):
    """A camera that wants a password, and takes any."""

    def answer(camera, connection, request) -> None:
        if b"Authorization: " in request:
            stream(camera, connection)
        else:
            head = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + challenge
            connection.sendall(head + b"\r\nContent-Length: 0\r\n\r\n")

    return answer


def test_a_digest_proves_the_password_and_does_not_tell_it() -> None:
    with HttpCamera(asks(CHALLENGES["digest"])) as camera:
        _, pictures = play(camera.url("/a?b=c", "ann:secret@"), 1)
    assert pictures
    first, second = camera.requests
    assert b"Authorization" not in first and b"secret" not in second
    assert re.search(rb'Authorization: Digest username="ann".*uri="/a\?b=c"', second)


def test_basic_is_sent_only_if_allowed() -> None:
    with HttpCamera(asks(CHALLENGES["basic"])) as camera:
        client, pictures = play(camera.url(user="ann:secret@"), 1)
        assert not pictures and client.needs_password and client.needs_basic
        assert "--allow-basic" in client.error and len(camera.requests) == 1
        _, pictures = play(camera.url(user="ann:secret@"), 1, TlsTrust(allow_basic=True))
        assert pictures


def test_without_a_password_it_is_asked_for_and_then_taken() -> None:
    with HttpCamera(asks(CHALLENGES["digest"])) as camera:
        client = HttpClient(MovieSource("", 0, camera.url()), limits=SHORT)
        client.set_up()
        assert client.wait_for(lambda: client.needs_password, LIMIT)
        assert client.state is State.INIT and "password" in client.error
        client.log_in("ann", "secret")
        assert client.wait_for(lambda: client.state is State.READY, LIMIT)
        assert not client.needs_password and not client.error
        client.close()


def test_a_wrong_password_is_not_tried_twice() -> None:
    refusal = b"HTTP/1.1 401 No\r\nWWW-Authenticate: " + CHALLENGES["digest"] + b"\r\n\r\n"
    with HttpCamera(sends(refusal)) as camera:
        client, _ = play(camera.url(user="ann:wrong@"), 1)
    assert client.needs_password and "does not accept" in client.error
    assert len(camera.requests) == 2


def test_our_own_server_asks_for_a_password(small_movie) -> None:
    library = MovieLibrary(small_movie.parent)
    with ExitStack() as stack:
        service = Service(library, users=UserDatabase([("ann", "secret")]))
        stack.callback(service.close)
        browsers = HttpServer(service, [socket.create_server(("127.0.0.1", 0))], 554)
        stack.callback(browsers.close)
        where = f"127.0.0.1:{browsers.port}/movie.Mjpeg.mjpeg"
        with rtplab.play(f"http://ann:secret@{where}") as frames:
            assert next(frames).number == 1
        with pytest.raises(rtplab.PlayError, match="password"):
            next(rtplab.play(f"http://{where}"))


# --- What can not be played ----------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
WRONG = {
    "404": (sends(b"HTTP/1.1 404 Not Found\r\n\r\n"), "/stream.*404"),
    "503": (sends(b"HTTP/1.0 503 Busy\r\n\r\n"), "busy.*one viewer"),
    "500": (sends(b"HTTP/1.1 500 Oops\r\n\r\n"), "500 Oops"),
    "a still": (sends(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"), "single picture"),
    "a page": (sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"), "web page"),
    "a film": (sends(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n"), "video/mp4"),
    "no type": (sends(b"HTTP/1.1 200 OK\r\n\r\n"), "without.*Content-Type"),
    "a loop": (sends(b"HTTP/1.1 302 Found\r\nLocation: /stream\r\n\r\n"), "redirects"),
    "another scheme": (
        sends(b"HTTP/1.1 302 Found\r\nLocation: rtsp://host/live\r\n\r\n"),
        "rtsp://host/live.*not followed",
    ),
    "nowhere": (sends(b"HTTP/1.1 302 Found\r\n\r\n"), "invalid address"),
    "RTSP": (sends(b"RTSP/1.0 400 Bad Request\r\n\r\n"), "RTSP.*rtsp://"),
    "SSH": (sends(b"SSH-2.0-OpenSSH_9\r\n", then=1), "HTTP.*SSH-2.0"),
    "nothing": (sends(then=5), "not answered.*0.3 s"),
    "hung up": (sends(), "without answering"),
    "a head without end": (sends(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000), "32768 bytes"),
    "silence": (sends(HEAD + b"\r\n", then=5), "No picture.*0.3 s"),
    "pictures of another kind": (
        sends(HEAD + b"\r\n" + part(PNG, 0).replace(b"jpeg", b"png"), b"\r\n--frame\r\n", then=5),
        "image/png, not JPEG",
    ),
    "silence after a picture": (
        sends(HEAD + b"\r\n" + part(PICTURES[0], 0), then=5),
        "connection is lost",
    ),
    "too large": (
        sends(HEAD + b"\r\n--frame\r\nContent-Length: 9000000\r\n\r\n\xff\xd8", then=5),
        "9000000 bytes",
    ),
    "no chunks": (
        sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n", then=5),
        "chunk begins with 'hello",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_t_be_played_is_a_sentence(case: str) -> None:
    answer, sentence = WRONG[case]
    with HttpCamera(answer) as camera:
        client, _ = play(camera.url(), 99)
    assert re.search(sentence, client.error), client.error
    assert client.error.endswith(".") and client.state is State.INIT


def test_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client, _ = play(f"http://127.0.0.1:{port}/", 1)
    assert not lacks(client.error, "listening", str(port))


def test_an_interruption_is_told_and_over_with_the_next_picture() -> None:
    def answer(camera, connection, request) -> None:
        connection.sendall(HEAD + b"\r\n" + part(PICTURES[0], 0))
        time.sleep(0.45)
        connection.sendall(part(PICTURES[1], 1))
        time.sleep(0.2)

    with HttpCamera(answer) as camera:
        client = HttpClient(MovieSource("", 0, camera.url()), limits=SHORT)
        client.set_up()
        assert client.wait_for(lambda: client.state is State.READY, LIMIT)
        client.play_movie()
        assert client.wait_for(lambda: bool(client.notice), LIMIT)
        assert not lacks(client.notice, "No picture", "0.3 s")
        assert client.wait_for(lambda: not client.notice, LIMIT)
        assert client.reception.statistics.frames == 2
        client.close()


@pytest.mark.parametrize("options", [["--impair", "loss=5%"], ["80"]])
def test_options_that_mean_nothing_here(options) -> None:
    run = headless("http://camera/stream", *options)
    assert run.returncode == 2 and "Traceback" not in run.stderr
