"""Bindings that can be removed: a Tk window may outlive the player in it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any


class Bindings:
    """The bindings of one player to its Tk window."""

    def __init__(self, window: tk.Tk | tk.Toplevel) -> None:
        self.window = window
        self._names: list[tuple[str, str]] = []  # an event sequence, and its Tcl command

    def add(self, sequence: str, handler: Callable[[tk.Event[tk.Misc]], Any]) -> None:
        """Call `handler` with each event, in addition to existing handlers."""
        self._names.append((sequence, self.window.bind(sequence, handler, add=True)))

    def on_close(self, handler: Callable[[], Any]) -> None:
        """Call `handler` when the user closes the window."""
        self.window.protocol("WM_DELETE_WINDOW", handler)

    def remove(self) -> None:
        """Remove them all, so that nothing keeps the handlers alive. May be called twice."""
        for sequence, name in self._names:
            self.window.unbind(sequence, name)
        self._names.clear()
        name = str(self.window.protocol("WM_DELETE_WINDOW"))
        if name:
            self.window.protocol("WM_DELETE_WINDOW", "")
            self.window.deletecommand(name)
