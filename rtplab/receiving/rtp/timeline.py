"""When each frame is due, by its RTP timestamp, or by arrivals if that is garbage."""

from __future__ import annotations

from rtplab.protocol.rtp.serial import timestamp_delta

CLOCK_RATE = 90_000  # ticks a second of every video payload (RFC 3551 section 5)
# Steps between frames that a 90 kHz clock can make, in seconds. Lab servers stamp whole seconds of
# the wall clock (steps of 0 or 1 tick), zero, or random numbers. A larger step is believed if
# roughly as much time has passed on arrival: a stream may have a frame every ten seconds.
_SMALLEST_STEP = 1 / 250
_LARGEST_STEP = 5.0
_FACTOR = 2.0
# Weight of a new interval in the learned one, as in RFC 3550 A.8; the first ones are averaged.
_SMOOTHING = 1 / 16
_FIRST_GUESS = 1 / 20  # seconds between frames: the lab's 20 frames a second


def may_be_step(seconds: float, interval: float) -> bool:
    """Tell if a 90 kHz clock may have advanced, or gone back, this far between two arrivals.

    `interval` is the time between the arrivals, in seconds.
    """
    return abs(seconds) <= max(_LARGEST_STEP, _FACTOR * interval)


class MediaTimeline:
    """Maps the frames of one stream to seconds of media time that always grow."""

    def __init__(self) -> None:
        self._previous: tuple[int, float] | None = None  # timestamp and arrival
        self._interval = _FIRST_GUESS
        self._learned = 0  # number of intervals it was learned from
        self._last_interval = 0.0
        self._confidence = 0
        self.media_time = 0.0

    @property
    def trusts_timestamps(self) -> bool:
        """Tell if the stream's timestamps look like 90 kHz ticks."""
        return self._confidence >= 0

    def frame(self, timestamp: int, arrival: float) -> float:
        """Return the media time of the next frame, given its timestamp and arrival in seconds."""
        previous = self._previous  # another thread may clear it
        if previous is not None:
            step = timestamp_delta(timestamp, previous[0]) / CLOCK_RATE
            is_plausible = self._learn(step, arrival - previous[1])
            is_good = is_plausible and self.trusts_timestamps
            self.media_time += step if is_good else self._interval
        self._previous = timestamp, arrival
        return self.media_time

    def paused(self) -> None:
        """The stream is paused; the time until it resumes is not an interval between frames."""
        if self._previous is not None:
            self._previous = None
            self.media_time += self._interval

    def _learn(self, step: float, interval: float) -> bool:
        """Learn from a step of the timestamps and the time between arrivals; tell if it is good."""
        is_plausible = step >= _SMALLEST_STEP and may_be_step(step, interval)
        self._confidence = max(-8, min(8, self._confidence + (1 if is_plausible else -1)))
        # After an outage one interval is long; in a slow stream every one is.
        if 0 < interval <= max(_LARGEST_STEP, _FACTOR * self._last_interval):
            self._learned += 1
            weight = max(_SMOOTHING, 1 / self._learned)
            self._interval += (max(interval, _SMALLEST_STEP) - self._interval) * weight
        self._last_interval = interval
        return is_plausible
