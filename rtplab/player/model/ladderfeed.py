"""Hands observed traffic to the ladder while its page is shown. Needs no Tk."""

from __future__ import annotations

from rtplab.player.model.ladder import Break, Entry, Ladder
from rtplab.player.model.traffic import Seen, Traffic


class LadderFeed:
    """Connects the traffic, which flows by itself, with a ladder, which is drawn on demand."""

    def __init__(self, traffic: Traffic) -> None:
        self.ladder = Ladder()
        self._traffic = traffic
        self._seen = Seen()

    def take(self) -> bool:
        """Give the ladder the new entries; tell if there were any, or if more remain."""
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
