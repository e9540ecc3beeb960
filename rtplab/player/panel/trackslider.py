"""A slider with its label and its value, as a Track describes them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.panel.tracks import Track


class TrackSlider:
    """It stands in a row of `master`, whose second column takes the remaining width."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        row: int,
        track: Track,
        changed: Callable[[float], None],
        gap: int = 7,
    ) -> None:
        """`changed` gets the value where the user has moved the knob; `gap` is at 1x."""
        self._track = track
        self._changed = changed
        px = theme.px
        ttk.Label(master, text=track.label).grid(row=row, column=0, sticky="w")
        self.scale = ttk.Scale(master, from_=0, to=track.largest, command=self._moved)
        self.scale.grid(row=row, column=1, sticky="ew", padx=px(12), pady=px(gap))
        for key, steps in (("Left", -1), ("Right", 1), ("Prior", 10), ("Next", -10)):
            self.scale.bind(f"<{key}>", partial(self._step, steps * track.step))
        self.scale.bind("<Button-1>", self._press)
        self.value = ttk.Label(master, width=11, anchor="e")
        self.value.grid(row=row, column=2, sticky="e")

    def show(self, value: float) -> None:
        """Show a value that was not set with this slider."""
        self.scale.configure(value=self._track.position_of(value))
        self.tell(value)

    def tell(self, value: float) -> None:
        """Write a value next to the knob, which stays where it is."""
        self.value.configure(text=self._track.text(value))

    def _moved(self, position: str) -> None:
        self._changed(self._track.value_at(float(position)))

    def _step(self, by: float, event: tk.Event[tk.Misc]) -> str:
        scale = self.scale
        scale.set(min(max(scale.get() + by, 0.0), float(scale.cget("to"))))
        return "break"

    def _press(self, event: tk.Event[tk.Misc]) -> str | None:
        """Put the knob where the mouse is; Tk would move it one step per click."""
        self.scale.focus_set()
        if "slider" not in str(self.scale.identify(event.x, event.y)):
            self.scale.set(self.scale.get(event.x, event.y))
        return None
