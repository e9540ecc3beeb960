"""Calls a function again and again from the Tk main loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtplab.clock import FineWaiting


class Ticker:
    """Stands on what `after` stands on: that would make a Tcl command for every frame."""

    def __init__(
        self, toplevel: Any, tick: Callable[[], int], is_playing: Callable[[], bool]
    ) -> None:
        """`tick` returns the milliseconds until it is to be called again.

        While `is_playing()`, it is called then and not some milliseconds later.
        """
        self._toplevel = toplevel
        self._tick = tick
        self._is_playing = is_playing
        self._waiting = FineWaiting()
        self._timer: Any = None
        self._is_stopped = False

    def start(self) -> None:
        """Call it for the first time, now."""
        self._waiting.use(self._is_playing())
        pause = self._tick()
        if not self._is_stopped:  # in the tick
            self._timer = self._toplevel.tk.createtimerhandler(pause, self._tick_again)

    def _tick_again(self) -> None:
        """An error is reported like any callback's: it ends these ticks, and nothing else."""
        try:
            self.start()
        except Exception:
            self._toplevel._report_exception()

    def stop(self) -> None:
        """Call it no more. May be called twice."""
        self._is_stopped = True
        self._waiting.use(False)
        if self._timer is not None:
            self._timer.deletetimerhandler()
