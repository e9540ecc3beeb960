"""Files that stay whole on a full disk: as they were before the piece that did not fit."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path


class WholeFile(io.FileIO):
    """A new file that replaces an old one. No write is half done, and nothing is buffered."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        super().__init__(path, "wb")
        self._size = 0

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        """Append all of a piece, or nothing of it. Raises OSError when the disk is full."""
        written = 0
        try:
            while written < len(piece):
                written += super().write(piece[written:])
        except OSError:
            with suppress(OSError):  # a device has no size
                self.truncate(self._size)
                self.seek(self._size)
            raise
        self._size += written
        return written


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave none. Raises OSError."""
    try:
        with WholeFile(path) as file:
            file.write(data)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
