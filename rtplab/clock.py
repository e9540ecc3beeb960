"""The clock of media, and how precisely the system ends a wait."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

FINEST = 1  # millisecond


def finest_clock() -> Callable[[], float]:
    """Return the clock with the finest steps that never goes back, in seconds.

    Before Python 3.13 time.monotonic has steps of 15.6 ms on Windows: everything within a step
    would have the same time, and regular packets a jitter of milliseconds.
    """
    resolutions = {
        name: time.get_clock_info(name).resolution for name in ("monotonic", "perf_counter")
    }
    is_fine = resolutions["monotonic"] <= resolutions["perf_counter"]
    return time.monotonic if is_fine else time.perf_counter


steady = finest_clock()
"""For all media times, and nothing else: times of two clocks can't be compared."""


class FineWaiting:
    """Waits that end within a millisecond, while something plays. For one thread.

    On Windows a wait ends at the next tick of a clock that ticks every 15.6 ms, which is most of
    the time between two frames of a fast movie, unless a program requests more ticks.
    """

    __slots__ = ("_is_on",)

    def __init__(self) -> None:
        self._is_on = False

    def use(self, is_playing: bool) -> None:
        """Request it only while something plays: it costs power. Windows only."""
        if is_playing is self._is_on or sys.platform != "win32":
            return
        self._is_on = is_playing
        winmm = ctypes.windll.winmm
        (winmm.timeBeginPeriod if is_playing else winmm.timeEndPeriod)(FINEST)
