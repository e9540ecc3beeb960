"""How finely the system wakes up who waits."""

from __future__ import annotations

import ctypes
import sys

FINEST = 1  # millisecond


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
