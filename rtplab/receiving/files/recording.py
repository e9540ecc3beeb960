"""Writes received frames into a movie file that VideoStream, and so our server, reads."""

from __future__ import annotations

from pathlib import Path

from rtplab.receiving.files.wholefile import WholeFile

# The lab's format has 5 digits for a frame's length, so no larger frame can be written.
MAX_PREFIXED_FRAME = 99_999  # bytes


class Recording:
    """One movie file that grows, in the lab's format."""

    def __init__(self, path: Path) -> None:
        """Create the file, or overwrite it. Raises OSError."""
        self.path = path
        self.frames = 0
        self.left_out = 0  # frames that the format can't hold
        self._file = WholeFile(path)

    def add(self, jpeg: bytes) -> None:
        """Append a frame. Raises OSError if the disk is full; earlier frames stay valid."""
        if len(jpeg) > MAX_PREFIXED_FRAME:
            self.left_out += 1
            return
        self._file.write(b"%05d" % len(jpeg) + jpeg)
        self.frames += 1

    def close(self) -> None:
        """Finish the file. May be called twice. Raises OSError."""
        self._file.close()
