"""What a program prints, on consoles that can't show all of it."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress


def write_every_name() -> None:
    """Print what the console's encoding has no characters for as escapes, as in "\\u0444".

    By itself Python raises UnicodeEncodeError, which would end a program for a movie's name: as on
    Windows, where a pipe or a file is written in the encoding of the region.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where there is no console
            stream.reconfigure(errors="backslashreplace")


def say(*lines: str) -> bool:
    """Print lines, if anybody reads them; tell if so.

    Whoever has read standard output may be gone, as after `| head -1`: that ends no program.
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
