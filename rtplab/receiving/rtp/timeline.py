"""When each frame is due, from its RTP timestamp, or from arrivals where that is garbage."""

from __future__ import annotations

from rtplab.protocol.rtp.serial import timestamp_delta

CLOCK_RATE = 90_000  # ticks a second of every video payload (RFC 3551 section 5)
# Steps between frames that a 90 kHz clock can make, in seconds. Lab servers stamp whole seconds of
# the wall clock (steps of 0 or 1 tick), zero, or random numbers.
_SMALLEST_STEP = 1 / 250
LARGEST_STEP = 5.0
_SMOOTHING = 1 / 16  # weight of a new interval in the learned one, as in RFC 3550 A.8
_FIRST_GUESS = 1 / 20  # seconds between frames: the lab's 20 frames a second


class MediaTimeline:
    """Maps the frames of one stream to seconds of media time that always grow."""

    def __init__(self) -> None:
        self._previous: tuple[int, float] | None = None  # timestamp and arrival
        self._interval = _FIRST_GUESS
        self._confidence = 0
        self.media_time = 0.0

    @property
    def trusts_timestamps(self) -> bool:
        """Tell if the stream's timestamps look like 90 kHz ticks."""
        return self._confidence >= 0

    def frame(self, timestamp: int, arrival: float) -> float:
        """Return the media time of the next frame, given its timestamp and arrival in seconds."""
        previous = self._previous  # another thread may have it forgotten
        if previous is not None:
            step = timestamp_delta(timestamp, previous[0]) / CLOCK_RATE
            self._learn(step, arrival - previous[1])
            self.media_time += step if self._is_plausible(step) else self._interval
        self._previous = timestamp, arrival
        return self.media_time

    def paused(self) -> None:
        """The stream stands still: the time until it goes on is no interval between frames."""
        if self._previous is not None:
            self._previous = None
            self.media_time += self._interval

    def _is_plausible(self, step: float) -> bool:
        return self.trusts_timestamps and _SMALLEST_STEP <= step <= LARGEST_STEP

    def _learn(self, step: float, interval: float) -> None:
        plausible = _SMALLEST_STEP <= step <= LARGEST_STEP
        self._confidence = max(-8, min(8, self._confidence + (1 if plausible else -1)))
        if 0 < interval <= LARGEST_STEP:
            self._interval += (interval - self._interval) * _SMOOTHING
