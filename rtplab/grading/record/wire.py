"""Our ends of the connections with a submission; everything that passes is recorded."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rtplab.grading.record.recorder import Recorder

HOST = "127.0.0.1"
MOST_READ = 65_536  # bytes at a time
MOST_RECEIVED = 1 << 20  # bytes that one connection may say: the lab's messages have a hundred
RECEIVE_BUFFER = 4 << 20  # bytes of datagrams: a second of them, in case we are stopped that long
LOOK = 0.1  # seconds between two checks whether our side has closed a connection
QUIET = 0.03  # seconds without another byte, after which a message without an end is whole


class Connection:
    """A TCP connection with a thread that reads it. Close it to end the thread."""

    def __init__(
        self,
        recorder: Recorder,
        own_socket: socket.socket,
        number: int,
        taken: Callable[[bytes], None] | None = None,
    ) -> None:
        """Read at once; `taken` is called with what comes, in the thread that reads."""
        self.number = number
        self._taken = taken
        self._recorder = recorder
        self._socket = own_socket
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._last = 0.0
        self._is_over = False
        self._is_closed = False
        self._changed = threading.Condition()  # guards what has been received
        self._thread = threading.Thread(target=self._read, name=f"grader TCP {number}")
        self._thread.start()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_over(self) -> bool:
        """Whether they have hung up."""
        return self._is_over

    def send(self, data: bytes) -> bool:
        """Send in one call; False if they are gone."""
        self._recorder.add("tcp.out", connection=self.number, data=data)
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def message(self, limit: float) -> bytes:
        """What comes next, up to a pause; b"" if nothing does within `limit` seconds."""
        deadline = time.monotonic() + limit
        with self._changed:
            self._changed.wait_for(lambda: self._received or self._is_over, limit)
            while self._received and not self._is_over:
                rest = self._last + QUIET - time.monotonic()
                if rest <= 0 or time.monotonic() > deadline:
                    break
                self._changed.wait(rest)
            data, self._received = self._received, b""
        return data

    def wait_for_end(self, limit: float) -> bool:
        """Wait until they hang up; False if they have not after `limit` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over, limit)

    def close(self) -> None:
        """Hang up. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_over:
            self._recorder.add("tcp.closed", connection=self.number, by="us")
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        total = 0
        ended_by = "them"
        while total < MOST_RECEIVED:
            try:
                # Not recv alone: on Windows not even shutdown() ends one that waits.
                while not select.select([self._socket], [], [], LOOK)[0]:
                    if self._is_closed:
                        return
                data = self._socket.recv(MOST_READ)
            except OSError:
                ended_by = "reset"
                break
            if not data:
                break
            total += len(data)
            if self._is_closed:
                continue
            self._recorder.add("tcp.in", connection=self.number, data=data)
            with self._changed:
                self._received += data
                self._last = time.monotonic()
                self._changed.notify_all()
            if self._taken:
                self._taken(data)
        if not self._is_closed:
            self._recorder.add("tcp.closed", connection=self.number, by=ended_by)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class RtpPort:
    """A UDP port of ours and the thread that listens on it, for a `with` statement."""

    def __init__(self, recorder: Recorder, taken: Callable[[bytes], None] | None = None) -> None:
        self._recorder = recorder
        self._taken = taken
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.bind((HOST, 0))
        self._socket.settimeout(0.1)
        self.port = int(self._socket.getsockname()[1])
        self._is_closed = False
        self._thread = threading.Thread(target=self._listen, name=f"grader UDP {self.port}")
        self._thread.start()

    def __enter__(self) -> RtpPort:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._thread.join()
        if dropped := _dropped(self.port):
            facts = self._recorder.facts
            facts["dropped"] = int(facts.get("dropped", 0)) + dropped
        self._socket.close()

    def _listen(self) -> None:
        while not self._is_closed:
            with suppress(OSError):
                data, (_, source) = self._socket.recvfrom(MOST_READ)
                self._recorder.add("udp.in", port=self.port, source=source, data=data)
                if self._taken:
                    self._taken(data)


def _dropped(port: int) -> int:
    """How many datagrams a UDP port had no room for, where /proc tells it."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                return int(fields[-1])
    return 0


class RtpSender:
    """A UDP socket connected to their port, so that the system tells if nobody has it."""

    def __init__(self, recorder: Recorder, port: int) -> None:
        self.port = port
        self._recorder = recorder
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((HOST, port))
        self.source = int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        # A refusal reports the previous datagram, and the current one is then not sent.
        for _ in range(2):
            try:
                self._socket.send(data)
            except ConnectionRefusedError:
                self._recorder.add("udp.refused", port=self.port)
                continue
            except OSError:  # such as too long for a datagram
                return
            self._recorder.add("udp.out", port=self.port, source=self.source, data=data)
            return
