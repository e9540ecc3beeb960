"""The progress of an import, on one line of a terminal that is rewritten."""

from __future__ import annotations

import shutil
import sys
import time

_INTERVAL = 0.2  # seconds


class Progress:
    """Written to stderr if that is a terminal, so that pipes stay clean."""

    def __init__(self, name: str, expected: int) -> None:
        self._name = name
        self._expected = expected
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()
        self._started = time.monotonic()
        self._due = self._started + _INTERVAL
        self._length = 0  # characters on the line

    def tell(self, frames: int) -> None:
        """Show that this many frames are done, if an update is due."""
        now = time.monotonic()
        if self._is_shown and now >= self._due:
            self._due = now + _INTERVAL
            self._write(self.line(frames, now - self._started))

    def line(self, frames: int, seconds: float) -> str:
        """Return the text to show after `seconds` seconds."""
        rate = frames / seconds if seconds > 0 else 0.0
        if not self._expected or frames > self._expected or not rate:
            return f"{self._name}: {frames} frames, {rate:.0f} a second"
        left = (self._expected - frames) / rate
        percent = 100 * frames // self._expected
        return (
            f"{self._name}: {frames} of {self._expected} frames ({percent} %), "
            f"{rate:.0f} a second, {int(left) // 60}:{int(left) % 60:02} left"
        )

    def clear(self) -> None:
        """Leave an empty line. May be called twice."""
        if self._length:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _write(self, line: str) -> None:
        line = line[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(f"\r{line:{self._length}}")
        sys.stderr.flush()
        self._length = len(line)
