"""Writes movies: in the lab's format, or as bare JPEGs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 99_999  # of a frame: the lab's format has 5 digits


class MovieWriter:
    """Writes a movie under a temporary name, and renames it when it is complete."""

    def __init__(self, path: Path, has_lengths: bool) -> None:
        """With `has_lengths` it is in the lab's format. Nothing is written before `begin`."""
        self.path = path
        self._has_lengths = has_lengths
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: BinaryIO | None = None
        self.frames = 0
        self.largest = 0  # bytes of the largest frame

    def begin(self) -> None:
        """Make the file. Raises OSError."""
        try:
            self._file = open(self._part, "xb")
        except OSError as error:
            error.filename = str(self.path)  # the name that the user gave
            raise

    def add(self, picture: bytes) -> None:
        """Write one more frame. Raises OSError."""
        assert self._file is not None
        if self._has_lengths:
            self._file.write(b"%05d" % len(picture))
        self._file.write(picture)
        self.frames += 1
        self.largest = max(self.largest, len(picture))

    def finish(self) -> None:
        """Give the movie its final name, replacing any file of that name. Raises OSError."""
        assert self._file is not None
        self._file.close()
        os.replace(self._part, self.path)

    def discard(self) -> None:
        """Remove an unfinished file. May be called at any time, and twice."""
        if self._file is not None:
            with suppress(OSError):  # such as a full disk
                self._file.close()
        self._part.unlink(missing_ok=True)
