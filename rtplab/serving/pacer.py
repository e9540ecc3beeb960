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

from rtplab.protocol.errors import MessageError

# Frames due so much later, in seconds, go with those due now: a viewer can't tell, and the thread
# wakes up less often.
TOGETHER = 0.010

# Frames of which it is kept how late they left: a second of 500 streams.
LATENESS_KEPT = 10_000

logger = logging.getLogger("rtplab.pacer")


class Ticket:
    """A stream's place in the heap; `cancel` takes it out."""

    def __init__(self, send: Callable[[], float | None]) -> None:
        self.send: Callable[[], float | None] | None = send

    def cancel(self) -> None:
        """Make sure that no later call is begun; one under way may still end."""
        self.send = None


_Entry = tuple[float, int, Ticket]  # when it is due, in which order, what


class Pacer:
    """Calls each stream's `send` when it is due; `send` returns when it is due next, or None.

    Times are seconds of `time.monotonic`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards _added and _closing
        self._added: list[_Entry] = []  # not yet in the heap
        self._closing = False
        self._thread: threading.Thread | None = None
        self._numbers = itertools.count()  # keeps equal deadlines in order
        self._latenesses: deque[float] = deque(maxlen=LATENESS_KEPT)  # below 0: went with others
        # What follows is used by the thread alone.
        self._heap: list[_Entry] = []
        self.left_out = 0  # frames of all streams so far
        self._unsaid = 0
        self._silent_until = 0.0

    def lateness(self, share: float) -> float:
        """Return how late, in seconds, this share (0 to 1) of the last frames left at most."""
        latenesses = sorted(self._latenesses.copy())
        if not latenesses:
            return 0.0
        return max(0.0, latenesses[min(int(share * len(latenesses)), len(latenesses) - 1)])

    def start(self) -> None:
        """Start the thread, unless it runs. Raises MessageError 503 when the system grants none."""
        with self._changed:
            if self._thread is None and not self._closing:
                # A daemon, so that a script that never closes its ServerWorker comes to its end.
                thread = threading.Thread(target=self._run, name="pacer", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise MessageError(f"no stream can be sent: {error}", 503) from error
                self._thread = thread

    def add(self, send: Callable[[], float | None], deadline: float) -> Ticket:
        """Call `send` at `deadline`, and then as often as it asks to be called.

        Raises MessageError 503 when the thread is still to be started, and can't be.
        """
        self.start()
        ticket = Ticket(send)
        with self._changed:
            self._added.append((deadline, next(self._numbers), ticket))
            self._changed.notify()
        return ticket

    def say_left_out(self, frames: int) -> None:
        """Count frames that a stream leaves out, and say so once a second. For a `send` to call."""
        self.left_out += frames
        self._unsaid += frames
        now = time.monotonic()
        if now >= self._silent_until:
            logger.warning("%d frames left out: more is asked for than can be sent", self._unsaid)
            self._unsaid, self._silent_until = 0, now + 1.0

    def close(self) -> None:
        """Stop the thread and wait for it. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._wait():
            self._send_due(time.monotonic() + TOGETHER)

    def _wait(self) -> bool:
        """Wait until something is due; False when the pacer is closed."""
        with self._changed:
            while not self._closing:
                for entry in self._added:
                    heapq.heappush(self._heap, entry)
                self._added.clear()
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                if left is not None and left <= 0:
                    return True
                self._changed.wait(left)
        return False

    def _send_due(self, horizon: float) -> None:
        """Send what is due until then."""
        heap = self._heap
        while heap and heap[0][0] <= horizon:
            deadline, number, ticket = heap[0]
            self._latenesses.append(time.monotonic() - deadline)
            following = _send(ticket)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (following, number, ticket))


def _send(ticket: Ticket) -> float | None:
    send = ticket.send
    if send is None:
        return None
    try:
        return send()
    except Exception:
        # A fault in one stream must not stop all the others.
        logger.exception("a stream failed and is dropped")
        return None
