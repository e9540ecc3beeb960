"""Hands what has been observed to the ladder, when somebody looks at it. Needs no Tk."""

from __future__ import annotations

from rtplab.player.model.ladder import Break, Entry, Ladder
from rtplab.player.model.traffic import Seen, Traffic


class LadderFeed:
    """Between the traffic, which goes on by itself, and a ladder, which is asked for."""

    def __init__(self, traffic: Traffic) -> None:
        self.ladder = Ladder()
        self._traffic = traffic
        self._seen = Seen()

    def take(self) -> bool:
        """Give the ladder what is new; tell if anything was, or is still to be taken."""
        entries: list[Entry | Break] = []
        oldest = self._traffic.oldest_packet
        if oldest is not None and self._traffic.has_forgotten_after(self._seen):
            entries.append(Break(oldest))
        observed, self._seen = self._traffic.after(self._seen)
        entries += observed
        self.ladder.add(sorted(entries, key=lambda entry: entry.when))
        has_more = self.ladder.take()
        if oldest is not None:
            self.ladder.forget_before(oldest)
        return bool(entries) or has_more
