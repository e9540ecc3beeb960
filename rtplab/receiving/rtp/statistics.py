"""What a receiver counts: loss (RFC 3550 appendix A.3), jitter (A.8), duplicates, bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.receiving.rtp.timeline import CLOCK_RATE, may_be_step

# Packets whose arrival we remember: as far back as a 16-bit number can express. Older packets count
# as received.
HISTORY = 1 << 15


@dataclass
class Statistics:
    """One stream's reception, counted packet by packet. Times are seconds, sizes bytes."""

    packets: int = 0
    bytes: int = 0
    duplicates: int = 0
    late: int = 0  # arrived after their frame had been given up
    reordered: int = 0  # arrived after a packet with a higher number
    frames: int = 0
    jitter: float = 0.0  # interarrival jitter, seconds
    # The largest so far, as in Wireshark's list of streams: it ignores packets with the marker, and
    # those that come after a packet with a later timestamp.
    max_jitter: float = 0.0
    first_arrival: float | None = None
    last_arrival: float | None = None
    highest_sequence: int = 0  # with its cycles above it (RFC 3550 section 6.4.1)
    _first_sequence: int | None = None
    _distinct: int = 0
    _expected_before_restart: int = 0
    # By number, modulo HISTORY: 1 if it was received.
    _received: bytearray = field(default_factory=lambda: bytearray(HISTORY), repr=False)
    _transit: float | None = None
    _timestamp: int | None = None  # of the last packet
    _stamped_at: float = 0.0  # its arrival time
    _stamped_time: float = 0.0  # seconds, by the timestamps

    @property
    def expected(self) -> int:
        """Packets that were sent, by their sequence numbers (A.3)."""
        if self._first_sequence is None:
            return self._expected_before_restart
        span = self.highest_sequence - self._first_sequence + 1
        return self._expected_before_restart + span

    @property
    def lost(self) -> int:
        """Packets that were sent but never arrived. Duplicates do not make up for them."""
        return max(0, self.expected - self._distinct)

    @property
    def loss_rate(self) -> float:
        """Lost packets as a fraction of those expected, 0 to 1."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def seconds(self) -> float:
        """From the first packet's arrival to the last's."""
        if self.first_arrival is None or self.last_arrival is None:
            return 0.0
        return self.last_arrival - self.first_arrival

    def arrived(self, sequence: int, size: int, now: float) -> bool:
        """Count a packet of `size` bytes; `sequence` has its cycles above it.

        Return whether it is the first with this number, as far as we remember.
        """
        self.packets += 1
        self.bytes += size
        self.last_arrival = now
        if self.first_arrival is None:
            self.first_arrival = now
        if self._first_sequence is None:
            self._first_sequence = sequence
            self.highest_sequence = sequence - 1
        ahead = sequence - self.highest_sequence
        if ahead <= -HISTORY:
            return True
        if ahead > 0:
            if ahead > 1:
                self._forget(ahead - 1)
            self.highest_sequence = sequence
        elif self._received[sequence % HISTORY]:
            return False
        else:
            self.reordered += 1
            self._first_sequence = min(self._first_sequence, sequence)
        self._received[sequence % HISTORY] = 1
        self._distinct += 1
        return True

    def stamped(self, timestamp: int, now: float, marker: bool = False) -> None:
        """Take a packet's timestamp, in 90 kHz ticks, and its arrival into the jitter (A.8)."""
        is_regular = not marker
        if self._timestamp is not None and self._timestamp != timestamp:
            step = timestamp_delta(timestamp, self._timestamp) / CLOCK_RATE
            # A lab server's timestamps may be garbage: that is not hours of jitter.
            self._stamped_time += step if may_be_step(step, now - self._stamped_at) else 0.0
            is_regular &= step > 0
        self._timestamp, self._stamped_at = timestamp, now
        self.timed(self._stamped_time, now, is_regular)

    def timed(self, media_time: float, now: float, is_regular: bool = True) -> None:
        """Take something due at `media_time` that arrived at `now` into the jitter (A.8).

        If it `is_regular`, it counts for the maximum.
        """
        transit, before = now - media_time, self._transit  # another thread may have cleared it
        if before is not None:
            self.jitter += (abs(transit - before) - self.jitter) / 16
            if is_regular:
                self.max_jitter = max(self.max_jitter, self.jitter)
        self._transit = transit

    def restarted(self) -> None:
        """The sender restarts its numbering; the counts so far are kept."""
        self._expected_before_restart = self.expected
        self._first_sequence = None
        self._received = bytearray(HISTORY)
        self.paused()

    def paused(self) -> None:
        """The stream is paused; the time until it resumes must not count as jitter."""
        self._transit = None

    def _forget(self, missing: int) -> None:
        """These numbers after the highest were not received; they take the places of old ones."""
        start = (self.highest_sequence + 1) % HISTORY
        first = min(missing, HISTORY - start)
        self._received[start : start + first] = bytes(first)
        rest = min(missing - first, start)
        self._received[:rest] = bytes(rest)


class Received(Protocol):
    """What a user can learn about a stream's reception, over RTP or HTTP."""

    malformed: int  # datagrams or parts that make no picture of this stream
    longest_gap: float  # seconds between two frames since the last pause

    @property
    def trusts_timestamps(self) -> bool:
        """Tell if the stream's RTP timestamps look like 90 kHz ticks."""

    @property
    def statistics(self) -> Statistics: ...
