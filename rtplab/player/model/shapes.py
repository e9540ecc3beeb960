"""What the panel's drawings are made of. Needs no Tk.

A drawing is a list of shapes. `panel/drawing.py` draws it on a Canvas, and `svg.py` writes it into
a file. Lengths are pixels at 1x, x to the right and y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Literal, NamedTuple, TypeAlias

Role = Literal[
    "window", "raised", "hover", "border", "text", "muted", "disabled", "accent", "on_accent",
    "trough", "good", "warning", "bad",
]  # fmt: skip
"""What a colour is for: one of the palette's names."""

Font = Literal["normal", "small", "bold", "fixed"]
Anchor = Literal["nw", "n", "ne", "w", "center", "e", "sw", "s", "se"]
"""The place of a text that its coordinates name, as Tk has it."""

Key: TypeAlias = Hashable
"""What a click on a shape opens; None where it opens nothing."""

_HEAD = (9.0, 3.6)  # length and half the width of an arrow's head


class Line(NamedTuple):
    """A line through two or more points."""

    points: tuple[float, ...]  # x, y, x, y ...
    colour: Role
    width: float = 1.0
    dashed: bool = False
    key: Key = None


class Rectangle(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float
    fill: Role | None
    outline: Role | None = None
    width: float = 1.0  # of the outline
    key: Key = None


class Oval(NamedTuple):
    """The ellipse inside a rectangle."""

    left: float
    top: float
    right: float
    bottom: float
    fill: Role | None
    outline: Role | None = None
    width: float = 1.0  # of the outline
    key: Key = None


class Polygon(NamedTuple):
    """A filled area between three or more points."""

    points: tuple[float, ...]  # x, y, x, y ...
    fill: Role
    key: Key = None


class Text(NamedTuple):
    """One or more lines of text."""

    x: float
    y: float
    text: str
    colour: Role
    font: Font = "small"
    anchor: Anchor = "w"
    key: Key = None


Shape: TypeAlias = Line | Rectangle | Oval | Polygon | Text


def circle(
    x: float, y: float, radius: float, fill: Role | None, outline: Role | None = None,
    width: float = 1.0, key: Key = None,
) -> Oval:  # fmt: skip
    """Return a circle around a point."""
    return Oval(x - radius, y - radius, x + radius, y + radius, fill, outline, width, key)


def cross(x: float, y: float, radius: float, colour: Role, key: Key = None) -> list[Shape]:
    """Return two lines that cross in a point."""
    left, right, top, bottom = x - radius, x + radius, y - radius, y + radius
    return [
        Line((left, top, right, bottom), colour, 1.6, key=key),
        Line((left, bottom, right, top), colour, 1.6, key=key),
    ]


def arrow(
    start: tuple[float, float], end: tuple[float, float], colour: Role, width: float = 1.4,
    dashed: bool = False, key: Key = None,
) -> list[Shape]:  # fmt: skip
    """Return a line with a head at its end."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    along, across = math.cos(angle), math.sin(angle)
    length, half = _HEAD
    neck = end[0] - length * along, end[1] - length * across
    head = (
        *end,
        neck[0] - half * across, neck[1] + half * along,
        neck[0] + half * across, neck[1] - half * along,
    )  # fmt: skip
    return [Line((*start, *neck), colour, width, dashed, key), Polygon(head, colour, key)]
