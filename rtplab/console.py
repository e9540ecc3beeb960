"""What a program prints, on consoles that can't show all of it."""

from __future__ import annotations

import io
import sys


def write_every_name() -> None:
    """Print what the console's encoding has no characters for as escapes, as in "\\u0444".

    By itself Python raises UnicodeEncodeError, which would end a program for a movie's name: as on
    Windows, where a pipe or a file is written in the encoding of the region.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where there is no console
            stream.reconfigure(errors="backslashreplace")
