"""Converts pictures that RFC 2435 can't carry: once, ahead of time, for all viewers.

A picture of 1920x1080 takes some 40 ms, for which nobody else may wait. So one thread per movie
converts ahead of its viewers, and nobody waits for a picture that is not ready.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from rtplab.movies.movie import Movie
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.rtpjpeg import Large
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.transcoding import convert

# Of all movies together: half an hour of 1920x1080. The disk is not ours to fill.
MAX_CACHE_BYTES = 8 << 30

# Converted frames that a viewer should have ahead of it, some seconds. A viewer with fewer is
# served before the rest of the movie.
AHEAD = 100

# Missing frames that wait to be converted. If there are more, the oldest are dropped: those viewers
# have moved on, and ask again.
MAX_WANTED = 16

# Seconds without a viewer after which the converter ends. The next viewer starts it again.
IDLE_SECONDS = 10.0

logger = logging.getLogger("rtplab.conversion")


class _Place(NamedTuple):
    """Where a picture is in the file, in bytes."""

    offset: int
    length: int


class _Disk:
    """The bytes that the converted pictures of all movies take."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def check_room(self) -> None:
        """Raise OSError if no more may be taken."""
        if self._taken >= MAX_CACHE_BYTES:
            raise OSError(
                errno.EFBIG, f"those of all movies already take {MAX_CACHE_BYTES >> 30} GiB"
            )

    def change(self, more: int) -> None:
        """Note that this many bytes more (or fewer, if negative) are taken."""
        with self._lock:
            self._taken += more


_disk = _Disk()


class _PictureFile:
    """Converted pictures one after the other, in a temporary file that has no name."""

    def __init__(self, large: Large) -> None:
        """Open the file. Raises OSError."""
        self._large = large
        # A picture is first written to a file of its own: unbuffered and real, so that Pillow
        # writes to it directly, without holding up other threads, and nobody else needs its
        # position.
        self._one = tempfile.TemporaryFile(buffering=0, prefix="rtplab-")
        try:
            self._all = tempfile.TemporaryFile(buffering=0, prefix="rtplab-")
        except OSError:
            self._one.close()
            raise
        self._size = 0
        # Keeps the file open while it is read. On systems where reading moves the position, such as
        # Windows, it guards that too.
        self._lock = threading.Lock()

    def append(self, picture: bytes) -> _Place:
        """Convert a picture and keep it. Raises MovieError if it is damaged, OSError if full.

        Only one thread may do it.
        """
        _disk.check_room()
        converted = self._convert(picture)
        # On a full disk, the write may simply have been cut short.
        if not converted.endswith(jpeg.END_OF_IMAGE) or self._write(converted) < len(converted):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        place = _Place(self._size, len(converted))
        self._size += len(converted)
        _disk.change(len(converted))
        return place

    def _convert(self, picture: bytes) -> bytes:
        self._one.seek(0)
        self._one.truncate()
        convert(picture, self._one, self._large)
        self._one.seek(0)
        return self._one.read()

    def _write(self, picture: bytes) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._all.fileno(), picture, self._size)
        with self._lock:
            self._all.seek(self._size)
            return self._all.write(picture)

    def read(self, place: _Place) -> bytes:
        """Return a picture. Raises OSError, also when the file is closed."""
        with self._lock:
            if self._all.closed:
                raise OSError(errno.EBADF, "the converted pictures are closed")
            if hasattr(os, "pread"):
                return os.pread(self._all.fileno(), place.length, place.offset)
            self._all.seek(place.offset)
            return self._all.read(place.length)

    def close(self) -> None:
        """Free the disk space. The thread that appends has ended. May be called twice."""
        with self._lock:
            self._one.close()
            self._all.close()
            _disk.change(-self._size)
            self._size = 0


class ConvertedMovie:
    """The frames of a movie as RFC 2435 can carry them, counted from 1; its viewers share it.

    It has more attributes than other classes: what has been converted and the thread that converts
    more of it end together.
    """

    def __init__(
        self,
        movie: Movie,
        converted: Callable[[], None] = lambda: None,
        large: Large = Large.REFUSED,
    ) -> None:
        """`converted` is called for each settled frame, by the thread that converts.

        `large` says how to treat large pictures.
        """
        self._movie = movie
        self._tell = converted
        self._large = large
        self._settled = bytearray(len(movie.frames) + 1)  # 1: converted, or can't be
        self._settled[0] = 1  # there is no frame 0
        self._places: dict[int, _Place] = {}
        self._wanted: deque[int] = deque(maxlen=MAX_WANTED)
        self._last_asked = 0.0
        self._damage_reported = False
        self._denial_reported = False
        self._file: _PictureFile | None = None
        # Guards the start and end of the thread, and is notified of every settled frame. Nothing
        # blocks under it.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._running = False
        self._stopped = False  # nothing more is converted
        self._closed = False  # and converted pictures are discarded

    def prepare(self, number: int, count: int, timeout: float) -> bool:
        """Wait until `count` frames from `number` on are ready, for `timeout` seconds at most.

        Frames that are damaged or beyond the end are not waited for.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while (missing := self._settled.find(0, number, number + count)) >= 0:
                remaining = deadline - time.monotonic()
                if self._stopped or remaining <= 0:
                    return False
                self._ask(missing)
                if not self._running:  # the system has granted no thread
                    return False
                self._changed.wait(remaining)
        return True

    def frame(self, number: int) -> bytes | None:
        """Return a frame's JPEG, or None at once if it is not ready or not available.

        Also tells the converter that there is a viewer here. Never raises an error.
        """
        self._last_asked = time.monotonic()
        missing = self._settled.find(0, number, number + AHEAD)
        if missing >= 0:
            self._ask(missing)
        place = self._places.get(number)
        if place is None or self._file is None:
            return None
        try:
            return self._file.read(place)
        except OSError as error:
            self._give_up(f"converted pictures can't be kept: {_words(error)}")
            return None

    def is_settled(self, number: int) -> bool:
        """Tell if a frame has been converted, or can't be."""
        return bool(self._settled[number])

    def has_lost(self, number: int) -> bool:
        """Tell if a missing frame will never come, although it is not damaged."""
        return self._stopped and (not self._settled[number] or number in self._places)

    def stop(self) -> None:
        """Make the thread end soon and free the disk space. May be called twice."""
        with self._changed:
            self._stopped = self._closed = True
            self._changed.notify_all()
            if self._running:
                return  # the thread does the rest
        self._close_file()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread has ended; tell if it has."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def close(self) -> None:
        """Stop, and wait until everything is freed. May be called twice."""
        self.stop()
        self.join()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def _ask(self, number: int) -> None:
        """Have a frame converted soon."""
        self._last_asked = time.monotonic()
        self._wanted.append(number)
        with self._changed:
            if not self._running and not self._stopped:
                self._start()

    def _start(self) -> None:
        """Start the thread; if the system grants none, the next caller tries again."""
        # A daemon: a read that never returns must not keep the program alive.
        thread = threading.Thread(target=self._run, name="converter", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._denial_reported:
                self._denial_reported = True
                logger.warning("%s: can't convert pictures for now: %s", self._name, str(error))
        else:
            self._thread, self._running = thread, True

    def _run(self) -> None:
        try:
            number = 1
            while number := self._next_missing(number):
                self._convert(number)
        except Exception as error:
            logger.debug("%s: the converter has failed", self._name, exc_info=True)
            self._give_up(f"no more pictures are converted: {_words(error)}")
            with self._changed:
                self._running = False
        if self._closed:
            self._close_file()

    def _next_missing(self, last: int) -> int:
        """Return the frame to convert after `last`; 0 if the thread is to end."""
        with self._changed:
            start = self._wanted.popleft() if self._wanted else last
            missing = self._settled.find(0, start)
            if missing < 0:
                missing = self._settled.find(0)
            idle = time.monotonic() - self._last_asked > IDLE_SECONDS
            if missing >= 0 and not idle and not self._stopped:
                return missing
            self._running = False  # under the lock, so that the next caller starts another
            return 0

    def _convert(self, number: int) -> None:
        place = None
        try:
            if self._file is None:
                self._file = _PictureFile(self._large)
            place = self._file.append(bytes(self._movie.frame(number)))
        except MovieError as error:
            self._report_damage(number, error)
        except OSError as error:
            self._give_up(f"converted pictures can't be kept: {_words(error)}")
            return
        except Exception as error:  # other pictures may still work
            logger.debug("%s: frame %d", self._name, number, exc_info=True)
            self._report_damage(number, error)
        with self._changed:
            if place is not None:
                self._places[number] = place
            self._settled[number] = 1
            self._changed.notify_all()
        self._tell()

    def _report_damage(self, number: int, error: Exception) -> None:
        if not self._damage_reported:
            self._damage_reported = True
            logger.warning(
                "%s: frame %d is skipped, and perhaps others: %s", self._name, number, _words(error)
            )

    def _give_up(self, why: str) -> None:
        """Stop converting; keep what is converted."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
        self._tell()
        logger.error("%s: %s", self._name, why)

    @property
    def _name(self) -> str:
        return printable(os.path.basename(self._movie.path), 80)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
