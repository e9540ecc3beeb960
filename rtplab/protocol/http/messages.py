"""HTTP/1.1 requests and replies (RFC 9112), for a client that reads an endless body.

    GET /stream HTTP/1.1            HTTP/1.1 200 OK
    Host: camera:81                 Content-Type: multipart/x-mixed-replace; boundary=frame
    User-Agent: rtplab              Transfer-Encoding: chunked

`ReplyReader` takes bytes as they come and gives the head, then what the body says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import Headers, printable
from rtplab.protocol.rtsp.urls import Url, escaped, parse_stream_url

# Bytes of a reply's head: real ones have a few hundred, those with cookies a few thousand.
MAX_HEAD = 32 * 1024
MAX_HEADERS = 100
MAX_INTERIM = 5  # replies 1xx before the real one
MAX_CHUNK_LINE = 1024  # bytes: a length in hexadecimal, and extensions that nobody uses

_STATUS_LINE = re.compile(r"HTTP/1\.\d (\d{3})(?: ([^\r\n]*))?\Z")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"\d{1,18}\Z", re.ASCII)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Reply:
    """The head of a reply; `raw` holds its bytes as they came."""

    status: int
    reason: str
    headers: Headers
    raw: bytes

    @property
    def is_chunked(self) -> bool:
        """Tell if the body comes in chunks (RFC 9112 section 7.1)."""
        return self.headers.get("Transfer-Encoding").strip().lower().endswith("chunked")

    @property
    def length(self) -> int | None:
        """Bytes of the body, if the reply states them."""
        text = self.headers.get("Content-Length").strip()
        return int(text) if _LENGTH.match(text) and not self.is_chunked else None

    @property
    def content_type(self) -> str:
        """The kind of body without its parameters, in lower case; "" if it is not stated."""
        return self.headers.get("Content-Type").partition(";")[0].strip().lower()


def get_request(url: Url, headers: list[tuple[str, str]]) -> bytes:
    """Return the request for `url`, with more headers."""
    common = [("Host", url.authority), ("User-Agent", "rtplab"), ("Accept", "*/*")]
    lines = [f"GET {escaped(url.path)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in [*common, *headers, ("Connection", "close")]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def redirection(reply: Reply, url: Url) -> Url:
    """Return the target of a 3xx reply to `url` (RFC 9110 section 10.2.2). Raises MessageError."""
    location = reply.headers.get("Location")
    if not location:
        raise MessageError("a redirect without a Location header")
    try:
        return parse_stream_url(urljoin(str(url), location))
    except ValueError as error:
        raise MessageError(f"a redirect to {printable(location, 80)}") from error


class ReplyReader:
    """Reads one reply: its head, then its body in pieces."""

    def __init__(self) -> None:
        self.head: Reply | None = None
        self.has_ended = False  # the body is complete, by its headers or chunks
        self._buffer = bytearray()
        self._interim = 0
        self._left: int | None = None  # bytes of the body, or of the current chunk

    def feed(self, data: bytes) -> bytes:
        """Feed received bytes; return those that belong to the body. Raises MessageError."""
        self._buffer += data
        if self.head is None:
            self._read_head()
            if self.head is None:
                return b""
        if self.has_ended:
            return b""
        return self._chunks() if self.head.is_chunked else self._plain()

    @property
    def first_line(self) -> bytes:
        """The beginning of the received bytes, for people, if the peer does not speak HTTP."""
        return bytes(self._buffer[:80]).partition(b"\n")[0].rstrip()

    def _read_head(self) -> None:
        while self.head is None:
            if not b"HTTP/1."[: len(self._buffer)] == self._buffer[:7]:
                raise MessageError("it is not HTTP")
            end = _END_OF_HEAD.search(self._buffer, 0, MAX_HEAD)
            if end is None:
                if len(self._buffer) >= MAX_HEAD:
                    raise MessageError(f"the reply's head has more than {MAX_HEAD} bytes")
                return
            raw = bytes(self._buffer[: end.end()])
            del self._buffer[: end.end()]
            reply = _parse_head(raw)
            if 100 <= reply.status < 200:
                self._interim += 1
                if self._interim > MAX_INTERIM:
                    raise MessageError("too many 1xx replies")
            else:
                self.head = reply
                self._left = reply.length
                self.has_ended = self._left == 0

    def _plain(self) -> bytes:
        data = bytes(self._buffer if self._left is None else self._buffer[: self._left])
        self._buffer.clear()
        if self._left is not None:
            self._left -= len(data)
            self.has_ended = not self._left
        return data

    def _chunks(self) -> bytes:
        """Decode the chunks (RFC 9112 section 7.1)."""
        pieces, buffer, position = [], self._buffer, 0
        while not self.has_ended and position < len(buffer):
            if not self._left:
                # The line before a length, but for the first, ends the chunk before.
                start = position
                while start < len(buffer) and buffer[start] in b"\r\n" and start < position + 2:
                    start += 1
                line = _CHUNK_SIZE.match(buffer, start)
                if line is None:
                    if len(buffer) - start > MAX_CHUNK_LINE or b"\n" in buffer[start:]:
                        shown = printable(bytes(buffer[start : start + 40]), 60)
                        raise MessageError(f"a chunk begins with {shown!r}, not with its length")
                    break
                self._left, position = int(line[1], 16), line.end()
                self.has_ended = self._left == 0
            piece = bytes(buffer[position : position + self._left])
            pieces.append(piece)
            position += len(piece)
            self._left -= len(piece)
        del buffer[:position]
        return b"".join(pieces)


def _parse_head(raw: bytes) -> Reply:
    first, *lines = raw.decode("utf-8", "replace").rstrip("\r\n").split("\n")
    status = _STATUS_LINE.match(first.rstrip("\r"))
    if status is None:
        raise MessageError(f"the reply begins with {printable(first.strip(), 80)!r}")
    if len(lines) > MAX_HEADERS:
        raise MessageError(f"the reply has more than {MAX_HEADERS} headers")
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers.add(name.strip(), value.strip())
    return Reply(int(status[1]), printable((status[2] or "").strip(), 80), headers, raw)
