"""Viewers who watch from one thread while faults happen, and note all that reaches them.

Sockets only; nothing here uses the code under test.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from standard_servers import udp_pair

HOST = "127.0.0.1"
LIMIT = 15.0
"""Seconds that anything may take before its test fails: the machine may be busy."""

LAB, UDP, TCP = "lab", "udp", "tcp"
KINDS = (LAB, UDP, TCP)
"""The lab's dialect, and the standard's by both of its transports."""

SENDER_REPORT, BYE = 200, 203
RECEIVE_BUFFER = 4 << 20  # bytes: what comes while this process waits for its turn is kept
RECEIVE_BUFFER_BY_FORCE = 33  # SO_RCVBUFFORCE of Linux: Python has no name for it


@dataclass(frozen=True)
class Packet:
    """An RTP packet and when it was read (time.monotonic)."""

    when: float
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes


class Viewer:
    """One connection; the `Audience` that made it reads all its sockets."""

    def __init__(self, port: int, kind: str, movie: str) -> None:
        self.kind = kind
        self.packets: list[Packet] = []
        self.sender_reports: list[tuple[float, float, int]] = []  # when, NTP seconds, RTP time
        self.goodbyes: list[float] = []
        self.ended_at: float | None = None  # the server has hung up
        self.was_reset = False  # by RST, without an orderly end
        self.session = ""
        self._movie = movie if kind == LAB else f"rtsp://{HOST}:{port}/{movie}"
        self._number = 0
        self._statuses: list[int] = []
        self._data = b""
        self._udp = [] if kind == TCP else list(udp_pair())
        for end in self._udp:
            enlarge_buffer(end)
            end.setblocking(False)
        self._control = socket.create_connection((HOST, port), LIMIT)
        self._heard = threading.Condition()

    # ------------------------------------------------------------------ asking

    def ask(self, method: str, *headers: str) -> int:
        """Send a request; return the status of the answer."""
        count = len(self._statuses)
        self.send(method, *headers)
        with self._heard:
            self._heard.wait_for(lambda: len(self._statuses) > count or self.ended_at, LIMIT)
        assert len(self._statuses) > count, f"no answer to {method}"
        return self._statuses[count]

    def send(self, method: str, *headers: str) -> None:
        self._number += 1
        is_lab = self.kind == LAB
        target = self._movie + ("/trackID=0" if method == "SETUP" and not is_lab else "")
        lines = [f"{method} {target} RTSP/1.0", f"CSeq: {self._number}"]
        lines += [f"Transport: {self._transport()}"] if method == "SETUP" else []
        lines += [f"Session: {self.session}"] if self.session else []
        end = "" if is_lab else "\r\n"
        eol = "\n" if is_lab else "\r\n"
        self._control.sendall((eol.join([*lines, *headers]) + eol + end).encode())

    def _transport(self) -> str:
        if self.kind == TCP:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        port = self._udp[0].getsockname()[1]
        if self.kind == LAB:
            return f"RTP/UDP; client_port= {port}"
        return f"RTP/AVP;unicast;client_port={port}-{port + 1}"

    def watch(self) -> None:
        """Set up and play."""
        assert self.ask("SETUP") == 200
        assert self.ask("PLAY") == 200

    # ------------------------------------------------------------------ what has come

    @property
    def frames(self) -> int:
        """How many pictures have come, by their timestamps."""
        return len({packet.timestamp for packet in list(self.packets)})

    @property
    def lost(self) -> int:
        """How many packets are missing between the first and the last."""
        numbers = [packet.sequence for packet in list(self.packets)]
        steps = zip(numbers, numbers[1:], strict=False)
        return sum((later - earlier - 1) % 65536 for earlier, later in steps)

    def longest_gap(self, since: float) -> float:
        """The longest time in seconds without a packet from `since` until now."""
        whens = [packet.when for packet in list(self.packets) if packet.when > since]
        moments = [since, *whens, time.monotonic()]
        return max(later - earlier for earlier, later in zip(moments, moments[1:], strict=False))

    def frames_within(self, start: float, seconds: float) -> int:
        """How many pictures came in the `seconds` after `start`."""
        packets = list(self.packets)
        return len({p.timestamp for p in packets if start <= p.when < start + seconds})

    # ------------------------------------------------------------------ hearing

    @property
    def sockets(self) -> list[socket.socket]:
        return [*([] if self.ended_at else [self._control]), *self._udp]

    def take(self, end: socket.socket) -> None:
        """Read what waits at one of the sockets."""
        now = time.monotonic()
        if end is self._control:
            self._take_from_control(now)
        else:
            with suppress(OSError):  # nothing more, or an ICMP message
                while True:
                    self._take_packet(end.recv(65536), end is self._udp[1], now)

    def _take_from_control(self, now: float) -> None:
        try:
            data = self._control.recv(1 << 20)
        except OSError:
            data, self.was_reset = b"", True
        with self._heard:
            self._data += data
            if not data:
                self.ended_at = now
            self._take_apart(now)
            self._heard.notify_all()

    def _take_apart(self, now: float) -> None:
        while self._data:
            if self._data[0] == 0x24:
                end = 4 + int.from_bytes(self._data[2:4], "big")
                if len(self._data) < max(4, end):
                    return
                self._take_packet(self._data[4:end], bool(self._data[1]), now)
                self._data = self._data[end:]
            else:
                head, blank, rest = self._data.partition(
                    b"\n\n" if self.kind == LAB else b"\r\n\r\n"
                )
                if not blank:
                    return
                self._take_reply(head.decode())
                self._data = rest

    def _take_reply(self, head: str) -> None:
        assert "Content-Length" not in head, "nothing is asked for here that has a body"
        session = re.search(r"^Session: *(\d+)", head, re.MULTILINE)
        self.session = session[1] if session else self.session
        self._statuses.append(int(head.split()[1]))

    def _take_packet(self, data: bytes, is_rtcp: bool, now: float) -> None:
        if is_rtcp:
            self._take_report(data, now)
        else:
            _, second, sequence, timestamp = struct.unpack_from(">BBHI", data)
            packet = Packet(now, sequence, timestamp, second > 127, data[12:])
            self.packets.append(packet)

    def _take_report(self, data: bytes, now: float) -> None:
        while data:
            kind, words = struct.unpack_from(">xBH", data)
            if kind == SENDER_REPORT:
                seconds, fraction, stamp = struct.unpack_from(">III", data, 8)
                self.sender_reports.append((now, seconds + fraction / 2**32, stamp))
            elif kind == BYE:
                self.goodbyes.append(now)
            data = data[4 + 4 * words :]

    def close(self) -> None:
        for end in (self._control, *self._udp):
            end.close()


def enlarge_buffer(end: socket.socket) -> None:
    """As far as the system lets us: beyond its bounds only root may go, and on Linux."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_BY_FORCE, RECEIVE_BUFFER)


class Audience:
    """Viewers and the thread that reads for them, for a `with` statement."""

    def __init__(
        self, port: int, kinds: Iterable[str] = KINDS, movie: str = "movie.Mjpeg", play: bool = True
    ) -> None:
        """Connect a viewer of each kind; with `play`, they all watch when the block begins."""
        self._play = play
        self._closing = False
        self.viewers: list[Viewer] = []
        try:
            for kind in kinds:
                self.viewers.append(Viewer(port, kind, movie))
        except BaseException:
            self._close_all()
            raise
        self._thread = threading.Thread(target=self._listen, name="audience")

    def __enter__(self) -> Audience:
        self._thread.start()
        try:
            if self._play:
                for viewer in self.viewers:
                    viewer.watch()
                self.wait(lambda viewer: bool(viewer.packets), "plays")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        self._thread.join()
        self._close_all()

    def wait(self, condition: Callable[[Viewer], bool], what: str, limit: float = LIMIT) -> None:
        """Wait until the condition holds for every viewer."""
        deadline = time.monotonic() + limit
        while missing := [viewer.kind for viewer in self.viewers if not condition(viewer)]:
            assert time.monotonic() < deadline, (
                f"after {limit} s it is not so that {what}: {missing}"
            )
            time.sleep(0.005)

    def play_on(self, frames: int) -> None:
        """Wait until so many more pictures have come to every viewer."""
        goals = {id(viewer): viewer.frames + frames for viewer in self.viewers}
        self.wait(lambda viewer: viewer.frames >= goals[id(viewer)], f"{frames} more frames come")

    def _listen(self) -> None:
        poll = select.poll()
        while not self._closing:
            ends = {
                end.fileno(): (viewer, end) for viewer in self.viewers for end in viewer.sockets
            }
            for number in ends:
                poll.register(number, select.POLLIN)
            for number, _ in poll.poll(20):
                viewer, end = ends[number]
                viewer.take(end)
            for number in ends:
                poll.unregister(number)

    def _close_all(self) -> None:
        for viewer in self.viewers:
            viewer.close()
