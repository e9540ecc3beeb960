"""Puts packets back into the order of their sequence numbers, and gives up what does not come."""

from __future__ import annotations

from enum import Enum, auto

from rtplab.protocol.rtp.packet import ReceivedPacket

# Packets held back at the most, while one before them is missing: two frames of 1080p. Of one
# number, so many are remembered when they have gone out.
MAX_HELD = 512


class Arrival(Enum):
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
        self._next: int | None = None  # the sequence number whose turn it is
        self._in_turn: list[tuple[int, ReceivedPacket]] = []  # may be released
        self._last: list[ReceivedPacket] = []  # the newest of the number before _next
        self._held: dict[int, list[ReceivedPacket]] = {}  # of numbers beyond _next
        self._held_count = 0  # packets in _held
        self._arrivals: dict[int, float] = {}  # of the first packet of each number in _held

    def restart(self) -> None:
        """The sender numbers anew: only what is in turn still goes out."""
        self._next = None
        self._last = []
        self._held.clear()
        self._arrivals.clear()
        self._held_count = 0

    def begin(self, sequence: int) -> None:
        """Say which number is the first, before any packet has been added."""
        self._next = sequence

    def add(self, sequence: int, packet: ReceivedPacket, now: float) -> Arrival:
        """Take a packet that arrived at `now`; `sequence` has its cycles above it."""
        if self._next is None:
            self._next = sequence
        if sequence == self._next:
            self._pass_on(sequence, [packet])
            return Arrival.ACCEPTED
        known = self._last if sequence == self._next - 1 else self._held.get(sequence, [])
        if any(other.payload == packet.payload for other in known):
            return Arrival.DUPLICATE
        if sequence > self._next:
            self._hold(sequence, packet, now)
        elif known:
            self._in_turn.append((sequence, packet))
            self._last.append(packet)
            del self._last[:-MAX_HELD]
        else:
            return Arrival.LATE
        return Arrival.ACCEPTED

    def release(self, now: float) -> list[tuple[int, ReceivedPacket]]:
        """Return, in order, the packets for which nothing is waited any more."""
        while self._held and (self._held_count > MAX_HELD or now >= self._give_up_at()):
            first = min(self._held)
            self._pass_on(first, self._take(first))
        released, self._in_turn = self._in_turn, []
        return released

    def deadline(self) -> float | None:
        """When `release` has to be called although nothing arrived; None: never."""
        return self._give_up_at() if self._held else None

    def _give_up_at(self) -> float:
        return min(self._arrivals.values()) + self._patience

    def _pass_on(self, sequence: int, packets: list[ReceivedPacket]) -> None:
        """Let out the packets of this number, and those that waited for them only."""
        while packets:
            self._in_turn += [(sequence, packet) for packet in packets]
            self._last = packets[-MAX_HELD:]
            sequence += 1
            packets = self._take(sequence)
        self._next = sequence

    def _hold(self, sequence: int, packet: ReceivedPacket, now: float) -> None:
        self._held.setdefault(sequence, []).append(packet)
        self._held_count += 1
        self._arrivals.setdefault(sequence, now)

    def _take(self, sequence: int) -> list[ReceivedPacket]:
        packets = self._held.pop(sequence, [])
        if packets:
            self._held_count -= len(packets)
            del self._arrivals[sequence]
        return packets
