"""Full screen: the picture alone, the controls only while the mouse moves."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import NamedTuple

from rtplab.clock import steady
from rtplab.player.controls.bindings import Bindings

HIDE_AFTER = 2000  # milliseconds without a movement of the mouse
_SETTLING = 150  # milliseconds that a window manager gets to obey
# Seconds after full screen in which the window may not have its old size back yet: the window
# manager may be slow, and the key may be pressed again and again.
_GOING_BACK = 2.0


class Extent(NamedTuple):
    """Where a window is on the screen, in pixels, and what the window manager puts around it."""

    width: int
    height: int
    x: int
    y: int
    edge: int  # left, right and below
    title: int  # above

    @classmethod
    def of(cls, window: tk.Tk | tk.Toplevel) -> Extent:
        x, y = window.winfo_x(), window.winfo_y()
        edge, title = window.winfo_rootx() - x, window.winfo_rooty() - y
        return cls(window.winfo_width(), window.winfo_height(), x, y, edge, title)


class FullScreen:
    """Takes one window to full screen and back."""

    def __init__(
        self,
        bindings: Bindings,
        picture: tk.Widget,
        controls: tk.Widget,
        go_back: Callable[[Extent], Extent],
    ) -> None:
        """`go_back` restores the controls and the window's extent, and returns that extent."""
        self._window = bindings.window
        self._picture, self._controls = picture, controls
        self._go_back = go_back
        self._before: Extent | None = None
        self._left_at = 0.0
        self._timer = self._settling = ""
        self.active = False
        bindings.add("<Motion>", self._mouse_moved)

    def toggle(self) -> None:
        if self.active:
            self.leave()
        else:
            self._enter()

    def leave(self) -> None:
        """Go back. Does nothing if the window is not full screen."""
        if not self.active or self._before is None:
            return
        self.active = False
        self._cancel_timer()
        self._window.attributes("-fullscreen", False)
        self._window.configure(cursor="")
        self._controls.place_forget()
        self._before = self._go_back(self._before)
        self._left_at = steady()

    def end(self) -> None:
        """Cancel all timers: the window is being destroyed."""
        self.active = False
        self._cancel_timer()
        if self._settling:
            self._window.after_cancel(self._settling)

    def _enter(self) -> None:
        self.active = True
        now = Extent.of(self._window)
        is_back = steady() > self._left_at + _GOING_BACK and now[:2] != self._screen
        if self._before is None or is_back:
            self._before = now
        self._window.attributes("-fullscreen", True)
        self._hide_controls()
        if self._settling:
            self._window.after_cancel(self._settling)
        self._settling = self._window.after(_SETTLING, self._insist)

    def _insist(self) -> None:
        """Resize the window ourselves if no window manager has done it."""
        self._settling = ""
        width, height = self._screen
        if self.active and Extent.of(self._window)[:2] != (width, height):
            self._window.geometry(f"{width}x{height}+0+0")

    @property
    def _screen(self) -> tuple[int, int]:
        return self._window.winfo_screenwidth(), self._window.winfo_screenheight()

    def _mouse_moved(self, event: tk.Event[tk.Misc]) -> None:
        if self.active:
            self._window.configure(cursor="")
            is_wide = self._picture.winfo_width() >= self._controls.winfo_reqwidth()
            is_shown = bool(self._picture.winfo_manager())
            over = self._picture if is_wide and is_shown else self._window
            self._controls.place(in_=over, relx=0, rely=1, anchor="sw", relwidth=1)
            self._controls.lift()
            self._cancel_timer()
            self._timer = self._window.after(HIDE_AFTER, self._hide_controls)

    def _hide_controls(self) -> None:
        self._timer = ""
        self._controls.grid_remove()
        self._controls.place_forget()
        self._window.configure(cursor="none")

    def _cancel_timer(self) -> None:
        if self._timer:
            self._window.after_cancel(self._timer)
            self._timer = ""
