"""When each frame of a stream is due, and which are skipped if they are too late."""

from __future__ import annotations

import math

# Streams of the same frame rate share their beats, at most this many seconds apart: one wake-up for
# each stream would cost more than sending its frames.
LONGEST_BEAT = 0.05
# Seconds after which a stream is late: about as long as players wait.
LATE = 0.1
# Seconds for which a stream must have been late before it skips frames, and on time before it stops
# skipping: the machine can't carry the load. A stream catches up after a shorter delay.
PATIENCE = 1.0
# Seconds after which a late stream goes on from where it is: the machine was suspended.
# Catching up at double speed, one that is less late is on time again before it loses patience.
MAX_LATENESS = 1.0


class FrameClock:
    """The clock of one stream. Times are seconds of `clock.steady`.

    Deadlines are counted from the start, so that no delay adds up. A late stream catches up in
    steps of half an interval, so that frames never come in a bunch.
    """

    __slots__ = ("_interval", "_start", "_frames", "_is_behind", "_doubtful_since")

    def __init__(self, interval: float, now: float) -> None:
        """Start with a frame at `now`; one every `interval` seconds follows, on the beat."""
        beat = interval / math.ceil(interval / LONGEST_BEAT)
        self._interval = interval
        self._start = round(now / beat) * beat
        self._frames = 0.0  # a whole number, except within a frame that is sent in several bursts
        self._is_behind = False
        self._doubtful_since: float | None = None  # since when the evidence contradicts _is_behind

    def missed(self, now: float) -> int:
        """Return how many frames to skip before the next one; they are counted as gone."""
        lateness = now - self._start - self._frames * self._interval
        if lateness < LATE and not self._is_behind:  # nearly always
            self._doubtful_since = None
            return 0
        if lateness > MAX_LATENESS:
            self._start += lateness
            return 0
        is_late = lateness >= (self._interval if self._is_behind else max(LATE, self._interval))
        self._judge(is_late, now)
        if not (is_late and self._is_behind):
            return 0
        missed = int(lateness / self._interval)
        self._frames += missed
        return missed

    def next_due(self, now: float, share: float = 1.0) -> float:
        """Return when the next frame is due, or burst of one, after this `share` of a frame."""
        self._frames += share
        return max(self._due(), now + share * self._interval / 2)

    def _due(self) -> float:
        return self._start + self._frames * self._interval

    def _judge(self, is_late: bool, now: float) -> None:
        """Change our mind only after the evidence has contradicted it for PATIENCE seconds."""
        if is_late == self._is_behind:
            self._doubtful_since = None
        elif self._doubtful_since is None:
            self._doubtful_since = now
        elif now - self._doubtful_since >= PATIENCE:
            self._is_behind, self._doubtful_since = is_late, None
