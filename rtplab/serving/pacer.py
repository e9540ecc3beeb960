"""The pacer: one thread that decides when each stream of the process sends its next frame.

A thread per stream collapses at a few hundred streams, waking up being dearer than sending. Here
all streams wait in one heap, and those due within the same few milliseconds go together.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

# Frames due so much later, in seconds, go with those due now: a viewer can't tell, and the thread
# wakes up less often.
TOGETHER = 0.010

# A stream that comes so late, in seconds, because the machine was suspended or overloaded, goes on
# from where it is: it does not send what it missed in a burst.
MAX_LATENESS = 0.25

# Frames of which it is kept how late they left: a second of 500 streams.
LATENESS_KEPT = 10_000

logger = logging.getLogger("rtplab.pacer")


class FrameClock:
    """When each frame of a stream is due, counted from the start, so that no delay adds up."""

    def __init__(self, interval: float, now: float) -> None:
        """Start with the first frame due at `now`, and one every `interval` seconds."""
        self._interval = interval
        self._start = now
        self._frames = 0.0  # whole, but for a frame that is sent in several bursts

    def next_due(self, now: float, share: float = 1.0) -> float:
        """Return when the next frame is due, or burst of one, after this `share` of a frame."""
        lateness = now - (self._start + self._frames * self._interval)
        if lateness > MAX_LATENESS:
            self._start += lateness
        self._frames += share
        return self._start + self._frames * self._interval


class Ticket:
    """A stream's place in the heap; `cancel` takes it out."""

    def __init__(self, send: Callable[[], float | None]) -> None:
        self.send: Callable[[], float | None] | None = send

    def cancel(self) -> None:
        """Make sure that no later call is begun; one under way may still end."""
        self.send = None


class Pacer:
    """Calls each stream's `send` when it is due; `send` returns when it is due next, or None.

    Times are seconds of `time.monotonic`.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Ticket]] = []
        self._numbers = itertools.count()  # keeps equal deadlines in order
        self._changed = threading.Condition()  # guards _heap and _closing
        self._closing = False
        self._thread: threading.Thread | None = None
        self._latenesses: deque[float] = deque(maxlen=LATENESS_KEPT)  # below 0: went with others

    def lateness(self, share: float) -> float:
        """Return how late, in seconds, this share (0 to 1) of the last frames left at most."""
        latenesses = sorted(self._latenesses.copy())
        if not latenesses:
            return 0.0
        return max(0.0, latenesses[min(int(share * len(latenesses)), len(latenesses) - 1)])

    def add(self, send: Callable[[], float | None], deadline: float) -> Ticket:
        """Call `send` at `deadline`, and then as often as it asks to be called."""
        ticket = Ticket(send)
        with self._changed:
            if self._thread is None and not self._closing:
                # A daemon, so that a script that never closes its ServerWorker comes to its end.
                self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
                self._thread.start()
            heapq.heappush(self._heap, (deadline, next(self._numbers), ticket))
            self._changed.notify()
        return ticket

    def close(self) -> None:
        """Stop the thread and wait for it. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while due := self._wait_for_due():
            for deadline, ticket in due:
                self._latenesses.append(time.monotonic() - deadline)
                self._send(ticket)

    def _wait_for_due(self) -> list[tuple[float, Ticket]]:
        """Return what is due, with its deadlines, at least one; none when the pacer is closed."""
        with self._changed:
            while not self._closing:
                now = time.monotonic()
                due = []
                while self._heap and self._heap[0][0] <= now + TOGETHER:
                    deadline, _, ticket = heapq.heappop(self._heap)
                    due.append((deadline, ticket))
                if due:
                    return due
                self._changed.wait(self._heap[0][0] - now if self._heap else None)
        return []

    def _send(self, ticket: Ticket) -> None:
        send = ticket.send
        if send is None:
            return
        try:
            deadline = send()
        except Exception:
            # A fault in one stream must not stop all the others.
            logger.exception("a stream failed and is dropped")
            return
        if deadline is not None:
            with self._changed:
                heapq.heappush(self._heap, (deadline, next(self._numbers), ticket))
