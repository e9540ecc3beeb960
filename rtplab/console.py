"""Printing: on consoles that can't show every character, and on terminals that can do more.

Output for a terminal (colours, a line that is rewritten) never gets into a file or a pipe.
"""

from __future__ import annotations

import copy
import io
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TextIO

# Escape sequences (ECMA-48 section 8.3.117) for the levels of a log. Magenta, since yellow can't be
# read on white. The word stays, for those who see no colours.
_LEVEL_COLOURS = {
    logging.INFO: "32",
    logging.WARNING: "1;35",
    logging.ERROR: "1;31",
    logging.CRITICAL: "1;31",
}
_USUAL_WIDTH = 80  # columns of a terminal that does not report its width
_ENABLE_VIRTUAL_TERMINAL_PROCESSING = 4


def write_every_name() -> None:
    """Print what the console's encoding has no characters for as escapes, as in "\\u0444".

    By itself Python raises UnicodeEncodeError, which would end a program for a movie's name: as on
    Windows, where a pipe or a file is written in the encoding of the region.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None without a console
            stream.reconfigure(errors="backslashreplace")


def say(*lines: str) -> bool:
    """Print lines, if anybody reads them; tell if so.

    The reader of standard output may be gone, as after `| head -1`; that is not an error.
    """
    try:
        print(*lines, sep="\n", flush=True)
    except (OSError, ValueError):  # ValueError: it has been closed here
        with suppress(OSError, ValueError):  # what could not be written is not tried again
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        return False
    return True


def is_terminal(stream: TextIO | None) -> bool:
    """Tell if a stream is an interactive terminal. It is None without a console."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it has been closed
        return False


def log_handler(stream: TextIO | None) -> logging.Handler:
    """Return a handler that logs to a stream, such as stderr: time, level and message.

    Levels are coloured on a terminal, unless NO_COLOR is set (https://no-color.org).
    """
    handler = logging.StreamHandler(stream)
    formatter = _ColouredFormatter if _shows_colours(stream) else logging.Formatter
    handler.setFormatter(formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


class _ColouredFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        colour = _LEVEL_COLOURS.get(record.levelno)
        if colour:
            record = copy.copy(record)  # other handlers get it as it was
            record.levelname = f"\x1b[{colour}m{record.levelname}\x1b[0m"
        return super().format(record)


def _shows_colours(stream: TextIO | None) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if stream is None or not is_terminal(stream):
        return False
    return _obeys_escapes(stream)


def _obeys_escapes(stream: TextIO) -> bool:
    """Tell if a terminal does; on Windows (10 and later) that must be switched on."""
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    kernel = ctypes.windll.kernel32
    console = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
    mode = ctypes.c_uint32()
    if not kernel.GetConsoleMode(console, ctypes.byref(mode)):
        return False  # such as NUL, which Python takes for a terminal
    return bool(kernel.SetConsoleMode(console, mode.value | _ENABLE_VIRTUAL_TERMINAL_PROCESSING))


class StatusLine:
    """The last line of a terminal, rewritten by each `show`.

    It is also a stream for a log handler: text written to it goes above that line. It may be
    used by several threads.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()  # guards the terminal's last line, and _length
        self._length = 0  # characters that are shown

    @staticmethod
    def on_stderr() -> StatusLine | None:
        """Return the line for stderr, or None if stderr is not a terminal."""
        return StatusLine(sys.stderr) if is_terminal(sys.stderr) else None

    def show(self, text: str) -> None:
        """Show a text of one line, cut to the terminal's width."""
        text = text[: self._width() - 1]  # the last column would begin a new line
        with self._lock:
            self._put("\r" + text.ljust(self._length))
            self._length = len(text)

    def clear(self) -> None:
        """Leave an empty line, with the cursor at its beginning."""
        with self._lock:
            self._clear()

    def write(self, text: str) -> None:
        """Write lines in place of the current one."""
        with self._lock:
            self._clear()
            self._put(text)

    def flush(self) -> None:
        """Everything has been written already."""

    def _clear(self) -> None:
        if self._length:
            self._put("\r" + " " * self._length + "\r")
            self._length = 0

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _USUAL_WIDTH
        except (OSError, ValueError):
            return _USUAL_WIDTH

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal has been closed
            self._stream.write(text)
            self._stream.flush()
