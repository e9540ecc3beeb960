"""Which of the packets that arrive belong to a PLAY: those that overtake its reply wait for it."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from rtplab.receiving.rtp.frames import MAX_FRAME

# Bytes of packets that wait for the reply to PLAY: two of the largest frames, or 50 Mbit/s for
# the 5 s that a reply may take. Beyond it the oldest are discarded. Small packets take more
# memory than their bytes.
MAX_EARLY = 2 * MAX_FRAME
PACKET_OVERHEAD = 256


class Passage(Enum):
    """What happens to arriving RTP."""

    SHUT = auto()  # not requested: it belongs to an earlier session
    HELD = auto()  # PLAY is unanswered, and only its reply says which packet is the first
    OPEN = auto()


class Gate:
    """Lets packets in, holds them back, or turns them away."""

    def __init__(self) -> None:
        self.passage = self._before = Passage.SHUT
        self.early: deque[tuple[list[bytes], float]] = deque()  # packets and their arrival times
        self._size = 0  # bytes

    def hold(self) -> None:
        """PLAY has been sent."""
        if self.passage is not Passage.HELD:
            self._before, self.passage = self.passage, Passage.HELD

    def open(self) -> None:
        """PLAY was answered: the waiting packets are let in with the next ones."""
        self.passage = Passage.OPEN

    def give_up(self) -> bool:
        """PLAY was refused: what waits is discarded. False if there was none."""
        if self.passage is not Passage.HELD:
            return False
        self.passage = self._before
        self.early.clear()
        self._size = 0
        return True

    def arrive(self, packets: list[bytes], now: float) -> list[tuple[list[bytes], float]]:
        """Return the packets let in by now, each with its arrival time."""
        if self.passage is Passage.SHUT:
            return []
        if self.passage is Passage.HELD:
            self._keep(packets, now)
            return []
        if not self.early:
            return [(packets, now)]
        waited = [*self.early, (packets, now)]
        self.early.clear()
        self._size = 0
        return waited

    def _keep(self, packets: list[bytes], now: float) -> None:
        if packets:
            self.early.append((packets, now))
            self._size += _size(packets)
        while self._size > MAX_EARLY:
            self._size -= _size(self.early.popleft()[0])


def _size(packets: list[bytes]) -> int:
    return sum(map(len, packets)) + len(packets) * PACKET_OVERHEAD
