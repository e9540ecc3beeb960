"""The timeline as a drawing: when packets were sent and arrived, and frames shown. No Tk.

Three rows share one axis of time. A tick is a packet, or as many as fall on one pixel; those of one
frame have one colour and one height, those of the next another. The playout deadline of the frame
that is looked at leads from where it was sent to where it is to be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from rtplab.player.model.framelog import LoggedFrame
from rtplab.player.model.packettable import LATE, PacketRow
from rtplab.player.model.shapes import Line, Rectangle, Role, Shape, Text, circle, cross

SPANS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds that may be seen at once
AHEAD = 0.25  # of the span that is left for what is yet to come, at the most
HEIGHT = 222.0  # of the drawing
_MARGIN = 12.0
_TOP = 20.0  # of the first band
_BAND = 32.0  # height of a band
_STEP = 60.0  # from one band to the next
_SPREAD = 0.6  # of the time between two frames, over which the packets of one are drawn
_LOWER = 9.0  # by which a tick is shorter
_DEADLINE_ROOM = 250.0  # for the text next to a deadline
_APART = 7.0  # between two crosses, or circles
_BEFORE = 1.0  # seconds before the visible part, from which a frame may have been delayed into it
_COLOURS: tuple[Role, Role] = ("accent", "good")
_TITLES = ("Sent, by RTP timestamp", "Arrived", "Shown")


class TimelineWindow(NamedTuple):
    """The visible part. Times are Unix time in seconds."""

    now: float
    span: float  # seconds
    latency: float  # seconds
    focus: int | None = None  # index of the frame whose deadline is drawn; None: the newest due
    knows_sent: bool = True  # the timestamps are a clock

    @property
    def ahead(self) -> float:
        """Seconds after `now` that are seen."""
        return min(self.latency, AHEAD * self.span)

    @property
    def begin(self) -> float:
        return self.now + self.ahead - self.span


class Timeline(NamedTuple):
    """The newest packets and frames, in the order in which they came."""

    rows: Sequence[PacketRow]
    frames: Sequence[LoggedFrame]
    step: float  # seconds between two frames

    def rows_in(self, window: TimelineWindow) -> list[PacketRow]:
        """The packets that came in the time that is seen."""
        begin, now = window.begin, window.now
        newest = takewhile(lambda row: row.when >= begin, reversed(self.rows))
        return [row for row in newest if row.when <= now][::-1]


def timeline_shapes(timeline: Timeline, window: TimelineWindow, width: float) -> list[Shape]:
    """Draw the timeline `width` pixels wide at 1x; it is HEIGHT high."""
    return _View(timeline, window, width).shapes()


class _View:
    """One drawing."""

    def __init__(self, timeline: Timeline, window: TimelineWindow, width: float) -> None:
        self._window = window
        self._left, self._right = _MARGIN, width - _MARGIN
        self._step = timeline.step
        self._is_begun = bool(timeline.rows)
        self._rows = timeline.rows_in(window)
        begin = window.begin - window.latency - _BEFORE
        newest = takewhile(lambda frame: frame.last_arrival >= begin, reversed(timeline.frames))
        self._frames = [frame for frame in newest if frame.first_arrival <= window.now][::-1]

    def shapes(self) -> list[Shape]:
        shapes: list[Shape] = []
        for number, title in enumerate(_TITLES):
            top = self._band(number)
            band = self._left, top, self._right, top + _BAND
            shapes.append(Rectangle(*band, "raised", "border"))
            shapes.append(Text(self._left, top - 9, title, "text"))
        shapes += self._axis()
        if self._window.knows_sent and self._is_begun:
            shapes += [*self._due_marks(), *self._sent()]
        else:
            text = "the server's timestamps do not follow a 90 kHz clock"
            if not self._is_begun:
                text = "no RTP packet has arrived since the panel was opened"
            shapes.append(Text(self._left + 8, self._band(0) + _BAND / 2, text, "muted"))
        shapes += [*self._arrived(), *self._shown()]
        if self._window.knows_sent:
            shapes += self._deadline()
        return shapes + self._legend()

    def _band(self, number: int) -> float:
        return _TOP + number * _STEP

    def _x(self, when: float) -> float:
        window = self._window
        return self._left + (self._right - self._left) * (when - window.begin) / window.span

    def _is_seen(self, x: float) -> bool:
        return self._left <= x <= self._right

    def _sent_at(self, frame: LoggedFrame) -> float:
        return frame.clock.sent_at(frame.time)

    def _due_at(self, frame: LoggedFrame) -> float | None:
        return frame.clock.due_at(frame.time, self._window.latency)

    def _ticks(self, number: int, places: Iterable[tuple[float, int]]) -> list[Shape]:
        """Ticks in a band for places and indices of frames, no more than one a pixel."""
        top, drawn = self._band(number), set()
        shapes: list[Shape] = []
        for x, index in places:
            parity = index % 2
            if not self._is_seen(x) or (round(x), parity) in drawn:
                continue
            drawn.add((round(x), parity))
            upper = top + 3 + _LOWER * parity
            lower = top + _BAND - 3 - _LOWER * (1 - parity)
            shapes.append(Line((x, upper, x, lower), _COLOURS[parity], 1.4, key=index))
        return shapes

    def _sent(self) -> list[Shape]:
        """The packets of each frame side by side, and crosses where some are missing."""
        places: list[tuple[float, int]] = []
        gaps: list[float] = []
        last: int | None = None
        before = self._left
        for frame in sorted(self._frames, key=lambda frame: frame.first):
            numbers = sorted(frame.numbers)
            begin, count = self._x(self._sent_at(frame)), numbers[-1] - frame.first + 1
            room = self._x(self._sent_at(frame) + _SPREAD * self._step) - begin
            each = room / count
            if last is not None and 0 < frame.first - last - 1 < 3000 and not frame.is_first:
                gaps.append((before + begin) / 2)
            for at, number in enumerate(numbers):
                x = begin + (number - frame.first) * each
                if at and number > numbers[at - 1] + 1:
                    gaps.append(x - each)
                places.append((x, frame.index))
            last, before = numbers[-1], begin + (count - 1) * each
        middle = self._band(0) + _BAND / 2
        return self._ticks(0, places) + [
            shape for x in self._thinned(gaps) for shape in cross(x, middle, 3.5, "bad")
        ]

    def _thinned(self, places: list[float]) -> list[float]:
        """Those of the places that are seen, and not too near to one another."""
        kept: list[float] = []
        for x in sorted(places):
            if self._is_seen(x) and (not kept or x - kept[-1] >= _APART):
                kept.append(x)
        return kept

    def _arrived(self) -> list[Shape]:
        late = [self._x(row.when) for row in self._rows if row.status == LATE]
        middle = self._band(1) + _BAND / 2
        return self._ticks(1, ((self._x(row.when), row.frame) for row in self._rows)) + [
            circle(x, middle, 4, "raised", "warning", 1.6) for x in self._thinned(late)
        ]

    def _shown(self) -> list[Shape]:
        """A block for each frame that was shown; a cross or a circle for one that was not."""
        top, middle = self._band(2), self._band(2) + _BAND / 2
        shapes: list[Shape] = []
        missing: list[tuple[float, LoggedFrame]] = []
        now = self._window.now
        shown = [at for frame in self._frames if (at := frame.shown_at) is not None and at <= now]
        last = max(shown, default=0.0)  # what is whole may still be shown until a later frame is
        for frame in self._frames:
            due = self._due_at(frame)
            if frame.shown_at is not None:
                if frame.shown_at > now:
                    continue  # it will be
                x, parity = self._x(frame.shown_at), frame.index % 2
                if self._is_seen(x):
                    upper = top + 4 + _LOWER * parity
                    lower = top + _BAND - 4 - _LOWER * (1 - parity)
                    colour = _COLOURS[parity] if frame.decoded else "bad"
                    shapes.append(Rectangle(x - 2, upper, x + 2, lower, colour, key=frame.index))
            elif due is not None and due < (last if frame.is_whole else now):
                missing.append((self._x(due), frame))
        for x, frame in missing:
            y = middle + (5 if frame.index % 2 else -5)
            if self._is_seen(x) and frame.is_whole:
                shapes.append(circle(x, y, 4, "raised", "warning", 1.6, frame.index))
            elif self._is_seen(x):
                shapes += cross(x, y, 3.5, "bad", frame.index)
        return shapes

    def _due_marks(self) -> list[Shape]:
        """Draw a small mark for each frame's deadline on the band of shown frames."""
        top = self._band(2)
        places = [self._x(due) for due in map(self._due_at, self._frames) if due is not None]
        return [
            Line((x, top - 3, x, top + 3), "muted", key=None)
            for x in sorted({round(place, 1) for place in places})
            if self._is_seen(x)
        ]

    def _focus(self) -> tuple[LoggedFrame, float] | None:
        """The frame that is looked at, and its deadline: one that was chosen, or is due now."""
        due = [(frame, at) for frame in self._frames if (at := self._due_at(frame)) is not None]
        chosen = [pair for pair in due if pair[0].index == self._window.focus]
        past = [pair for pair in due if pair[1] <= self._window.now]
        return chosen[0] if chosen else max(past, key=lambda pair: pair[1], default=None)

    def _deadline(self) -> list[Shape]:
        focus = self._focus()
        if focus is None:
            return []
        frame, due = focus
        sent, x = self._x(self._sent_at(frame)), self._x(due)
        if x < self._left or sent > self._right:
            return []
        start, end = (sent, self._band(0) + _BAND), (x, self._band(1))
        slope = (end[1] - start[1]) / max(x - sent, 1e-9)
        if sent < self._left:  # it begins outside: only the rest of the line is seen
            start = self._left, start[1] + slope * (self._left - sent)
        points: tuple[float, ...] = (*start, *end, x, self._band(2) + _BAND)
        if x > self._right:
            points = (*start, self._right, end[1] - slope * (x - self._right))
        text = f"deadline: {1000 * self._window.latency:.0f} ms after it was sent"
        at_right = min(x, self._right) - 6
        is_left = at_right < self._left + _DEADLINE_ROOM
        return [
            Line(points, "warning", 2.0, dashed=True),
            Text(
                x + 6 if is_left else at_right,
                self._band(2) - 9,
                text,
                "warning",
                anchor="w" if is_left else "e",
            ),
        ]

    def _axis(self) -> list[Shape]:
        """Seconds before now."""
        window, y = self._window, self._band(2) + _BAND + 2
        x = self._x(window.now)
        shapes: list[Shape] = [
            Line((x, self._band(0), x, y + 4), "muted"),
            Text(x, y + 5, "now", "text", "small", "n"),
        ]
        step = window.span / 5
        for number in range(1, 6):
            x = self._x(window.now - number * step)
            if self._is_seen(x - 14):
                label = f"−{1000 * number * step:.0f} ms" if step < 0.2 else f"−{number * step:g} s"
                shapes.append(Line((x, y, x, y + 4), "muted"))
                shapes.append(Text(x, y + 5, label, "muted", "small", "n"))
        return shapes

    def _legend(self) -> list[Shape]:
        y = HEIGHT - 9
        left = self._left
        return [
            *cross(left + 5, y, 3.5, "bad"),
            Text(left + 14, y, "lost", "muted"),
            circle(left + 56, y, 4, None, "warning", 1.6),
            Text(left + 65, y, "too late", "muted"),
            Line((left + 129, y - 4, left + 129, y + 4), "muted"),
            Text(left + 136, y, "due", "muted"),
            Line((left + 178, y - 7, left + 178, y + 2), _COLOURS[0], 1.4),
            Line((left + 182, y - 2, left + 182, y + 7), _COLOURS[1], 1.4),
            Text(left + 190, y, "one frame and the next", "muted"),
        ]
