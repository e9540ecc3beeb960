"""The plots of the Statistics page as drawings. Needs no Tk. Lengths are pixels at 1x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rtplab.player.model.lettering import Lettering, cut
from rtplab.player.model.plotdata import SPAN, Figures, PlotData
from rtplab.player.model.shapes import Line, Rectangle, Shape, Text


class _Plot(NamedTuple):
    name: str  # of an attribute of Figures
    title: str
    unit: str
    least: float  # the smallest value at the top of the plot


_PLOTS = (
    _Plot("frames_per_second", "Frames", "/s", 30.0),
    _Plot("kbit_per_second", "Bit rate", "kbit/s", 100.0),
    _Plot("loss_percent", "Loss (RFC 3550 A.3)", "%", 10.0),
    _Plot("jitter_ms", "Jitter (RFC 3550 A.8)", "ms", 10.0),
    _Plot("reordered_per_second", "Out of order", "/s", 10.0),
    _Plot("late_per_second", "Late packets", "/s", 10.0),
    _Plot("duplicates_per_second", "Duplicates", "/s", 10.0),
    _Plot("buffer_ms", "Playout buffer", "ms", 200.0),
)
_COLUMNS = 2
_GAP = 14.0
_TITLE = 24.0  # height of the line above a plot
_AXIS = 16.0  # height of the time axis
_LOWEST = 50.0  # height of a plot with its title: a lower one shows nothing
_LINE = 1.6

Box = tuple[float, float, float, float]  # left, top, right, bottom


def plot_shapes(
    data: PlotData, width: float, height: float, lettering: Lettering
) -> dict[str, list[Shape]]:
    """Return the shapes of each plot, and of each column's time axis, by name.

    There are as many rows of plots as the height has room for.
    """
    rows = min(math.ceil(len(_PLOTS) / _COLUMNS), int(height // _LOWEST))
    each = (width - _GAP) / _COLUMNS, (height - _AXIS) / max(1, rows)
    parts: dict[str, list[Shape]] = {}
    for number, plot in enumerate(_PLOTS[: rows * _COLUMNS]):
        row, column = divmod(number, _COLUMNS)
        left, top = _GAP + column * each[0], row * each[1]
        box = left, top, left + each[0] - _GAP, top + each[1]
        parts[plot.name] = _plot_shapes(plot, data, box, lettering)
    for column in range(_COLUMNS if rows else 0):
        left = _GAP + column * each[0]
        parts[f"time{column}"] = [
            Text(left, height, f"{SPAN:.0f} s ago", "muted", "small", "sw"),
            Text(left + each[0] - _GAP, height, "now", "muted", "small", "se"),
        ]
    return parts


def _plot_shapes(plot: _Plot, data: PlotData, box: Box, lettering: Lettering) -> list[Shape]:
    figures = data.figures
    left, top, right, bottom = box
    value = f"{getattr(figures[-1], plot.name):,.1f} {plot.unit}" if figures else ""
    value = cut(value, "bold", right - left, lettering)
    room = right - left - lettering.width(value, "bold") - 8
    middle = top + _TITLE / 2 + 1
    ground = left, top + _TITLE, right, bottom - 4
    highest = max([plot.least, *(getattr(figure, plot.name) * 1.1 for figure in figures)])
    shapes: list[Shape] = [
        Text(left, middle, cut(plot.title, "small", room, lettering), "muted"),
        Text(right, middle, value, "text", "bold", "e"),
        Rectangle(*ground, "raised", "border"),
    ]
    # Half of a line's width is on either side of it.
    inner = ground[0] + _LINE, ground[1] + _LINE, ground[2] - _LINE, ground[3] - _LINE
    for run in data.runs():
        points = _points(run, figures[-1].when, plot.name, highest, inner)
        if len(points) >= 4:
            shapes.append(Line(points, "accent", _LINE))
    scale = cut(f"{highest:,.0f} {plot.unit}", "small", right - left - 8, lettering)
    shapes.append(Text(left + 4, ground[1] + 2, scale, "muted", "small", "nw"))
    return shapes


def _points(
    run: Sequence[Figures], now: float, name: str, highest: float, box: Box
) -> tuple[float, ...]:
    """The course of a figure as coordinates: `now` at the right, a minute ago at the left."""
    left, top, right, bottom = box
    points: list[float] = []
    for figure in run:
        points.append(right - (right - left) * (now - figure.when) / SPAN)
        points.append(bottom - (bottom - top) * getattr(figure, name) / highest)
    return tuple(points)
