"""Movies and live streams for browsers, by the bytes of HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from movies import MOVIE, frames_of, write_movie
from systems import needs_any_name, needs_names_of_any_bytes
from waiting import wait_until

import rtplab
from rtplab.protocol.errors import MessageError
from rtplab.serving.admission.access import UserDatabase
from rtplab.serving.admission.limits import Limits
from rtplab.serving.http.server import HttpServer
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service

HOST = "127.0.0.1"
LIMIT = 10.0
NASTY = "<script>alert(1)</script>&\"'.Mjpeg"
FRAMES = 20


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:FRAMES]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]) -> Path:
    folder = tmp_path_factory.mktemp("media")
    write_movie(folder / "movie.Mjpeg", frames)
    write_movie(folder / "two words.Mjpeg", frames)
    return folder


@pytest.fixture
def server(media: Path) -> Iterator[rtplab.Serving]:
    with rtplab.serve(port=0, media=str(media), host=HOST, fps=50, http=0) as server:
        yield server


@pytest.fixture
def ask(server: rtplab.Serving) -> Iterator[Callable[..., HTTPResponse]]:
    with_port = server.http_port
    connection = HTTPConnection(HOST, with_port, timeout=LIMIT)

    def ask(path: str, method: str = "GET", **headers: str) -> HTTPResponse:
        connection.request(
            method, path, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )
        return connection.getresponse()

    yield ask
    connection.close()


def raw(port: int | None, request: bytes, limit: float = LIMIT) -> bytes:
    """All that is answered to these bytes, until the server hangs up."""
    with socket.create_connection((HOST, port), limit) as connection:
        connection.sendall(request)
        answer = b""
        while more := _received(connection):
            answer += more
    return answer


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:  # hung up before all that we have sent was read
        return b""


class Viewer:
    """Reads a moving picture as a browser does."""

    def __init__(self, port: int | None, path: str) -> None:
        self._connection = socket.create_connection((HOST, port), LIMIT)
        self._connection.settimeout(LIMIT)
        self._connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        self._stream = self._connection.makefile("rb")
        self.head = self._lines()

    def _lines(self) -> list[str]:
        lines = []
        while line := self._stream.readline().decode().rstrip("\r\n"):
            lines.append(line)
        return lines

    def picture(self) -> bytes:
        boundary, *fields = self._lines()
        assert boundary == "--frame" and fields[0] == "Content-Type: image/jpeg"
        picture = self._stream.read(int(fields[1].removeprefix("Content-Length: ")))
        assert self._stream.readline() == b"\r\n"
        return picture

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._connection.close()


# --- Pages ---------------------------------------------------------------------------------------


def test_the_list_names_movies_and_live_streams(server, ask, frames) -> None:
    with server.publish("cam") as cam:
        cam.send(frames[0])
        answer = ask("/")
        page = answer.read().decode()
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r'href="(/[^-][^"]*)"', page) == [
        "/cam",
        "/movie.Mjpeg",
        "/two%20words.Mjpeg",
    ]
    assert page.index("cam") < page.index(">live<") < page.index("movie.Mjpeg")


def test_a_page_has_the_moving_picture_and_the_address_for_other_players(server, ask) -> None:
    page = ask("/two%20words.Mjpeg").read().decode()
    assert 'data-stream="/two%20words.Mjpeg.mjpeg"' in page
    assert f"rtsp://{HOST}:{server.port}/two%20words.Mjpeg" in page


@pytest.mark.parametrize(
    "path", ["/", "/movie.Mjpeg", "/movie.Mjpeg.jpg", "/nothing", "/-/page.js"]
)
def test_nothing_of_it_can_be_shown_or_loaded_by_others(ask, path) -> None:
    answer = ask(path)
    answer.read()
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@needs_any_name
def test_names_are_escaped(tmp_path, frames) -> None:
    write_movie(tmp_path / NASTY.replace("/", ""), frames)
    with rtplab.serve(port=0, media=str(tmp_path), host=HOST, http=0) as server:
        connection = HTTPConnection(HOST, server.http_port, timeout=LIMIT)
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
        (path,) = re.findall(r'href="(/[^-][^"]*)"', page)
        connection.request("GET", path)
        own = connection.getresponse().read().decode()
        connection.request("GET", "/<script>x")
        lost = connection.getresponse().read().decode()
        connection.close()
    for text in (page, own, lost):
        assert text.count("<script") == 1 and "<script src=" in text


def test_nothing_outside_the_folder_is_to_be_had(server, media) -> None:
    (media.parent / "outside.Mjpeg").write_bytes((media / "movie.Mjpeg").read_bytes())
    for path in (
        "/../outside.Mjpeg",
        "/..%2foutside.Mjpeg",
        "//etc/passwd",
        "/%2e%2e/outside.Mjpeg.jpg",
    ):
        answer = raw(server.http_port, f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 404 "), path


# --- Pictures ------------------------------------------------------------------------------------


def test_a_moving_picture_has_every_frame_byte_for_byte(server, frames) -> None:
    with Viewer(server.http_port, "/movie.Mjpeg.mjpeg") as viewer:
        assert viewer.head[0] == "HTTP/1.1 200 OK"
        assert "Content-Type: multipart/x-mixed-replace; boundary=frame" in viewer.head
        seen = [viewer.picture() for _ in range(2 * FRAMES)]
    assert seen == frames * 2, "and begins again at its end"


def test_a_live_stream_moves_too(server, frames) -> None:
    with server.publish("cam") as cam:
        cam.send(frames[0])
        with Viewer(server.http_port, "/cam.mjpeg") as viewer:
            for frame in frames[1:5]:
                shown = viewer.picture()
                cam.send(frame)
            assert shown == frames[3]
            wait_until(lambda: cam.viewers == 1)
        cam.send(frames[6])
        cam.send(frames[7])
        wait_until(lambda: cam.viewers == 0)


def test_the_end_of_a_live_stream_ends_the_connection(server, frames) -> None:
    cam = server.publish("cam")
    cam.send(frames[0])
    with Viewer(server.http_port, "/cam.mjpeg") as viewer:
        assert viewer.picture() == frames[0]
        cam.close()
        assert viewer._stream.read() == b"--frame\r\n"


def test_a_still_is_one_frame(server, ask, frames) -> None:
    answer = ask("/movie.Mjpeg.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.read() in frames
    with server.publish("cam") as cam:
        cam.send(frames[4])
        assert ask("/cam.jpg").read() == frames[4]


def test_the_figures_are_those_of_the_page_that_asks(server, ask, frames) -> None:
    with Viewer(server.http_port, "/movie.Mjpeg.mjpeg?id=abc") as viewer:
        for _ in range(10):
            viewer.picture()
        figures = json.loads(ask("/movie.Mjpeg.json?id=abc").read())
        others = json.loads(ask("/movie.Mjpeg.json?id=abd").read())
    assert figures["frames"] >= 10 and figures["bytes"] >= sum(map(len, frames[:10]))
    assert figures["viewers"] == others["viewers"] == 1
    assert others["frames"] == 0


def test_a_hundred_viewers_and_one_who_does_not_read(server, frames) -> None:
    slow = socket.create_connection((HOST, server.http_port), LIMIT)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"GET /movie.Mjpeg.mjpeg HTTP/1.0\r\n\r\n")
    with slow, ExitStack() as stack:
        path = "/movie.Mjpeg.mjpeg"
        viewers = [stack.enter_context(Viewer(server.http_port, path)) for _ in range(100)]
        for viewer in viewers:
            assert [viewer.picture() for _ in range(5)] == frames[:5]


def test_the_log_tells_of_frames_that_a_browser_did_not_read(media, caplog) -> None:
    caplog.set_level("INFO", "rtplab.http")
    with rtplab.serve(port=0, media=str(media), host=HOST, fps=1000, http=0) as server:
        with socket.create_connection((HOST, server.http_port), LIMIT) as slow:
            slow.sendall(b"GET /movie.Mjpeg.mjpeg HTTP/1.0\r\n\r\n")
            time.sleep(2.0)
        wait_until(lambda: re.search(r"\(HTTP\): [1-9]\d* frames dropped", caplog.text))


# --- HTTP ----------------------------------------------------------------------------------------


def test_a_connection_serves_several_requests_and_old_clients_one(server) -> None:
    get = f"GET /-/style.css HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    last = get.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert raw(server.http_port, get + get + last).count(b"HTTP/1.1 200 OK") == 3
    old = raw(server.http_port, b"GET /movie.Mjpeg.jpg HTTP/1.0\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200 OK") and old.endswith(b"\xff\xd9")


def test_head_has_no_body(server, ask) -> None:
    for path in ("/", "/movie.Mjpeg.jpg", "/movie.Mjpeg.mjpeg"):
        answer = raw(server.http_port, f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "SETUP", "get"])
def test_other_methods_are_not_allowed_and_end_the_connection(server, method) -> None:
    answer = raw(
        server.http_port,
        f"{method} / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: GET, HEAD\r\n" in answer


def test_range_is_ignored(ask, frames) -> None:
    answer = ask("/movie.Mjpeg.jpg", Range="bytes=0-10")
    assert answer.status == 200 and answer.read() in frames


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((name, 200) for name in ("localhost", "LOCALHOST:8080", "192.168.1.7:80", "[::1]:8080")),
        *((name, 200) for name in ("::1", "127.0.0.1", "cam.example", "cam.example.:80")),
        *(
            (name, 421)
            for name in ("evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io")
        ),
        *((name, 421) for name in ("127.0.0.1@evil.example", "[evil]", "localhost:x")),
    ],
)
def test_the_host_must_be_ours(media, host, status) -> None:
    with serving(media, names=("cam.example",)) as port:
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert raw(port, request.encode()).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    "request_",
    [
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\nGET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + b"\r\n",
        b"GET /%ff%00.jpg HTTP/1.0\r\n\r\n",
        bytes(range(256)) * 8 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_harms_nobody(server, request_) -> None:
    with socket.create_connection((HOST, server.http_port), LIMIT) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := _received(connection):
            answer += more
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
    assert raw(server.http_port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_request_must_come_in_time(media, monkeypatch) -> None:
    monkeypatch.setattr("rtplab.serving.http.server.PATIENCE", 0.3)
    monkeypatch.setattr("rtplab.serving.http.server.LOOK_INTERVAL", 0.1)
    with serving(media) as port, socket.create_connection((HOST, port), LIMIT) as slow:
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + LIMIT:
                slow.sendall(b"G")
                time.sleep(0.05)
        assert 0.2 < time.monotonic() - began < 5


def test_a_head_is_as_large_as_may_be_and_no_larger(media) -> None:
    def answer(size: int) -> bytes:
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 100) for n in range(size // 106))
        return raw(port, b"GET / HTTP/1.0\r\n" + lines + b"\r\n")

    with serving(media, limits=Limits(header_size=2000)) as port:
        assert answer(1500).startswith(b"HTTP/1.1 200 ")
        for size in (2500, 100_000):
            assert answer(size).startswith(b"HTTP/1.1 431 ")
        assert raw(port, b"GET /" + b"a" * 2500 + b" HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 414 ")


def test_a_flood_of_requests_is_slowed_down_and_logged_once(media, caplog) -> None:
    caplog.set_level("INFO", "rtplab.server")
    get = f"GET /-/style.css HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    last = get.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with serving(media, limits=Limits(requests_per_second=20)) as port:
        began = time.monotonic()
        assert raw(port, get * 39 + last).count(b"HTTP/1.1 200 OK") == 40
        assert time.monotonic() - began >= 0.95, "20 at once, then 20 a second"
    assert caplog.text.count("too many requests") == 1


def test_many_connections_of_an_address_share_its_pace(media) -> None:
    limits = Limits(requests_per_address=20)
    with serving(media, limits=limits) as port, ExitStack() as stack:
        began = time.monotonic()
        viewer = stack.enter_context(Viewer(port, "/movie.Mjpeg.mjpeg"))
        for number in range(39):
            request = (b"GET / HTTP/1.0\r\n\r\n", b"PUT / HTTP/1.0\r\n\r\n")[number % 2]
            assert raw(port, request)
        assert time.monotonic() - began >= 0.95, "also of requests that are refused"
        assert viewer.picture()


def test_the_server_closes_at_once_while_a_flood_waits(media) -> None:
    with serving(media, limits=Limits(requests_per_address=1)) as port, ExitStack() as stack:
        for _ in range(20):
            waiting = stack.enter_context(socket.create_connection((HOST, port), LIMIT))
            waiting.sendall(b"GET / HTTP/1.0\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_each_connection_counts_for_its_address(media) -> None:
    with serving(media, limits=Limits(connections_per_address=3)) as port:
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(Viewer(port, "/movie.Mjpeg.mjpeg"))
            with Viewer(port, "/movie.Mjpeg.mjpeg"):
                assert raw(port, b"GET / HTTP/1.0\r\n\r\n") == b""
            wait_until(lambda: raw(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"))


# --- Logging in ----------------------------------------------------------------------------------


def digest(challenge: str, path: str, user: str, password: str, nc: int = 1) -> str:
    """What a browser answers to a challenge (RFC 7616 section 3.4)."""
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[fields["algorithm"]]

    def digested(text: str) -> str:
        return make(text.encode()).hexdigest()

    cnonce = secrets.token_hex(4)
    secret = digested(f"{user}:{fields['realm']}:{password}")
    about = digested(f"GET:{path}")
    response = digested(f"{secret}:{fields['nonce']}:{nc:08x}:{cnonce}:auth:{about}")
    return (
        f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
        f'uri="{path}", response="{response}", algorithm={fields["algorithm"]}, qop=auth, '
        f'nc={nc:08x}, cnonce="{cnonce}"'
    )


def test_users_log_in_on_as_many_connections_as_a_browser_opens(media) -> None:
    users = UserDatabase([("ann", "secret")])
    with serving(media, users=users) as port:

        def get(path: str, authorization: str = "") -> HTTPResponse:
            connection = HTTPConnection(HOST, port, timeout=LIMIT)
            headers = {"Authorization": authorization} if authorization else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer

        refused = get("/")
        challenges = refused.headers.get_all("WWW-Authenticate")
        assert refused.status == 401 and len(challenges) == 2
        for challenge in challenges:
            for number, path in enumerate(("/", "/movie.Mjpeg", "/movie.Mjpeg.jpg"), 1):
                assert get(path, digest(challenge, path, "ann", "secret", number)).status == 200
        wrong = [
            digest(challenges[0], "/", "ann", "wrong"),
            digest(challenges[0], "/movie.Mjpeg", "ann", "secret"),
            digest(challenges[0], "/", "bob", "secret"),
            "Basic YW5uOnNlY3JldA==",
            "Digest",
        ]
        assert [get("/", one).status for one in wrong[:2]] == [401, 401]
        assert [get("/", one).status for one in wrong[2:]] == [401, 401, 401]
        forged = challenges[0].replace('nonce="', 'nonce="f')
        stale = get("/", digest(forged, "/", "ann", "secret"))
        assert stale.status == 401 and "stale=true" in stale.headers["WWW-Authenticate"]


class serving:
    """A server for browsers alone, for a `with` statement; gives its port."""

    def __init__(self, media: Path, names: tuple[str, ...] = (), **options: object) -> None:
        self._service = Service(MovieLibrary(media), **options)
        listener = socket.create_server((HOST, 0))
        self._server = HttpServer(self._service, [listener], 554, names)

    def __enter__(self) -> int:
        return self._server.port

    def __exit__(self, *error: object) -> None:
        self._server.close()
        self._service.close()


def test_a_viewer_beyond_the_session_limit_is_told_so(media) -> None:
    with serving(media, limits=Limits(sessions=1)) as port:
        with Viewer(port, "/movie.Mjpeg.mjpeg") as viewer:
            viewer.picture()
            answer = raw(port, b"GET /movie.Mjpeg.mjpeg HTTP/1.0\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 503 ") and b"try again" in answer
        wait_until(lambda: b" 200 " in raw(port, b"HEAD /movie.Mjpeg.mjpeg HTTP/1.0\r\n\r\n"))


def test_what_fails_in_the_middle_of_a_moving_picture_puts_no_page_into_it(
    server, monkeypatch
) -> None:
    def fail(self: object) -> None:
        raise MessageError("these pictures can't be converted", 415)

    monkeypatch.setattr("rtplab.serving.rtp.transmission.Transmission.prepare", fail)
    answer = raw(server.http_port, b"GET /movie.Mjpeg.mjpeg HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n--frame\r\n")


@needs_names_of_any_bytes
def test_a_name_that_is_not_utf_8_is_listed_and_played(tmp_path: Path, frames: list[bytes]) -> None:
    write_movie(tmp_path / os.fsdecode(b"\xff\xfe.Mjpeg"), frames)
    with rtplab.serve(port=0, media=str(tmp_path), host=HOST, http=0) as server:
        connection = HTTPConnection(HOST, server.http_port, timeout=LIMIT)

        def ask(path: str) -> tuple[int, bytes]:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

        status, page = ask("/")
        assert status == 200
        (path,) = re.findall(r'href="(/[^"]+Mjpeg)"', page.decode())
        assert path == "/%FF%FE.Mjpeg"
        status, page = ask(path)
        assert status == 200 and f"{path}.mjpeg" in page.decode()
        status, still = ask(f"{path}.jpg")
        assert status == 200 and still in frames
        with rtplab.play(server.url(os.fsdecode(b"\xff\xfe.Mjpeg"))) as played:
            assert next(played).number == 1
        connection.close()
