"""Collects the events of a scenario while it runs, from all its threads."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rtplab.grading.model.recording import Event, Recording

MOST_EVENTS = 100_000
"""A scenario of ours has some thousands: a submission that floods us must not fill the memory."""
TICK = 0.01
"""Seconds between two measurements of how late this machine's timers are."""


class Recorder:
    """The events so far. Any thread may add to them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.facts: dict[str, Any] = {}
        self._clock = clock
        self._start = clock()
        self._events: list[Event] = []
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()  # guards the events and the counts

    def add(self, kind: str, **fields: Any) -> None:
        """Record something that happened now."""
        with self._changed:
            if len(self._events) < MOST_EVENTS:
                self._events.append(Event(self._clock() - self._start, kind, fields))
                self._counts[kind] += 1
                self._changed.notify_all()

    def step(self, name: str) -> None:
        self.add("step", name=name)

    def count(self, kind: str) -> int:
        """How many events of this kind there are."""
        return self._counts[kind]

    def wait_for(self, kind: str, limit: float, more: int = 1) -> bool:
        """Wait until there are `more` events of this kind than now; False after `limit` s."""
        return self.wait_until_count(kind, self._counts[kind] + more, limit)

    def wait_until_count(self, kind: str, count: int, limit: float) -> bool:
        """Wait until there are that many events of this kind; False after `limit` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._counts[kind] >= count, limit)

    def wait_until(
        self, matches: Callable[[Event], bool], limit: float, since: int = 0
    ) -> Event | None:
        """Wait for an event, from the one of this index on; None after `limit` seconds."""
        found: list[Event] = []
        at = since

        def look() -> bool:
            nonlocal at
            while at < len(self._events):
                event = self._events[at]
                at += 1
                if matches(event):
                    found.append(event)
                    return True
            return False

        with self._changed:
            self._changed.wait_for(look, limit)
        return found[0] if found else None

    @property
    def position(self) -> int:
        """The index that the next event will have."""
        return len(self._events)

    def recording(self, scenario: str, edition: str) -> Recording:
        with self._changed:
            return Recording(scenario, edition, dict(self.facts), tuple(self._events))


@contextmanager
def noise_measured(recorder: Recorder) -> Iterator[None]:
    """Note in the facts how late timers are meanwhile: on a busy machine, all of them are."""
    lateness: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while True:
            due = time.monotonic() + TICK
            if ended.wait(TICK):
                return
            lateness.append(max(0.0, time.monotonic() - due))

    thread = threading.Thread(target=watch, name="grader noise")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        recorder.facts["noise"] = round(statistics.median(lateness), 6) if lateness else 0.0
        recorder.facts["noise_worst"] = round(max(lateness, default=0.0), 6)
