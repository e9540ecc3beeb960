"""An open file that many read from at once, each at the place that it names.

It is read, not mapped into memory: truncating a mapped file kills the process that touches
what is gone.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from weakref import finalize

Identity = tuple[int, int, int, int]  # device, number in it, time of the last change, size


class MovieFile:
    """One open file of `size` bytes, closed when nobody has it any more.

    `modified` is its time in Unix seconds; `identity` stays the same as long as the file does.
    """

    def __init__(self, path: str) -> None:
        """Open the file. Raises OSError, also if it is a pipe or a device."""
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe may take for ever
            raise OSError(errno.EINVAL, "It is a pipe or a device, not a file", path)
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            self._descriptor = os.dup(file.fileno())
        self.close = finalize(self, os.close, self._descriptor)
        self._reading = threading.Lock()  # where the position in the file must be moved to read
        self.size = status.st_size
        self.modified = int(status.st_mtime)
        self.identity = identity_of(status)

    def read(self, offset: int, length: int) -> bytes:
        """Read `length` bytes, or up to the end of the file. Raises OSError."""
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, length, offset)
        with self._reading:  # Windows
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, length)


def identity_of(status: os.stat_result) -> Identity:
    """Return an identity that differs between files, and after a file was changed."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
