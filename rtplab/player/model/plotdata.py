"""The figures of the statistics panel, sampled over the last minute. Needs no Tk."""

from __future__ import annotations

import operator
from collections import deque
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple

from rtplab.receiving.rtp.statistics import Statistics

SPAN = 60.0  # seconds that a plot shows
INTERVAL = 0.5  # seconds between two samples
RATE_WINDOW = 2.0  # seconds over which a rate is taken: enough for a few frames
GAP = 2.0  # seconds without a sample after which a new curve begins, since the panel was closed


@dataclass(frozen=True)
class Figures:
    """The plotted figures of one moment."""

    when: float
    frames_per_second: float
    kbit_per_second: float
    loss_percent: float  # of the packets expected in the last RATE_WINDOW
    jitter_ms: float
    reordered_per_second: float  # packets, as the two below
    late_per_second: float
    duplicates_per_second: float
    buffer_ms: float


@dataclass(frozen=True)
class _Counts:
    when: float
    frames: int
    bytes: int
    expected: int
    lost: int
    reordered: int
    late: int
    duplicates: int

    def rate(self, name: str, since: _Counts) -> float:
        """How much the count of this name has grown a second since earlier counts."""
        seconds = self.when - since.when
        growth: int = getattr(self, name) - getattr(since, name)
        return growth / seconds if seconds else 0.0


class PlotData:
    """Takes samples of the growing counts and keeps the figures of the last minute."""

    def __init__(self) -> None:
        self.figures: deque[Figures] = deque()
        self._counts: deque[_Counts] = deque(maxlen=round(RATE_WINDOW / INTERVAL) + 1)

    def is_due(self, now: float) -> bool:
        """Tell if it is time for the next sample."""
        return not self._counts or now - self._counts[-1].when >= INTERVAL

    def sample(self, statistics: Statistics, buffered: float, now: float) -> None:
        """Take the counts at `now`; `buffered` is seconds in the playout buffer."""
        s = statistics
        counts = _Counts(
            now, s.frames, s.bytes, s.expected, s.lost, s.reordered, s.late, s.duplicates
        )
        last = self._counts[-1] if self._counts else counts
        if counts.expected < last.expected or now - last.when > GAP:
            self._counts.clear()  # another session, or a gap of unknown content
        self._counts.append(counts)
        if len(self._counts) > 1:  # a rate takes two
            self.figures.append(_figures(self._counts[0], counts, s.jitter, buffered))
        while self.figures and now - self.figures[0].when > SPAN:
            self.figures.popleft()

    def table(self) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
        """The names and the values of the figures, with the seconds since the first of them."""
        names = tuple(field.name for field in fields(Figures))
        lines = [astuple(figure) for figure in self.figures]
        begin = lines[0][0] if lines else 0.0
        return ("seconds", *names[1:]), [(line[0] - begin, *line[1:]) for line in lines]

    def runs(self) -> list[list[Figures]]:
        """The figures of the last minute, cut where none were taken for a while."""
        runs: list[list[Figures]] = []
        for figure in self.figures:
            if not runs or figure.when - runs[-1][-1].when > GAP:
                runs.append([])
            runs[-1].append(figure)
        return runs


def _figures(first: _Counts, last: _Counts, jitter: float, buffered: float) -> Figures:
    expected, lost = last.expected - first.expected, max(0, last.lost - first.lost)
    return Figures(
        last.when,
        frames_per_second=last.rate("frames", first),
        kbit_per_second=last.rate("bytes", first) * 8 / 1000,
        loss_percent=100 * lost / expected if expected else 0.0,
        jitter_ms=jitter * 1000,
        reordered_per_second=last.rate("reordered", first),
        late_per_second=last.rate("late", first),
        duplicates_per_second=last.rate("duplicates", first),
        buffer_ms=buffered * 1000,
    )


def _count(number: int, exact_below: int = 10**8) -> str:
    """A number in no more than twelve characters."""
    if abs(number) < exact_below:
        return f"{number:,}"
    return f"{number / 10**6:,.1f} M" if abs(number) < 10**11 else f"{number / 10**9:,.1f} G"


class Totals(NamedTuple):
    """The totals so far, as shown."""

    frames: int
    packets: int
    bytes: int
    seconds: float
    expected: int
    lost: int
    reordered: int
    late: int
    duplicates: int
    malformed: int
    skipped: int

    @classmethod
    def of(cls, statistics: Statistics, malformed: int, skipped: int) -> Totals:
        s = statistics
        return cls(
            s.frames, s.packets, s.bytes, s.seconds, s.expected, s.lost, s.reordered, s.late,
            s.duplicates, malformed, skipped,
        )  # fmt: skip

    def since(self, before: Totals) -> Totals:
        """The totals since then."""
        return Totals(*map(operator.sub, self, before))

    def rows(self, jitter: float, max_jitter: float) -> list[tuple[str, str]]:
        """Names and values; the jitter now and the largest so far are in seconds."""
        loss = 100 * self.lost / self.expected if self.expected > 0 else 0.0
        return [
            ("Frames", _count(self.frames)),
            ("Packets", _count(self.packets)),
            ("Bytes", _count(self.bytes)),
            ("Time", f"{self.seconds:.1f} s"),
            ("Expected", _count(self.expected)),
            ("Lost", f"{_count(self.lost, 10**6)} ({loss:.1f} %)"),
            ("Jitter", f"{jitter * 1000:.2f} ms"),
            ("Max jitter", f"{max_jitter * 1000:.2f} ms"),
            ("Out of order", _count(self.reordered)),
            ("Duplicates", _count(self.duplicates)),
            ("Late packets", _count(self.late)),
            ("Malformed", _count(self.malformed)),
            ("Frames not shown", _count(self.skipped)),
        ]
