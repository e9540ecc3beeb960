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

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import InterleavedFrame, Request, Response
from rtplab.protocol.rtsp.parser import USELESS_PERIOD, RequestParser
from rtplab.protocol.tls import HANDSHAKE, TlsChannel
from rtplab.serving.admission.limits import Limits, Pace

RECEIVE_SIZE = 16 * 1024  # bytes per recv: more than any real request
WAKE_SIZE = 16  # bytes: more than there are calls to wake up before they are heard
# Seconds of silence before the system asks if the client is still there, seconds between its
# questions, and how many may stay unanswered: it is gone after two minutes. And milliseconds that
# a reply may need to arrive: Linux would repeat it for a quarter of an hour, and ask nothing.
KEEPALIVE = {
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPINTVL": 15,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 120_000,
}
# Bytes that the system may keep before it sends them. By itself it would take megabytes, and over a
# slow line a reply had to wait for them behind frames that are seconds old.
UNSENT = 64 * 1024
HANDSHAKE_TIMEOUT = 10.0  # seconds: two round trips and some arithmetic, over the slowest line

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # Windows has no poll


class RtspConnection:
    """A client's connection. The control thread reads it; any thread may write or hang up.

    Nothing here ever blocks but `messages`. What the socket does not take at once waits in a
    queue, in order, so that framing is never broken.
    """

    def __init__(
        self,
        rtsp_socket: socket.socket,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Take a socket over. With `tls`, all that goes over it is inside TLS."""
        self._limits = limits or Limits()
        # We look as often as requests may come, and no more: single bytes, empty lines and reports
        # cost as much as requests, and what comes meanwhile is then read at once.
        self._reading_pace = Pace(self._limits.requests_per_second)
        self._tls = TlsChannel(tls) if tls is not None else None
        self._handshake_deadline = time.monotonic() + HANDSHAKE_TIMEOUT
        self._is_first = True  # nothing has come yet
        self._misunderstanding: MessageError | None = None  # one of us speaks TLS
        self._socket = rtsp_socket
        self._socket.setblocking(False)
        _tune(rtsp_socket)
        self._parser = RequestParser(
            self._limits.request_timeout, self._limits.header_size, self._limits.body_size
        )
        self._selector = _Selector()
        self._events = selectors.EVENT_READ
        self._selector.register(rtsp_socket, self._events)
        # Guards what follows, _tls and the order on the socket.
        self._write_lock = threading.Lock()
        self._waiting = bytearray()
        self._behind_frames = 0  # bytes queued since the last frame; some may have been sent since
        self._wake_reader: socket.socket | None = None  # with its other end, once frames are sent
        self._wake_writer: socket.socket | None = None
        self._must_be_woken = False  # the control thread sleeps, and will miss that there is room

        self._hung_up = threading.Event()
        self.dropped_frames = 0

    @property
    def rtsp_socket(self) -> socket.socket:
        """The client's socket, for what is read before the first request."""
        return self._socket

    @property
    def is_encrypted(self) -> bool:
        """Tell if nobody on the way can read along."""
        return self._tls is not None

    # ------------------------------------------------------------------ reading

    def messages(
        self, deadline: Callable[[], float | None]
    ) -> Iterator[Request | InterleavedFrame | None]:
        """Yield what the client sends until it hangs up; None whenever `deadline()` has passed.

        Raises OSError when TLS fails, or is spoken where it is not expected.
        """
        open_for_more = self._socket.fileno() >= 0
        while open_for_more:
            moment = deadline()
            open_for_more = self._wait(moment)
            now = time.monotonic()
            # Of a client that has hung up nothing more is waited for.
            while message := self._parser.next(now if open_for_more else now + USELESS_PERIOD):
                if self._misunderstanding is not None and isinstance(message, Request):
                    message.problem = self._misunderstanding
                yield message
            if moment is not None and now >= moment:
                yield None

    def watch(self, other: socket.socket, arrived: Callable[[], None]) -> None:
        """Have the control thread call `arrived` whenever `other` can be read."""
        self._selector.register(other, selectors.EVENT_READ, arrived)

    def unwatch(self, other: socket.socket) -> None:
        """Undo `watch`."""
        self._selector.unregister(other)

    def _wait(self, deadline: float | None) -> bool:
        """Do what there is to do until then; False when the client has hung up."""
        moments = (deadline, self._parser.deadline(), self._handshake_ends())
        deadlines = [moment for moment in moments if moment is not None]
        timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        self._watch_for_room()
        readable = []
        for key, events in self._selector.select(timeout):
            if key.fileobj is self._wake_reader:
                self._wake_reader.recv(WAKE_SIZE)
                continue
            if events & selectors.EVENT_WRITE:
                self.flush()
            if events & selectors.EVENT_READ:
                readable.append(key)
        if not readable:
            return True
        self.wait(self._reading_pace.delay(time.monotonic()))
        open_for_more = True
        for key in readable:
            if key.fileobj is self._socket:
                open_for_more = self._receive()
            else:
                key.data()
        return open_for_more

    def _watch_for_room(self) -> None:
        """Wake up when the socket takes more, while something waits for that."""
        with self._write_lock:
            is_waiting = bool(self._waiting)
            self._must_be_woken = not is_waiting
        writing = selectors.EVENT_WRITE if is_waiting else 0
        events = selectors.EVENT_READ | writing
        if events != self._events:
            self._selector.modify(self._socket, events)
            self._events = events

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            plain = self._understood(data)
            if plain:
                self._parser.feed(plain, time.monotonic())
        # RFC 8446 section 6.1: who closes TLS says no more, and may wait for us to do the same.
        return bool(data) and not (self._tls is not None and self._tls.is_closed)

    # ------------------------------------------------------------------ TLS

    def _handshake_ends(self) -> float | None:
        """When the handshake must be over; None when it is. Raises TimeoutError."""
        if self._tls is None or self._tls.is_established:
            return None
        if time.monotonic() >= self._handshake_deadline:
            raise TimeoutError("no TLS handshake in time")
        return self._handshake_deadline

    def _understood(self, data: bytes) -> bytes:
        """Return the plain text of what came. Raises OSError."""
        if self._is_first:
            self._is_first = False
            self._look_at_first_byte(data[0])
        if self._tls is None:
            return data
        with self._write_lock:
            try:
                return self._tls.take(data)
            except ssl.SSLError as error:
                raise ConnectionError(f"TLS has failed: {error.reason or error}") from error
            finally:
                self._answer_in_tls(self._tls.outgoing())

    def _answer_in_tls(self, data: bytes) -> None:
        """Send what TLS itself has to say: a peer may ask for new keys without end, and not read.

        Raises TimeoutError.
        """
        if data and self._unread() > self._limits.queue_bytes:
            raise TimeoutError("the client does not read what TLS answers")
        self._append(data)

    def _look_at_first_byte(self, byte: int) -> None:
        """Tell in plain words whoever has come to the wrong port. Raises ConnectionError."""
        if self._tls is None and byte == HANDSHAKE:
            answer = Response(400, reason="This Port Speaks No TLS: Use rtsp")
            self.send(answer.serialise(Request("", "")))
            raise ConnectionError("it speaks TLS, which is served with --tls only")
        if self._tls is not None and byte != HANDSHAKE:
            self._tls = None
            self._misunderstanding = MessageError(
                "it speaks plain RTSP on a TLS port",
                fatal=True,
                reason="This Port Speaks TLS: Use rtsps",
            )

    def _encrypted(self, data: bytes) -> bytes:
        return data if self._tls is None else self._tls.encrypt(data)

    # ------------------------------------------------------------------ writing

    def expect_frames(self) -> None:
        """Get ready for other threads to send. In the control thread. Raises OSError.

        It sleeps while nothing waits. What another thread then leaves in the queue must wake it, or
        half a frame would wait for the next one.
        """
        if self._wake_reader is None:
            self._wake_reader, self._wake_writer = socket.socketpair()
            self._wake_reader.setblocking(False)
            self._wake_writer.setblocking(False)
            self._selector.register(self._wake_reader, selectors.EVENT_READ)

    def send(self, data: bytes) -> None:
        """Send a reply, after what already waits. Raises OSError when the client is gone."""
        with self._write_lock:
            if self._unread() + len(data) > self._limits.queue_bytes:
                raise TimeoutError("the client does not read its replies")
            self._append(self._encrypted(data))

    def offer(self, frame: bytes) -> None:
        """Send an interleaved frame; drop it whole if too much already waits. Raises OSError."""
        with self._write_lock:
            if len(self._waiting) > self._limits.frame_bytes:
                self._write(b"")
            if len(self._waiting) > self._limits.frame_bytes:
                self.dropped_frames += 1
            else:
                self._write(self._encrypted(frame))
                self._behind_frames = 0

    def flush(self) -> bool:
        """Send what waits, as far as the client takes it; tell if nothing waits any more."""
        with self._write_lock:
            try:
                self._write(b"")
            except OSError:
                self._waiting.clear()  # the reading side will see that the client is gone
            return not self._waiting

    def _unread(self) -> int:
        """How many bytes wait behind the last frame.

        Frames are bounded when they come, and one may be larger than all that may wait: only what
        has gathered since shows that the client does not read.
        """
        return min(self._behind_frames, len(self._waiting))

    def _append(self, data: bytes) -> None:
        """Send what is no frame."""
        self._behind_frames = self._unread() + len(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._waiting:
            self._waiting += data
            try:
                del self._waiting[: self._socket.send(self._waiting)]
            except BlockingIOError:
                return
        elif data:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self._waiting += memoryview(data)[sent:]
                self._wake()

    def _wake(self) -> None:
        """Have the control thread watch for room, unless it does."""
        if self._must_be_woken and self._wake_writer is not None:
            self._must_be_woken = False
            self._wake_writer.send(b"x")

    # ------------------------------------------------------------------ ending

    def refuse(self) -> None:
        """Say that there is no room, as far as it can be said without waiting."""
        refuse(self._socket, self._tls is not None)

    @property
    def is_hung_up(self) -> bool:
        """Tell if somebody here has hung up."""
        return self._hung_up.is_set()

    def wait(self, seconds: float) -> None:
        """Do nothing for so long, or until somebody hangs up. In the control thread."""
        if seconds > 0:
            self._hung_up.wait(seconds)

    def _say_goodbye(self) -> None:
        with self._write_lock:
            try:
                if self._tls is not None and not self._waiting:
                    self._socket.send(self._tls.close())
            except OSError:
                pass  # the client has not waited for it

    def hang_up(self, how: int = socket.SHUT_RDWR) -> None:
        """Make `messages` end, from any thread."""
        self._hung_up.set()
        try:
            self._socket.shutdown(how)
        except OSError:
            pass  # it is closed already, or the client was faster

    def stop_listening(self) -> None:
        """Make `messages` end, from any thread; what is still to be said gets through."""
        # Windows does not wake up who waits to read unless both ways are shut.
        self.hang_up(socket.SHUT_RD if os.name == "posix" else socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket. May be called twice."""
        self._say_goodbye()
        self._selector.close()
        for end in (self._wake_reader, self._wake_writer):
            if end is not None:
                end.close()
        self._socket.close()


def _tune(client: socket.socket) -> None:
    """Set what makes a connection better. It works without, and some sandboxes grant none of it.

    Have packets sent at once. Have frames wait with us, where there is a bound to them, and not in
    the system. Have the system find out when a client has vanished without a word: lab sessions
    have no other end, as their clients send no keep-alive.
    """
    _set(client, socket.SOL_SOCKET, "SO_KEEPALIVE", 1)
    if client.family in (socket.AF_INET, socket.AF_INET6):
        for name, value in {"TCP_NODELAY": 1, "TCP_NOTSENT_LOWAT": UNSENT, **KEEPALIVE}.items():
            _set(client, socket.IPPROTO_TCP, name, value)


def _set(client: socket.socket, level: int, name: str, value: int) -> None:
    with suppress(OSError):
        if hasattr(socket, name):
            client.setsockopt(level, getattr(socket, name), value)


def refuse(client: socket.socket, speaks_tls: bool) -> None:
    """Tell a client that there is no room for it, and hang up; inside TLS just hang up."""
    try:
        client.setblocking(False)
        if not speaks_tls:
            client.send(Response(503).serialise(Request("", "")))
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it has gone already
