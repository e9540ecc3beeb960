"""How the rows of the ladder are drawn. Needs no Tk. Lengths are pixels at 1x."""

from __future__ import annotations

from typing import NamedTuple

from rtplab.player.model.bundles import Bundle, Fate, Tick
from rtplab.player.model.ladder import Arrow, Entry, Kind
from rtplab.player.model.shapes import Key, Line, Role, Shape, Text, arrow, circle

CLIENT = 74.0  # where the client's line is; left of it is the time
_SLANT = 6.0  # by which an arrow is lower at its end
_TICK, _MARKER = 7.0, 12.0  # lengths
_SIGN = 2.6  # half of the size of a cross or circle
DEPTH = _MARKER + 2 * _SIGN  # of a row of bundles below the client's end
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


class Mark(NamedTuple):
    """A tick as it is drawn: `x` from the first one, and what it stands for."""

    x: float
    frame: int  # of the row, from 0
    is_long: bool
    fate: Fate
    entry: Entry | None


def arrow_shapes(event: Arrow, y: float, right: float, row: Key) -> list[Shape]:
    """A message or a report; `row` is what a click on it gives."""
    colour = _COLOURS[event.kind]
    ends = (CLIENT, y), (right, y + _SLANT)
    if not event.sent:
        ends = (right, y - _SLANT), (CLIENT, y)
    is_rtsp = event.kind in ("request", "reply", "refusal")
    label = _cut(event.label, right)
    top = (ends[0][1] + ends[1][1]) / 2 - 3
    return [
        *arrow(*ends, colour, dashed=not is_rtsp, key=row),
        Text((CLIENT + right) / 2, top, label, colour if is_rtsp else "text", "small", "s", row),
    ]


class Summary(NamedTuple):
    """What there is to draw of a row of bundles, between the lines `CLIENT` and `right`."""

    right: float
    changes: int  # of the bundles, when it was made
    marks: list[Mark]
    left: float  # where the first mark is
    label: str
    has_come: bool  # any packet has


def summarise(bundles: list[Bundle], right: float, before: Summary | None) -> Summary:
    """Look through the packets of a row, unless nothing has changed since `before`."""
    changes = sum(bundle.changes for bundle in bundles)
    if before is not None and (before.changes, before.right) == (changes, right):
        return before
    ticks = [tick for bundle in bundles for tick in bundle.ticks]
    marks = marks_of(bundles, right - CLIENT - 2 * _MARGIN)
    label = _label(bundles, ticks, right)
    stands_for_frames = len(bundles) > 1 and len(marks) < len(ticks)
    if stands_for_frames and len(label) + len(_TICK_IS_FRAME) <= _room(right):
        label += _TICK_IS_FRAME
    left = (CLIENT + right) / 2 - (marks[-1].x / 2 if marks else 0)
    has_come = any(tick.packet is not None for tick in ticks)
    return Summary(right, changes, marks, left, label, has_come)


def bundle_shapes(summary: Summary, y: float, row: Key) -> list[Shape]:
    """An arrow with a tick for each packet, or, where those are too many, for each frame."""
    right, left = summary.right, summary.left

    def line_at(x: float) -> float:
        return y - _SLANT * (x - CLIENT) / (right - CLIENT)

    shapes: list[Shape] = []
    if summary.has_come:
        shapes += arrow((right, y - _SLANT), (CLIENT, y), "muted", 1.0, key=row)
    else:
        end = left - 8
        shapes.append(Line((right, y - _SLANT, end, line_at(end)), "muted", 1.0, True, row))
    combs: dict[int, list[float]] = {}  # one line for all that have simply come is cheaper
    for mark in summary.marks:
        x = left + mark.x
        top = line_at(x)
        end = top + (_MARKER if mark.is_long else _TICK)
        if mark.fate is Fate.ARRIVED:
            combs.setdefault(mark.frame, []).extend((x, top, x, end, x, top))
        else:
            shapes += _tick(x, top, end, mark.fate, row)
    for points in combs.values():
        shapes.append(Line(tuple(points), "text", 1.4, key=row))
    middle = (CLIENT + right) / 2
    shapes.append(Text(middle, line_at(middle) - 3, summary.label, "text", "small", "s", row))
    return shapes


def _tick(x: float, top: float, end: float, fate: Fate, row: Key) -> list[Shape]:
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
    """The label of a row of bundles; without what there is no room for."""
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
    if len(whole) <= _room(right) or not parts:
        return whole
    shorter = " · ".join(parts)
    if len(shorter) > _room(right) and len(bundles) > 1 and len(parts) > 1:
        shorter = " · ".join(parts[1:])  # the ticks stand in groups, one for each frame
    return _cut(shorter, right)


def _cut(text: str, right: float) -> str:
    """As much of a text as an arrow has room for."""
    room = _room(right)
    return text if len(text) <= room else text[: room - 1] + "…"


def _room(right: float) -> int:
    """Characters for which an arrow has room."""
    return max(4, int((right - CLIENT - 8) / _CHARACTER))


def legend(y: float) -> list[Shape]:
    """What the ticks mean."""
    shapes: list[Shape] = []
    x = CLIENT
    for fate, is_marker, text in _LEGENDS:
        top, length = y - 6, _MARKER if is_marker else _TICK
        shapes += _tick(x, top, top + length, fate, None)
        shapes.append(Text(x + 8, y, text, "muted"))
        x += 24 + _CHARACTER * len(text)
    return shapes
