"""The panel's edge, which is dragged, or moved by keys, to change the panel's width."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from rtplab.player.look.theme import Theme

_THICK = 6  # at 1x
_KEY_STEP = 20  # of an arrow key, at 1x

Moved = Callable[[int, bool], None]


class Sash(tk.Frame):
    """A bar at the left of the panel, which is `width` pixels wide."""

    def __init__(self, master: tk.Misc, width: Callable[[], int], moved: Moved) -> None:
        """`moved` is called with the panel's wanted width in pixels, and with True at the end."""
        theme = Theme.of(master)
        super().__init__(
            master, width=theme.px(_THICK), cursor="sb_h_double_arrow", takefocus=True,
            highlightthickness=0,
        )  # fmt: skip
        self._width, self._moved = width, moved
        self._is_hovered = False
        self._grip: tuple[int, int] | None = None  # where the mouse was, and the width then
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", lambda event: self._drag(event, False))
        self.bind("<ButtonRelease-1>", self._release)
        for key, direction in (("<Left>", 1), ("<Right>", -1)):
            self.bind(key, lambda event, direction=direction: self._step(direction))  # type: ignore[misc]
        for sequence, hovered in (("<Enter>", True), ("<Leave>", False)):
            self.bind(sequence, lambda event, hovered=hovered: self._hover(hovered))  # type: ignore[misc]
        for sequence in ("<FocusIn>", "<FocusOut>", "<<ThemeChanged>>"):
            self.bind(sequence, lambda event: self._colour(), add=True)
        self._colour()

    def _press(self, event: tk.Event[tk.Misc]) -> None:
        self.focus_set()
        self._grip = event.x_root, self._width()

    def _drag(self, event: tk.Event[tk.Misc], is_done: bool) -> None:
        if self._grip is not None:
            x, width = self._grip
            self._moved(width + x - event.x_root, is_done)

    def _release(self, event: tk.Event[tk.Misc]) -> None:
        self._drag(event, True)
        self._grip = None

    def _step(self, direction: int) -> str:
        self._moved(self._width() + direction * Theme.of(self).px(_KEY_STEP), True)
        return "break"  # the arrows would seek

    def _hover(self, is_hovered: bool) -> None:
        self._is_hovered = is_hovered
        self._colour()

    def _colour(self) -> None:
        theme = Theme.of(self)
        p = theme.palette
        lit = p.accent if self._is_hovered else p.border
        colour = p.text if self.focus_get() is self else lit
        self.configure(background=colour, width=theme.px(_THICK))
