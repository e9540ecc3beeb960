"""Hands what has been observed to the ladder, when somebody looks at it. Needs no Tk."""

from __future__ import annotations

from collections import deque

from rtplab.player.model.ladder import Break, Entry, Ladder
from rtplab.player.model.traffic import Seen, Traffic

_MAX_OPENINGS = 100  # of the panel that are remembered until somebody looks


class LadderFeed:
    """Between the traffic, which goes on by itself, and a ladder, which is asked for."""

    def __init__(self, traffic: Traffic) -> None:
        self.ladder = Ladder()
        self._traffic = traffic
        self._seen = Seen()
        self._openings: deque[Break] = deque(maxlen=_MAX_OPENINGS)

    def panel_opened(self, when: float) -> None:
        """The panel has been opened, at this Unix time: before, no packets were kept."""
        self._openings.append(Break(when))

    def take(self) -> bool:
        """Give the ladder what is new; tell if anything was, or is still to be taken."""
        entries: list[Entry | Break] = [*self._openings]
        self._openings.clear()
        observed, self._seen = self._traffic.after(self._seen)
        entries += observed
        self.ladder.add(sorted(entries, key=lambda entry: entry.when))
        has_more = self.ladder.take()
        oldest = self._traffic.oldest_packet
        if oldest is not None:
            self.ladder.forget_before(oldest)
        return bool(entries) or has_more
