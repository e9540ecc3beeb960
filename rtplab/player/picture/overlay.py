"""The overlay of all keys, drawn over the picture."""

from __future__ import annotations

import tkinter as tk

from PIL import Image, ImageDraw, ImageTk

from rtplab.player.look import palette
from rtplab.player.look.theme import Theme
from rtplab.player.model.commands import COMMANDS, MENUS, key_label

_TAG = "keys"
_LINE = 19
_KEY_WIDTH = 100
_COLUMN_WIDTH = 272
_MOST_KEYS = 2  # of a command that are shown: there is no room for more
_MARGIN = 8  # around the card


def key_columns(system: str) -> list[list[tuple[str, str]]]:
    """The keys and what they do, a heading (with no key) before each menu's, in two columns."""
    sections = [
        [("", menu)]
        + [
            (
                "  ".join(key_label(key, system) for key in command.keys[:_MOST_KEYS]),
                command.label.removesuffix(" …"),
            )
            for command in COMMANDS
            if command.menu == menu and command.keys
        ]
        for menu in MENUS
    ]
    gap = [("", "")]
    stream, session, playback, view, panel = sections
    return [stream + gap + session + gap + panel, playback + gap + view]


class KeysOverlay:
    """Shows and hides the keys on a canvas."""

    def __init__(self, canvas: tk.Canvas, theme: Theme) -> None:
        self._canvas = canvas
        self._theme = theme
        self._card: ImageTk.PhotoImage | None = None
        self.shown = False

    def toggle(self) -> None:
        self.shown = not self.shown
        self.draw()

    def forget(self) -> None:
        """Free the image: the canvas is being destroyed."""
        self._card = None

    def draw(self) -> None:
        """Redraw it after the window's size or the overlay's visibility has changed."""
        self._canvas.delete(_TAG)
        if not self.shown:
            return
        columns = key_columns(self._theme.windowing_system)
        # Smaller in a window that is too small for it, rather than cut off.
        rows = max(len(column) for column in columns)
        px = self._theme.px
        room = (
            self._canvas.winfo_width() - 2 * px(_MARGIN),
            self._canvas.winfo_height() - 2 * px(_MARGIN),
        )
        needed = px(_COLUMN_WIDTH * 2 + 32), px(_LINE * rows + 32)
        scale = min(1.0, room[0] / needed[0], room[1] / needed[1]) * self._theme.scale
        self._draw_card(round(needed[0] * scale / self._theme.scale), rows, scale)
        for number, column in enumerate(columns):
            self._draw_column(column, number, rows, scale)

    def _draw_card(self, width: int, rows: int, scale: float) -> None:
        size = width, round((_LINE * rows + 32) * scale)
        card = Image.new("RGBA", size)
        fill = (11, 12, 14, palette.LIST_OPACITY)
        ImageDraw.Draw(card).rounded_rectangle((0, 0, *size), round(12 * scale), fill)
        self._card = ImageTk.PhotoImage(card, master=self._canvas)
        middle = self._canvas.winfo_width() // 2, self._canvas.winfo_height() // 2
        self._canvas.create_image(*middle, image=self._card, tags=_TAG)

    def _draw_column(
        self, lines: list[tuple[str, str]], number: int, rows: int, scale: float
    ) -> None:
        left = self._canvas.winfo_width() / 2 + (number - 1) * _COLUMN_WIDTH * scale + 8 * scale
        top = self._canvas.winfo_height() / 2 - (rows / 2 - 0.5) * _LINE * scale
        family = self._theme.font.actual("family")
        font = (family, -max(7, round(12 * scale)))
        for row, (keys, label) in enumerate(lines):
            y = top + row * _LINE * scale
            at = left + _KEY_WIDTH * scale
            colour = palette.CAPTION if keys else palette.CAPTION_MUTED
            weight = (*font, "bold") if not keys else font
            self._write(at - 12 * scale, y, keys, font, palette.CAPTION_KEY, "e")
            self._write(at, y, label, weight, colour, "w")

    def _write(self, x: float, y: float, text: str, font: object, colour: str, anchor: str) -> None:
        self._canvas.create_text(x, y, text=text, font=font, fill=colour, anchor=anchor, tags=_TAG)  # type: ignore[call-overload]
