"""The requests of one browser: pages, stills, moving pictures and figures.

    /                the list, with stills that are renewed
    /NAME            a page with the picture moving
    /NAME.mjpeg      the moving picture: multipart/x-mixed-replace
    /NAME.jpg        one frame
    /NAME.json       what the server has sent to the viewer that ?id= names

Python's http.server reads the requests. A moving picture is then sent by the pacer or the live
stream, as to all other viewers, and the connection's thread only waits for the end.
"""

from __future__ import annotations

import json
import logging
import socket
from contextlib import ExitStack
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from typing import Any, Protocol
from urllib.parse import parse_qs

from rtplab import version
from rtplab.clock import steady
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import unquoted_name
from rtplab.protocol.tls import TlsChannel
from rtplab.serving.admission.limits import Pace
from rtplab.serving.http import pages
from rtplab.serving.http.login import Refused, TooManyTries
from rtplab.serving.http.sink import BOUNDARY, CONTENT_TYPE, HttpOutlet, HttpSink
from rtplab.serving.http.site import Found, Site
from rtplab.serving.http.tls import TlsConnection

# Seconds that a request may take to arrive, and that a connection may be silent between two.
PATIENCE = 10.0
# Bytes of a head that is too large which are read nevertheless: unread ones would reset the
# connection, and the browser would not see the answer.
MAX_SKIPPED = 1024 * 1024
MAX_ID = 40  # characters of the id by which a page names its stream

logger = logging.getLogger("rtplab.http")


class Attendant(Protocol):
    """The owner of the connection, which ends it when nothing comes."""

    def expect_request(self, connection: socket.socket, is_expected: bool) -> None:
        """Note that a request must come in time, or that nothing more is expected."""

    def wait(self, seconds: float) -> None:
        """Do nothing for these seconds, or until the server is closed."""


class _Problem(Exception):
    """A request answered with a page that shows the error."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Lines:
    """The lines of requests' heads, which http.server reads; each head has a bounded size."""

    def __init__(self, file: BufferedIOBase, size: int) -> None:
        self._file = file
        self._size = size
        self._left = size

    def begin(self) -> None:
        """A new head begins."""
        self._left = self._size

    def readline(self, limit: int) -> bytes:
        """Return a line of at most `limit` bytes. Raises OSError, LineTooLong."""
        line = self._file.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            self._skip()
            raise LineTooLong("head")
        return line

    def _skip(self) -> None:
        """Read on to the end of the head."""
        skipped = 0
        while skipped < MAX_SKIPPED:
            line = self._file.readline(self._size)
            skipped += len(line)
            if not line.strip():
                return

    def close(self) -> None:
        self._file.close()


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    wbufsize = -1  # the head and the body of an answer leave together

    def __init__(
        self, connection: socket.socket | TlsConnection, host: str, site: Site, server: Attendant
    ) -> None:
        """Serve a connection from the address `host` until it ends. Raises OSError."""
        self._site = site
        self._attendant = server
        self._pace = Pace(site.service.limits.requests_per_second)
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

    def setup(self) -> None:
        super().setup()
        self._lines = _Lines(self.rfile, self._site.service.limits.header_size)
        self.rfile = self._lines  # type: ignore[assignment]

    def handle_one_request(self) -> None:
        """Read one request before its deadline, and answer it."""
        self._attendant.expect_request(self._socket, True)
        self._lines.begin()
        try:
            super().handle_one_request()
        except LineTooLong:  # the first line; http.server answers if it is another one
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)

    def parse_request(self) -> bool:
        """Read the rest of the head, once its first line has come and it is its turn."""
        admission = self._site.service.admission
        delay = admission.delay(self._host, self._pace, steady())
        if delay > 0:
            self._attendant.expect_request(self._socket, False)
            self._attendant.wait(delay)
            self._attendant.expect_request(self._socket, True)
        return super().parse_request()

    def do_GET(self) -> None:
        """Answer with a page, a picture, a stream or figures."""
        self._attendant.expect_request(self._socket, False)
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
            self._send_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error in the server.")

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
            if not self._site.is_called(host):
                self.close_connection = True
                raise _Problem(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "Use the server's IP address, or localhost: "
                    "its owner can allow other names with --http-name.",
                )
        if _has_body(self.headers):
            self.close_connection = True
            raise _Problem(HTTPStatus.BAD_REQUEST, "A request for a page must not have a body.")
        if self._site.login is not None:
            authorization = self.headers.get("Authorization", "")
            try:
                self._site.login.check(authorization, self.command, self.path, self._host, steady())
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
            self._send_page(pages.listing(self._site.service.names()))
        elif path == pages.STYLE_PATH:
            self._send(pages.STYLE.encode(), "text/css; charset=utf-8")
        elif path == pages.SCRIPT_PATH:
            self._send(pages.SCRIPT.encode(), "text/javascript; charset=utf-8")
        else:
            name = path.removeprefix("/")
            found = self._site.find(name)
            if found is not None:
                host = self.headers.get("Host", "localhost")
                address = self._site.rtsp_address(host, self.path.partition("?")[0])
                self._send_page(pages.watching(name, address))
                return
            stem, dot, kind = name.rpartition(".")
            found = self._site.find(stem) if dot and kind in ("mjpeg", "jpg", "json") else None
            if found is None:
                raise _Problem(HTTPStatus.NOT_FOUND, f"There is nothing named {name}.")
            if kind == "jpg":
                self._send(self._site.still(found), "image/jpeg")
            elif kind == "json":
                figures = self._site.figures(found, id)
                self._send(json.dumps(figures).encode(), "application/json")
            else:
                self._stream(found, id)

    # ------------------------------------------------------------------ a moving picture

    def _stream(self, found: Found, id: str) -> None:
        self.close_connection = True
        service = self._site.service
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
            delivery = self._site.delivery(found, HttpSink(outlet.wire), f"{self._host} (HTTP)")
            stack.callback(delivery.close)
            stack.enter_context(self._site.watching(found.name, id, delivery.stream))
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
            self._attendant.wait(refused.delay)
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
