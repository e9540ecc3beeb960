"""Packet after packet, as Wireshark's RTP analysis lists them. Needs no Tk."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from rtplab.protocol.rtp.packet import ReceivedPacket
from rtplab.receiving.rtp.statistics import Statistics

MAX_ROWS = 20_000  # packets: four seconds of 1080p, some MB
_RATE_WINDOW = 1.0  # seconds
OK, DUPLICATE, LATE, OUT_OF_ORDER = "ok", "duplicate", "late", "out of order"


class PacketRow(NamedTuple):
    """One packet as it came. Times are seconds, sizes bytes."""

    when: float  # Unix time of its arrival
    sequence_number: int
    timestamp: int
    size: int  # with its RTP header
    marker: bool
    delta: float  # since the packet before
    jitter: float  # RFC 3550 appendix A.8
    skew: float  # how much earlier it came, by its timestamp and the first packet's, than it should
    kbit_per_second: float  # in the last second, with headers of UDP and IP
    status: str
    frame: int  # its frame's index


class PacketTable:
    """Makes the rows, and keeps the newest."""

    def __init__(self) -> None:
        self.rows: deque[PacketRow] = deque(maxlen=MAX_ROWS)
        self._statistics = Statistics()
        self._first: tuple[float, float] | None = None  # media time and arrival
        self._last_arrival: float | None = None
        self._second: deque[tuple[float, int]] = deque()  # when, and bytes, of the last second
        self._second_bytes = 0

    def begin(self) -> None:
        """The next packet begins after a pause, or elsewhere in the movie."""
        self._statistics.paused()
        self._first = self._last_arrival = None

    def add(
        self,
        number: int,
        packet: ReceivedPacket,
        size: int,
        headers: int,
        time: float,
        when: float,
        is_late: bool,
        frame: int,
    ) -> None:
        """Take a packet; `number` has its cycles above it, `time` is its media time in seconds.

        `headers` is how many bytes those of UDP and IP have, `frame` the index of its frame.
        """
        status = self._status(number, size, when, is_late)
        self._statistics.stamped(packet.timestamp, when, packet.marker)
        if self._first is None:
            self._first = time, when
        before, self._last_arrival = self._last_arrival, when
        self.rows.append(
            PacketRow(
                when,
                packet.sequence_number,
                packet.timestamp,
                size,
                packet.marker,
                0.0 if before is None else when - before,
                self._statistics.jitter,
                (time - self._first[0]) - (when - self._first[1]),
                self._rate(size + headers, when),
                status,
                frame,
            )
        )

    def _status(self, number: int, size: int, when: float, is_late: bool) -> str:
        statistics = self._statistics
        is_first = not statistics.packets
        highest, reordered = statistics.highest_sequence, statistics.reordered
        if not statistics.arrived(number, size, when):
            return DUPLICATE
        if is_late:
            return LATE
        if statistics.reordered > reordered:
            return OUT_OF_ORDER
        lost = 0 if is_first else number - highest - 1
        return f"{lost:,} missing" if lost > 0 else OK

    def _rate(self, size: int, when: float) -> float:
        self._second.append((when, size))
        self._second_bytes += size
        while self._second[0][0] < when - _RATE_WINDOW:
            self._second_bytes -= self._second.popleft()[1]
        return self._second_bytes * 8 / 1000
