"""Calls a function again and again from the Tk main loop."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rtplab.clock import FineWaiting

AFTER_AN_ERROR = 1000  # milliseconds until the next call: one that lasts must not fill a terminal


class Ticker:
    """Stands on what `after` stands on: that would make a Tcl command for every frame."""

    def __init__(
        self,
        toplevel: Any,
        tick: Callable[[], int],
        is_playing: Callable[[], bool],
        failed: Callable[[], None],
    ) -> None:
        """`tick` returns the milliseconds until it is to be called again.

        While `is_playing()`, it is called then and not some milliseconds later. `failed` tells the
        viewer that a call has raised an exception.
        """
        self._toplevel = toplevel
        self._tick = tick
        self._is_playing = is_playing
        self._failed = failed
        self._waiting = FineWaiting()
        self._timer: Any = None
        self._is_stopped = False

    def start(self) -> None:
        """Call it for the first time, now."""
        self._waiting.use(self._is_playing())
        self._call_again(self._tick())

    def _call_again(self, milliseconds: int) -> None:
        if not self._is_stopped:  # in the tick
            self._timer = self._toplevel.tk.createtimerhandler(milliseconds, self._tick_again)

    def _tick_again(self) -> None:
        """An error is reported like any callback's, and ends only this call."""
        try:
            self.start()
        except Exception:
            self._toplevel._report_exception()
            with suppress(tk.TclError):  # the window may be gone
                self._failed()
                self._call_again(AFTER_AN_ERROR)

    def stop(self) -> None:
        """Call it no more. May be called twice."""
        self._is_stopped = True
        self._waiting.use(False)
        if self._timer is not None:
            self._timer.deletetimerhandler()
