"""Shared by all movie formats: an index of the frames, and the search for them.

A file is read through a function, so nothing here opens files, waits, or knows where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg

# Returns `length` bytes from `offset` on, or up to the end of the file. May raise OSError.
Read = Callable[[int, int], bytes]

START_OF_PICTURE = jpeg.START_OF_IMAGE + b"\xff"  # and the first byte of the marker that follows

PAGE = 4096  # bytes: the smallest disk read

# Bytes read at once when walking a file: a picture that extends beyond them is walked again.
CHUNK = 1 << 20
# Bytes of one picture, which must fit in memory: many times a camera's largest.
MAX_PICTURE = 32 << 20
# Damaged pictures in one file after which the rest is skipped. A file with so many is
# not a movie, and junk may seem to have one every few bytes; this many take half a second.
MAX_DAMAGED = 50_000

# Frames per second that a file may ask for, as with `--fps`: other values are mistakes.
SLOWEST, FASTEST = Fraction(1, 10), Fraction(1000)


def possible_rate(frames: int | Fraction, seconds: int | Fraction) -> Fraction | None:
    """Return frames / seconds as a rate; None if it is out of range for a movie."""
    if seconds <= 0:
        return None
    rate = Fraction(frames) / seconds
    return rate if SLOWEST <= rate <= FASTEST else None


@dataclass
class LeftOut:
    """The parts of a file that are not played: how many bytes, in how many places.

    `first` is the offset in bytes of the first place, `problem` is what was wrong there.
    """

    places: int = 0
    bytes: int = 0
    first: int = 0
    problem: str = ""
    _end: int = -1  # of the last place

    def add(self, start: int, end: int, problem: str) -> None:
        """Skip `start` to `end`; a place that adjoins the previous one is merged into it."""
        if end <= start:
            return
        if not self.places or start < self.first:
            self.first, self.problem = start, problem
        self.places += start != self._end
        self.bytes += end - start
        self._end = end

    def __str__(self) -> str:
        if not self.places:
            return ""
        places = "1 place" if self.places == 1 else f"{self.places:,} places, the first"
        bytes = "1 byte" if self.bytes == 1 else f"{self.bytes:,} bytes"
        return f"skipped {bytes} in {places} at byte {self.first}: {self.problem}"


@dataclass
class Places:
    """A number of pictures, and the place of the first."""

    pictures: int = 0
    first: int = 0

    def add(self, start: int) -> None:
        """Count the picture at `start`."""
        if not self.pictures:
            self.first = start
        self.pictures += 1

    def __str__(self) -> str:
        count = "1 picture" if self.pictures == 1 else f"{self.pictures:,} pictures, the first"
        return f"{count} at byte {self.first}"


@dataclass
class Index:
    """The frames of a file as (offset, length) in bytes, and the damage elsewhere.

    A frame begins with `start`; if that is b"", a frame is returned as it is stored. If its length
    precedes it, `head_of` writes that in the usual way, and `heads` has any different spelling, by
    the frame's offset: they show later whether the file is still the same. `frame_rate` is in
    frames a second, if the file states it.
    `cut_off` says that the last frame is incomplete. `error` is the first mistake, which is raised
    if there is no frame at all.
    """

    frames: list[tuple[int, int]] = field(default_factory=list)
    start: bytes = jpeg.START_OF_IMAGE
    head_of: Callable[[int], bytes] | None = None
    heads: dict[int, bytes] = field(default_factory=dict)
    frame_rate: Fraction | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    endless: Places = field(default_factory=Places)  # without FFD9, which is added
    misjudged: Places = field(default_factory=Places)  # whole, but with a wrong length
    cut_off: str = ""
    error: MovieError | None = None
    damaged: int = 0

    def leave_out(self, start: int, end: int, error: MovieError) -> None:
        """Note that the bytes from `start` to `end` are not a frame."""
        self.error = self.error or error
        self.damaged += 1
        self.left_out.add(start, end, _problem(error))

    def cut(self, error: MovieError) -> None:
        """Note that the file ends inside a frame."""
        self.error = self.error or error
        self.cut_off = f"cut off in frame {len(self.frames) + 1}: {error}"

    @property
    def damage(self) -> str:
        """What is wrong with the file, in one line; "" if nothing is."""
        told = [str(self.left_out)]
        if self.endless.pictures:
            told.append(f"added the missing end marker (FFD9) after {self.endless}")
        if self.misjudged.pictures:
            told.append(f"found a wrong length before {self.misjudged}")
        return "; ".join(filter(None, [*told, self.cut_off]))

    def has_too_much_damage(self, position: int, size: int) -> bool:
        """Tell if there is so much damage that the file is skipped from `position` on."""
        if self.damaged < MAX_DAMAGED:
            return False
        problem = f"more than {MAX_DAMAGED:,} damaged pictures"
        self.leave_out(position, size, MovieError(f"byte {position}: {problem}", position))
        return True


class Format(NamedTuple):
    """What Movie needs to know about a format.

    `name` is for users. `recognises` tells by the beginning of a file whether it has the format.
    `find_frames` finds the good pictures, given a Read and the file's size in bytes, or with a
    third argument of True all announced frames; it raises OSError only from Read. `cost` estimates
    how many bytes that will read, given the first PAGE bytes of the file and its size.
    """

    name: str
    recognises: Callable[[bytes], bool]
    find_frames: Callable[[Read, int, bool], Index]
    cost: Callable[[bytes, int], int]


class Pictures:
    """Finds JPEGs in a file, keeping at most MAX_PICTURE bytes of it in memory."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self.size = size  # bytes of the file; lowered if the file turns out to be truncated
        self._data = b""
        self._start = 0  # the data's offset in the file
        self._measurer = jpeg.Measurer()

    def find(self, position: int, what: bytes = START_OF_PICTURE) -> int:
        """Return where `what` is next, from `position` on; `size` if it isn't there. OSError."""
        while position < self.size:
            if not self._start <= position < self._end:
                self._load(position, CHUNK)
            found = self._data.find(what, position - self._start)
            if found >= 0:
                return self._start + found
            if self._end >= self.size:
                break
            position = max(position, self._end - len(what) + 1)
            self._load(position, CHUNK)
        return self.size

    def measure(self, start: int) -> jpeg.Extent:
        """As `jpeg.measure`, by offsets in the file. Raises OSError."""
        if not self._start <= start < self._end:
            self._load(start, CHUNK)
        while True:
            extent = self._measurer.measure(self._data, start - self._start)
            end, problem, lacks_end = extent
            if problem is None:
                return jpeg.Extent(self._start + end, None)
            if problem.offset < len(self._data) or self._end >= self.size:
                error = counted_from(self._start, problem)
                return jpeg.Extent(self._start + end, error, lacks_end)
            if self._start < start:
                self._load(start, CHUNK)
            elif len(self._data) < MAX_PICTURE:
                self._load(start, min(4 * len(self._data), MAX_PICTURE))
            else:
                text = f"byte {start}: a picture of more than {MAX_PICTURE:,} bytes"
                return jpeg.Extent(self._start + end, MovieError(text, start))

    @property
    def _end(self) -> int:
        return self._start + len(self._data)

    def _load(self, start: int, length: int) -> None:
        self._data = b""  # first, so that two are never in memory
        self._data = self._read(start, length)
        self._start = start
        if len(self._data) < length:
            self.size = min(self.size, self._end)


def counted_from(start: int, error: MovieError) -> MovieError:
    """Return an error about the data at `start` with its place in the file."""
    offset = start + error.offset
    return MovieError(f"byte {offset}: {_problem(error)}", offset)


def _problem(error: MovieError) -> str:
    return str(error).partition(": ")[2]
