"""An HTTP port for browsers: the same movies, streams, limits and users as the RTSP port.

    /                the list, with stills that are renewed
    /NAME            a page with the picture moving
    /NAME.mjpeg      the moving picture: multipart/x-mixed-replace
    /NAME.jpg        one frame
    /NAME.json       what the server has sent to the viewer that ?id= names

Python's http.server reads the requests. A moving picture is then sent by the pacer or the live
stream, as to all other viewers, and the connection's thread only waits for the end.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from rtplab import version
from rtplab.clock import steady
from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie, open_movie
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import unquoted_name
from rtplab.protocol.tls import TlsChannel
from rtplab.serving.admission.descriptors import is_resource_exhaustion
from rtplab.serving.http import pages
from rtplab.serving.http.login import HttpLogin, Refused, TooManyTries
from rtplab.serving.http.sink import BOUNDARY, CONTENT_TYPE, HttpOutlet, HttpSink
from rtplab.serving.http.tls import TlsConnection
from rtplab.serving.media.payloads import WHOLE
from rtplab.serving.media.playback import Playback
from rtplab.serving.rtp.delivery import Delivery
from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtp.stream import RtpStream, standard_stream
from rtplab.serving.rtp.transmission import Transmission
from rtplab.serving.rtsp.service import Service

# Seconds that a request may take to arrive, and that a connection may be silent between two.
PATIENCE = 10.0
LOOK_INTERVAL = 1.0  # seconds between checks for connections past their deadline
ACCEPT_PAUSE = 0.2  # seconds before the next try when there is no descriptor left
MAX_ID = 40  # characters of the id by which a page names its stream

logger = logging.getLogger("rtplab.http")


class HttpServer:
    """Accepts browsers, and serves each connection in a thread of its own."""

    def __init__(
        self,
        service: Service,
        listeners: list[socket.socket],
        rtsp_port: int,
        names: tuple[str, ...] = (),
    ) -> None:
        """Serve on listening sockets. Other players find the server at `rtsp_port`.

        A request's Host must be an IP address, localhost or one of `names`. With the service's
        `tls`, browsers must speak TLS.
        """
        self.service = service
        self.rtsp_port = rtsp_port
        self.port: int = listeners[0].getsockname()[1]
        self.login = HttpLogin(service.users) if service.users is not None else None
        self.names = frozenset(name.lower() for name in ("localhost", *names))
        self._listeners = listeners
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._lock = threading.Lock()  # guards the attributes below
        self._deadlines: dict[socket.socket, float | None] = {}  # of all connections
        self._viewers: Counter[str] = Counter()  # by what they watch
        self._streams: dict[str, RtpStream] = {}  # by the ids of pages
        self._thread = threading.Thread(target=self._run, name="http")
        self._thread.start()

    # ------------------------------------------------------------------ accepting

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            for listener in self._listeners:
                listener.setblocking(False)
                selector.register(listener, selectors.EVENT_READ, listener)
            while True:
                for key, _ in selector.select(LOOK_INTERVAL if self._deadlines else None):
                    if key.data is None:
                        return
                    self._accept(key.data)
                self._hang_up_on_the_late()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, address = listener.accept()
        except OSError as error:
            if is_resource_exhaustion(error):
                threading.Event().wait(ACCEPT_PAUSE)
            return  # or the client has already gone
        try:
            with self._lock:
                has_room = len(self._deadlines) < self.service.limits.connections
                if has_room:
                    self._deadlines[connection] = steady() + PATIENCE
            if not has_room or not self.service.admission.enter(address[0]):
                self._forget(connection)
                return
            try:
                self.service.threads.start(lambda: self._serve(connection, address[0]))
            except RuntimeError:  # the system grants no thread
                self.service.admission.leave(address[0])
                raise
        except Exception as error:  # one client must not end the server
            logger.warning("browser refused: %s", error)
            self._forget(connection)

    def _serve(self, connection: socket.socket, host: str) -> None:
        try:
            with suppress(OSError):  # it has gone
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.service.tls is None:
                    _Handler(connection, host, self)
                else:
                    inside = TlsConnection(connection, self.service.tls)
                    _Handler(inside, host, self)
                    inside.say_goodbye()
        finally:
            self.service.admission.leave(host)
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._deadlines.pop(connection, None)
        connection.close()

    def expect_request(self, connection: socket.socket, is_expected: bool) -> None:
        """Note that a request must come in time, or that nothing more is expected."""
        with self._lock:
            self._deadlines[connection] = steady() + PATIENCE if is_expected else None

    def _hang_up_on_the_late(self) -> None:
        now = steady()
        with self._lock:
            late = [one for one, end in self._deadlines.items() if end is not None and end < now]
            for connection in late:
                _hang_up(connection)

    def close(self) -> None:
        """Hang up on all clients and free the port. May be called twice."""
        with suppress(OSError):
            self._wake_writer.send(b"x")
        self._thread.join()
        with self._lock:
            for connection in self._deadlines:
                _hang_up(connection)
        for end in (*self._listeners, self._wake_reader, self._wake_writer):
            end.close()

    # ------------------------------------------------------------------ what is watched

    @contextmanager
    def watching(self, name: str, id: str, stream: RtpStream) -> Iterator[None]:
        """Count a viewer in the meantime; its page asks for its figures by `id`."""
        with self._lock:
            self._viewers[name] += 1
            self._streams[id] = stream
        try:
            yield
        finally:
            with self._lock:
                self._viewers[name] -= 1
                self._streams.pop(id, None)

    def figures(self, name: str, id: str, live: LiveStream | None) -> dict[str, float]:
        """Return the figures of what was sent to a page, and the number of viewers."""
        with self._lock:
            stream, viewers = self._streams.get(id), self._viewers[name]
        return {
            "seconds": round(steady(), 3),
            "frames": stream.frames_sent if stream else 0,
            "bytes": stream.bytes_sent if stream else 0,
            "viewers": live.viewers if live is not None else viewers,
        }


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class _Found:
    """What a name means: a live stream, or a movie."""

    name: str
    live: LiveStream | None = None
    movie: Movie | None = None


class _Problem(Exception):
    """A request answered with a page that shows the error."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    wbufsize = -1  # the head and the body of an answer leave together

    def __init__(
        self, connection: socket.socket | TlsConnection, host: str, server: HttpServer
    ) -> None:
        self._http = server
        self._socket: socket.socket
        self._channel: TlsChannel | None
        if isinstance(connection, TlsConnection):
            self._socket, self._channel = connection.socket, connection.channel
        else:
            self._socket, self._channel = connection, None
        self._host = host
        self._has_begun = False  # a moving picture is being sent
        super().__init__(connection, (host, 0), server)  # type: ignore[arg-type]

    # ------------------------------------------------------------------ one request

    def handle_one_request(self) -> None:
        """Read one request before its deadline, and answer it."""
        self._http.expect_request(self._socket, True)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Answer with a page, a picture, a stream or figures."""
        self._http.expect_request(self._socket, False)
        try:
            self._check()
            self._answer(*self._target())
        except Refused as refused:
            self._refuse(refused)
        except _Problem as problem:
            self._send_problem(problem.status, str(problem))
        except MessageError as error:
            status = error.status if error.status in (404, 503, 504) else 415
            self._send_problem(HTTPStatus(status), str(error))
        except OSError as error:
            if isinstance(error, (ConnectionError, TimeoutError)):
                raise
            self._send_problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server can't read it at the moment: try again later.",
            )
        except Exception:
            logger.exception("a browser's request failed")
            self._send_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The server has failed.")

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer requests that http.server can't read or does not know: other methods get 405."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self._send_problem(status, f"{status.phrase}: {status.description or 'it is not served'}.")

    def _check(self) -> None:
        """Raises Refused, or _Problem if a foreign page may have made the browser ask."""
        host = self.headers.get("Host", "") if self.headers else ""
        if self.request_version != "HTTP/1.0" or host:
            if not _is_ours(host, self._http.names):
                self.close_connection = True
                raise _Problem(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "Use the server's IP address, or localhost: "
                    "its owner can allow other names with --http-name.",
                )
        if _has_body(self.headers):
            self.close_connection = True
            raise _Problem(HTTPStatus.BAD_REQUEST, "A request for a page has no body.")
        if self._http.login is not None:
            authorization = self.headers.get("Authorization", "")
            try:
                self._http.login.check(authorization, self.command, self.path, self._host, steady())
            except TooManyTries as error:
                raise _Problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "Too many failed logins from this address: try again later.",
                ) from error

    def _target(self) -> tuple[str, str]:
        """Return the requested path, decoded, and the id in its query."""
        path, _, query = self.path.partition("?")
        ids = parse_qs(query[:1024]).get("id", [""])
        return unquoted_name(path), ids[0][:MAX_ID]

    def _answer(self, path: str, id: str) -> None:
        if path == "/":
            self._send_page(pages.listing(self._http.service.names()))
        elif path == pages.STYLE_PATH:
            self._send(pages.STYLE.encode(), "text/css; charset=utf-8")
        elif path == pages.SCRIPT_PATH:
            self._send(pages.SCRIPT.encode(), "text/javascript; charset=utf-8")
        else:
            name = path.removeprefix("/")
            found = self._find(name)
            if found is not None:
                self._send_page(pages.watching(name, self._rtsp_address()))
                return
            stem, dot, kind = name.rpartition(".")
            found = self._find(stem) if dot and kind in ("mjpeg", "jpg", "json") else None
            if found is None:
                raise _Problem(HTTPStatus.NOT_FOUND, f"There is nothing named {name}.")
            if kind == "jpg":
                self._send(self._still(found), "image/jpeg")
            elif kind == "json":
                figures = self._http.figures(found.name, id, found.live)
                self._send(json.dumps(figures).encode(), "application/json")
            else:
                self._stream(found, id)

    # ------------------------------------------------------------------ what is offered

    def _find(self, name: str) -> _Found | None:
        """Return what a name means, or None. Raises MessageError, OSError."""
        service = self._http.service
        live = service.live.find(name)
        if live is not None:
            return _Found(name, live=live)
        try:
            path = service.library.find(name)
        except MessageError as error:
            if error.status == 404:
                return None
            raise
        try:
            return _Found(name, movie=open_movie(path))
        except MovieError as error:
            raise MessageError(f"{printable(name, 80)} can't be played: {error}", 415) from error

    def _still(self, found: _Found) -> bytes:
        """Return one frame: the newest, or the one that would be shown now."""
        if found.live is not None:
            picture = found.live.picture()
            if picture is None:
                raise _Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The stream has not begun yet.")
            return picture.jpeg()
        assert found.movie is not None
        service = self._http.service
        count = len(found.movie.frames)
        number = 1 + int(steady() * service.frame_rate(found.movie)) % count
        with service.media.use(found.movie) as opened:
            return b"".join(opened.whole_frames.cut(number, found.movie.frame(number), WHOLE))

    def _rtsp_address(self) -> str:
        host = self.headers.get("Host", "localhost")
        bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        path = self.path.partition("?")[0]
        scheme = "rtsp" if self._http.service.tls is None else "rtsps"
        return f"{scheme}://{bare}:{self._http.rtsp_port}{path}"

    # ------------------------------------------------------------------ a moving picture

    def _stream(self, found: _Found, id: str) -> None:
        self.close_connection = True
        service = self._http.service
        if self.command == "HEAD":
            self._send_head(HTTPStatus.OK, CONTENT_TYPE, None)
            return
        if found.live is not None:
            found.live.prepare()  # now, while an error can still be reported
        if not service.session_slots.acquire(blocking=False):
            raise _Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The session limit has been reached: try again later.",
            )
        with ExitStack() as stack:
            stack.callback(service.session_slots.release)
            self._send_head(HTTPStatus.OK, CONTENT_TYPE, None)
            self.wfile.write(f"--{BOUNDARY}\r\n".encode())
            self.wfile.flush()
            self._has_begun = True
            outlet = HttpOutlet(self._socket, service.limits, self._channel)
            stack.callback(outlet.close)
            delivery = self._delivery(found, HttpSink(outlet.wire))
            stack.callback(delivery.close)
            stack.enter_context(self._http.watching(found.name, id, delivery.stream))
            logger.info("%s watches %s by HTTP", self._host, printable(found.name, 80))
            service.pacer.start()
            delivery.info()
            delivery.prepare()
            delivery.start(delivery.send_next, lambda is_gone: outlet.end())
            outlet.send_until_hang_up()
            delivery.stop()
            if dropped := outlet.wire.dropped_frames:
                words = "%s (HTTP): %d frames dropped because it read too slowly"
                logger.info(words, self._host, dropped)

    def _delivery(self, found: _Found, sink: HttpSink) -> Delivery:
        service, viewer = self._http.service, f"{self._host} (HTTP)"
        if found.live is not None:
            return found.live.delivery(sink, WHOLE, viewer)
        assert found.movie is not None
        rate = service.frame_rate(found.movie)
        # A page has no button to start again, so the movie loops.
        playback = Playback(MovieCursor(found.movie), rate, loop=True)
        feed, stream = service.media.whole_frames(found.movie, playback), standard_stream(sink)
        return Transmission(playback, feed, stream, service.pacer, viewer, cname=None)

    # ------------------------------------------------------------------ answers

    def _send_page(self, page: str) -> None:
        self._send(page.encode("utf-8", "replace"), "text/html; charset=utf-8")

    def _send_problem(self, status: HTTPStatus, sentence: str) -> None:
        if self._has_begun:  # an error page among the pictures would not be shown
            logger.info("%s: sending by HTTP stopped: %s", self._host, sentence)
            return
        page = pages.problem(f"{status.value} {status.phrase}", sentence)
        body = page.encode("utf-8", "replace")
        self._send(body, "text/html; charset=utf-8", status)

    def _refuse(self, refused: Refused) -> None:
        if refused.delay:
            logger.warning("%s tried a wrong user name or password by HTTP", self._host)
            threading.Event().wait(refused.delay)
        page = pages.problem("401 Unauthorized", "This server asks for a user name and a password.")
        body, status = page.encode(), HTTPStatus.UNAUTHORIZED
        self._send(body, "text/html; charset=utf-8", status, refused.challenges)

    def _send(
        self,
        body: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        challenges: list[str] | None = None,
    ) -> None:
        self._send_head(status, kind, len(body), challenges or [])
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _send_head(
        self, status: HTTPStatus, kind: str, length: int | None, challenges: list[str] | None = None
    ) -> None:
        if self.request_version == "HTTP/0.9":  # http.server also calls unreadable requests so
            self.request_version = "HTTP/1.0"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)
        for challenge in challenges or []:
            self.send_header("WWW-Authenticate", challenge)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection or length is None:
            self.send_header("Connection", "close")
        self.end_headers()

    def version_string(self) -> str:
        """The server's name, without the version of Python."""
        return f"rtplab/{version.__version__}"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log at debug level, escaped: the request line is the client's."""
        logger.debug("%s %s", self._host, printable(format % arguments, 200))


def _has_body(headers: Any) -> bool:
    """Tell if something follows the head of a request; only the length "0" says no."""
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"


def _is_ours(host: str, names: frozenset[str]) -> bool:
    """Tell if a Host header names this server by an IP address or one of its names.

    A foreign page can make its own name lead to our address (DNS rebinding), and a browser would
    then take it for one of ours; but the browser sends that name.
    """
    name = host.strip().lower()
    before, colon, port = name.rpartition(":")
    if colon and (port.isdigit() or not port) and not before.endswith(":"):
        name = before
    if name.rstrip(".") in names:
        return True
    try:
        ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
