"""The pacer: one thread that decides when each stream of the process sends its next frame.

A thread per stream collapses at a few hundred streams, because waking up costs more than sending.
Here all streams wait in one queue, and those due within the same few milliseconds go together.
"""

from __future__ import annotations

import heapq
import logging
import math
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from rtplab.clock import FineWaiting, steady
from rtplab.protocol.errors import MessageError

MOMENTS = 1000  # per second: due times are rounded to these
ROUNDING = 0.5 / MOMENTS  # seconds: the maximum rounding error

# Frames due within this many seconds go with those due now: a viewer can't tell, and the thread
# wakes up less often.
TOGETHER = 0.010

# Frames whose lateness is remembered: a second of 500 streams.
LATENESS_KEPT = 10_000
PAUSE = 0.1  # seconds after a failure of the pacer itself: a lasting one must not fill the log

TOO_MUCH = "the server can't send as much as clients ask for"  # why frames are skipped, most often

logger = logging.getLogger("rtplab.pacer")


class ScheduledStream:
    """A stream's place in the queue; `cancel` takes it out."""

    __slots__ = ("send",)

    def __init__(self, send: Callable[[], float | None]) -> None:
        self.send: Callable[[], float | None] | None = send

    def cancel(self) -> None:
        """Make sure that no further call begins; one in progress may still end."""
        self.send = None


class Pacer:
    """Calls each stream's `send` when it is due; `send` returns when it is due next, or None.

    Times are seconds of `clock.steady`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards the attributes below, up to _closing
        self._added: list[
            tuple[ScheduledStream, int]
        ] = []  # not yet in the queue, with their moments
        self._wakes_at = 0.0  # until when the thread waits, unless it is notified
        self._closing = False
        self._thread: threading.Thread | None = None
        self._latenesses: deque[float] = deque(maxlen=LATENESS_KEPT)  # below 0: went with others
        # Only the thread uses the attributes below.
        self._moments: list[int] = []  # at which something is due: a heap
        self._queue: defaultdict[int, list[ScheduledStream]] = defaultdict(list)  # by moment
        self._waiting = FineWaiting()
        self.skipped = 0  # frames of all streams so far
        self._unsaid: Counter[str] = Counter()  # by reason, those not yet logged
        self._silent_until = 0.0

    def lateness(self, share: float) -> float:
        """Return how late, in seconds, this share (0 to 1) of the last frames left at most."""
        latenesses = sorted(self._latenesses.copy())
        if not latenesses:
            return 0.0
        return max(0.0, latenesses[min(int(share * len(latenesses)), len(latenesses) - 1)])

    @property
    def thread(self) -> threading.Thread | None:
        """The sending thread; None before the first stream."""
        return self._thread

    def start(self) -> None:
        """Start the thread unless it runs. Raises MessageError 503 if the system grants none."""
        with self._changed:
            if self._thread is None and not self._closing:
                # A daemon, so that a script that never closes its ServerWorker can exit.
                thread = threading.Thread(target=self._run, name="pacer", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise MessageError(f"no stream can be sent: {error}", 503) from error
                self._thread = thread

    def add(self, send: Callable[[], float | None], deadline: float) -> ScheduledStream:
        """Call `send` at `deadline`, and then as often as it asks to be called.

        Raises MessageError 503 if the thread must be started and can't be.
        """
        self.start()
        ticket, moment = ScheduledStream(send), round(deadline * MOMENTS)
        with self._changed:
            self._added.append((ticket, moment))
            if deadline < self._wakes_at or self._wakes_at < steady():  # it is overdue
                self._changed.notify()
        return ticket

    def log_skipped(self, frames: int, why: str = TOO_MUCH) -> None:
        """Count frames that a stream skips, and log them once a second. Called by a `send`."""
        self.skipped += frames
        self._unsaid[why] += frames
        now = steady()
        if now >= self._silent_until:
            for reason, unsaid in self._unsaid.items():
                logger.warning("%d frames skipped: %s", unsaid, reason)
            self._unsaid.clear()
            self._silent_until = now + 1.0

    def close(self) -> None:
        """Stop the thread and wait for it. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                try:
                    if not self._wait():
                        break
                    self._send_due(steady() + TOGETHER)
                except Exception:  # without this thread, all streams would stop
                    logger.exception("the pacer failed and continues")
                    time.sleep(PAUSE)
        finally:
            self._waiting.use(False)

    def _wait(self) -> bool:
        """Wait until something is due; False once the pacer is closed."""
        with self._changed:
            while not self._closing:
                for ticket, moment in self._added:
                    self._enqueue(ticket, moment)
                self._added.clear()
                self._wakes_at = self._moments[0] / MOMENTS if self._moments else math.inf
                left = self._wakes_at - steady()
                if left <= ROUNDING:
                    return True
                self._waiting.use(bool(self._moments))
                self._changed.wait(left if self._moments else None)
        return False

    def _enqueue(self, ticket: ScheduledStream, moment: int) -> None:
        """Queue a stream with others due at the same moment, in order of arrival."""
        tickets = self._queue[moment]
        if not tickets:
            heapq.heappush(self._moments, moment)
        tickets.append(ticket)

    def _send_due(self, horizon: float) -> None:
        """Send what is due until then."""
        while self._moments and self._moments[0] <= horizon * MOMENTS:
            moment = heapq.heappop(self._moments)
            for ticket in self._queue.pop(moment):
                self._latenesses.append(steady() - moment / MOMENTS)
                following = _send(ticket)
                if following is not None:
                    self._enqueue(ticket, following)


def _send(ticket: ScheduledStream) -> int | None:
    """Send a stream's due packets; return when its next ones are due, None if never."""
    send = ticket.send
    if send is None:
        return None
    try:
        deadline = send()
        return None if deadline is None else round(deadline * MOMENTS)
    except Exception:
        # A failure in one stream must not stop the others.
        logger.exception("a stream failed and is dropped")
        return None
