"""Interleaved media to a client that takes little at a time, and never less than it is sent."""

from __future__ import annotations

import errno
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from scheduling import can_tell, kept_waiting
from systems import needs_small_buffers

from rtplab.serving.admission.limits import Limits
from rtplab.serving.rtp.sinks import InterleavedSink
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.wire import Wire

HOST = "127.0.0.1"
LIMIT = 10.0  # seconds that anything may take
HEADER = b"\x80\x1a\x00\x01" + bytes(8)
PAYLOAD = 1400  # bytes of an RTP payload
RECEIVE_BUFFER = 64 * 1024  # bytes
RATE = 100e6 / 8  # bytes a second that the client takes
FPS = 20
FRAMES = 120
IN_TIME = 0.040  # seconds from the sending of a frame to its last byte
TRIES = 3  # the machine may be busy with other things


class PacedReader(threading.Thread):
    """A client that reads RATE bytes a second, and notes when each frame has come whole."""

    def __init__(self, address: tuple[str, int], frame_size: int) -> None:
        super().__init__(name="reader")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.settimeout(LIMIT)
        self.socket.connect(address)
        self._frame_size = frame_size
        self.arrivals: list[float] = []
        self.waits: list[float] = []
        """What `kept_waiting` said at each arrival."""

    def run(self) -> None:
        received, start = 0, time.monotonic()
        while data := self._read():
            now = time.monotonic()
            received += len(data)
            come = received // self._frame_size - len(self.arrivals)
            if come:
                self.waits += [waited()] * come
                self.arrivals += [now] * come
            start = max(start, now - received / RATE - 0.01)  # what was not read is not saved up
            time.sleep(max(0.0, start + received / RATE - now))

    def _read(self) -> bytes:
        try:
            return self.socket.recv(16 * 1024)
        except ConnectionResetError:
            return b""


def waited() -> float:
    """How long our threads have stood in line for a CPU so far, in seconds."""
    return kept_waiting(os.getpid()) if can_tell() else 0.0


def frame_of(size: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """A frame's packets, about so many bytes, and their length on the connection."""
    packets = [(HEADER, bytes(PAYLOAD))] * (size // PAYLOAD)
    return packets, len(packets) * (4 + len(HEADER) + PAYLOAD)


class Served:
    """A connection whose control thread listens, and its client."""

    def __init__(self, frame_size: int, limits: Limits | None = None) -> None:
        with socket.create_server((HOST, 0)) as listener:
            self.reader = PacedReader(listener.getsockname(), frame_size)
            accepted, _ = listener.accept()
        self.connection = RtspConnection(accepted, limits=limits)
        self.connection.expect_frames()
        self.sink = InterleavedSink(self.connection, (0, 1))
        self.control = threading.Thread(target=self._listen, name="control")
        self.control.start()

    def _listen(self) -> None:
        for _ in self.connection.messages(lambda: None):
            pass

    def close(self) -> None:
        self.connection.hang_up()
        self.control.join()
        self.connection.close()
        if self.reader.ident is not None:
            self.reader.join()
        self.reader.socket.close()


@contextmanager
def served(frame_size: int, limits: Limits | None = None) -> Iterator[Served]:
    served = Served(frame_size, limits)
    try:
        yield served
    finally:
        served.close()


def wait_for(condition: Callable[[], object], limit: float = LIMIT) -> float:
    """Wait until something is so; return the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, "waited in vain"
        time.sleep(0.001)
    return time.monotonic() - began


@pytest.mark.timed
@pytest.mark.parametrize("megabits", [20, 31, 47])
def test_a_client_that_reads_faster_than_it_is_sent_gets_every_frame_in_time(megabits: int) -> None:
    size = int(megabits * 1e6 / 8 / FPS)
    tries = (worst_delay(size) for _ in range(TRIES))
    assert any(worst < IN_TIME for worst in tries)


def worst_delay(frame_size: int) -> float:
    """Of FRAMES frames, in seconds, less what the machine takes; without end if one was dropped."""
    packets, size = frame_of(frame_size)
    with served(size) as one:
        one.reader.start()
        sent, waits = [], []
        start = time.monotonic()
        for number in range(FRAMES):
            time.sleep(max(0.0, start + number / FPS - time.monotonic()))
            waits.append(waited())
            sent.append(time.monotonic())
            one.sink.send(packets)
        wait_for(lambda: len(one.reader.arrivals) + one.connection.dropped_frames == FRAMES)
        if one.connection.dropped_frames:
            return math.inf
        moments = zip(one.reader.arrivals, one.reader.waits, sent, waits, strict=True)
        return max(came - went - (after - before) for came, after, went, before in moments)


@needs_small_buffers
def test_the_end_of_a_frame_does_not_wait_for_the_next_one() -> None:
    packets, size = frame_of(1_400_000)
    with served(size) as one:
        one.sink.send(packets)
        assert one.connection._wire._waiting, "the frame is too small for this test"
        one.reader.start()
        assert wait_for(lambda: one.reader.arrivals) < 10 * size / RATE


@needs_small_buffers
def test_a_report_gets_through_behind_a_frame_larger_than_the_queue() -> None:
    packets, size = frame_of(1_400_000)
    with served(size, Limits(queue=64)) as one:
        for _ in range(3):
            one.sink.send(packets)
            one.sink.send_report(bytes(100))
            one.connection.send(b"RTSP/1.0 200 OK\r\n\r\n")
        assert one.connection.dropped_frames == 2
        one.reader.start()
        wait_for(lambda: one.reader.arrivals and not one.connection._wire._waiting)
        assert not one.connection.is_hung_up


@needs_small_buffers
def test_replies_behind_a_large_frame_are_bounded_all_the_same() -> None:
    packets, size = frame_of(1_400_000)
    with served(size, Limits(queue=64)) as one:
        one.sink.send(packets)
        waiting = len(one.connection._wire._waiting)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                one.connection.send(bytes(1000))
        assert len(one.connection._wire._waiting) <= waiting + 64 * 1024


def test_what_the_socket_takes_at_once_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[None] = []
    monkeypatch.setattr(Wire, "_wake", lambda wire: woken.append(None))
    packets, size = frame_of(10_000)
    with served(size) as one:
        one.reader.start()
        for number in range(100):
            one.sink.send(packets)
            wait_for(lambda number=number: len(one.reader.arrivals) > number)  # type: ignore[misc]
    assert not woken


def test_a_client_that_hangs_up_within_a_frame_ends_the_control_thread() -> None:
    packets, size = frame_of(1_400_000)
    with served(size) as one:
        one.sink.send(packets)
        one.reader.socket.close()
        one.control.join(LIMIT)
        assert not one.control.is_alive()


def test_no_descriptor_for_the_way_to_wake_is_an_os_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    ours, theirs = socket.socketpair()
    monkeypatch.setattr("rtplab.serving.rtsp.connection._SHUTDOWN_WAKES", True)  # no way as yet
    connection = RtspConnection(ours)
    with theirs, monkeypatch.context() as patched:
        patched.setattr(socket, "socketpair", refuse)
        with pytest.raises(OSError, match="Too many"):
            connection.expect_frames()
    connection.close()
