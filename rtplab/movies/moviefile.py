"""An open file that many threads read at once, each at its own position.

It is read and not mapped into memory: truncating a mapped file kills a process that touches the
missing part.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from weakref import finalize

Identity = tuple[int, int, int, int]  # device, inode, time of the last change, size


class MovieFile:
    """One open file of `size` bytes, closed when nobody uses it any longer.

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
        self._reading = threading.Lock()  # for systems where reading moves the position
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
    """Return an identity that differs between files, and changes with the file."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
