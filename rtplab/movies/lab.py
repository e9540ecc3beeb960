"""The format of the lab's movies: each frame is preceded by its length in 5 ASCII digits.

    00009 <9 bytes of JPEG> 00012 <12 bytes of JPEG> ...

A length of 100,000 bytes or more has 6 digits, as `str(length).zfill(5)` writes it. The FFD8 after
it distinguishes the sixth digit from the frame.
"""

from __future__ import annotations

import re

from rtplab.movies.index import (
    PAGE,
    START_OF_PICTURE,
    Format,
    Index,
    Pictures,
    Read,
    counted_from,
)
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg

LENGTH_DIGITS = 5
MOST_DIGITS = 6
_SOI = jpeg.START_OF_IMAGE
_HEAD = MOST_DIGITS + len(_SOI)  # bytes in which a length and the beginning of its frame are seen
_TAIL = len(jpeg.END_OF_IMAGE)

# An intact place: a length and the beginning of its frame, preceded by the end of the previous
# frame (anything, if frames need not be JPEGs).
_FIRST = re.compile(rb"(\d{5}|[1-9]\d{5})\xff\xd8")
_NEXT = re.compile(rb"\xff\xd9" + _FIRST.pattern)
_NEXT_OF_ANY = re.compile(rb".." + _FIRST.pattern, re.DOTALL)


def digits_of_length(head: bytes) -> int:
    """Return how many digits the length at the beginning of `head` has; 0 if there is none."""
    if head[:MOST_DIGITS].isdigit() and head[MOST_DIGITS:_HEAD] == _SOI:
        return MOST_DIGITS
    return LENGTH_DIGITS if len(head) >= LENGTH_DIGITS and head[:LENGTH_DIGITS].isdigit() else 0


def _recognises(beginning: bytes) -> bool:
    return beginning[:LENGTH_DIGITS].isdigit()


def _find_frames(read: Read, size: int, any_frame: bool) -> Index:
    """Find the good pictures, or with `any_frame` everything that is announced.

    A frame that begins and ends as a JPEG does counts as good, and the rest of it is not read.
    """
    return _LabIndexer(read, size, any_frame).index()


def _cost(beginning: bytes, size: int) -> int:
    """Estimate one disk page per frame, all as long as the first."""
    digits = digits_of_length(beginning)
    if not digits:
        return size
    return min(size, size * PAGE // (digits + int(beginning[:digits])))


FORMAT = Format("the lab's", _recognises, _find_frames, _cost)


_five_digits = b"%05d".__mod__  # of a length in bytes


class _LabIndexer:
    """Goes from length to length, and looks more closely if one leads to something else."""

    def __init__(self, read: Read, size: int, any_frame: bool) -> None:
        self._read = read
        self._size = size
        self._any_frame = any_frame
        self._pictures = Pictures(read, size)
        self._index = Index(start=b"" if any_frame else _SOI, head_of=_five_digits)

    def index(self) -> Index:
        index, size, position = self._index, self._size, 0
        while position < size and not index.has_too_much_damage(position, size):
            position = self._follow(position)
            head = self._read(position, _HEAD)
            digits = digits_of_length(head)
            if not digits:
                position = self._skip(position, head)
                continue
            start = position + digits
            end = start + int(head[:digits])
            # The end of this frame and the head of the next one.
            ahead = self._read(end - _TAIL, _TAIL + _HEAD) if end <= size else b""
            is_chained = end == size or digits_of_length(ahead[_TAIL:]) > 0
            has_ends = head[digits:].startswith(_SOI) and ahead[:_TAIL] == jpeg.END_OF_IMAGE
            if is_chained and (has_ends or self._any_frame):
                self._take(position, start, end, end)
                position = end
            else:
                position = self._check(position, start, end, is_chained)
        return index

    def _follow(self, position: int) -> int:
        """Take intact frames; return where the first one begins that is not.

        One read per frame: its end together with the beginning of the next.
        """
        first = _FIRST.match(self._read(position, _HEAD))
        if first is None:
            return position
        read, frames = self._read, self._index.frames
        match = (_NEXT_OF_ANY if self._any_frame else _NEXT).match
        start = position + first.end(1)
        end = start + int(first[1])
        while following := match(read(end - _TAIL, _TAIL + _HEAD)):
            frames.append((start, end - start))
            position = end
            start = end + following.end(1) - _TAIL
            end = start + int(following[1])
        return position

    def _take(self, position: int, start: int, end: int, announced_end: int) -> None:
        if end == start:  # a reader would take an empty frame for the end of the movie
            self._leave_out(position, end, start, "a frame of 0 bytes")
            return
        self._index.frames.append((start, end - start))
        if announced_end != end or start - position != len(_five_digits(end - start)):
            self._index.heads[start] = self._read(position, start - position)

    def _check(self, position: int, start: int, end: int, is_chained: bool) -> int:
        """Judge a frame that is not intact; return where to go on."""
        if self._any_frame:
            if end > self._size:
                return self._cut_or_damaged(position, start)
            self._take(position, start, end, end)
            return end
        beginning = self._read(start, len(_SOI))
        if beginning != _SOI:
            if end > self._size:
                return self._cut_or_damaged(position, start)
            found = f"expected a JPEG (FFD8), found {beginning!r}"
            go_on = end if is_chained else start
            self._leave_out(position, go_on, start, found)
            return go_on
        if is_chained:
            self._look_into(position, start, end)
            return end
        picture_end, problem, _ = self._pictures.measure(start)
        if problem is None:
            if picture_end != end:
                self._index.misjudged.add(start)
            self._take(position, start, picture_end, end)
            return picture_end
        if end > self._size:
            return self._cut_or_damaged(position, start)
        self._index.leave_out(position, start, problem)
        return start

    def _look_into(self, position: int, start: int, end: int) -> None:
        """Judge a frame whose length is right but that does not end as a JPEG does."""
        picture_end, problem, lacks_end = jpeg.measure(self._read(start, end - start))
        if lacks_end and start + picture_end == end:
            self._index.endless.add(start)
            self._take(position, start, end, end)
        elif problem is not None:
            self._index.leave_out(position, end, counted_from(start, problem))
        else:
            self._take(position, start, start + picture_end, end)
            text = "bytes after the end of a picture"
            self._index.left_out.add(start + picture_end, end, text)

    def _cut_or_damaged(self, position: int, start: int) -> int:
        """The frame goes beyond the end of the file, unless its length is wrong."""
        following = self._next_head(start)
        if following < self._size:
            self._leave_out(position, following, position, "a length that goes beyond the end")
            return following
        size = self._size
        text = f"byte {size}: expected the rest of a frame, found the end"
        self._index.cut(MovieError(text, size))
        return size

    def _skip(self, position: int, head: bytes) -> int:
        """Return where the next length is that precedes a JPEG."""
        size = self._size
        if head.isdigit() and position + len(head) >= size:
            text = f"byte {size}: expected the rest of a frame, found the end"
            self._index.cut(MovieError(text, size))
            return size
        following = self._next_head(position)
        found = f"expected the length of a frame in 5 ASCII digits, found {head[:LENGTH_DIGITS]!r}"
        self._leave_out(position, following, position, found)
        return following

    def _next_head(self, position: int) -> int:
        start = position
        while (start := self._pictures.find(start, START_OF_PICTURE)) < self._size:
            first = max(position, start - MOST_DIGITS)
            before = self._read(first, start - first)
            digits = len(before) - len(before.rstrip(b"0123456789"))
            if digits >= LENGTH_DIGITS:
                return start - min(digits, MOST_DIGITS)
            start += len(START_OF_PICTURE)
        return self._size

    def _leave_out(self, start: int, end: int, offset: int, problem: str) -> None:
        self._index.leave_out(start, end, MovieError(f"byte {offset}: {problem}", offset))
