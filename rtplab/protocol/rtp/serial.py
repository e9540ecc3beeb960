"""Arithmetic on counters that wrap around (RFC 1982): RTP sequence numbers and timestamps.

A sequence number has 16 bits, a timestamp 32. "Greater" means less than half the circle ahead.
"""

from __future__ import annotations

SEQ_MODULUS = 1 << 16
TIMESTAMP_MODULUS = 1 << 32
_HALF_SEQ = SEQ_MODULUS // 2
_HALF_TIMESTAMP = TIMESTAMP_MODULUS // 2


def seq_delta(a: int, b: int) -> int:
    """How far `a` is ahead of `b` in packets, -32768..32767; negative when it is behind."""
    return (a - b + _HALF_SEQ) % SEQ_MODULUS - _HALF_SEQ


def seq_greater(a: int, b: int) -> bool:
    """Whether `a` comes after `b`. At exactly half the circle, which RFC 1982 leaves open, no."""
    return seq_delta(a, b) > 0


def seq_add(a: int, n: int) -> int:
    """The sequence number `n` packets after `a` (before it when `n` is negative)."""
    return (a + n) % SEQ_MODULUS


def timestamp_delta(a: int, b: int) -> int:
    """How far `a` is ahead of `b` in clock ticks, -2**31..2**31-1; negative when it is behind."""
    return (a - b + _HALF_TIMESTAMP) % TIMESTAMP_MODULUS - _HALF_TIMESTAMP


def timestamp_add(a: int, ticks: int) -> int:
    """The timestamp `ticks` after `a` (before it when `ticks` is negative)."""
    return (a + ticks) % TIMESTAMP_MODULUS


class SequenceUnwrapper:
    """Turns 16-bit sequence numbers into integers that never wrap.

    The first number stands for itself. Each later one becomes the integer nearest to the highest
    so far (the "extended" sequence number of RFC 3550 section 6.4.1), so that a packet from
    before the first one of all may come out negative.
    """

    def __init__(self) -> None:
        self.highest: int | None = None

    def unwrap(self, seq: int) -> int:
        """The ever growing integer for the 16-bit number `seq`."""
        if self.highest is None:
            self.highest = seq
            return seq
        extended = self.highest + seq_delta(seq, self.highest)
        self.highest = max(self.highest, extended)
        return extended
