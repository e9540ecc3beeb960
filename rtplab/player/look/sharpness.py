"""Sharp windows on Windows, which otherwise enlarges a window that was drawn at 1x."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

SYSTEM_AWARE = 1  # PROCESS_SYSTEM_DPI_AWARE: one scale for all screens, which Tk asks for once


def ask_for_sharpness() -> None:
    """Tell Windows that we scale ourselves. Call before the first Tk; does nothing elsewhere."""
    if sys.platform != "win32":
        return
    with suppress(AttributeError, OSError):  # Windows 7 lacks it
        ctypes.windll.shcore.SetProcessDpiAwareness(SYSTEM_AWARE)
