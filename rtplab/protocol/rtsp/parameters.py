"""The only parameter of our server: the names of what it serves.

    GET_PARAMETER rtsp://host/ RTSP/1.0        RTSP/1.0 200 OK
    Content-Type: text/parameters              Content-Type: text/parameters

    movies                                     movie: harbour.Mjpeg
                                               movie: two%20words.Mjpeg

RFC 2326 section 10.8 leaves the parameters to the two sides. Each name is escaped as in an address.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

CONTENT_TYPE = "text/parameters"
REQUEST = b"movies\r\n"
MAX_LIST = 60_000  # bytes: readers take bodies of up to 64 KB
MAX_NAMES = 1000

_NAME = "movie"


def asks_for_movies(body: bytes) -> bool:
    """Tell if the body of a GET_PARAMETER asks for the names, and for nothing else."""
    return body.strip().lower() == REQUEST.strip()


def written(names: Iterable[str]) -> bytes:
    """Return the body that lists these names; those that do not fit are omitted."""
    body = b""
    for name in names:
        line = f"{_NAME}: {quote(name, safe='', errors='surrogateescape')}\r\n".encode()
        if len(body) + len(line) > MAX_LIST:
            break
        body += line
    return body


def parse_names(body: bytes) -> list[str]:
    """Return the names that a body lists; ignore anything else in it."""
    names = []
    for line in body.decode("utf-8", "replace").splitlines()[:MAX_NAMES]:
        key, _, value = line.partition(":")
        if key.strip().lower() == _NAME and value.strip():
            names.append(unquote(value.strip(), errors="surrogateescape"))
    return names
