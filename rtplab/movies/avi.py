"""The format of AVI files of JPEG pictures (MJPG), as cameras, capture cards and editors write it.

    RIFF size AVI                 chunks: an id, its size in 4 bytes little-endian, that many bytes,
      LIST size hdrl              and one more where that is odd; RIFF and LIST hold further ones
        avih <microseconds per frame, ...>
        LIST size strl
          strh <vids, MJPG, ..., scale, rate, ...>      rate / scale is the frame rate
          strf <..., MJPG, ...>
      LIST size movi
        00dc size <JPEG>
        01wb size <sound>
        ...
      idx1 size <where the chunks are>
    RIFF size AVIX                another one for each further GB (OpenDML)
      ...

We walk from chunk to chunk and trust no index: it is missing if a recording was interrupted, and
wrong in other files. For the same reason the sizes of RIFF and LIST are ignored. An empty chunk
repeats the previous picture.
"""

from __future__ import annotations

import re
import struct

from rtplab.movies.index import (
    MAX_PICTURE,
    PAGE,
    START_OF_PICTURE,
    Format,
    Index,
    Pictures,
    Read,
    counted_from,
    possible_rate,
)
from rtplab.movies.mistakes import CONVERT
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg

_CHUNK = struct.Struct("<4sI")
_NAME = 4  # bytes of an id, or of a list's type
_SOI = jpeg.START_OF_IMAGE

_ID = re.compile(rb"\d\d[a-z_]{2}|[A-Za-z_][0-9A-Za-z_ ]{3}")
_STREAM_ID = re.compile(rb"(\d\d)(dc|db|wb|tx|pc)")
_PICTURE_ID = re.compile(rb"(\d\d)d[cb]")
_OPENED = {b"hdrl", b"strl", b"movi", b"rec "}  # lists whose contents we need

_AVIH = struct.Struct("<I")  # microseconds per frame
_STRH = struct.Struct("<4s 16x II")  # type, scale, rate
_STRF = struct.Struct("<16x 4s")  # codec
_TOTAL_FRAMES = struct.Struct("<I")
_TOTAL_FRAMES_AT = 48  # bytes from the beginning: usual, and good enough to guess by

# Codec names of JPEG pictures; others are recognised as JPEGs by their first bytes.
_JPEG_CODECS = {b"MJPG", b"JPEG", b"AVI1", b"AVI2", b"IJPG", b"MJPA", b"DMB1"}

# Bytes of padding after a picture within its chunk that the quick check covers.
_TAIL = 16
# Disk pages that are read per picture: its beginning, its end, and a chunk of sound.
_PAGES = 3


def _recognises(beginning: bytes) -> bool:
    return beginning.startswith(b"RIFF") and beginning[8:12] == b"AVI "


def _find_frames(read: Read, size: int, any_frame: bool) -> Index:
    """Find the good pictures; one that begins and ends as a JPEG does counts as good."""
    return _AviIndexer(read, size).index()


def _cost(beginning: bytes, size: int) -> int:
    """Estimate some disk pages for each announced frame."""
    if len(beginning) < _TOTAL_FRAMES_AT + _TOTAL_FRAMES.size:
        return size
    (frames,) = _TOTAL_FRAMES.unpack_from(beginning, _TOTAL_FRAMES_AT)
    return min(size, _PAGES * PAGE * frames or size)


FORMAT = Format("AVI", _recognises, _find_frames, _cost)


class _AviIndexer:
    """Goes from chunk to chunk, and looks more closely if one leads to something else."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._pictures = Pictures(read, size)
        self._index = Index(head_of=self._head_of)
        self._streams = 0
        self._video: int | None = None  # the number of the first stream of pictures
        self._codec = b""

    def index(self) -> Index:
        index, size, position = self._index, self._size, 0
        while position < size and not index.has_too_much_damage(position, size):
            head = self._read(position, _CHUNK.size + _NAME)
            if len(head) < _CHUNK.size or not _ID.match(head):
                position = self._skip(position)
                continue
            name, length = _CHUNK.unpack_from(head)
            start = position + _CHUNK.size
            if name == b"RIFF" or (name == b"LIST" and head[_CHUNK.size :] in _OPENED):
                position = start + _NAME
            elif self._is_picture(name):
                if self._is_no_jpeg(head[_CHUNK.size :]):
                    break
                position = self._take(position, start, start + length)
            elif not self._is_chained(start, start + length):
                position = self._skip(position)
            else:
                self._read_header(name, start)
                position = self._after(start, start + length)
        return index

    def _head_of(self, length: int) -> bytes:
        return _CHUNK.pack(b"%02ddc" % (self._video or 0), length)

    def _is_picture(self, name: bytes) -> bool:
        found = _PICTURE_ID.match(name)
        return found is not None and self._video in (None, int(found[1]))

    def _is_no_jpeg(self, beginning: bytes) -> bool:
        """Tell by the first picture if the file has another kind of pictures, and note that."""
        index = self._index
        if index.frames or index.error or self._codec in _JPEG_CODECS:
            return False
        if beginning.startswith(_SOI) or not beginning:
            return False
        codec = self._codec.decode("ascii", "replace").strip()
        kind = f"{codec} pictures" if codec.isalnum() else "pictures that are not JPEG"
        index.error = MovieError(f"this is an AVI file with {kind}: {CONVERT}")
        return True

    def _read_header(self, name: bytes, start: int) -> None:
        """Read the first stream of pictures, its codec and its frame rate from the headers."""
        index = self._index
        if name == b"avih":
            data = self._read(start, _AVIH.size)
            if len(data) == _AVIH.size and not index.frame_rate:
                index.frame_rate = possible_rate(1_000_000, *_AVIH.unpack(data))
        elif name == b"strh":
            data = self._read(start, _STRH.size)
            if self._video is None and len(data) == _STRH.size and data.startswith(b"vids"):
                self._video = self._streams
                _, scale, rate = _STRH.unpack(data)
                index.frame_rate = possible_rate(rate, scale) or index.frame_rate
            self._streams += 1
        elif name == b"strf" and self._video == self._streams - 1:
            data = self._read(start, _STRF.size)
            if len(data) == _STRF.size:
                (codec,) = _STRF.unpack(data)
                self._codec = codec.upper()

    def _after(self, start: int, end: int) -> int:
        """Return where the chunk after `start`..`end` begins: some programs write no padding."""
        if (end - start) % 2 == 0 or _STREAM_ID.match(self._read(end, _NAME)):
            return end
        return end + 1

    def _is_chained(self, start: int, end: int) -> bool:
        """Tell if the size of a chunk from `start` to `end` leads to another, or to the end."""
        if end >= self._size:
            return end == self._size
        following = self._after(start, end)
        return following >= self._size or _ID.match(self._read(following, _NAME)) is not None

    def _take(self, position: int, start: int, end: int) -> int:
        """Take the picture of a chunk, if it is one; return where to go on."""
        if end == start:
            self._index.frames += self._index.frames[-1:]
            return end
        if not self._is_chained(start, end):
            return self._measure(position, start)
        tail = self._read(max(start, end - _TAIL), min(_TAIL, end - start))
        picture = tail.rstrip(b"\0")
        if self._read(start, len(_SOI)) == _SOI and picture.endswith(jpeg.END_OF_IMAGE):
            self._add(position, start, end - len(tail) + len(picture), end)
        else:
            self._look_into(position, start, end)
        return self._after(start, end)

    def _add(self, position: int, start: int, picture_end: int, end: int) -> None:
        """Take a picture up to its end; zeros that fill a chunk are not reported."""
        self._index.frames.append((start, picture_end - start))
        head = self._read(position, _CHUNK.size)
        if head != self._head_of(picture_end - start):
            self._index.heads[start] = head

    def _look_into(self, position: int, start: int, end: int) -> None:
        """Judge a chunk of the right size whose contents do not begin or end like a JPEG."""
        index = self._index
        if end - start > MAX_PICTURE:
            text = f"byte {start}: a picture of more than {MAX_PICTURE:,} bytes"
            index.leave_out(position, end, MovieError(text, start))
            return
        length, problem, lacks_end = jpeg.measure(self._read(start, end - start))
        if problem is None:
            self._add(position, start, start + length, end)
        elif lacks_end and start + length == end:
            index.endless.add(start)
            self._add(position, start, end, end)
        else:
            index.leave_out(position, end, counted_from(start, problem))

    def _measure(self, position: int, start: int) -> int:
        """Judge a picture whose chunk has a wrong size, or is cut off; return where to go on."""
        index = self._index
        end, problem, _ = self._pictures.measure(start)
        if problem is None:
            index.misjudged.add(start)
            index.frames.append((start, end - start))
            index.heads[start] = self._read(position, _CHUNK.size)
            return self._after(start, end)
        following = self._next_picture(start)
        if following >= self._size:
            text = f"byte {self._size}: expected the rest of a picture, found the end"
            index.cut(MovieError(text, self._size))
        else:
            index.leave_out(position, following, problem)
        return following

    def _skip(self, position: int) -> int:
        """Skip bytes that are not a chunk; return where the next picture's chunk is."""
        following = self._next_picture(position)
        text = f"byte {position}: expected an AVI chunk"
        self._index.leave_out(position, following, MovieError(text, position))
        return following

    def _next_picture(self, position: int) -> int:
        start = position
        while (start := self._pictures.find(start, START_OF_PICTURE)) < self._size:
            head = start - _CHUNK.size
            if head >= position and self._is_picture(self._read(head, _NAME)):
                return head
            start += len(START_OF_PICTURE)
        return self._size
