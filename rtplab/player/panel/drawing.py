"""Draws a list of shapes on a Canvas."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import asdict
from tkinter import font as tkfont

from rtplab.player.look.theme import Theme
from rtplab.player.model.shapes import Font, Key, Line, Oval, Polygon, Rectangle, Shape, Text
from rtplab.player.model.svg import svg

_HALO = 4  # around a click, at 1x: a tick is thin
_OPENS = "opens"  # tag of the shapes that have a key


# Called with a word for what is drawn, the drawing as an SVG document, and the canvas it is on.
SaveDrawing = Callable[[str, str, tk.Canvas], None]


class ThemeLettering:
    """Measures text in the theme's fonts, in pixels at 1x."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme

    def font(self, font: Font) -> tkfont.Font:
        """Return the font of this name."""
        theme = self._theme
        return {
            "normal": theme.font, "small": theme.small_font, "bold": theme.bold_font,
            "fixed": theme.fixed_font,
        }[font]  # fmt: skip

    def width(self, text: str, font: Font) -> float:
        return self.font(font).measure(text) / self._theme.scale

    def line_height(self, font: Font) -> float:
        return float(self.font(font).metrics("linespace")) / self._theme.scale


class Drawing:
    """The drawing on a canvas. Coordinates of events are the canvas's own, in pixels."""

    def __init__(self, canvas: tk.Canvas, theme: Theme) -> None:
        self._canvas = canvas
        self._theme = theme
        self._keys: dict[int, Key] = {}  # by item
        self._shapes: Sequence[Shape] = ()
        self.lettering = ThemeLettering(theme)
        canvas.tag_bind(_OPENS, "<Enter>", lambda event: canvas.configure(cursor="hand2"))
        canvas.tag_bind(_OPENS, "<Leave>", lambda event: canvas.configure(cursor=""))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the canvas, at 1x."""
        scale = self._theme.scale
        return self._canvas.winfo_width() / scale, self._canvas.winfo_height() / scale

    def draw(self, shapes: Sequence[Shape]) -> None:
        """Show these shapes instead of those before, the first at the back."""
        self._shapes = shapes
        self._canvas.delete("all")
        self._canvas.configure(background=self._theme.palette.window)
        self._keys.clear()
        for shape in shapes:
            item = self._create(shape)
            if shape.key is not None:
                self._keys[item] = shape.key

    def svg(self, title: str, height: float | None = None) -> str:
        """Return what is drawn as an SVG document, as large as the canvas or of another height."""
        width, seen = self.size
        size = width, seen if height is None else height
        return svg(self._shapes, size, asdict(self._theme.palette), title)

    def key_at(self, x: int, y: int) -> Key:
        """The key of the front one of the shapes at, or very near, a place; None without one."""
        left, top = self._canvas.canvasx(x), self._canvas.canvasy(y)
        for halo in (0, self._theme.px(_HALO)):
            box = left - halo, top - halo, left + halo, top + halo
            for item in reversed(self._canvas.find_overlapping(*box)):
                if item in self._keys:
                    return self._keys[item]
        return None

    def _create(self, shape: Shape) -> int:
        theme, canvas = self._theme, self._canvas
        scale = theme.scale
        tags = () if shape.key is None else (_OPENS,)
        if isinstance(shape, Line):
            return canvas.create_line(
                [scale * place for place in shape.points], fill=self._colour(shape.colour),
                width=max(1.0, scale * shape.width), dash=self._dash if shape.dashed else "",
                tags=tags,
            )  # fmt: skip
        if isinstance(shape, Polygon):
            points = [scale * place for place in shape.points]
            return canvas.create_polygon(points, fill=self._colour(shape.fill), tags=tags)
        if isinstance(shape, Text):
            return canvas.create_text(
                scale * shape.x, scale * shape.y, text=shape.text, anchor=shape.anchor, tags=tags,
                fill=self._colour(shape.colour), font=self.lettering.font(shape.font),
            )  # fmt: skip
        box = [scale * place for place in shape[:4]]
        width = max(1.0, scale * shape.width) if shape.outline else 0
        fill, outline = self._colour(shape.fill), self._colour(shape.outline)
        if isinstance(shape, Oval):
            return canvas.create_oval(box, fill=fill, outline=outline, width=width, tags=tags)
        assert isinstance(shape, Rectangle)
        return canvas.create_rectangle(box, fill=fill, outline=outline, width=width, tags=tags)

    @property
    def _dash(self) -> tuple[int, int]:
        return self._theme.px(4), self._theme.px(3)

    def _colour(self, role: str | None) -> str:
        """The palette's colour of a role; "" for none."""
        return getattr(self._theme.palette, role) if role else ""
