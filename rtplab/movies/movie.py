"""A movie file, opened and indexed once for all viewers.

`formats` has the formats, and recognises a file's. Damaged pictures, and bytes between pictures,
are left out and reported (`Movie.damage`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

from rtplab.movies import formats, mistakes
from rtplab.movies.index import PAGE, Index, counted_from
from rtplab.movies.moviefile import Identity, MovieFile, identity_of
from rtplab.movies.ratecomment import rate_in
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg


class _Place(NamedTuple):
    """The place of a frame in bytes, and the bytes to put before its picture."""

    start: int
    end: int
    before: bytes


class Movie:
    """One movie file, open and indexed; all its viewers share it.

    `frames` holds (offset, length) in bytes of each frame; `width` and `height` are the first
    frame's, in pixels (0 if not a JPEG); `format` is the format's name; `frame_rate` is in frames a
    second, if the file states it; `modified` is the file's time in Unix seconds; `identity` stays
    the same as long as the file does. `left_out` counts what is not played; `damage` describes it
    in one line, including a last frame that is cut off. It is empty for an intact file.

    It has more attributes than other classes: two thirds are facts about the file, for others to
    read.
    """

    def __init__(self, path: str | os.PathLike[str], any_frame: bool = False) -> None:
        """Open and index the file: its good pictures, or with `any_frame` all announced frames.

        Raises OSError; MovieError (an OSError) when it is not a movie.
        """
        self.path = os.fspath(path)
        file = MovieFile(self.path)
        self._read = file.read
        self.modified, self.identity = file.modified, file.identity
        format = formats.format_of(file.read(0, formats.LEADING))
        index = format.find_frames(file.read, file.size, any_frame)
        self._added = 0  # bytes added to the first frame because it lacks them
        self.width, self.height = self._size_of_first(index)
        self.frames, self.left_out = index.frames, index.left_out
        self._start, self._head_of, self._heads = index.start, index.head_of, index.heads
        self.format, self.frame_rate = format.name, index.frame_rate
        self.damage = index.damage
        if self.damage and mistakes.has_changed_line_ends(file.read(0, mistakes.LOOKED_AT)):
            self.damage += f"; {mistakes.CHANGED_LINE_ENDS}"

    @property
    def largest(self) -> int:
        """The largest frame's length in bytes, as returned by `frame`."""
        return self._added + max(length for _, length in self.frames)

    def frame(self, number: int) -> memoryview:
        """Return frame `number`, counted from 1: the whole JPEG, or else the announced bytes.

        Raises MovieError if the file has changed since it was indexed, so that the frame is no
        longer there.
        """
        place = self._place(number)
        return self._checked(number, place, self._read(place.start, place.end - place.start))

    def close_together(self, numbers: Sequence[int], most: int) -> Sequence[int]:
        """Return as many of these frames, from the first on, as one read of `most` bytes gets.

        It always includes the first; no unused disk page between two frames is read.
        """
        start, end, _ = self._place(numbers[0])
        for count, number in enumerate(numbers[1:], 1):
            following = self._place(number)
            if not end <= following.start <= end + PAGE or following.end - start > most:
                return numbers[:count]
            end = following.end
        return numbers

    def frames_together(self, numbers: Sequence[int]) -> list[memoryview | MovieError]:
        """Return each of these frames, or the error of `frame`, with a single read.

        They must be consecutive in the file. Raises OSError.
        """
        places = [self._place(number) for number in numbers]
        start = places[0].start
        data = memoryview(self._read(start, places[-1].end - start))
        frames: list[memoryview | MovieError] = []
        for number, place in zip(numbers, places, strict=True):
            try:
                piece = data[place.start - start : place.end - start]
                frames.append(self._checked(number, place, piece))
            except MovieError as error:
                frames.append(error)
        return frames

    def _place(self, number: int) -> _Place:
        offset, length = self.frames[number - 1]
        before = b""
        if self._head_of is not None:
            before = self._heads.get(offset) or self._head_of(length)
        return _Place(offset - len(before), offset + length, before)

    def _checked(self, number: int, place: _Place, data: bytes | memoryview) -> memoryview:
        """Return the JPEG in the bytes read there. Raises MovieError if it is gone."""
        view, prefix = memoryview(data), len(place.before)
        head, offset = place.before + self._start, place.start + prefix
        if len(view) < place.end - place.start:
            raise MovieError(f"frame {number} is gone: the file was truncated", offset)
        if view[: len(head)] != head:
            raise MovieError(f"frame {number} is gone: the file was overwritten", offset)
        picture = view[prefix:]
        if not self._start or jpeg.is_complete(picture, 0):
            return picture
        return memoryview(jpeg.completed(bytes(picture)))

    def _size_of_first(self, index: Index) -> tuple[int, int]:
        """Return the first picture's sides in pixels; pictures without sides are skipped.

        Raises MovieError if the movie has no frames.
        """
        for number, (offset, length) in enumerate(index.frames):
            if number and index.frames[number - 1] == (offset, length):  # shown once more
                continue
            picture = self._read(offset, length)
            _, damage, lacks_end = jpeg.measure(picture)
            if damage is None or lacks_end:
                del index.frames[:number]
                completed = jpeg.completed(picture)
                self._added = len(completed) - length if index.start else 0
                index.frame_rate = index.frame_rate or rate_in(completed)
                return jpeg.dimensions(picture)
            if not index.start:
                return 0, 0
            index.leave_out(offset, offset + length, counted_from(offset, damage))
        # The index must not keep this error: its traceback keeps the file open.
        offset, problem = (
            (index.error.offset, str(index.error)) if index.error else (0, "it contains no frame")
        )
        if mistakes.has_changed_line_ends(self._read(0, mistakes.LOOKED_AT)):
            problem = mistakes.CHANGED_LINE_ENDS
        raise MovieError(problem, offset)


_Key = tuple[Identity, bool]  # of the file, and whether any frame will do


class _Turn:
    """The turn to open one file: its first viewer indexes it, the others wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_movies: WeakValueDictionary[_Key, Movie] = WeakValueDictionary()
_turns: WeakValueDictionary[_Key, _Turn] = WeakValueDictionary()
_movies_lock = threading.Lock()  # guards _movies and _turns; no file is touched under it


def open_movie(path: str | os.PathLike[str], any_frame: bool = False) -> Movie:
    """Return the shared Movie of a file; a file that has changed since is indexed again.

    With `any_frame` it has the announced frames, else the good pictures. Nobody waits for another
    movie's index. Raises OSError; MovieError (an OSError) if it is not a movie.
    """
    key = identity_of(os.stat(path)), any_frame
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
    """Estimate, by the file's beginning, how many bytes must be read to index it.

    Raises OSError.
    """
    with open(path, "rb") as file:
        return formats.index_cost(file.read(PAGE), os.fstat(file.fileno()).st_size)
