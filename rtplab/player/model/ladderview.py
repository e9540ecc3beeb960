"""The ladder as it is seen: client and server as two lines, time downwards. Needs no Tk.

Time is to scale where there is room. Where more happens than can be read, the rows are as far apart
as they need to be; where nothing happens for long, the pause is cut short and its length is told.
Each row shows its time at the side.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice

from rtplab.player.model.bundles import Bundle
from rtplab.player.model.ladder import Arrow, Break, Entry, Event, Ladder
from rtplab.player.model.ladderrow import (
    CLIENT,
    DEPTH,
    Summary,
    arrow_shapes,
    bundle_shapes,
    legend,
    summarise,
)
from rtplab.player.model.shapes import Line, Rectangle, Shape, Text

# Seconds whose frames stand in one row; 0: each frame has a row of its own.
SPANS = (0.0, 0.1, 0.25, 1.0, 5.0)
USUAL_SPAN = 2  # of SPANS
_FINEST = 0.05  # seconds for which a row has room where each frame has its own

_HEADER = 34.0  # height of what stands above the rows, and
_LEGEND = 26.0  # below them
_FIRST = 30.0  # from the header to the first row
_AFTER_ARROW, _AFTER_BUNDLE = 30.0, 40.0  # height of a row, from the client's end downwards
_LONGEST_PAUSE = 64.0  # pixels
_LABEL = 22.0  # height of the text on an arrow
_SERVER = 26.0  # where the server's line is, from the right
_NEAREST = 60.0  # to the client's line that the server's may be: a page without a size is narrower


class Row:
    """One row: an arrow, a break, or the bundles of some time."""

    __slots__ = ("y", "when", "pause", "last", "event", "bundles", "_summary")

    def __init__(self, y: float, event: Event, ordinal: int, pause: float) -> None:
        self.y = y
        self.when = event.when
        self.pause = pause  # seconds before it that have been cut short; 0: they have not
        self.last = ordinal  # of its last event
        self.event = event
        self.bundles = [event] if isinstance(event, Bundle) else []
        self._summary: Summary | None = None

    def summary(self, right: float) -> Summary:
        """What there is to draw of its bundles, with the server's line there."""
        self._summary = summarise(self.bundles, right, self._summary)
        return self._summary


class LadderView:
    """Rows of a ladder, and which of them are seen. Lengths are pixels at 1x."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self.rows: list[Row] = []
        self._seen = 0  # events that have a row
        self._begin: float | None = None  # Unix time of the first event there was
        self._span = USUAL_SPAN
        self._top = 0.0  # height of the first row that is seen
        self._room = 0.0  # height of all that can be seen at a time
        self.follows = True

    @property
    def span(self) -> float:
        """Seconds whose frames stand in one row."""
        return SPANS[self._span]

    def update(self) -> bool:
        """Add rows for new entries, and drop the rows of discarded ones; tell if any changed."""
        ladder = self._ladder
        new = min(ladder.count - self._seen, len(ladder.events))
        for event in islice(ladder.events, len(ladder.events) - new, None):
            self._add(event, ladder.count - new)
            new -= 1
        has_changed = self._seen != ladder.count
        self._seen = ladder.count
        gone = self._gone()
        if gone:
            del self.rows[:gone]
        return has_changed or gone > 0

    def _gone(self) -> int:
        first = self._ladder.count - len(self._ladder.events)
        return next((n for n, row in enumerate(self.rows) if row.last >= first), len(self.rows))

    def _add(self, event: Event, ordinal: int) -> None:
        if self._begin is None:
            self._begin = event.when
        if not self.rows:
            self.rows.append(Row(0.0, event, ordinal, 0.0))
            return
        last = self.rows[-1]
        gap = max(0.0, event.when - last.when)
        if isinstance(event, Bundle) and last.bundles and gap < self.span:
            last.bundles.append(event)
            last.last = ordinal
            return
        least = _AFTER_BUNDLE if last.bundles else _AFTER_ARROW
        step = gap * _AFTER_BUNDLE / (self.span or _FINEST)
        pause = gap if step > max(least, _LONGEST_PAUSE) else 0.0
        step = max(least, min(step, _LONGEST_PAUSE))
        self.rows.append(Row(last.y + step, event, ordinal, pause))

    # ------------------------------------------------------------------ the visible part

    def zoom(self, direction: int) -> None:
        """Let a row stand for a shorter time (1), or for a longer one (-1)."""
        span = min(max(self._span - direction, 0), len(SPANS) - 1)
        if span == self._span:
            return
        self._span = span
        first = self._first_seen()
        ordinal = self.rows[first].last if first < len(self.rows) else 0
        self.rows = []
        count = self._ladder.count - len(self._ladder.events)
        for number, event in enumerate(self._ladder.events, start=count):
            self._add(event, number)
        self._seen = self._ladder.count
        self._top = next((row.y for row in self.rows if row.last >= ordinal), 0.0)

    def _first_seen(self) -> int:
        return bisect_left(self.rows, self._top, key=lambda row: row.y)

    @property
    def _lowest(self) -> float:
        """The top at which the last row is just seen."""
        if not self.rows:
            return 0.0
        return max(self.rows[0].y, self.rows[-1].y + _FIRST + _AFTER_BUNDLE - self._room)

    @property
    def fractions(self) -> tuple[float, float]:
        """The part of all rows that is seen, as a scroll bar has it."""
        if not self.rows:
            return 0.0, 1.0
        first, height = self.rows[0].y, self._height
        if height <= 0:
            return 0.0, 1.0
        return (self._top - first) / height, min(1.0, (self._top - first + self._room) / height)

    @property
    def _height(self) -> float:
        return max(self._room, self.rows[-1].y - self.rows[0].y + _FIRST + _AFTER_BUNDLE)

    def scroll(self, by: float) -> None:
        """Scroll up or down by this many pixels. Scrolling back stops following the newest row."""
        if by < 0:
            self.follows = False
        self._move_to(self._top + by)

    def scroll_pages(self, count: float) -> None:
        """Scroll up or down by this many page heights."""
        self.scroll(count * self._room)

    def scroll_to(self, fraction: float) -> None:
        """Go where a scroll bar's knob was moved to."""
        if self.rows:
            self.follows = False
            self._move_to(self.rows[0].y + fraction * self._height)

    def _move_to(self, top: float) -> None:
        first = self.rows[0].y if self.rows else 0.0
        self._top = min(max(top, first), self._lowest)

    def shapes(self, width: float, height: float, server: str) -> list[Shape]:
        """Return the visible part for a page of that size; `server` is the server's name."""
        self._room = max(1.0, height - _HEADER - _LEGEND)
        self._move_to(self._lowest if self.follows else self._top)
        right = _server_line(width)
        shapes: list[Shape] = [
            Line((CLIENT, _HEADER, CLIENT, height - _LEGEND), "border", 1.4),
            Line((right, _HEADER, right, height - _LEGEND), "border", 1.4),
        ]
        if not self.rows:
            text = "Nothing has been sent so far: press Setup."
            shapes.append(Text((CLIENT + right) / 2, _HEADER + _FIRST, text, "text", anchor="n"))
        offset = _HEADER + _FIRST - self._top
        for row in islice(self.rows, max(0, self._first_seen() - 1), None):
            y = row.y + offset
            if y > height - _LEGEND - (DEPTH if row.bundles else 0.0):
                break
            if y >= _HEADER + _LABEL:  # no half of a text shows
                shapes += self._row(row, y, right)
        shapes += [
            Rectangle(0, 0, width, _HEADER, "window"),
            Rectangle(0, height - _LEGEND, width, height, "window"),
            Text(CLIENT - 8, _HEADER / 2, "Client", "text", "bold"),
            Text(8, _HEADER / 2, "time / s", "muted"),
            Text(width - 8, _HEADER / 2, f"Server {server}".strip(), "text", "bold", "e"),
        ]
        return shapes + legend(height - _LEGEND / 2)

    # ------------------------------------------------------------------ the rows

    def _row(self, row: Row, y: float, right: float) -> list[Shape]:
        shapes: list[Shape] = []
        time = row.when - (self._begin or 0.0)
        shapes.append(Text(CLIENT - 10, y, f"{time:.3f}", "muted", anchor="e"))
        middle = (CLIENT + right) / 2
        if row.pause:
            text = _pause_text(row.pause)
            shapes.append(Text(CLIENT - 10, y - 26, f"⋮ {text}", "muted", anchor="e"))
        if isinstance(row.event, Arrow):
            return shapes + arrow_shapes(row.event, y, right, row)
        if isinstance(row.event, Break):
            text = "Earlier packets have been discarded."
            shapes.append(Line((CLIENT, y, right, y), "muted", dashed=True))
            shapes.append(Text(middle, y - 4, text, "muted", anchor="s"))
            return shapes
        return shapes + bundle_shapes(row.summary(right), y, row)

    def entry_at(self, row: Row, x: float, width: float) -> Entry | None:
        """What a click on a row opens, at a place from the left of a page of that width."""
        if isinstance(row.event, Arrow):
            return row.event.entry
        summary = row.summary(_server_line(width))
        entries = [
            (abs(summary.left + mark.x - x), mark.entry)
            for mark in summary.marks
            if mark.entry is not None
        ]
        return min(entries, key=lambda pair: pair[0])[1] if entries else None


def _server_line(width: float) -> float:
    return max(width - _SERVER, CLIENT + _NEAREST)


def _pause_text(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
