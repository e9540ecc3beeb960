"""What the soak counts, and when the load itself was held up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque

EXAMPLES = 20  # of faults that are told in words
BEAT = 0.05  # seconds
NOTICED = 0.02  # seconds beyond a beat that count as a hold-up
STALLS_KEPT = 1000
WORTH_A_LOOK = 0.1  # seconds: of what came later by this, the load's own hold-ups are subtracted


class Fault(Exception):
    """What a viewer who behaves must never meet, in a sentence."""


class Heartbeat:
    """Tells how long the load itself stood still: the machine may give it no time.

    What comes late by that much is no fault of the server's.
    """

    def __init__(self) -> None:
        self._next = time.monotonic() + BEAT
        self._stalls: deque[tuple[float, float]] = deque(maxlen=STALLS_KEPT)
        self.longest = 0.0
        self.total = 0.0

    async def run(self) -> None:
        while True:
            now = time.monotonic()
            late = now - self._next
            if late > NOTICED:
                self._stalls.append((now, late))
                self.longest = max(self.longest, late)
                self.total += late
            self._next = now + BEAT
            await asyncio.sleep(BEAT)

    def held_up_since(self, moment: float) -> float:
        """Seconds; a hold-up that is noticed only now is counted."""
        late = time.monotonic() - self._next
        total = late if late > NOTICED else 0.0
        for end, seconds in reversed(self._stalls):
            if end <= moment:
                break
            total += seconds
        return total


class Tally:
    """All figures of one soak."""

    def __init__(self, beat: Heartbeat, reply_limit: float, frame_limit: float) -> None:
        """A reply is late after `reply_limit` seconds, a frame by `frame_limit` seconds."""
        self.beat = beat
        self._reply_limit = reply_limit
        self._frame_limit = frame_limit
        self.sessions: Counter[str] = Counter()  # by transport
        self.endings: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()  # by method
        self.frames: Counter[str] = Counter()  # compared, by transport
        self.bytes = 0  # of compared frames
        self.films_seen = 0  # from some place to the end
        self.hostile: Counter[str] = Counter()  # acts by kind
        self.faults: Counter[str] = Counter()
        self.examples: list[str] = []
        self.left_out = 0  # frames for which the server had no time
        self.lost_packets = 0  # where the load's own sockets were full, or it stood still
        self.replies = self.late_replies = self.late_frames = 0
        self.slowest_reply = self.latest_frame = 0.0

    def forget_figures(self) -> None:
        """Begin to count anew; what has failed so far stays."""
        for counts in (self.sessions, self.endings, self.requests, self.frames):
            counts.clear()
        self.bytes = self.lost_packets = self.left_out = 0
        self.beat.longest = self.beat.total = 0.0
        self.replies = self.late_replies = self.late_frames = 0
        self.slowest_reply = self.latest_frame = 0.0

    def fault(self, sentence: str, where: str) -> None:
        """Note what must not be; `where` tells which visit it was."""
        self.faults[sentence] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{where}: {sentence}")

    def reply(self, sent: float) -> None:
        """A reply has come to what was sent at `sent`."""
        seconds = time.monotonic() - sent
        if seconds > WORTH_A_LOOK:
            seconds -= self.beat.held_up_since(sent)
        self.replies += 1
        self.slowest_reply = max(self.slowest_reply, seconds)
        self.late_replies += seconds > self._reply_limit

    def lateness(self, seconds: float, since: float) -> bool:
        """A frame has come so late; `since` is when one was last on time. Tell if that is late."""
        if seconds > WORTH_A_LOOK:
            seconds -= self.beat.held_up_since(since)
        self.latest_frame = max(self.latest_frame, seconds)
        if seconds <= self._frame_limit:
            return False
        self.late_frames += 1
        return True
