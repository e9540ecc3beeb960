"""The server's end of one RTSP connection: requests off the socket, replies and frames onto it."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

from rtplab.protocol.parser import RequestParser
from rtplab.protocol.rtsp import InterleavedFrame, Request

RECEIVE_SIZE = 16 * 1024  # bytes per recv: more than any real request
# Bytes of interleaved frames that may wait for a slow client; whole frames beyond are dropped.
MAX_WAITING_FRAMES = 256 * 1024
# Bytes that may wait in all: a client that sends requests and never reads the replies is cut off.
MAX_WAITING = 1024 * 1024

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # Windows has no poll


class RtspConnection:
    """A client's connection. The control thread reads it; any thread may write or hang up.

    Nothing here ever blocks but `messages`. What the socket does not take at once waits in a
    queue, in order, so that framing is never broken.
    """

    def __init__(self, rtsp_socket: socket.socket) -> None:
        self._socket = rtsp_socket
        self._socket.setblocking(False)
        self._parser = RequestParser()
        self._selector = _Selector()
        self._selector.register(rtsp_socket, selectors.EVENT_READ)
        self._write_lock = threading.Lock()  # guards _waiting and the order on the socket
        self._waiting = bytearray()
        self._hung_up = threading.Event()
        self.dropped_frames = 0

    # ------------------------------------------------------------------ reading

    def messages(
        self, deadline: Callable[[], float | None]
    ) -> Iterator[Request | InterleavedFrame | None]:
        """Yield what the client sends until it hangs up; None whenever `deadline()` has passed."""
        open_for_more = True
        while open_for_more:
            moment = deadline()
            open_for_more = self._wait(moment)
            now = time.monotonic()
            # The last request of a client that has hung up needs no quiet period.
            while message := self._parser.next(now if open_for_more else now + 1):
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
        deadlines = [moment for moment in (deadline, self._parser.deadline()) if moment is not None]
        timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        writing = selectors.EVENT_WRITE if self._waiting else 0
        self._selector.modify(self._socket, selectors.EVENT_READ | writing)
        open_for_more = True
        for key, events in self._selector.select(timeout):
            if key.fileobj is not self._socket:
                key.data()
                continue
            if events & selectors.EVENT_WRITE:
                self.flush()
            if events & selectors.EVENT_READ:
                open_for_more = self._receive()
        return open_for_more

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            self._parser.feed(data, time.monotonic())
        return bool(data)

    # ------------------------------------------------------------------ writing

    def send(self, data: bytes) -> None:
        """Send a reply, after what already waits. Raises OSError when the client is gone."""
        with self._write_lock:
            if len(self._waiting) + len(data) > MAX_WAITING:
                raise TimeoutError("the client does not read its replies")
            self._write(data)

    def offer(self, frame: bytes) -> None:
        """Send an interleaved frame; drop it whole if too much already waits. Raises OSError."""
        with self._write_lock:
            if len(self._waiting) > MAX_WAITING_FRAMES:
                self._write(b"")
            if len(self._waiting) > MAX_WAITING_FRAMES:
                self.dropped_frames += 1
            else:
                self._write(frame)

    def flush(self) -> bool:
        """Send what waits, as far as the client takes it; tell if nothing waits any more."""
        with self._write_lock:
            try:
                self._write(b"")
            except OSError:
                self._waiting.clear()  # the reading side will see that the client is gone
            return not self._waiting

    def _write(self, data: bytes) -> None:
        if self._waiting:
            self._waiting += data
            data = bytes(self._waiting)
        try:
            sent = self._socket.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        self._waiting[:] = data[sent:]

    # ------------------------------------------------------------------ ending

    def wait(self, seconds: float) -> None:
        """Do nothing for so long, or until somebody hangs up. In the control thread."""
        self._hung_up.wait(seconds)

    def hang_up(self) -> None:
        """Make `messages` end, from any thread."""
        self._hung_up.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already, or the client was faster

    def close(self) -> None:
        """Free the socket. May be called twice."""
        self._selector.close()
        self._socket.close()
