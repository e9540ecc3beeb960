"""The formats of movie files that can be read, and which of them a file has.

To add a format, write another file like `lab` and `bare`, and an entry in FORMATS.
"""

from __future__ import annotations

from rtplab.movies import avi, bare, lab, mistakes, multipart
from rtplab.movies.index import START_OF_PICTURE, Format
from rtplab.protocol.errors import MovieError

FORMATS = (lab.FORMAT, bare.FORMAT, avi.FORMAT, multipart.FORMAT)

LEADING = 64 << 10  # bytes of anything else that may precede the first frame


def format_of(beginning: bytes) -> Format:
    """Return the format of a file by its first LEADING bytes.

    Anything may precede the first frame, except in a file that is recognised as another kind, which
    may contain JPEGs, too. Raises MovieError that says what the file is, if not a movie.
    """
    if found := _format_at(beginning, 0):
        return found
    if kind := mistakes.recognise(beginning):
        raise MovieError(kind)
    first = beginning.find(START_OF_PICTURE)
    if first < 0:
        expected = "the length of a frame in 5 ASCII digits, or a JPEG (FFD8)"
        start = beginning[: lab.LENGTH_DIGITS]
        raise MovieError(f"byte 0: expected {expected}, found {start!r}")
    return _format_at(beginning, max(0, first - lab.LENGTH_DIGITS)) or bare.FORMAT


def _format_at(beginning: bytes, start: int) -> Format | None:
    head = beginning[start:]
    return next((format for format in FORMATS if format.recognises(head)), None)


def index_cost(beginning: bytes, size: int) -> int:
    """Estimate, by a file's beginning and size, how many bytes must be read to index it."""
    found = _format_at(beginning, 0) or bare.FORMAT
    return found.cost(beginning, size)
