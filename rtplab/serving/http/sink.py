"""Pictures over an HTTP connection, each replacing the last.

--BOUNDARY
Content-Type: image/jpeg
Content-Length: 8312

(the JPEG)
"""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress

from rtplab.protocol.tls import TlsChannel
from rtplab.serving.admission.limits import Limits
from rtplab.serving.media.payloads import MAX_LAB_FRAME
from rtplab.serving.rtp.datagrams import PacketParts
from rtplab.serving.rtp.sinks import MAX_BURST, Counts, ViewerGone
from rtplab.serving.rtsp.wire import Wire

BOUNDARY = "frame"
CONTENT_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
WAKE_SIZE = 16  # bytes: more wake-up calls than are ever pending
_MARKER = 0x80  # in the second byte of an RTP header: the last packet of its frame


class HttpSink:
    """Sends the pictures of a stream of whole JPEGs, without their RTP headers. It is a Sink."""

    max_burst = MAX_BURST
    max_payload = MAX_LAB_FRAME
    is_lossy = False
    report_socket: socket.socket | None = None

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._pieces: list[bytes] = []  # of an incomplete picture
        self.not_sent = Counts()

    def send(self, packets: list[PacketParts]) -> None:
        """Send a picture whole, or drop it if too much waits. Raises ViewerGone."""
        self._pieces += [payload for _, payload in packets]
        if not packets or not packets[-1][0][1] & _MARKER:
            return
        pieces, self._pieces = self._pieces, []
        size = sum(map(len, pieces))
        head = f"Content-Type: image/jpeg\r\nContent-Length: {size}\r\n\r\n".encode()
        # A browser shows a picture when it sees the next boundary, so that is sent along.
        try:
            part = b"".join([head, *pieces, f"\r\n--{BOUNDARY}\r\n".encode()])
            if not self._wire.offer(part):
                frames, dropped, payload = self.not_sent
                self.not_sent = Counts(frames + 1, dropped + len(pieces), payload + size)
        except OSError as error:
            raise ViewerGone(f"its connection is lost: {error.strerror or error}") from error

    def send_report(self, report: bytes) -> None:
        """Do nothing: HTTP has no RTCP."""

    def receive_report(self) -> bytes:
        """Do nothing: HTTP has no RTCP."""
        return b""

    def close(self) -> None:
        """Do nothing: the sink does not own the connection."""


class HttpOutlet:
    """An HTTP connection whose request has been read; other threads send through it."""

    def __init__(
        self, connection: socket.socket, limits: Limits, channel: TlsChannel | None = None
    ) -> None:
        """Take over the socket (not closing it) and the TLS spoken on it. Raises OSError."""
        connection.setblocking(False)
        self.wire = Wire(connection, None, limits, channel)
        self._reader, writer = socket.socketpair()
        self._reader.setblocking(False)
        writer.setblocking(False)
        self.wire.waker = writer
        self._has_ended = False

    def send_until_hang_up(self) -> None:
        """Send queued bytes when there is room, until either side hangs up or `end` is called."""
        connection = self.wire.socket
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            events = selectors.EVENT_READ
            selector.register(connection, events)
            while True:
                wanted = selectors.EVENT_READ
                wanted |= selectors.EVENT_WRITE if self.wire.wake_for_room() else 0
                if wanted != events:
                    events = wanted
                    selector.modify(connection, events)
                for key, ready in selector.select():
                    if key.fileobj is self._reader:
                        self._reader.recv(WAKE_SIZE)
                    elif ready & selectors.EVENT_READ and self.wire.receive() is None:
                        return
                is_empty = self.wire.flush()
                if self._has_ended and is_empty:
                    return

    def end(self) -> None:
        """Make `send_until_hang_up` return once all is sent. From any thread."""
        self._has_ended = True
        if self.wire.waker is not None:
            with suppress(OSError):
                self.wire.waker.send(b"x")

    def close(self) -> None:
        """Free everything but the connection itself."""
        self._reader.close()
        if self.wire.waker is not None:
            self.wire.waker.close()
