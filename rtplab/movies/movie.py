"""A movie file, opened and indexed once for all its viewers.

Two formats are read, told apart by their first bytes: the lab's (`lab`), in which each frame is
preceded by its length in 5 ASCII digits, and bare JPEGs (`bare`). What is damaged, or lies between
the pictures, is left out and told (`Movie.damage`).

Frames are read, not mapped into memory: whoever cuts a mapped file shorter ends the process that
touches what is gone.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakValueDictionary, finalize

from rtplab.movies import mistakes
from rtplab.movies.bare import index_bare_movie
from rtplab.movies.index import START_OF_PICTURE, Index, counted_from
from rtplab.movies.lab import LENGTH_DIGITS, digits_of_length, index_lab_movie
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg

PAGE = 4096  # bytes: the least that is read of a disk
LEADING = 64 << 10  # bytes of anything else that may stand before the first frame
_SOI = jpeg.START_OF_IMAGE  # how every JPEG begins


class Movie:
    """One movie file, open and indexed: what all its viewers share.

    `frames` holds (offset, length) in bytes of each frame; `width` and `height` are the first
    frame's, in pixels (0 if it is no JPEG); `modified` is the file's time in Unix seconds;
    `identity` stays the same as long as the file does. `left_out` counts what is not played;
    `damage` says it in one line, and that the last frame is cut off. It is empty for a whole file.
    """

    def __init__(self, path: str | os.PathLike[str], any_frame: bool = False) -> None:
        """Open and index the file: its good pictures, or with `any_frame` all that is announced.

        Raises OSError; MovieError (an OSError) when it is no movie.
        """
        self.path = os.fspath(path)
        with open(self.path, "rb") as file:
            status = os.fstat(file.fileno())
            self._descriptor = os.dup(file.fileno())
        self._close = finalize(self, os.close, self._descriptor)  # when nobody watches any more
        self._reading = threading.Lock()  # where the position in the file must be moved to read
        self._size = status.st_size
        self.modified = int(status.st_mtime)
        self.identity = _identity(status)
        self._is_bare = self._looks_bare()
        self._start = b"" if any_frame and not self._is_bare else _SOI  # of every frame
        index = self._index(any_frame)
        self.width, self.height = self._size_of_first(index, any_frame)
        self.frames, self._heads, self.left_out = index.frames, index.heads, index.left_out
        self.damage = "; ".join(filter(None, (str(index.left_out), index.cut_off)))

    def frame(self, number: int) -> memoryview:
        """Return the JPEG of frame `number`, counted from 1.

        Raises MovieError when the file has been changed since it was indexed, so that there is no
        such frame in this place any more.
        """
        offset, length = self.frames[number - 1]
        if self._is_bare:
            head, prefix = _SOI, 0
        else:
            digits = self._heads.get(offset) or b"%05d" % length
            head, prefix = digits + self._start, len(digits)
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

    def _looks_bare(self) -> bool:
        """Tell which format the file has. Raises MovieError when it is known to be something else.

        Junk may stand before the first frame, but not in a file of another kind, which may hold
        JPEGs too.
        """
        beginning = self._read(0, LENGTH_DIGITS)
        if beginning.startswith(_SOI):
            return True
        if beginning.isdigit():
            return False
        beginning = self._read(0, LEADING)
        if kind := mistakes.recognise(beginning):
            raise MovieError(kind)
        first = beginning.find(START_OF_PICTURE)
        if first < 0:
            expected = "the length of a frame in 5 ASCII digits, or a JPEG (FFD8)"
            raise MovieError(f"byte 0: expected {expected}, found {beginning[:LENGTH_DIGITS]!r}")
        return not beginning[:first][-LENGTH_DIGITS:].isdigit()

    def _index(self, any_frame: bool) -> Index:
        if self._is_bare:
            return index_bare_movie(self._read, self._size)
        return index_lab_movie(self._read, self._size, any_frame)

    def _size_of_first(self, index: Index, any_frame: bool) -> tuple[int, int]:
        """Return the first picture's sides in pixels; pictures before it without any are left out.

        Raises MovieError when there is no frame.
        """
        for number, (offset, length) in enumerate(index.frames):
            picture = self._read(offset, length)
            damage = jpeg.measure(picture).problem
            if damage is None or any_frame:
                del index.frames[:number]
                return jpeg.dimensions(picture) if damage is None else (0, 0)
            index.leave_out(offset, offset + length, counted_from(offset, damage))
        # The index must not hold what is raised here: that holds the file open with its traceback.
        offset, problem = (index.error.offset, str(index.error)) if index.error else (0, "no frame")
        if mistakes.has_changed_line_ends(self._read(0, mistakes.LOOKED_AT)):
            problem = mistakes.CHANGED_LINE_ENDS
        raise MovieError(problem, offset)


_Identity = tuple[int, int, int, int]  # device, number in it, time of the last change, size
_Key = tuple[_Identity, bool]  # and if any frame will do


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


class _Turn:
    """Whose turn it is to open one file: its first viewer indexes it, the others wait for that."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_movies: WeakValueDictionary[_Key, Movie] = WeakValueDictionary()
_turns: WeakValueDictionary[_Key, _Turn] = WeakValueDictionary()
_movies_lock = threading.Lock()  # guards _movies and _turns; no file is touched under it


def open_movie(path: str | os.PathLike[str], any_frame: bool = False) -> Movie:
    """Return the shared Movie of a file; one that has changed since is indexed anew.

    With `any_frame` it has the frames that are announced, else the good pictures. Nobody waits for
    the index of another movie. Raises OSError; MovieError (an OSError) when it is no movie.
    """
    key = _identity(os.stat(path)), any_frame
    with _movies_lock:
        movie = _movies.get(key)
        if movie is not None:
            return movie
        turn = _turns.setdefault(key, _Turn())
    with turn.lock:
        with _movies_lock:
            movie = _movies.get(key)
        if movie is None:
            movie = Movie(path, any_frame)
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
        beginning = file.read(PAGE)
    digits = digits_of_length(beginning)
    if not digits:
        return size
    return min(size, size * PAGE // (digits + int(beginning[:digits])))
