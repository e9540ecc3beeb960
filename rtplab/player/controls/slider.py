"""The seek slider: it shows the position in the movie, and seeks.

The picture follows while the knob is dragged, and the time under the mouse is shown above it.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.status import clock

_HEIGHT = 24
_NARROWEST = 120
_LINE = 4
_KNOB = 14
_RESTING = 10
_STEP = 4
FOLLOWING = 150  # milliseconds from one seek to the next while the knob is dragged


class SeekSlider(tk.Canvas):
    """A line from the beginning to the end; a click or a drag says where to go."""

    def __init__(self, master: tk.Misc, theme: Theme, seek: Callable[[float], None]) -> None:
        """`seek` is called with seconds when the viewer has chosen a position."""
        super().__init__(master, highlightthickness=0, borderwidth=0, takefocus=False)
        self._theme = theme
        self._seek = seek
        self._position = 0.0
        self._duration: float | None = None
        self._dragging: float | None = None  # seconds
        self._hovered = self._focused = False
        self._following = ""  # a timer
        self._time = ttk.Label(self.winfo_toplevel(), font=theme.small_font, padding=theme.px(4))
        self._drawn: tuple[object, ...] = ()  # how the items look that are there
        self._size = 1, 1  # pixels; asking Tk for each frame would cost more than the drawing
        self._x = 0  # pixels: where the knob is, and the part that was played ends
        self._played = self._knob = 0  # the items of the canvas that move
        self.bind("<Configure>", self._resized)
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", self._release)
        for sequence, hovered in (("<Enter>", True), ("<Leave>", False)):
            self.bind(sequence, lambda event, hovered=hovered: self._hover(hovered))  # type: ignore[misc]
        for sequence, focused in (("<FocusIn>", True), ("<FocusOut>", False)):
            self.bind(sequence, lambda event, focused=focused: self._focus(focused))  # type: ignore[misc]
        self.bind("<Motion>", self._show_time)
        self.bind("<Destroy>", self._destroyed)
        self.bind("<<ThemeChanged>>", lambda event: self._take_size(), add=True)
        self._take_size()

    def show(self, position: float, duration: float | None) -> None:
        """Show a position, in seconds; without a duration there is nothing to choose.

        While it changes the knob moves by a few pixels at a time: each move costs a redraw.
        """
        least = 1 if position == self._position else _STEP
        self._position = position
        if duration != self._duration:
            self._duration = duration
            self.configure(takefocus=bool(duration))
        self._draw(least)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self._size = event.width, event.height
        self._draw()

    def _take_size(self) -> None:
        px = self._theme.px
        self.configure(height=px(_HEIGHT), width=px(_NARROWEST))
        self._draw()

    @property
    def shown_position(self) -> float:
        """Seconds: where the viewer is dragging the knob, or the movie's position."""
        return self._position if self._dragging is None else self._dragging

    def x_of(self, seconds: float) -> int:
        """Where on the slider a position is, in pixels."""
        left, right = self._ends()
        share = seconds / self._duration if self._duration else 0.0
        return round(left + min(max(share, 0.0), 1.0) * (right - left))

    def _ends(self) -> tuple[int, int]:
        margin = self._theme.px(_KNOB) // 2 + 1
        return margin, max(margin + 1, self._size[0] - margin)

    def _seconds_at(self, x: int) -> float:
        left, right = self._ends()
        return min(max((x - left) / (right - left), 0.0), 1.0) * (self._duration or 0.0)

    def _press(self, event: tk.Event[tk.Misc]) -> None:
        if self._duration:
            self._dragging = self._seconds_at(event.x)
            self._draw()

    def _drag(self, event: tk.Event[tk.Misc]) -> None:
        self._show_time(event)
        if self._dragging is not None:
            self._dragging = self._seconds_at(event.x)
            self._draw()
            if not self._following:
                self._following = self.after(FOLLOWING, self._follow)

    def _follow(self) -> None:
        """Seek to where the knob is."""
        self._following = ""
        if self._dragging is not None:
            self._seek(self._dragging)

    def _release(self, event: tk.Event[tk.Misc]) -> None:
        if self._dragging is not None:
            target, self._dragging = self._seconds_at(event.x), None
            self._seek(target)
            if not self._hovered:
                self._time.place_forget()

    def _show_time(self, event: tk.Event[tk.Misc]) -> None:
        """Show the time under the mouse, above it, and within the window."""
        if not self._duration:
            return
        label, top = self._time, self.winfo_toplevel()
        label.configure(text=clock(self._seconds_at(event.x)))
        width, height = label.winfo_reqwidth(), label.winfo_reqheight()
        x = event.x_root - top.winfo_rootx() - width // 2
        y = self.winfo_rooty() - top.winfo_rooty() - height
        label.place(x=min(max(x, 0), max(0, top.winfo_width() - width)), y=max(y, 0))
        label.lift()

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if self._following:
            self.after_cancel(self._following)
        if self._time.winfo_exists():  # the whole toplevel may be being destroyed
            self._time.destroy()

    def _hover(self, hovered: bool) -> None:
        self._hovered = hovered
        if not hovered and self._dragging is None:
            self._time.place_forget()
        self._draw()

    def _focus(self, focused: bool) -> None:
        self._focused = focused
        self._draw()

    def _draw(self, least: int = 1) -> None:
        """Draw what is new. The knob stays if it would move by less than `least` pixels."""
        x = self.x_of(self.shown_position)
        active = self._hovered or self._focused or self._dragging is not None
        looks = (self._size, active, self._focused, bool(self._duration), self._theme.name)
        if looks == self._drawn and (abs(x - self._x) < least or not self._duration):
            return
        p, px = self._theme.palette, self._theme.px
        middle, half = self._size[1] // 2, px(_LINE) / 2
        left, right = self._ends()
        self._x = x
        if looks == self._drawn:
            self.coords(self._played, left, middle - half, x, middle + half)
            self.coords(self._knob, x, middle)
            return
        self._drawn = looks
        self.delete("all")
        self.configure(background=p.window)
        if not self._duration:
            return  # the length is unknown: there is nothing to choose
        self.create_rectangle(left, middle - half, right, middle + half, fill=p.trough, width=0)
        self._played = self.create_rectangle(
            left, middle - half, x, middle + half, fill=p.accent, width=0
        )
        # The knob shows the position, not colours alone; it is larger when it can be dragged.
        colour, size_at_1x = (p.text if self._focused else p.accent), _KNOB if active else _RESTING
        icon = self._theme.icon("knob", colour, size_at_1x)
        self._knob = self.create_image(x, middle, image=icon)
