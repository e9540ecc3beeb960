"""Arithmetic on counters that wrap around (RFC 1982): RTP sequence numbers and timestamps.

A sequence number has 16 bits, a timestamp 32. Of two numbers, the one that is less than half the
circle ahead is the later one.
"""

from __future__ import annotations

_SEQ_MODULUS = 1 << 16
_TIMESTAMP_MODULUS = 1 << 32
_HALF_SEQ = _SEQ_MODULUS // 2
_HALF_TIMESTAMP = _TIMESTAMP_MODULUS // 2


def seq_delta(a: int, b: int) -> int:
    """How far `a` is ahead of `b` in packets, -32768..32767; negative if it is behind."""
    return (a - b + _HALF_SEQ) % _SEQ_MODULUS - _HALF_SEQ


def timestamp_delta(a: int, b: int) -> int:
    """How far `a` is ahead of `b` in clock ticks, -2**31..2**31-1; negative if it is behind."""
    return (a - b + _HALF_TIMESTAMP) % _TIMESTAMP_MODULUS - _HALF_TIMESTAMP


class SequenceUnwrapper:
    """Turns 16-bit sequence numbers into integers that never wrap.

    The first number stands for itself. Each later one becomes the integer nearest to the highest
    so far (the "extended" sequence number of RFC 3550 section 6.4.1), so that a packet from
    before the first one of all may come out negative.
    """

    def __init__(self) -> None:
        self.highest: int | None = None

    def unwrap(self, seq: int) -> int:
        """The growing integer for the 16-bit number `seq`."""
        if self.highest is None:
            self.highest = seq
            return seq
        extended = self.highest + seq_delta(seq, self.highest)
        self.highest = max(self.highest, extended)
        return extended
