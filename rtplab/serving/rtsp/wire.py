"""The bytes of one RTSP connection: plain or inside TLS, and in a queue until they are taken."""

from __future__ import annotations

import socket
import ssl
import threading
import time

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import Request, Response
from rtplab.protocol.tls import HANDSHAKE, TlsChannel
from rtplab.serving.admission.limits import Limits

RECEIVE_SIZE = 16 * 1024  # bytes per recv: more than any real request
HANDSHAKE_TIMEOUT = 10.0  # seconds: two round trips and some arithmetic, over the slowest line


class Wire:
    """A client's socket. One thread receives; any thread may send.

    Nothing here ever blocks. Bytes that the socket does not take at once wait in a queue, in order,
    so that framing is never broken.

    It has more attributes than other classes: a third are figures for others to read.
    """

    def __init__(
        self,
        rtsp_socket: socket.socket,
        tls: ssl.SSLContext | None,
        limits: Limits,
        channel: TlsChannel | None = None,
    ) -> None:
        """Take over a socket. With `tls`, everything on it is inside TLS.

        `channel` is the TLS channel if the handshake has already begun.
        """
        self.socket = rtsp_socket
        self.receive_size = RECEIVE_SIZE
        self.misunderstanding: MessageError | None = None  # one side uses TLS, the other does not
        self.dropped_frames = 0
        self.taken = 0  # bytes that the socket has taken so far
        self._limits = limits
        self._handshake_deadline = time.monotonic() + HANDSHAKE_TIMEOUT
        self._is_first = channel is None  # nothing has come yet
        # Gets a byte when bytes have to wait, if `wake_for_room` last found none.
        self.waker: socket.socket | None = None
        self._lock = threading.Lock()  # guards the attributes below, and the order on the socket
        self._tls = TlsChannel(tls) if tls is not None else channel
        self._waiting = bytearray()
        self._behind_frames = 0  # bytes queued since the last frame; some may have been sent since
        self._must_wake = False

    @property
    def is_encrypted(self) -> bool:
        """Tell if the connection is encrypted."""
        return self._tls is not None

    # ------------------------------------------------------------------ receiving

    def receive(self) -> bytes | None:
        """Return the plain text received, possibly empty; None at the end.

        Raises OSError when TLS fails, or is spoken where it is not expected.
        """
        try:
            data = self.socket.recv(self.receive_size)
        except BlockingIOError:
            return b""
        except OSError:
            return None
        return self._decrypt(data) if data else None

    @property
    def is_closed(self) -> bool:
        """Tell if the client has closed TLS.

        RFC 8446 section 6.1: it then sends no more, and may wait for us to do the same.
        """
        return self._tls is not None and self._tls.is_closed

    def handshake_deadline(self) -> float | None:
        """When the handshake must be over; None when it is. Raises TimeoutError."""
        if self._tls is None or self._tls.is_established:
            return None
        if time.monotonic() >= self._handshake_deadline:
            raise TimeoutError("no TLS handshake in time")
        return self._handshake_deadline

    def _decrypt(self, data: bytes) -> bytes:
        if self._is_first:
            self._is_first = False
            self._check_first_byte(data[0])
        if self._tls is None:
            return data
        with self._lock:
            try:
                return self._tls.take(data)
            except ssl.SSLError as error:
                raise ConnectionError(f"TLS has failed: {error.reason or error}") from error
            finally:
                # A peer may request new keys forever without reading our answers.
                answer = self._tls.outgoing()
                if answer and self._unread() > self._limits.queue_bytes:
                    raise TimeoutError("the client does not read the TLS replies")
                self._append(answer)

    def _check_first_byte(self, byte: int) -> None:
        """Tell a client in words that this is the wrong port. Raises ConnectionError."""
        if self._tls is None and byte == HANDSHAKE:
            answer = Response(400, reason="This Port Does Not Use TLS: Use rtsp")
            self.send(answer.serialise(Request("", "")))
            raise ConnectionError("it uses TLS, but the server was started without --tls")
        if self._tls is not None and byte != HANDSHAKE:
            self._tls = None
            self.misunderstanding = MessageError(
                "it speaks plain RTSP on a TLS port",
                fatal=True,
                reason="This Port Requires TLS: Use rtsps",
            )

    # ------------------------------------------------------------------ sending

    def send(self, data: bytes) -> None:
        """Send a reply, after bytes already queued. Raises OSError if the client is gone."""
        with self._lock:
            if self._waiting and self._unread() + len(data) > self._limits.queue_bytes:
                raise TimeoutError("the client does not read its replies")
            self._append(data if self._tls is None else self._tls.encrypt(data))

    def offer(self, frame: bytes) -> bool:
        """Send an interleaved frame; drop it whole, and return False, if too much already waits.

        Raises OSError.
        """
        with self._lock:
            if len(self._waiting) > self._limits.frame_bytes:
                self._write(b"")
            if len(self._waiting) > self._limits.frame_bytes:
                self.dropped_frames += 1
                return False
            self._write(frame if self._tls is None else self._tls.encrypt(frame))
            self._behind_frames = 0
            return True

    def flush(self) -> bool:
        """Send queued bytes as far as the client takes them; tell if the queue is empty."""
        with self._lock:
            try:
                self._write(b"")
            except OSError:
                self._waiting.clear()  # the reading side will see that the client is gone
            return not self._waiting

    def wake_for_room(self) -> bool:
        """Tell if bytes are queued. If not, `waker` gets a byte as soon as some are."""
        with self._lock:
            self._must_wake = not self._waiting
            return not self._must_wake

    def say_goodbye(self) -> None:
        """Close TLS, as far as the client takes it."""
        with self._lock:
            try:
                if self._tls is not None and not self._waiting:
                    self.socket.send(self._tls.close())
            except OSError:
                pass  # the client has not waited for it

    def _unread(self) -> int:
        """Number of bytes queued behind the last frame.

        Frames are bounded when they are queued, and one may be larger than the whole queue: only
        the bytes queued since then show that the client does not read.
        """
        return min(self._behind_frames, len(self._waiting))

    def _append(self, data: bytes) -> None:
        """Send bytes other than a frame's."""
        self._behind_frames = (self._unread() if self._waiting else 0) + len(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._waiting:
            self._waiting += data
            try:
                sent = self.socket.send(self._waiting)
            except BlockingIOError:
                return
            del self._waiting[:sent]
            self.taken += sent
        elif data:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            self.taken += sent
            if sent < len(data):
                self._waiting += memoryview(data)[sent:]
                self._wake()

    def _wake(self) -> None:
        """Make the reading thread watch for room, unless it already does."""
        if self._must_wake and self.waker is not None:
            self._must_wake = False
            self.waker.send(b"x")
