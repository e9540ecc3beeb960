"""The parts of multipart/x-mixed-replace: each is a picture that replaces the last.

    --boundary
    Content-Type: image/jpeg
    Content-Length: 9012

    <JPEG>
    --boundary
    ...

No standard says how to read it, and cameras differ: the boundary is quoted, or already has its
dashes in the type, or is a different one; lengths are missing or wrong; lines end with LF. A
picture is handed on as soon as it is known to be whole, and not only when the next one begins: the
boundary may come with that one, and each picture would be late by one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtsp.messages import Headers, printable

# Bytes of one picture: a 4K JPEG of high quality is 4 MB.
MAX_PICTURE = 8 << 20
MAX_PART_HEAD = 8 * 1024  # bytes; those of cameras have some hundreds
MAX_LINE = 64 * 1024  # bytes of a line between two parts
MAX_BOUNDARY = 200  # characters; RFC 2046 section 5.1.1 allows 70
# How many times one picture without a length is searched for its end.
MAX_LOOKS = 4

_BOUNDARY = re.compile(r""";\s*boundary\s*=\s*(?:"([^"]*)"|([^;\s]*))""", re.IGNORECASE)
_LINE = re.compile(rb"[^\n]*\n")
_END_OF_PART_HEAD = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(r"\d{1,9}\Z", re.ASCII)
_SOI, _EOI = jpeg.START_OF_IMAGE, jpeg.END_OF_IMAGE


class Part(NamedTuple):
    """One part: its headers and its body."""

    headers: Headers
    data: bytes


def boundary_of(content_type: str) -> str:
    """Return the boundary that a Content-Type names; "" if it names none."""
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2] or "").strip() if found else ""


class MultipartReader:
    """Splits a body into parts as it arrives."""

    def __init__(self, content_type: str, forgiveness: Forgiveness | None = None) -> None:
        """`content_type` is the value of that header, with the boundary."""
        named = boundary_of(content_type)
        self._forgiveness = forgiveness or Forgiveness()
        if not named:
            self._forgiveness.add("boundary in Content-Type", None, "boundary=NAME")
        self._named = named[:MAX_BOUNDARY].encode("latin-1", "replace")
        self.has_ended = False  # the last boundary has come
        self._buffer = bytearray()
        self._delimiter = b""  # as actually found before each part; b"" before the first
        self._headers: Headers | None = None  # of the current part, once known
        self._searched = 0  # bytes of the current part in which no boundary begins
        self._looks = 0
        self._is_cut = False  # the current picture was handed on; only its end is awaited

    def feed(self, data: bytes) -> list[Part]:
        """Feed received bytes; return the parts that are now complete. Raises MessageError."""
        self._buffer += data
        parts = []
        while not self.has_ended:
            if self._headers is None and not self._begin_part():
                break
            part, goes_on = self._next()
            if part is not None:
                parts.append(part)
            if not goes_on:
                break
        return parts

    # ------------------------------------------------------------------ between two parts

    def _begin_part(self) -> bool:
        """Read the boundary and the head of a part; False if bytes are missing."""
        buffer, position = self._buffer, 0
        while True:
            line = _LINE.match(buffer, position)
            if line is None:
                if len(buffer) - position > MAX_LINE:
                    raise MessageError(f"no boundary in {MAX_LINE} bytes")
                del buffer[:position]
                return False
            text = line[0].strip()
            if self._is_boundary(text):
                break
            position = line.end()
        if text == self._delimiter + b"--":
            self.has_ended = True
            return False
        return self._read_part_head(line.end(), position)

    def _is_boundary(self, line: bytes) -> bool:
        if self._delimiter:
            return line in (self._delimiter, self._delimiter + b"--")
        named = self._named
        # RFC 2046 section 5.1.1 puts two dashes before the type's boundary. Some types include
        # them.
        for right in (b"--" + named, named) if named else ():
            if line == right and right.startswith(b"--"):
                if right == named:
                    said, without = named.decode("latin-1"), named.decode("latin-1")[2:]
                    self._forgiveness.add("boundary in Content-Type", said, without)
                self._delimiter = right
                return True
        if line.startswith(b"--") and 2 < len(line) <= MAX_BOUNDARY:
            if named:
                right_one = (b"--" + named).decode("latin-1")
                self._forgiveness.add("The first boundary", line, printable(right_one, 80))
            self._delimiter = line
            return True
        return False

    def _read_part_head(self, start: int, line_start: int) -> bool:
        """Read a part's headers, which begin at `start`; some have none."""
        buffer = self._buffer
        if buffer[start : start + 2] == _SOI:  # not even a blank line
            self._forgiveness.add("The blank line before a picture", None, "a blank line")
            head_end, body = start, start
        else:
            # Without headers, the end of the boundary's own line counts as the blank line.
            end = _END_OF_PART_HEAD.search(buffer, start - 2, start + MAX_PART_HEAD)
            if end is None:
                if len(buffer) - start > MAX_PART_HEAD:
                    raise MessageError(f"a part's head has more than {MAX_PART_HEAD} bytes")
                del buffer[:line_start]
                return False
            head_end, body = max(start, end.start()), end.end()
        headers = Headers()
        for line in bytes(buffer[start:head_end]).decode("latin-1").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                headers.add(name.strip(), value.strip())
        del buffer[:body]
        self._headers = headers
        self._searched = self._looks = 0
        self._is_cut = False
        return True

    # ------------------------------------------------------------------ in a part

    def _next(self) -> tuple[Part | None, bool]:
        """Return the current part if it is complete, and whether more may be read."""
        headers = self._headers
        assert headers is not None
        if not self._is_cut:
            end = self._picture_end(headers)
            if end:
                part = Part(headers, bytes(self._buffer[:end]))
                del self._buffer[:end]
                self._searched, self._is_cut = 0, True
                return part, True
        return self._up_to_boundary(headers)

    def _picture_end(self, headers: Headers) -> int:
        """Return where the picture must end, before its boundary has come; 0: unknown."""
        buffer, text = self._buffer, headers.get("Content-Length").strip()
        if _LENGTH.match(text):
            length = int(text)
            if length > MAX_PICTURE:
                raise MessageError(f"a picture of {length} bytes, more than {MAX_PICTURE}")
            if length and len(buffer) >= length and buffer[:2] == _SOI:
                if buffer.rfind(_EOI, max(0, length - 64), length) >= 0:
                    return length
            if len(buffer) < length:
                return 0
        if self._looks >= MAX_LOOKS or buffer[:2] != _SOI:
            return 0
        if bytes(buffer[-6:]).rstrip(b"\r\n")[-2:] != _EOI:
            return 0
        self._looks += 1
        try:
            end = jpeg.end_of_image(bytes(buffer))
        except MovieError:
            return 0
        self._check_length(text, end)
        return end

    def _check_length(self, text: str, length: int) -> None:
        if text and text != str(length):
            self._forgiveness.add("Content-Length of a part", text, f"{length}, its real length")

    def _up_to_boundary(self, headers: Headers) -> tuple[Part | None, bool]:
        """Search for the boundary that ends the part."""
        buffer, delimiter = self._buffer, self._delimiter
        found = buffer.find(delimiter, max(0, self._searched - len(delimiter)))
        while found > 0 and buffer[found - 1] not in b"\n":  # only a line can be one
            found = buffer.find(delimiter, found + 1)
        if found < 0:
            self._searched = len(buffer)
            if self._is_cut:  # nothing after a picture is kept
                keep = len(delimiter) + 2
                del buffer[: max(0, len(buffer) - keep)]
                self._searched = 0
            elif len(buffer) > MAX_PICTURE:
                raise MessageError(f"a picture of more than {MAX_PICTURE} bytes")
            return None, False
        data = bytes(buffer[:found])
        del buffer[:found]
        self._headers = None
        if self._is_cut:
            return None, True
        data = data[:-2] if data.endswith(b"\r\n") else data[:-1]
        self._check_length(headers.get("Content-Length").strip(), len(data))
        return Part(headers, data), True
