"""The icons of the controls, drawn at whatever size the screen needs. Needs no Tk."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

GRID = 24  # the icons are drawn on a grid of this many units
_OVERSAMPLING = 4
_LINE = 2.0  # units


class _Pen:
    """Draws in units of the grid."""

    def __init__(self, size: int) -> None:
        self._unit = size * _OVERSAMPLING / GRID
        self.image = Image.new("L", (size * _OVERSAMPLING, size * _OVERSAMPLING))
        self._draw = ImageDraw.Draw(self.image)

    def _at(self, *values: float) -> list[float]:
        return [value * self._unit for value in values]

    def polygon(self, *points: float) -> None:
        self._draw.polygon(self._at(*points), fill=255)

    def box(self, *corners: float, radius: float = 1, fill: int = 255) -> None:
        self._draw.rounded_rectangle(self._at(*corners), radius * self._unit, fill=fill)

    def frame(self, *corners: float, radius: float = 2) -> None:
        width = round(_LINE * self._unit)
        self._draw.rounded_rectangle(self._at(*corners), radius * self._unit, None, 255, width)

    def disc(self, x: float, y: float, radius: float, fill: int = 255) -> None:
        self._draw.ellipse(self._at(x - radius, y - radius, x + radius, y + radius), fill=fill)

    def ring(self, x: float, y: float, radius: float) -> None:
        corners = self._at(x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(corners, None, 255, round(_LINE * self._unit))

    def tick(self, *points: float) -> None:
        """A line cut out of what is there."""
        self._draw.line(self._at(*points), 0, round(1.3 * _LINE * self._unit), joint="curve")

    def line(self, *points: float) -> None:
        self._draw.line(self._at(*points), 255, round(_LINE * self._unit), joint="curve")


def _play(pen: _Pen) -> None:
    pen.polygon(6, 3, 21, 12, 6, 21)


def _pause(pen: _Pen) -> None:
    pen.box(5, 4, 10, 20)
    pen.box(14, 4, 19, 20)


def _snapshot(pen: _Pen) -> None:
    pen.box(8, 4, 16, 10)
    pen.box(2, 7, 22, 20, radius=3)
    pen.disc(12, 13.5, 5, fill=0)
    pen.disc(12, 13.5, 3)


def _record(pen: _Pen) -> None:
    pen.ring(12, 12, 10)
    pen.disc(12, 12, 5.5)


def _stop(pen: _Pen) -> None:
    pen.ring(12, 12, 10)
    pen.box(8, 8, 16, 16)


def _fullscreen(pen: _Pen) -> None:
    for points in ((3, 9, 3, 3, 9, 3), (15, 3, 21, 3, 21, 9)):
        pen.line(*points)
    for points in ((21, 15, 21, 21, 15, 21), (9, 21, 3, 21, 3, 15)):
        pen.line(*points)


def _panel(pen: _Pen) -> None:
    pen.frame(2, 4, 22, 20)
    pen.box(14, 5, 16, 19, radius=0)
    pen.line(18, 9, 20, 9)
    pen.line(18, 13, 20, 13)


def _menu(pen: _Pen) -> None:
    for y in (6, 12, 18):
        pen.line(3, y, 21, y)


def _open(pen: _Pen) -> None:
    pen.polygon(12, 3, 21, 14, 3, 14)
    pen.box(3, 17, 21, 20)


def _box(pen: _Pen) -> None:
    pen.frame(3, 3, 21, 21, radius=4)


def _checked(pen: _Pen) -> None:
    pen.box(3, 3, 21, 21, radius=4)
    pen.tick(7, 12.5, 10.5, 16, 17, 8.5)


def _ring(pen: _Pen) -> None:
    pen.ring(12, 12, 9)


def _chosen(pen: _Pen) -> None:
    pen.ring(12, 12, 9)
    pen.disc(12, 12, 5)


def _submenu(pen: _Pen) -> None:
    pen.polygon(8, 5, 17, 12, 8, 19)


def _knob(pen: _Pen) -> None:
    pen.disc(12, 12, 11)


_ICONS: dict[str, Callable[[_Pen], None]] = {
    "play": _play,
    "pause": _pause,
    "snapshot": _snapshot,
    "record": _record,
    "stop": _stop,
    "fullscreen": _fullscreen,
    "panel": _panel,
    "menu": _menu,
    "open": _open,
    "box": _box,
    "checked": _checked,
    "ring": _ring,
    "chosen": _chosen,
    "submenu": _submenu,
    "knob": _knob,
}


def draw(name: str, colour: str, size: int) -> Image.Image:
    """Draw an icon in a colour (`#rrggbb`), `size` pixels wide and high."""
    pen = _Pen(size)
    _ICONS[name](pen)
    icon = Image.new("RGBA", (size, size), colour)
    icon.putalpha(pen.image.resize((size, size), Image.Resampling.BOX))
    return icon
