"""Puts packets back in sequence number order, and gives up on those that do not arrive."""

from __future__ import annotations

import heapq
from collections import deque
from enum import Enum, auto
from itertools import islice

from rtplab.protocol.rtp.packet import ReceivedPacket

# Maximum bytes held back while a packet before them is missing: more than two seconds of
# 100 Mbit/s, so that for slower streams the patience alone decides. A count would be a few large
# frames, or minutes of small ones.
MAX_HELD = 32 * 1024 * 1024
# Bytes of one number's packets that are remembered after their release: duplicates come soon.
MAX_REMEMBERED = 1024 * 1024
PACKET_OVERHEAD = 400  # bytes of memory that a packet takes besides its payload
# The newest packets of one number, with which another one is compared.
_COMPARED = 512


class Arrival(Enum):
    """The fate of a packet on arrival."""

    ACCEPTED = auto()
    DUPLICATE = auto()
    LATE = auto()


class ReorderBuffer:
    """Holds packets back until those before them have come, for at most `patience` seconds.

    Some lab servers send all fragments of a frame with the same sequence number. So a packet is a
    duplicate only if its payload has already come with that number.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._next: int | None = None  # the sequence number whose turn it is
        self._in_turn: list[tuple[int, ReceivedPacket]] = []  # may be released
        self._last: deque[ReceivedPacket] = deque()  # the newest of the number before _next
        self._last_bytes = 0
        self._held: dict[int, list[ReceivedPacket]] = {}  # of numbers beyond _next
        self._held_bytes = 0
        self._numbers: list[int] = []  # those in _held, a heap
        # When the first packet of each held number came, in that order; some are no longer held.
        self._arrivals: deque[tuple[float, int]] = deque()

    def restart(self) -> None:
        """The sender has restarted its numbering: only packets already in order still go out."""
        self._next = None
        self._last, self._last_bytes = deque(), 0
        self._held.clear()
        self._held_bytes = 0
        self._numbers.clear()
        self._arrivals.clear()

    def begin(self, sequence: int) -> None:
        """Set the first sequence number, before any packet has been added."""
        self._next = sequence

    def add(self, sequence: int, packet: ReceivedPacket, now: float) -> Arrival:
        """Take a packet that arrived at `now`; `sequence` includes the cycles above its 16 bits."""
        if self._next is None:
            self._next = sequence
        if sequence == self._next:
            if self._held:
                self._pass_on(sequence, [packet])
            else:  # nearly always
                self._in_turn.append((sequence, packet))
                self._last, self._last_bytes = deque((packet,)), _size(packet)
                self._next = sequence + 1
            return Arrival.ACCEPTED
        is_last = sequence == self._next - 1
        known = self._last if is_last else self._held.get(sequence, ())
        if any(other.payload == packet.payload for other in islice(reversed(known), _COMPARED)):
            return Arrival.DUPLICATE
        if sequence > self._next:
            self._hold(sequence, packet, now)
        elif known:
            self._in_turn.append((sequence, packet))
            self._remember(packet)
        else:
            return Arrival.LATE
        return Arrival.ACCEPTED

    def release(self, now: float) -> list[tuple[int, ReceivedPacket]]:
        """Return, in order, the packets that need not wait any longer."""
        while self._held and (self._held_bytes > MAX_HELD or now >= self._give_up_at()):
            first = self._numbers[0]
            self._pass_on(first, self._take(first))
        released, self._in_turn = self._in_turn, []
        return released

    def deadline(self) -> float | None:
        """When to call `release` even if nothing arrives; None: never."""
        return self._give_up_at() if self._held else None

    def _give_up_at(self) -> float:
        while self._arrivals[0][1] not in self._held:
            self._arrivals.popleft()
        return self._arrivals[0][0] + self.patience

    def _pass_on(self, sequence: int, packets: list[ReceivedPacket]) -> None:
        """Release this number's packets, and those that waited only for them."""
        last = packets
        while packets:
            self._in_turn += [(sequence, packet) for packet in packets]
            last = packets
            sequence += 1
            packets = self._take(sequence)
        self._next = sequence
        self._last, self._last_bytes = deque(), 0
        for packet in last:
            self._remember(packet)

    def _remember(self, packet: ReceivedPacket) -> None:
        self._last.append(packet)
        self._last_bytes += _size(packet)
        while self._last_bytes > MAX_REMEMBERED:
            self._last_bytes -= _size(self._last.popleft())

    def _hold(self, sequence: int, packet: ReceivedPacket, now: float) -> None:
        self._held_bytes += _size(packet)
        if sequence in self._held:
            self._held[sequence].append(packet)
            return
        self._held[sequence] = [packet]
        heapq.heappush(self._numbers, sequence)
        self._arrivals.append((now, sequence))

    def _take(self, sequence: int) -> list[ReceivedPacket]:
        """Remove this number's packets; if it is held, it is the lowest."""
        packets = self._held.pop(sequence, [])
        if packets:
            heapq.heappop(self._numbers)
            self._held_bytes -= sum(map(_size, packets))
        return packets


def _size(packet: ReceivedPacket) -> int:
    return len(packet.payload) + PACKET_OVERHEAD
