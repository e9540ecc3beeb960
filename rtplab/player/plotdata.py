"""The figures of the statistics panel, sampled over the last minute. Needs no Tk."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rtplab.receiving.statistics import Statistics

SPAN = 60.0  # seconds that a plot shows
INTERVAL = 0.5  # seconds between two samples
RATE_WINDOW = 2.0  # seconds over which a rate is taken: enough for a few frames


@dataclass(frozen=True)
class Figures:
    """What is plotted, at one moment."""

    when: float
    frames_per_second: float
    kbit_per_second: float
    loss_percent: float  # of the packets expected in the last RATE_WINDOW
    jitter_ms: float
    irregular_per_second: float  # packets out of order, late or doubled
    buffer_ms: float


@dataclass(frozen=True)
class _Counts:
    when: float
    frames: int
    bytes: int
    expected: int
    lost: int
    irregular: int


class PlotData:
    """Takes samples of the growing counts and keeps the figures of the last minute."""

    def __init__(self) -> None:
        self.figures: deque[Figures] = deque(maxlen=round(SPAN / INTERVAL) + 1)
        self._counts: deque[_Counts] = deque(maxlen=round(RATE_WINDOW / INTERVAL) + 1)

    def is_due(self, now: float) -> bool:
        """Tell if it is time for the next sample."""
        return not self._counts or now - self._counts[-1].when >= INTERVAL

    def sample(self, statistics: Statistics, buffered: float, now: float) -> None:
        """Take the counts at `now`; `buffered` is seconds in the playout buffer."""
        s = statistics
        irregular = s.reordered + s.late + s.duplicates
        counts = _Counts(now, s.frames, s.bytes, s.expected, s.lost, irregular)
        if self._counts and counts.expected < self._counts[-1].expected:
            self._counts.clear()  # another session
        self._counts.append(counts)
        first = self._counts[0]
        seconds = now - first.when
        expected, lost = counts.expected - first.expected, max(0, counts.lost - first.lost)
        self.figures.append(
            Figures(
                now,
                (counts.frames - first.frames) / seconds if seconds else 0.0,
                (counts.bytes - first.bytes) * 8 / 1000 / seconds if seconds else 0.0,
                100 * lost / expected if expected else 0.0,
                s.jitter * 1000,
                (counts.irregular - first.irregular) / seconds if seconds else 0.0,
                buffered * 1000,
            )
        )


def totals(statistics: Statistics, malformed: int, skipped: int) -> list[tuple[str, str]]:
    """The session's totals as names and values."""
    s = statistics
    return [
        ("Frames", f"{s.frames:,}"),
        ("Packets", f"{s.packets:,}"),
        ("Bytes", f"{s.bytes:,}"),
        ("Time", f"{s.seconds:.1f} s"),
        ("Expected", f"{s.expected:,}"),
        ("Lost", f"{s.lost:,} ({100 * s.loss_rate:.1f} %)"),
        ("Jitter", f"{s.jitter * 1000:.2f} ms"),
        ("Out of order", f"{s.reordered:,}"),
        ("Late", f"{s.late:,}"),
        ("Duplicates", f"{s.duplicates:,}"),
        ("Malformed", f"{malformed:,}"),
        ("Not shown in time", f"{skipped:,}"),
    ]
