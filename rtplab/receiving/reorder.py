"""Puts packets back into the order of their sequence numbers, and gives up what does not come."""

from __future__ import annotations

from enum import Enum, auto

from RtpPacket import RtpPacket

# Packets held back at the most, while one before them is missing: two frames of 1080p. Of one
# number, so many are remembered when they have gone out.
MAX_HELD = 512


class Verdict(Enum):
    """What became of a packet."""

    ACCEPTED = auto()
    DUPLICATE = auto()
    LATE = auto()


class ReorderBuffer:
    """Holds packets back until those before them have come, for `patience` seconds at the most.

    Some lab servers send all fragments of a frame under one sequence number. So a packet is a
    duplicate only if its payload is one that came under that number before.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._next: int | None = None  # the sequence number that is released next
        self._held: dict[int, list[RtpPacket]] = {}
        self._held_count = 0  # packets in _held
        self._arrivals: dict[int, float] = {}
        self._last_released: list[RtpPacket] = []  # the newest of the number before _next

    def add(self, sequence: int, packet: RtpPacket, now: float) -> Verdict:
        """Take a packet that arrived at `now`; `sequence` has its cycles above it."""
        if self._next is None:
            self._next = sequence
        if sequence < self._next - 1:
            return Verdict.LATE
        known = self._last_released if sequence < self._next else self._held.get(sequence, [])
        if any(other.payload == packet.payload for other in known):
            return Verdict.DUPLICATE
        if sequence < self._next and not known:
            return Verdict.LATE
        self._held.setdefault(sequence, []).append(packet)
        self._held_count += 1
        self._arrivals.setdefault(sequence, now)
        return Verdict.ACCEPTED

    def release(self, now: float) -> list[tuple[int, RtpPacket]]:
        """Return, in order, the packets for which nothing is waited any more."""
        released: list[tuple[int, RtpPacket]] = []
        while self._held:
            sequence = min(self._held)
            in_turn = self._next is None or sequence <= self._next
            if not in_turn and self._held_count <= MAX_HELD and now < self._give_up_at():
                break
            released += [(sequence, packet) for packet in self._take(sequence)]
        return released

    def deadline(self) -> float | None:
        """When `release` has to be called although nothing arrived; None: never."""
        return self._give_up_at() if self._held else None

    def _give_up_at(self) -> float:
        return min(self._arrivals.values()) + self._patience

    def _take(self, sequence: int) -> list[RtpPacket]:
        packets = self._held.pop(sequence)
        self._held_count -= len(packets)
        del self._arrivals[sequence]
        if self._next is not None and sequence == self._next - 1:
            self._last_released += packets
        else:
            self._last_released = list(packets)
            self._next = sequence + 1
        del self._last_released[:-MAX_HELD]
        return packets
