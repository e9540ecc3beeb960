"""Sharp windows on Windows: it draws a program small and blows it up, unless told not to."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

SYSTEM_AWARE = 1  # PROCESS_SYSTEM_DPI_AWARE: one scale for all screens, which Tk asks for once


def ask_for_sharpness() -> None:
    """Tell Windows that we scale by ourselves. Before the first Tk; elsewhere nothing is done."""
    if sys.platform != "win32":
        return
    with suppress(AttributeError, OSError):  # Windows 7 has none of it, and no such screens
        ctypes.windll.shcore.SetProcessDpiAwareness(SYSTEM_AWARE)
