"""Words over the picture: a headline in the middle, and for a moment a toast in the corner."""

from __future__ import annotations

import tkinter as tk
from tkinter import font as tkfont

from PIL import Image, ImageDraw, ImageTk

from rtplab.player.look import palette
from rtplab.player.look.theme import Theme
from rtplab.player.model.status import NOTHING, Headline, Tone

TOAST_TIME = 2000  # milliseconds that a toast is shown
READING_TIME = 50  # milliseconds more for each character
LARGE_ROOM = 700  # height at 1x above which words grow with the canvas
LARGE_SHARE = 0.035  # of that height is their font: legible from the back of a hall
LARGE_FONT = 20  # its size at 1x before it grows


class Captions:
    """The words on one canvas."""

    def __init__(self, canvas: tk.Canvas, theme: Theme) -> None:
        self._canvas = canvas
        self._theme = theme
        self._room = 1, 1  # pixels of the canvas
        self._on_picture = False  # words need a plate behind them
        self._headline = NOTHING
        self._card: ImageTk.PhotoImage | None = None
        self._toast = ""
        self._toast_card: ImageTk.PhotoImage | None = None
        self._toast_timer = ""

    def say(self, headline: Headline, on_picture: bool) -> None:
        """Show a message until the next one."""
        if headline != self._headline:
            self._headline, self._on_picture = headline, on_picture
            self._draw_headline()

    def resized(self, room: tuple[int, int], on_picture: bool) -> None:
        """Redraw everything for a canvas of this size in pixels."""
        self._room, self._on_picture = room, on_picture
        self._draw_headline()
        self._draw_toast()

    def forget(self) -> None:
        """Free the images: the canvas is being destroyed."""
        self._card = self._toast_card = None
        if self._toast_timer:
            self._canvas.after_cancel(self._toast_timer)

    @property
    def _growth(self) -> float:
        """How much larger words are in a large room, such as a full screen."""
        height = self._room[1]
        if height <= self._theme.px(LARGE_ROOM):
            return 1.0
        return max(1.0, LARGE_SHARE * height / self._theme.px(LARGE_FONT))

    def _px(self, length: float) -> int:
        return self._theme.px(length * self._growth)

    def _draw_headline(self) -> None:
        self._canvas.delete("headline")
        headline, px = self._headline, self._px
        if not headline.title:
            return
        width, height = self._room
        lines = [self._write(headline.title, self._theme.headline_font, palette.CAPTION)]
        if headline.detail:
            colour = palette.CAPTION_BAD if headline.tone is Tone.BAD else palette.CAPTION_MUTED
            lines.append(self._write(headline.detail, self._theme.caption_font, colour))
        boxes = [self._canvas.bbox(line) for line in lines]
        total = sum(box[3] - box[1] for box in boxes) + px(8) * (len(lines) - 1)
        top = (height - total) // 2
        self._draw_card(max(box[2] - box[0] for box in boxes) + px(48), total + px(36))
        for line, box in zip(lines, boxes, strict=True):
            self._canvas.coords(line, width // 2, top)
            self._canvas.tag_raise(line)
            top += box[3] - box[1] + px(8)

    def _write(self, text: str, font: tkfont.Font, colour: str) -> int:
        room = self._room[0] - self._px(72)
        wrap = max(self._px(120), min(room, self._px(560)))
        shown = font.actual()
        size = round(int(font.cget("size")) * self._growth)  # pixels, and so negative
        return self._canvas.create_text(
            0, 0, text=text, font=(shown["family"], size, shown["weight"]), fill=colour, width=wrap,
            anchor="n", justify="center", tags=("headline",),
        )  # fmt: skip

    def _draw_card(self, width: int, height: int) -> None:
        """Put a translucent plate behind the words if there is a picture."""
        if self._on_picture:
            self._card = self._plate(width, height, 12)
            middle = (self._room[0] // 2, self._room[1] // 2)
            self._canvas.create_image(*middle, image=self._card, tags=("headline",))

    def _plate(self, width: int, height: int, radius: int) -> ImageTk.PhotoImage:
        plate = Image.new("RGBA", (width, height))
        fill = (*_rgb(palette.SURROUND), palette.PLATE_OPACITY)
        corners = (0, 0, width - 1, height - 1)
        ImageDraw.Draw(plate).rounded_rectangle(corners, self._theme.px(radius), fill)
        return ImageTk.PhotoImage(plate, master=self._canvas)

    def toast(self, text: str) -> None:
        """Say something in the corner for a moment."""
        self._toast = text
        self._draw_toast()
        if self._toast_timer:
            self._canvas.after_cancel(self._toast_timer)
        self._toast_timer = self._canvas.after(
            TOAST_TIME + READING_TIME * len(text), self._end_toast
        )

    def correct(self, text: str, corrected: str) -> bool:
        """Change the words of a toast, for the rest of its time; tell if it is still shown."""
        if text != self._toast:
            return False
        if corrected != text:
            self._toast = corrected
            self._draw_toast()
        return True

    def _end_toast(self) -> None:
        self._toast = self._toast_timer = ""
        self._draw_toast()

    def _draw_toast(self) -> None:
        self._canvas.delete("toast")
        if not self._toast:
            return
        px, font = self._theme.px, str(self._theme.font)
        margin, pad = px(12), px(12)
        if self._room[1] > px(LARGE_ROOM):
            size = self._px(LARGE_FONT)
            font, pad = f"{{{self._theme.font.actual('family')}}} {-size} bold", size // 2
        text = self._canvas.create_text(
            margin + pad, margin + pad * 2 // 3, text=self._toast, font=font,
            fill=palette.CAPTION, anchor="nw", tags=("toast",),
            width=max(px(120), self._room[0] - 2 * (margin + pad)),
        )  # fmt: skip
        left, top, right, bottom = self._canvas.bbox(text)
        height = bottom - top + 2 * (pad * 2 // 3)
        self._toast_card = self._plate(right - left + 2 * pad, height, 8)
        self._canvas.create_image(
            margin, margin, image=self._toast_card, anchor="nw", tags=("toast",)
        )
        self._canvas.tag_raise(text)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
