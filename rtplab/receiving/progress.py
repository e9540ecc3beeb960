"""The progress of reception, in one short line that is renewed meanwhile."""

from __future__ import annotations

from collections import deque

from rtplab.receiving.rtp.statistics import Statistics

WINDOW = 2.0  # seconds over which rates are taken: long enough not to flicker


class Progress:
    """Counts what has arrived since the movie was requested. Times are seconds of one clock."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._samples = deque([(now, 0, 0)])  # when, frames and bytes until then

    def line(self, frames: int, statistics: Statistics, now: float) -> str:
        """Return the line at `now`: time, frames, rates, loss (RFC 3550 A.3), jitter (A.8)."""
        samples = self._samples
        samples.append((now, frames, statistics.bytes))
        while samples[1][0] <= now - WINDOW:
            samples.popleft()
        when, frames_then, bytes_then = samples[0]
        seconds = max(now - when, 1e-3)
        minutes, second = divmod(int(now - self._began), 60)
        return (
            f"{minutes}:{second:02}  {frames} frames, {(frames - frames_then) / seconds:.1f}/s, "
            f"{(statistics.bytes - bytes_then) * 8 / 1000 / seconds:.0f} kbit/s, "
            f"{statistics.lost} lost ({statistics.loss_rate:.1%}), "
            f"jitter {statistics.jitter * 1000:.1f} ms"
        )
