"""A movie file turned into JPEG frames.

Two formats are read, told apart by their first bytes:

    .Mjpeg of the lab    00009 <9 bytes of JPEG> 00012 <12 bytes of JPEG> ...
                         each frame preceded by its length in 5 ASCII digits
    bare .mjpeg          <JPEG> <JPEG> ...
                         what `ffmpeg -f mjpeg` writes; each frame ends at its EOI marker

A file is indexed once and kept open; all its viewers share the `Movie`. What each viewer has
alone is a `VideoStream`: a position in it. Frames are read, not mapped into memory: whoever cuts a
mapped file shorter ends the process that touches what is gone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary, finalize

from rtplab.protocol import jpeg
from rtplab.protocol.errors import MovieError

LENGTH_DIGITS = 5
PAGE = 4096  # bytes: the least that is read of a disk
_SOI = b"\xff\xd8"  # start of image: how every JPEG begins


class Movie:
    """One movie file, open and indexed: what all its viewers share.

    `frames` holds (offset, length) in bytes of each JPEG; `width` and `height` are the first
    frame's, in pixels; `modified` is the file's time in Unix seconds; `identity` stays the same as
    long as the file does. `damage` says what is wrong with a file whose last frame is cut off.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open and index the file. Raises OSError; MovieError (an OSError) when it is no movie."""
        self.path = os.fspath(path)
        self.damage = ""
        with open(self.path, "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size == 0:
                raise MovieError("the file is empty: a movie begins with a frame")
            self._descriptor = os.dup(file.fileno())
        self._close = finalize(self, os.close, self._descriptor)  # when nobody watches any more
        self._reading = threading.Lock()  # where the position in the file must be moved to read
        self._size = status.st_size
        self.modified = int(status.st_mtime)
        self.identity = _identity(status)
        self._is_bare = self._read(0, len(_SOI)) == _SOI
        self.frames = self._index()
        offset, length = self.frames[0]
        with _counted_from(offset):
            self.width, self.height = jpeg.dimensions(self._read(offset, length))

    def frame(self, number: int) -> memoryview:
        """Return the JPEG of frame `number`, counted from 1.

        Raises MovieError when the file has been changed since it was indexed, so that there is no
        such frame in this place any more.
        """
        offset, length = self.frames[number - 1]
        head = _SOI if self._is_bare else b"%05d%b" % (length, _SOI)
        prefix = len(head) - len(_SOI)
        data = self._read(offset - prefix, prefix + length)
        if len(data) < prefix + length:
            raise MovieError(f"frame {number} is gone: the file has been cut shorter", offset)
        if not data.startswith(head):
            raise MovieError(f"frame {number} is gone: the file has been overwritten", offset)
        return memoryview(data)[prefix:]

    def _read(self, offset: int, length: int) -> bytes:
        """Read `length` bytes, or up to the end of the file. Raises OSError."""
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, length, offset)
        with self._reading:  # Windows
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, length)

    def _index(self) -> list[tuple[int, int]]:
        frames: list[tuple[int, int]] = []
        try:
            for frame in self._bare_frames() if self._is_bare else self._prefixed_frames():
                frames.append(frame)
        except MovieError as error:
            # A recording that was stopped half-way through a frame is played up to there.
            if error.offset < self._size or not frames:
                raise
            self.damage = f"cut off in frame {len(frames) + 1}: {error}"
        return frames

    def _prefixed_frames(self) -> Iterator[tuple[int, int]]:
        position, end = 0, self._size
        while position < end:
            start = position + LENGTH_DIGITS
            head = self._read(position, LENGTH_DIGITS + len(_SOI))
            digits, first = head[:LENGTH_DIGITS], head[LENGTH_DIGITS:]
            if not digits.isdigit():
                raise _unexpected(position, "the length of a frame in 5 ASCII digits", digits)
            position = start + int(digits)
            if len(digits) < LENGTH_DIGITS or position > end:
                raise _cut_off(end)
            if first != _SOI:
                raise _unexpected(start, "a JPEG (FFD8)", first)
            yield start, position - start

    def _bare_frames(self) -> Iterator[tuple[int, int]]:
        start, length = 0, PAGE
        while start < self._size:
            if self._size - start == 1 and self._read(start, 1) == _SOI[:1]:
                raise _cut_off(self._size)
            length = self._length_of_image(start, 2 * length)
            yield start, length
            start += length

    def _length_of_image(self, start: int, guess: int) -> int:
        """Return how long the JPEG at `start` is, reading `guess` bytes at first."""
        while True:
            data = self._read(start, guess)
            try:
                with _counted_from(start):
                    return jpeg.end_of_image(data)
            except MovieError as error:
                if error.offset < start + len(data) or len(data) < guess:
                    raise
            guess *= 4


@contextmanager
def _counted_from(start: int) -> Iterator[None]:
    """Have a MovieError about the data at `start` name its place in the file."""
    try:
        yield
    except MovieError as error:
        problem = str(error).partition(": ")[2]
        offset = start + error.offset
        raise MovieError(f"byte {offset}: {problem}", offset) from None


def _cut_off(end: int) -> MovieError:
    return MovieError(f"byte {end}: expected the rest of a frame, found the end", end)


def _unexpected(offset: int, expected: str, found: bytes) -> MovieError:
    return MovieError(f"byte {offset}: expected {expected}, found {found!r}", offset)


_Identity = tuple[int, int, int, int]  # device, number in it, time of the last change, size


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


class _Turn:
    """Whose turn it is to open one file: its first viewer indexes it, the others wait for that."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_movies: WeakValueDictionary[_Identity, Movie] = WeakValueDictionary()
_turns: WeakValueDictionary[_Identity, _Turn] = WeakValueDictionary()
_movies_lock = threading.Lock()  # guards _movies and _turns; no file is touched under it


def open_movie(path: str | os.PathLike[str]) -> Movie:
    """Return the shared Movie of a file; one that has changed since is indexed anew.

    Nobody waits for the index of another movie. Raises OSError; MovieError (an OSError) when it is
    no movie.
    """
    key = _identity(os.stat(path))
    with _movies_lock:
        movie = _movies.get(key)
        if movie is not None:
            return movie
        turn = _turns.setdefault(key, _Turn())
    with turn.lock:
        with _movies_lock:
            movie = _movies.get(key)
        if movie is None:
            movie = Movie(path)
            with _movies_lock:
                _movies[key] = movie
        return movie


def index_cost(path: str | os.PathLike[str]) -> int:
    """Return how many bytes of the file must be read to index it, as its beginning suggests.

    A bare sequence is walked through. Where the frames say their lengths, a page of the disk is
    read for each; their number is estimated from the first one's length. Raises OSError.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        digits = file.read(LENGTH_DIGITS)
    if not digits.isdigit():
        return size
    return min(size, size * PAGE // (LENGTH_DIGITS + int(digits)))


class VideoStream:
    """A viewer's position in a movie file."""

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        """Open the movie. Raises OSError when it can't be opened or is no movie."""
        self.filename = filename
        self.movie = open_movie(filename)
        self._frame_number = 0

    def nextFrame(self) -> bytes:
        """Return the next JPEG, or b"" at the end. Raises MovieError when the file has changed."""
        if self._frame_number >= len(self.movie.frames):
            return b""
        frame = self.movie.frame(self._frame_number + 1)
        self._frame_number += 1
        return bytes(frame)

    def frameNbr(self) -> int:
        """Return the number of the frame that nextFrame gave last; 0 before the first."""
        return self._frame_number

    def seek(self, frame_number: int) -> None:
        """Make `frame_number`, counted from 1, the next frame."""
        self._frame_number = min(max(frame_number - 1, 0), len(self.movie.frames))
