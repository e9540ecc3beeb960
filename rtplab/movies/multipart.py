"""The format of multipart dumps: saved from HTTP cameras, or written by `ffmpeg -f mpjpeg`.

    --boundary
    Content-Type: image/jpeg
    Content-Length: 9012
    X-Timestamp: 12.345

    <JPEG>
    --boundary
    ...

The length may be missing or wrong. `curl -i` puts HTTP's own header before everything.
"""

from __future__ import annotations

import re
from fractions import Fraction

from rtplab.movies.index import PAGE, Format, Index, Pictures, Read, possible_rate
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg

_MAX_HEADER = 1024  # bytes of one part's header; those of cameras have a few hundred
_MAX_RESPONSE = 4096  # bytes of HTTP's own header
_FIELDS = rb"((?:[^\r\n]{1,1000}\r?\n){0,50})\r?\n"
_PART = re.compile(rb"(?:\r?\n){0,4}(--[^\r\n]{1,100})\r?\n" + _FIELDS)
_LAST = re.compile(rb"(?:\r?\n){0,4}(?:--[^\r\n]{1,100}(?:\r?\n){0,4})?\Z")  # no further part
_RESPONSE = re.compile(rb"HTTP/1\.[01] [^\r\n]{0,200}\r?\n" + _FIELDS)
_NEXT = re.compile(rb"(?:\r?\n){0,4}(?:--|\Z)")

_TYPE = re.compile(rb"^content-type:[ \t]*([\w/+.-]+)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})\s*$", re.IGNORECASE | re.MULTILINE)
_TIME = re.compile(
    rb"^x-timestamp:[ \t]*(\d{1,12}(?:\.\d{1,9})?)\s*$", re.IGNORECASE | re.MULTILINE
)
_RATE = re.compile(rb"^x-framerate:[ \t]*(\d{1,4}(?:\.\d{1,6})?)\s*$", re.IGNORECASE | re.MULTILINE)
_FINEST_RATE = 1000  # the largest denominator of a measured mean rate

_SOI, _EOI = jpeg.START_OF_IMAGE, jpeg.END_OF_IMAGE
_AHEAD = 10  # bytes in which the next boundary begins


def _recognises(beginning: bytes) -> bool:
    if response := _RESPONSE.match(beginning):
        return b"multipart/" in response[1].lower()
    part = _PART.match(beginning)
    return part is not None and b"content-" in part[2].lower()


def _find_frames(read: Read, size: int, any_frame: bool) -> Index:
    """Find the good pictures: those that begin and end as a JPEG and have the stated length."""
    return _MultipartIndexer(read, size).index()


def _cost(beginning: bytes, size: int) -> int:
    """Estimate a disk page for each end and beginning, if parts state their length."""
    length = _LENGTH.search(beginning)
    pages = size * PAGE // max(1, int(length[1])) if length else size
    return min(size, pages)


FORMAT = Format("multipart", _recognises, _find_frames, _cost)


class _MultipartIndexer:
    """Goes from part to part; if one is damaged, searches for the next picture."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._pictures = Pictures(read, size)
        self._index = Index()
        self._boundary = b""
        self._times: list[tuple[int, Fraction]] = []  # the first and the last, with frames before

    def index(self) -> Index:
        index, size, position = self._index, self._size, self._skip_response()
        while position < size and not index.has_too_much_damage(position, size):
            head = self._read(position, _MAX_HEADER)
            if part := _PART.match(head):
                self._boundary = part[1]
                position = self._take_part(position + part.end(), part[2])
            elif size - position < _MAX_HEADER and _LAST.match(head):
                break
            else:
                position = self._skip(position)
        if rate := self._measured_rate():
            index.frame_rate = rate
        return index

    def _skip_response(self) -> int:
        response = _RESPONSE.match(self._read(0, _MAX_RESPONSE))
        if response is None:
            return 0
        self._note_rate(response[1])
        return response.end()

    def _take_part(self, start: int, fields: bytes) -> int:
        """Take the picture at `start`, if there is one; return where to go on."""
        length, kind = _LENGTH.search(fields), _TYPE.search(fields)
        end = start + int(length[1]) if length else None
        if kind and not kind[1].lower().startswith((b"image/", b"application/octet")):
            is_known = end is not None and end <= self._size
            return end if end and is_known else self._pictures.find(start, self._boundary)
        count = len(self._index.frames)
        position = self._take(start, end)
        if len(self._index.frames) > count:
            self._note_rate(fields)
            if time := _TIME.search(fields):
                self._times[1:] = [(count, Fraction(time[1].decode()))]
        return position

    def _note_rate(self, fields: bytes) -> None:
        if not self._index.frame_rate and (rate := _RATE.search(fields)):
            self._index.frame_rate = possible_rate(Fraction(rate[1].decode()), 1)

    def _measured_rate(self) -> Fraction | None:
        """Return the mean rate by the pictures' timestamps, if they have any."""
        if len(self._times) < 2:
            return None
        (first, begun), (last, ended) = self._times
        rate = possible_rate(last - first, ended - begun)
        return rate and rate.limit_denominator(_FINEST_RATE)

    def _take(self, start: int, said_end: int | None) -> int:
        """As `_take_part`; `said_end` is the stated end of the part, if any."""
        index, end = self._index, None
        if said_end is not None and said_end <= self._size:
            tail = self._read(said_end - len(_EOI), len(_EOI) + _AHEAD)
            end = said_end if _NEXT.match(tail, len(_EOI)) else None
            if end and tail.startswith(_EOI) and self._read(start, len(_SOI)) == _SOI:
                index.frames.append((start, end - start))
                return end
        picture_end, problem, lacks_end = self._pictures.measure(start)
        if problem is None:
            if said_end is not None and end is None:
                index.misjudged.add(start)
            index.frames.append((start, picture_end - start))
            index.left_out.add(picture_end, end or 0, "bytes after the end of a picture")
            return max(picture_end, end or 0)
        if end is None:
            end = self._before_boundary(start, picture_end)
        if lacks_end and end <= picture_end < self._pictures.size:
            index.endless.add(start)
            index.frames.append((start, end - start))
        elif problem.offset >= self._size and self._pictures.find(end) >= self._size:
            index.cut(problem)
            return self._size
        else:
            index.leave_out(start, end, problem)
        return end

    def _before_boundary(self, start: int, end: int) -> int:
        """Return where the last boundary between `start` and `end` is; `end` if there is none."""
        found = self._read(start, end - start).rfind(b"\n" + self._boundary)
        return start + found if self._boundary and found > 0 else end

    def _skip(self, position: int) -> int:
        """Skip bytes that are not a part; return where to go on."""
        if self._read(position, len(_SOI)) == _SOI:
            return self._take(position, None)
        following = self._pictures.find(position)
        text = f"byte {position}: expected a boundary"
        self._index.leave_out(position, following, MovieError(text, position))
        return following
