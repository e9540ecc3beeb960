"""The clock of whatever plays, and how finely the system wakes up who waits."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

FINEST = 1  # millisecond


def finest_clock() -> Callable[[], float]:
    """Return the clock of the finest steps among those that never go back, in seconds.

    Before Python 3.13 time.monotonic has steps of 15.6 ms on Windows: what comes or goes within
    one would have the same time, and even packets a jitter of milliseconds.
    """
    resolutions = {
        name: time.get_clock_info(name).resolution for name in ("monotonic", "perf_counter")
    }
    is_fine = resolutions["monotonic"] <= resolutions["perf_counter"]
    return time.monotonic if is_fine else time.perf_counter


steady = finest_clock()
"""For all times of media, and of nothing else: those of two clocks can't be compared."""


class FineWaiting:
    """Waits that end within a millisecond, while something plays. Of one thread.

    On Windows a wait ends at the next tick of a clock that ticks every 15.6 ms, most of what lies
    between two frames of a fast movie, unless a program asks for more ticks.
    """

    __slots__ = ("_is_on",)

    def __init__(self) -> None:
        self._is_on = False

    def use(self, is_playing: bool) -> None:
        """Ask for it while something plays, and only then: it costs power. Nothing off Windows."""
        if is_playing is self._is_on or sys.platform != "win32":
            return
        self._is_on = is_playing
        winmm = ctypes.windll.winmm
        (winmm.timeBeginPeriod if is_playing else winmm.timeEndPeriod)(FINEST)
