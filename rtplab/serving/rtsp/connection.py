"""The server's end of one RTSP connection: requests off the socket, replies and frames onto it."""

from __future__ import annotations

import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.messages import InterleavedFrame, Request, Response
from rtplab.protocol.rtsp.parser import USELESS_PERIOD
from rtplab.protocol.rtsp.requestparser import RequestParser
from rtplab.serving.admission.limits import Limits, Pace
from rtplab.serving.rtsp.wire import Wire

# Bytes read at once from a publishing client: at 100 reads a second, 200 Mbit/s.
MEDIA_SIZE = 256 * 1024
WAKE_SIZE = 16  # bytes: more wake-up calls than are ever pending
# Seconds of silence before the system sends a probe, seconds between probes, and how many may stay
# unanswered: a vanished client is gone after two minutes. And milliseconds that a reply may need to
# arrive: by default Linux repeats it for a quarter of an hour, without a probe.
KEEPALIVE = {
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPALIVE": 60,  # macOS's name for it; by default the first probe is after two hours
    "TCP_KEEPINTVL": 15,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 120_000,
}
# Bytes that the system may keep unsent. By default it takes megabytes, and over a slow line a reply
# would wait behind frames that are seconds old.
UNSENT = 64 * 1024

# On other systems, a socket that this end has shut may stay silent: on Windows a `select` keeps
# sleeping.
_SHUTDOWN_WAKES = os.name == "posix"

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # Windows has no poll


class RtspConnection:
    """A client's connection. The control thread reads it; any thread may write or hang up.

    Only `messages` and `wait` ever block.
    """

    def __init__(
        self,
        rtsp_socket: socket.socket,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        forgiveness: Forgiveness | None = None,
    ) -> None:
        """Take over a socket. With `tls`, everything on it is inside TLS.

        What is accepted although it is wrong is noted in `forgiveness`.
        """
        limits = limits or Limits()
        # We read at most as often as requests may come: single bytes, empty lines and reports cost
        # as much as requests, and what arrives in the meantime is then read at once.
        self._reading_pace = Pace(limits.requests_per_second)
        rtsp_socket.setblocking(False)
        _tune(rtsp_socket)
        self._wire = Wire(rtsp_socket, tls, limits)
        self.forgiveness = forgiveness or Forgiveness()
        self._parser = RequestParser(
            limits.request_timeout, limits.header_size, limits.body_size, self.forgiveness
        )
        self._selector = _Selector()
        self._events = selectors.EVENT_READ
        self._selector.register(rtsp_socket, self._events)
        self._wake_reader: socket.socket | None = None  # once frames are sent
        self._hung_up = threading.Event()
        self.why_hung_up = ""  # the reason for the log, if this end hung up
        if not _SHUTDOWN_WAKES:
            self._get_woken()

    @property
    def rtsp_socket(self) -> socket.socket:
        """The client's socket, for reading before the first request."""
        return self._wire.socket

    @property
    def is_encrypted(self) -> bool:
        """Tell if the connection is encrypted."""
        return self._wire.is_encrypted

    @property
    def dropped_frames(self) -> int:
        """Number of frames dropped because the client read too slowly."""
        return self._wire.dropped_frames

    @property
    def taken(self) -> int:
        """Number of bytes that the client's system has taken so far."""
        return self._wire.taken

    # ------------------------------------------------------------------ reading

    def messages(
        self, deadline: Callable[[], float | None]
    ) -> Iterator[Request | InterleavedFrame | None]:
        """Yield what the client sends until it hangs up; None whenever `deadline()` has passed.

        Raises OSError if TLS fails, or is spoken where it is not expected.
        """
        open_for_more = self._wire.socket.fileno() >= 0
        while open_for_more:
            moment = deadline()
            open_for_more = self._wait(moment)
            now = time.monotonic()
            # After the client has hung up, nothing more can arrive.
            has_left = not open_for_more and not self.is_hung_up
            while message := self._parser.next(now + USELESS_PERIOD if has_left else now):
                if self._wire.misunderstanding is not None and isinstance(message, Request):
                    message.problem = self._wire.misunderstanding
                yield message
            if moment is not None and now >= moment:
                yield None

    def watch(self, other: socket.socket, arrived: Callable[[], None]) -> None:
        """Make the control thread call `arrived` whenever `other` is readable."""
        self._selector.register(other, selectors.EVENT_READ, arrived)

    def unwatch(self, other: socket.socket) -> None:
        """Undo `watch`."""
        self._selector.unregister(other)

    def _wait(self, deadline: float | None) -> bool:
        """Handle events until the deadline; False once the client has hung up."""
        for moment in (self._parser.deadline(), self._wire.handshake_deadline()):
            if moment is not None and (deadline is None or moment < deadline):
                deadline = moment
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        writing = selectors.EVENT_WRITE if self._wire.wake_for_room() else 0
        if self._events != selectors.EVENT_READ | writing:
            self._events = selectors.EVENT_READ | writing
            self._selector.modify(self._wire.socket, self._events)
        readable = []
        for key, events in self._selector.select(timeout):
            if key.fileobj is self._wake_reader:
                self._wake_reader.recv(WAKE_SIZE)
                continue
            if events & selectors.EVENT_WRITE:
                self._wire.flush()
            if events & selectors.EVENT_READ:
                readable.append(key)
        if not readable:
            return _SHUTDOWN_WAKES or not self.is_hung_up
        if delay := self._reading_pace.delay(time.monotonic()):
            self.wait(delay)
        open_for_more = True
        for key in readable:
            if key.fileobj is self._wire.socket:
                open_for_more = self._receive()
            else:
                key.data()
        return open_for_more

    def _receive(self) -> bool:
        """Feed the parser; False once the client sends no more."""
        data = self._wire.receive()
        if data:
            self._parser.feed(data, time.monotonic())
        return data is not None and not self._wire.is_closed

    # ------------------------------------------------------------------ writing

    def expect_frames(self) -> None:
        """Get ready for other threads to send. In the control thread. Raises OSError.

        The control thread sleeps while nothing waits. Bytes that another thread then queues must
        wake it, or half a frame would wait for the next one.
        """
        if self._wake_reader is None:
            self._get_woken()

    def expect_media(self) -> None:
        """Get ready for a publisher's frames, which are larger than requests."""
        self._wire.receive_size = MEDIA_SIZE

    def _get_woken(self) -> None:
        """Let other threads wake the control thread. Raises OSError."""
        self._wake_reader, self._wire.waker = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wire.waker.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)

    def send(self, data: bytes) -> None:
        """Send a reply, after bytes already queued. Raises OSError if the client is gone."""
        self._wire.send(data)

    def offer(self, frame: bytes) -> bool:
        """Send an interleaved frame; drop it whole, and return False, if too much already waits.

        Raises OSError.
        """
        return self._wire.offer(frame)

    # ------------------------------------------------------------------ ending

    def refuse(self, why: str) -> None:
        """Tell the client why it is refused, if that is possible without waiting."""
        refuse(self._wire.socket, self.is_encrypted, why)

    @property
    def is_hung_up(self) -> bool:
        """Tell if this end has hung up."""
        return self._hung_up.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep for these seconds, or until somebody hangs up. In the control thread."""
        if seconds > 0:
            self._hung_up.wait(seconds)

    def hang_up(self, why: str = "") -> None:
        """Make `messages` end, from any thread; nothing more is sent."""
        self._end_messages(socket.SHUT_RDWR, why)

    def stop_listening(self, why: str = "") -> None:
        """Make `messages` end, from any thread; queued bytes are still sent."""
        # Windows resets a connection if data arrives after the end was shut for reading.
        self._end_messages(socket.SHUT_RD if _SHUTDOWN_WAKES else None, why)

    def _end_messages(self, how: int | None, why: str) -> None:
        self.why_hung_up = self.why_hung_up or why
        self._hung_up.set()
        if how is not None:
            with suppress(OSError):  # it is already closed, or the client was faster
                self._wire.socket.shutdown(how)
        if not _SHUTDOWN_WAKES and self._wire.waker is not None:
            with suppress(OSError):  # the same, or enough wake-ups are pending
                self._wire.waker.send(b"x")

    def close(self) -> None:
        """Free the socket. May be called twice."""
        self._wire.say_goodbye()
        self._selector.close()
        for end in (self._wake_reader, self._wire.waker):
            if end is not None:
                end.close()
        self._wire.socket.close()


def _tune(client: socket.socket) -> None:
    """Set socket options that improve a connection. Some sandboxes refuse them, which is harmless.

    Packets are sent at once. Frames wait in our bounded queue and not in the system's. The system
    finds out if a client has vanished without notice: a lab session would not end otherwise,
    because its client sends no keep-alive.
    """
    for option in _options():
        try:
            client.setsockopt(*option)
        except OSError:
            pass  # or it is no socket of TCP


@cache
def _options() -> list[tuple[int, int, int]]:
    """The options that this system has, as `setsockopt` takes them."""
    wanted = {"TCP_NODELAY": 1, "TCP_NOTSENT_LOWAT": UNSENT, **KEEPALIVE}
    return [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *(
            (socket.IPPROTO_TCP, getattr(socket, name), value)
            for name, value in wanted.items()
            if hasattr(socket, name)
        ),
    ]


def refuse(client: socket.socket, speaks_tls: bool, why: str) -> None:
    """Tell a client why it is refused, and hang up; inside TLS just hang up."""
    response = Response(503)
    response.explain(why)
    try:
        client.setblocking(False)
        if not speaks_tls:
            client.send(response.serialise(Request("", "")))
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it has gone already
