"""The ladder as it is seen: client and server as two lines, time downwards. Needs no Tk.

Time is to scale where there is room. Where more happens than can be read, the rows are as far apart
as they need to be; where nothing happens for long, the pause is cut short and its length is told.
Each row has its time beside it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import NamedTuple

from rtplab.player.model.bundles import Bundle, Fate, Tick
from rtplab.player.model.ladder import Arrow, Break, Entry, Event, Kind, Ladder
from rtplab.player.model.shapes import (
    Line,
    Rectangle,
    Role,
    Shape,
    Text,
    arrow,
    circle,
)

# Seconds whose frames stand in one row; 0: each frame has a row of its own.
SPANS = (0.0, 0.1, 0.25, 1.0, 5.0)
USUAL_SPAN = 2  # of SPANS
_FINEST = 0.05  # seconds for which a row has room where each frame has its own

_CLIENT = 74.0  # where the client's line is; left of it is the time
_SERVER = 26.0  # where the server's line is, from the right
_HEADER = 34.0  # height of what stands above the rows, and
_LEGEND = 26.0  # below them
_FIRST = 30.0  # from the header to the first row
_AFTER_ARROW, _AFTER_BUNDLE = 30.0, 40.0  # height of a row, from the client's end downwards
_LONGEST_PAUSE = 64.0  # pixels
_SLANT = 6.0  # by which an arrow is lower at its end
_TICK, _MARKER = 7.0, 12.0  # lengths
_SIGN = 2.6  # half of the size of a cross or circle
_WIDEST, _NARROWEST = 9.0, 3.0  # from one tick to the next, where each packet has one
_LEAST = 2.0  # from one tick to the next where a tick stands for several packets
_FRAME_GAP = 1.5  # ticks' room between two frames
_CHARACTER = 6.4  # width of a usual one
_MARGIN = 24.0  # at both ends of an arrow, where no tick is

_TICK_IS_FRAME = " · 1 tick: 1 frame"

_COLOURS: dict[Kind, Role] = {
    "request": "accent", "reply": "good", "refusal": "bad", "report": "muted",
    "goodbye": "warning", "opening": "muted",
}  # fmt: skip
_FATES: dict[Fate, Role] = {
    Fate.ARRIVED: "text", Fate.REORDERED: "warning", Fate.LATE: "warning", Fate.LOST: "bad",
}  # fmt: skip
_LEGENDS = (
    (Fate.ARRIVED, False, "packet"),
    (Fate.ARRIVED, True, "marker"),
    (Fate.LOST, False, "lost"),
    (Fate.REORDERED, False, "out of order"),
    (Fate.LATE, False, "late"),
)


class Row:
    """What stands at one height: an arrow, a break, or the bundles of a while."""

    __slots__ = ("y", "when", "pause", "last", "event", "bundles")

    def __init__(self, y: float, event: Event, ordinal: int, pause: float) -> None:
        self.y = y
        self.when = event.when
        self.pause = pause  # seconds before it that have been cut short; 0: they have not
        self.last = ordinal  # of its last event
        self.event = event
        self.bundles = [event] if isinstance(event, Bundle) else []


class Mark(NamedTuple):
    """A tick as it is drawn: `x` from the first one, and what it stands for."""

    x: float
    frame: int  # of the row, from 0
    is_long: bool
    fate: Fate
    entry: Entry | None


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
        """Make rows of what is new, and forget those of what is forgotten; tell if any was."""
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

    # ------------------------------------------------------------------ what is seen

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
        """Go up or down so many pixels. To go back is to stand still."""
        if by < 0:
            self.follows = False
        self._move_to(self._top + by)

    def scroll_pages(self, count: float) -> None:
        """Go up or down so many heights of the page."""
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
        """Return what is seen on a page of that size; `server` is the server's name."""
        self._room = max(1.0, height - _HEADER - _LEGEND)
        self._move_to(self._lowest if self.follows else self._top)
        right = width - _SERVER
        shapes: list[Shape] = [
            Line((_CLIENT, _HEADER, _CLIENT, height - _LEGEND), "border", 1.4),
            Line((right, _HEADER, right, height - _LEGEND), "border", 1.4),
        ]
        offset = _HEADER + _FIRST - self._top
        for row in islice(self.rows, max(0, self._first_seen() - 1), None):
            if row.y - self._top - _LONGEST_PAUSE > self._room:
                break
            shapes += self._row(row, row.y + offset, right)
        shapes += [
            Rectangle(0, 0, width, _HEADER, "window"),
            Rectangle(0, height - _LEGEND, width, height, "window"),
            Text(_CLIENT - 8, _HEADER / 2, "Client", "text", "bold"),
            Text(8, _HEADER / 2, "time / s", "muted"),
            Text(width - 8, _HEADER / 2, f"Server {server}".strip(), "text", "bold", "e"),
        ]
        return shapes + _legend(height - _LEGEND / 2)

    # ------------------------------------------------------------------ the rows

    def _row(self, row: Row, y: float, right: float) -> list[Shape]:
        shapes: list[Shape] = []
        time = row.when - (self._begin or 0.0)
        shapes.append(Text(_CLIENT - 10, y, f"{time:.3f}", "muted", anchor="e"))
        middle = (_CLIENT + right) / 2
        if row.pause:
            text = _pause_text(row.pause)
            shapes.append(Text(_CLIENT - 10, y - 26, f"⋮ {text}", "muted", anchor="e"))
        if isinstance(row.event, Arrow):
            return shapes + _arrow_shapes(row.event, row, y, right)
        if isinstance(row.event, Break):
            text = "No packets from before: they are not kept any more."
            shapes.append(Line((_CLIENT, y, right, y), "muted", dashed=True))
            shapes.append(Text(middle, y - 4, text, "muted", anchor="s"))
            return shapes
        return shapes + _bundle_shapes(row, y, right)

    def entry_at(self, row: Row, x: float, width: float) -> Entry | None:
        """What a click on a row opens, at a place from the left of a page of that width."""
        if isinstance(row.event, Arrow):
            return row.event.entry
        marks, left = _placed(row.bundles, _CLIENT, width - _SERVER)
        entries = [(abs(left + mark.x - x), mark.entry) for mark in marks if mark.entry is not None]
        return min(entries, key=lambda pair: pair[0])[1] if entries else None


def _pause_text(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _arrow_shapes(event: Arrow, row: Row, y: float, right: float) -> list[Shape]:
    colour = _COLOURS[event.kind]
    ends = (_CLIENT, y), (right, y + _SLANT)
    if not event.sent:
        ends = (right, y - _SLANT), (_CLIENT, y)
    is_rtsp = event.kind in ("request", "reply", "refusal")
    label = _cut(event.label, right)
    top = (ends[0][1] + ends[1][1]) / 2 - 3
    return [
        *arrow(*ends, colour, dashed=not is_rtsp, key=row),
        Text((_CLIENT + right) / 2, top, label, colour if is_rtsp else "text", "small", "s", row),
    ]


def _bundle_shapes(row: Row, y: float, right: float) -> list[Shape]:
    """An arrow with a tick for each packet, or, where those are too many, for each frame."""
    ticks = [tick for bundle in row.bundles for tick in bundle.ticks]
    has_come = any(tick.packet is not None for tick in ticks)
    marks, left = _placed(row.bundles, _CLIENT, right)

    def line_at(x: float) -> float:
        return y - _SLANT * (x - _CLIENT) / (right - _CLIENT)

    shapes: list[Shape] = []
    if has_come:
        shapes += arrow((right, y - _SLANT), (_CLIENT, y), "muted", 1.0, key=row)
    else:
        end = left - 8
        shapes.append(Line((right, y - _SLANT, end, line_at(end)), "muted", 1.0, True, row))
    combs: dict[int, list[float]] = {}  # one line for all that have simply come is cheaper
    for mark in marks:
        x = left + mark.x
        top = line_at(x)
        end = top + (_MARKER if mark.is_long else _TICK)
        if mark.fate is Fate.ARRIVED:
            combs.setdefault(mark.frame, []).extend((x, top, x, end, x, top))
        else:
            shapes += _tick(x, top, end, mark.fate, row)
    for points in combs.values():
        shapes.append(Line(tuple(points), "text", 1.4, key=row))
    middle = (_CLIENT + right) / 2
    label = _label(row.bundles, ticks, right)
    stands_for_frames = len(row.bundles) > 1 and len(marks) < len(ticks)
    if stands_for_frames and len(label) + len(_TICK_IS_FRAME) <= _room(right):
        label += _TICK_IS_FRAME
    shapes.append(Text(middle, line_at(middle) - 3, label, "text", "small", "s", row))
    return shapes


def _tick(x: float, top: float, end: float, fate: Fate, row: Row | None) -> list[Shape]:
    colour, y = _FATES[fate], end + _SIGN
    shapes: list[Shape] = [Line((x, top, x, end), colour, 1.4, key=row)]
    if fate is Fate.LOST:  # a cross in one stroke: there may be hundreds
        left, right, below = x - _SIGN, x + _SIGN, y + _SIGN
        stroke = (left, end, right, below, x, y, right, end, left, below)
        shapes.append(Line(stroke, colour, 1.4, key=row))
    elif fate is not Fate.ARRIVED:
        fill = colour if fate is Fate.LATE else None
        shapes.append(circle(x, y, _SIGN, fill, colour, 1.4, row))
    return shapes


def _placed(bundles: list[Bundle], left: float, right: float) -> tuple[list[Mark], float]:
    """The ticks of a row in the middle of its arrow, and where the first one is."""
    marks = marks_of(bundles, right - left - 2 * _MARGIN)
    return marks, (left + right) / 2 - (marks[-1].x / 2 if marks else 0)


def marks_of(bundles: list[Bundle], width: float) -> list[Mark]:
    """Return the ticks for which there is room: one for each packet, each frame, or several."""
    count = sum(len(bundle.ticks) for bundle in bundles)
    step = min(_WIDEST, width / max(1.0, count + _FRAME_GAP * (len(bundles) - 1)))
    marks: list[Mark] = []
    if step >= _NARROWEST:
        x = 0.0
        for frame, bundle in enumerate(bundles):
            for tick in bundle.ticks:
                marks.append(Mark(x, frame, tick.marker, tick.fate, tick.packet))
                x += step
            x += _FRAME_GAP * step
        return marks
    groups = [bundle.ticks for bundle in bundles]
    if len(groups) == 1:
        groups = [[tick] for tick in groups[0]]
    together = -(-len(groups) * _LEAST // width)  # groups in a tick, rounded up
    size = max(1, int(together))
    groups = [sum(groups[n : n + size], []) for n in range(0, len(groups), size)]
    step = min(_WIDEST, width / len(groups))
    is_frame = len(bundles) > 1
    return [
        _mark(number * step, number if is_frame else 0, group, is_frame)
        for number, group in enumerate(groups)
    ]


def _mark(x: float, frame: int, ticks: list[Tick], is_frame: bool) -> Mark:
    """One tick for several packets, with the worst that became of any of them."""
    fates = {tick.fate for tick in ticks}
    fate = next(fate for fate in reversed(Fate) if fate in fates)
    entry = next((tick.packet for tick in ticks if tick.packet is not None), None)
    return Mark(x, frame, is_frame or any(tick.marker for tick in ticks), fate, entry)


def _label(bundles: list[Bundle], ticks: list[Tick], right: float) -> str:
    """What a row of bundles says of itself; where there is no room, without the numbers."""
    numbers = sorted((ticks[0].number, ticks[-1].number))
    sequences = "–".join(dict.fromkeys(f"{number & 0xFFFF}" for number in numbers))
    parts = [f"{len(bundles)} frames"] if len(bundles) > 1 else []
    if len(ticks) != len(bundles):
        parts.append(f"{len(ticks)} packets")
    for count, what in (
        (sum(tick.fate is Fate.LOST for tick in ticks), "lost"),
        (sum(tick.fate is Fate.LATE for tick in ticks), "late"),
        (sum(tick.fate is Fate.REORDERED for tick in ticks), "out of order"),
        (sum(tick.repeats for tick in ticks), "again"),
    ):
        parts += [f"{count} {what}"] if count else []
    whole = " · ".join([*parts, f"seq {sequences}"])
    return whole if len(whole) <= _room(right) or not parts else _cut(" · ".join(parts), right)


def _cut(text: str, right: float) -> str:
    """As much of a text as an arrow has room for."""
    room = _room(right)
    return text if len(text) <= room else text[: room - 1] + "…"


def _room(right: float) -> int:
    """Characters for which an arrow has room."""
    return max(4, int((right - _CLIENT - 8) / _CHARACTER))


def _legend(y: float) -> list[Shape]:
    """What the ticks mean."""
    shapes: list[Shape] = []
    x = _CLIENT
    for fate, is_marker, text in _LEGENDS:
        top, length = y - 6, _MARKER if is_marker else _TICK
        shapes += _tick(x, top, top + length, fate, None)
        shapes.append(Text(x + 8, y, text, "muted"))
        x += 24 + _CHARACTER * len(text)
    return shapes
