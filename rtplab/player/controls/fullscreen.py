"""Full screen: the picture alone, the controls only while the mouse moves."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from rtplab.player.controls.bindings import Bindings

HIDE_AFTER = 2000  # milliseconds without a movement of the mouse
_SETTLING = 150  # milliseconds that a window manager gets to obey


class FullScreen:
    """Takes one window to full screen and back."""

    def __init__(
        self, bindings: Bindings, controls: tk.Widget, put_back: Callable[[], None]
    ) -> None:
        """`put_back` grids the controls where they were."""
        self._window = bindings.window
        self._controls = controls
        self._put_back = put_back
        self._geometry = ""
        self._timer = self._settling = ""
        self.active = False
        bindings.add("<Motion>", self._mouse_moved)

    def toggle(self) -> None:
        if self.active:
            self.leave()
        else:
            self._enter()

    def leave(self) -> None:
        """Go back; nothing happens when the window is not full screen."""
        if not self.active:
            return
        self.active = False
        self._cancel_timer()
        self._window.attributes("-fullscreen", False)
        self._window.geometry(self._geometry)
        self._window.configure(cursor="")
        self._controls.place_forget()
        self._put_back()

    def end(self) -> None:
        """The window is being destroyed: nothing is to be done later."""
        self.active = False
        self._cancel_timer()
        if self._settling:
            self._window.after_cancel(self._settling)

    def _enter(self) -> None:
        self.active = True
        self._geometry = self._window.geometry()
        self._window.attributes("-fullscreen", True)
        self._hide_controls()
        self._settling = self._window.after(_SETTLING, self._insist)

    def _insist(self) -> None:
        """Where no window manager obeys, there is none that could be in the way."""
        screen = self._window.winfo_screenwidth(), self._window.winfo_screenheight()
        if self.active and (self._window.winfo_width(), self._window.winfo_height()) != screen:
            self._window.geometry(f"{screen[0]}x{screen[1]}+0+0")

    def _mouse_moved(self, event: tk.Event[tk.Misc]) -> None:
        if self.active:
            self._window.configure(cursor="")
            self._controls.place(relx=0, rely=1, anchor="sw", relwidth=1)
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
