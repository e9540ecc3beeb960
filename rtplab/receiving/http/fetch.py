"""One HTTP connection to a camera: request, login, redirections, and reading part by part."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from rtplab.protocol.errors import ConnectionLost, MessageError, SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.http.messages import Reply, ReplyReader, get_request, redirection
from rtplab.protocol.http.multipart import MultipartReader, Part
from rtplab.protocol.rtsp.auth import hide_password
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import Url, escaped
from rtplab.receiving.files.capture import Endpoints
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.files.pcapng import Endpoint
from rtplab.receiving.rtp.rtpsocket import Clock
from rtplab.receiving.rtsp.connection import explain_connect, explain_tls
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.watch import TimeLimits

RECEIVE_SIZE = 256 * 1024  # bytes per recv
# Seconds: Windows does not wake a reader whose socket is shut down.
LONGEST_SLEEP = 0.2 if sys.platform == "win32" else 60.0
_ANSWERS = 8  # redirections and logins together, for one stream: more is a loop


class StreamEnded(Exception):
    """The server has announced the end."""


class PictureFetch:
    """Gets the parts of one stream. One thread calls; `hang_up` may come from any."""

    def __init__(
        self,
        source: MovieSource,
        limits: TimeLimits,
        clock: Clock,
        forgiveness: Forgiveness,
        observer: Callable[[], Observer | None],
    ) -> None:
        """`observer` returns the current observer of requests and replies."""
        self.endpoints: Endpoints | None = None
        self._source = source
        self._limits = limits
        self._clock = clock
        self._forgiveness = forgiveness
        self._observer = observer
        self._socket: socket.socket | None = None
        self._is_closing = False
        self._reply = ReplyReader()
        self._early = b""  # the part of the body that came with the head
        self._parts = MultipartReader("; boundary=none")

    def open(self) -> None:
        """Ask, until there is a stream. Raises SessionError with a sentence for the user."""
        source = self._source
        source.login.begin_request()
        for _ in range(_ANSWERS):
            assert source.url is not None
            reply = self._ask(source.url)
            if reply.status in (301, 302, 303, 307, 308):
                self._redirect(reply, source.url)
            elif reply.status == 401:
                source.login.take(reply.headers)
            elif reply.status != 200:
                raise SessionError(refusal(reply, source.url))
            elif not reply.content_type.startswith("multipart/"):
                raise SessionError(_what_it_is(reply.content_type))
            else:
                source.arrived()
                content_type = reply.headers.get("Content-Type")
                self._parts = MultipartReader(content_type, self._forgiveness)
                return
        raise SessionError("Too many redirects: the server keeps sending us to another address.")

    def _ask(self, url: Url) -> Reply:
        """Send one request on a connection of its own; return the head of the reply."""
        self._connect(url)
        request = get_request(url, self._source.login.authorization("GET", escaped(url.path)))
        self._show(lambda observer: observer.message_sent(hide_password(request), time.time()))
        deadline = self._clock() + self._limits.reply
        self._reply = ReplyReader()
        early = b""
        try:
            self._own_socket.settimeout(self._limits.reply)
            self._own_socket.sendall(request)
            while self._reply.head is None:
                data = self._receive(deadline)
                if data is None:
                    raise SessionError(
                        f"{url.host} port {url.port} has not answered within "
                        f"{self._limits.reply:g} s: check the address, or restart the camera."
                    )
                if not data:
                    raise ConnectionLost("The server closed the connection without answering.")
                early = self._reply.feed(data)
        except MessageError as error:
            raise SessionError(self._explain(error, url)) from error
        except OSError as error:
            raise _lost(error) from error
        reply = self._reply.head
        self._show(lambda observer: observer.message_received(reply.raw, time.time()))
        self._early = early
        return reply

    def _connect(self, url: Url) -> None:
        self.close()
        trust = self._source.trust
        context = trust.context() if url.is_encrypted else None
        try:
            connected = socket.create_connection((url.host, url.port), self._limits.connect)
        except (OSError, UnicodeError) as error:
            raise SessionError(explain_connect(error, url.host, url.port)) from error
        try:
            ends = connected.getpeername(), connected.getsockname()
            self.endpoints = Endpoints(Endpoint(*ends[0][:2]), Endpoint(*ends[1][:2]), 0)
            if context is not None:
                connected = context.wrap_socket(connected, server_hostname=url.host)
        except (OSError, ValueError) as error:
            connected.close()
            raise SessionError(explain_tls(error, url.host, url.port, "http://")) from error
        self._socket = connected
        if self._is_closing:  # by now
            self.hang_up()

    @property
    def _own_socket(self) -> socket.socket:
        if self._socket is None:
            raise OSError("the connection has been closed")
        return self._socket

    def _redirect(self, reply: Reply, url: Url) -> None:
        try:
            there = redirection(reply, url)
        except MessageError as error:
            raise SessionError(f"The server redirects to an invalid address: {error}.") from error
        if not there.is_http or (url.is_encrypted and not there.is_encrypted):
            raise SessionError(
                f"The server redirects to {printable(str(there))}, which was not followed. "
                "If you trust that address, open it yourself."
            )
        self._source.redirect(there)

    def _explain(self, error: MessageError, url: Url) -> str:
        """Say which protocol is there instead of HTTP, or how the response is malformed."""
        line = self._reply.first_line
        if self._reply.head is not None or line.startswith(b"HTTP/"):
            return f"The server's response is malformed: {error}."
        said = f' (it says "{printable(line, 40)}")' if line else ""
        place = f"{url.host} port {url.port}"
        if line.startswith(b"RTSP/"):
            return f"{place} speaks RTSP: use an rtsp:// address."
        return f"{place} does not speak HTTP{said}: check the port."

    def receive(self, deadline: float) -> list[Part]:
        """Return the parts that have arrived; an empty list at the deadline.

        Raises SessionError if the connection is lost or the data is not multipart; StreamEnded.
        """
        if self._parts.has_ended or self._reply.has_ended and not self._early:
            raise StreamEnded
        data, self._early = self._early, b""
        try:
            if not data:
                raw = self._receive(deadline)
                if raw is None:
                    return []
                if not raw:
                    raise ConnectionLost("The server closed the connection.")
                data = self._reply.feed(raw)
            return self._parts.feed(data)
        except MessageError as error:
            raise SessionError(f"The server sent malformed data: {error}.") from error
        except OSError as error:
            raise _lost(error) from error

    def _receive(self, deadline: float) -> bytes | None:
        """Return data that arrives before the deadline, or None; b"" at the end. Raises OSError."""
        end = self._own_socket
        while True:
            end.settimeout(max(0.001, min(deadline - self._clock(), LONGEST_SLEEP)))
            try:
                return end.recv(RECEIVE_SIZE)
            except TimeoutError:
                if self._is_closing:
                    return b""
                if self._clock() >= deadline:
                    return None

    def _show(self, tell: Callable[[Observer], None]) -> None:
        observer = self._observer()
        if observer is not None:
            tell(observer)

    def hang_up(self) -> None:
        """Make whatever waits in `open` or `receive` raise soon. From any thread."""
        self._is_closing = True
        end = self._socket
        if end is not None:
            with suppress(OSError):
                socket.socket.shutdown(end, socket.SHUT_RDWR)  # not TLS's, which is not for threads

    def close(self) -> None:
        """Free the socket. In the thread that receives."""
        end, self._socket = self._socket, None
        if end is not None:
            end.close()


def refusal(reply: Reply, url: Url) -> str:
    """Say why the server does not send the stream, and what may help."""
    status = f"{reply.status} {reply.reason}".strip()
    if reply.status == 404:
        path = printable(url.path, 80)
        return (
            f"The server has nothing at {path} ({status}): check the address. "
            "Cameras often have /stream, /video or /?action=stream."
        )
    if reply.status == 503:
        return f"The server is busy ({status}): many cameras serve only one viewer at a time."
    return f"The server refused the request ({status})."


def _what_it_is(kind: str) -> str:
    """Say what the address serves instead of a stream of pictures."""
    shown = printable(kind, 60) or "data without a Content-Type"
    if kind.startswith("image/"):
        return (
            f"This is a single picture ({shown}), not a stream: open it in a browser. "
            "Look for the address of the camera's MJPEG stream."
        )
    if kind in ("text/html", "application/xhtml+xml"):
        return (
            f"This is a web page ({shown}), not a stream: look on it for the address of the "
            "MJPEG stream."
        )
    return f"Over HTTP this player shows only multipart/x-mixed-replace; the server sends {shown}."


def _lost(error: OSError) -> ConnectionLost:
    return ConnectionLost(f"The connection to the server is lost ({error.strerror or error}).")
