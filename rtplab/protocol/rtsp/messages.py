"""RTSP messages (RFC 2326) in both dialects: their contents, and how they are written.

A message remembers the form in which it came, because a reply has the form of its request: each of
the lab's textbook clients reads exactly one form and hangs on any other.

    lab, LF                     lab, CRLF, no blank line      standard
    RTSP/1.0 200 OK<LF>         RTSP/1.0 200 OK<CRLF>         RTSP/1.0 200 OK<CRLF>
    CSeq: 1<LF>                 CSeq: 1<CRLF>                 CSeq: 1<CRLF>
    Session: 123456<LF>         Session: 123456<CRLF>         any headers<CRLF>
    <LF>                                                      <CRLF>
                                                              body
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from rtplab.protocol.errors import MessageError

VERSION = "RTSP/1.0"
MAX_REASON = 200  # characters of a reason phrase: ffmpeg keeps 255, and a user reads one line

REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    457: "Invalid Range",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Time-out",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}


class Dialect(Enum):
    """Which of the two ways of speaking RTSP a message or a session uses."""

    LAB = "lab"
    STANDARD = "standard"


@dataclass(frozen=True)
class Form:
    """How a message was framed: its line ends, and whether a blank line closed its head."""

    eol: str = "\r\n"
    blank_line: bool = True


STANDARD_FORM = Form()


class Headers:
    """Header fields in the order they came; names are looked up regardless of case."""

    def __init__(self, fields: list[tuple[str, str]] | None = None) -> None:
        self._fields = list(fields or ())
        self._first: dict[str, str] = {}  # value by name in lower case
        for name, value in self._fields:
            self._first.setdefault(name.lower(), value)

    def add(self, name: str, value: object) -> None:
        text = str(value)
        self._fields.append((name, text))
        self._first.setdefault(name.lower(), text)

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of the field `name`."""
        return self._first.get(name.lower(), default)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass
class Request:
    """One RTSP request. `problem` is what the parser found wrong with it, if anything.

    `raw` holds the bytes of a request that a server has sent, as they came.
    """

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    cseq: str = ""
    body: bytes = b""
    dialect: Dialect = Dialect.STANDARD
    form: Form = STANDARD_FORM
    problem: MessageError | None = None
    raw: bytes = b""

    def serialise(self) -> bytes:
        """Return the bytes of the request, in its form; CSeq is the first header."""
        lines = [f"{self.method} {self.uri} {VERSION}", f"CSeq: {self.cseq}"]
        return _joined(lines, self.headers, self.form.eol, self.form.blank_line, self.body)


@dataclass
class Response:
    """One RTSP response. `session` is empty if there is none to name.

    `raw` holds the bytes of a received response, as they came.
    """

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    cseq: str = ""
    session: str = ""
    reason: str = ""
    raw: bytes = b""

    def serialise(self, request: Request) -> bytes:
        """Return the bytes of the response in the form in which `request` asked."""
        if request.dialect is Dialect.LAB:
            return self._serialise_lab(request)
        lines = [self._status_line()]
        if request.cseq:
            lines.append(f"CSeq: {request.cseq}")
        if self.session:
            lines.append(f"Session: {self.session}")
        return _joined(lines, self.headers, "\r\n", True, self.body)

    def _serialise_lab(self, request: Request) -> bytes:
        form = request.form
        has_blank_line = form.blank_line or form.eol == "\n"
        if self.status != 200 and not has_blank_line:
            # The Java clients read one line of an error and three of a success.
            return _joined([self._status_line()], Headers(), form.eol, False, b"")
        lines = [
            self._status_line(),
            f"CSeq: {request.cseq or 0}",
            f"Session: {self.session or 0}",
        ]
        has_blank_line = has_blank_line or bool(self.body)
        return _joined(lines, self.headers, form.eol, has_blank_line, self.body)

    def explain(self, why: str) -> None:
        """Give the reason after the status's own phrase, which is what players show their users."""
        phrase = f"{REASONS.get(self.status, 'Unknown')}: {why}"
        self.reason = printable(phrase.encode("ascii", "backslashreplace"), MAX_REASON)

    def _status_line(self) -> str:
        return f"{VERSION} {self.status} {self.reason or REASONS.get(self.status, 'Unknown')}"


def _joined(lines: list[str], headers: Headers, eol: str, blank_line: bool, body: bytes) -> bytes:
    """Return a message's bytes; it begins with `lines`."""
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    head = eol.join(lines) + eol + (eol if blank_line else "")
    return head.encode("utf-8", "surrogateescape") + body


@dataclass(frozen=True)
class InterleavedFrame:
    """A binary packet on the RTSP connection (RFC 2326 section 10.12)."""

    channel: int
    payload: bytes


def printable(text: str | bytes, limit: int = 200) -> str:
    """Make a peer's text safe for a log line or a window: escape it, and cut it at `limit`."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isprintable() and len(text) <= limit:
        return text
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit]
    )
    return shown + ("..." if len(text) > limit else "")
