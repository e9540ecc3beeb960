"""The overlay of all keys, drawn over the picture."""

from __future__ import annotations

import tkinter as tk

from PIL import Image, ImageDraw, ImageTk

from rtplab.player.look import palette
from rtplab.player.look.theme import Theme
from rtplab.player.model.keylist import (
    COLUMN_WIDTH,
    KEY_WIDTH,
    LINE,
    PADDING,
    Column,
    arranged,
    key_sections,
)

_TAG = "keys"
_GAP = 12  # between keys and what they do
_MARGIN = 8  # around the card


class KeysOverlay:
    """Shows and hides the keys on a canvas, on several pages if there is little room."""

    def __init__(self, canvas: tk.Canvas, theme: Theme) -> None:
        self._canvas = canvas
        self._theme = theme
        self._card: ImageTk.PhotoImage | None = None
        self._page = 0
        self.shown = False

    def turn(self) -> None:
        """Show the first page, then the next, and hide it after the last."""
        self._page = self._page + 1 if self.shown else 0
        self.shown = True
        self.draw()

    def hide(self) -> None:
        self.shown = False
        self.draw()

    def forget(self) -> None:
        """Free the image: the canvas is being destroyed."""
        self._card = None

    def draw(self) -> None:
        """Redraw it after the window's size or the overlay's visibility has changed."""
        self._canvas.delete(_TAG)
        if not self.shown:
            return
        system, scale = self._theme.windowing_system, self._theme.scale
        room = (
            self._canvas.winfo_width() / scale - 2 * _MARGIN,
            self._canvas.winfo_height() / scale - 2 * _MARGIN,
        )
        keys = arranged(key_sections(system), *room, system, self._theme.zoom)
        if self._page >= len(keys.pages):
            self.shown = False
            return
        columns = keys.pages[self._page]
        scale *= keys.scale
        width = (COLUMN_WIDTH * len(columns) + 2 * PADDING) * scale
        height = (LINE * max(map(len, columns)) + 2 * PADDING) * scale
        self._draw_card(round(width), round(height), scale)
        left = (self._canvas.winfo_width() - width) / 2 + PADDING * scale
        top = (self._canvas.winfo_height() - height) / 2 + PADDING * scale
        for number, column in enumerate(columns):
            self._draw_column(column, left + number * COLUMN_WIDTH * scale, top, scale)

    def _draw_card(self, width: int, height: int, scale: float) -> None:
        card = Image.new("RGBA", (width, height))
        fill = (11, 12, 14, palette.LIST_OPACITY)
        ImageDraw.Draw(card).rounded_rectangle((0, 0, width, height), round(12 * scale), fill)
        self._card = ImageTk.PhotoImage(card, master=self._canvas)
        middle = self._canvas.winfo_width() // 2, self._canvas.winfo_height() // 2
        self._canvas.create_image(*middle, image=self._card, tags=_TAG)

    def _draw_column(self, lines: Column, left: float, top: float, scale: float) -> None:
        family = self._theme.font.actual("family")
        font = (family, -max(7, round(12 * scale)))
        at = left + KEY_WIDTH * scale
        for row, (keys, label) in enumerate(lines):
            y = top + (row + 0.5) * LINE * scale
            colour = palette.CAPTION if keys else palette.CAPTION_MUTED
            weight = (*font, "bold") if not keys else font
            self._write(at - _GAP * scale, y, keys, font, palette.CAPTION_KEY, "e")
            self._write(at, y, label, weight, colour, "w")

    def _write(self, x: float, y: float, text: str, font: object, colour: str, anchor: str) -> None:
        if text:
            self._canvas.create_text(
                x,
                y,
                text=text,
                font=font,
                fill=colour,
                anchor=anchor,
                tags=_TAG,  # type: ignore[call-overload]
            )
