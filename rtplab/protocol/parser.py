"""The incremental RTSP parsers: bytes and `now` in, messages and interleaved frames out.

A message of the standard ends at its blank line. A lab message often has none: it ends when its
lines say all that its method needs and nothing more has come for QUIET_PERIOD. So a parser is
asked for its next message, and tells by `deadline()` when to ask again although nothing arrived.
"""

from __future__ import annotations

import re

from rtplab.protocol import lab
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp import (
    VERSION,
    Dialect,
    Form,
    Headers,
    InterleavedFrame,
    Request,
    Response,
    printable,
)

# How long a lab message that could be complete must have been silent, in seconds: 25 of 44 public
# clients end their last line with nothing. Longer than the gap between two TCP segments of one
# message, shorter than anyone notices.
QUIET_PERIOD = 0.020
# An incomplete head is given up after so much silence, and so long after its first byte, in
# seconds: a person who types it by hand keeps within both; a peer that dribbles must not hold a
# thread for ever.
SILENCE_TIMEOUT = 10.0
REQUEST_TIMEOUT = 60.0
# The largest head, in bytes: real ones have less than 1,000; a long Authorization fits.
MAX_HEAD = 16 * 1024
MAX_REQUEST_LINE = 4096  # bytes: the longest file name (255) in any encoding, with its folders
MAX_HEADERS = 100  # header fields; real clients send less than 15
MAX_BODY = 64 * 1024  # bytes: GET_PARAMETER lists and session descriptions are below 4 KB

_BLANK_LINE = re.compile(rb"\n[ \t]*\r?\n")  # a CR before it stays with the last line of the head
_LINE_END = re.compile(rb"\r?\n")
# A request line within a head: with a version, or (the older lab form) a bare number below it.
_NEXT_REQUEST = re.compile(
    rb"\n(?=[A-Z_]+ [^\r\n]*(?:RTSP/\d\.\d[ ]*\r?\n|\r?\n[ ]*\d+[ ]*(?:[\r\n]|\Z)))"
)
_METHOD = re.compile(r"[A-Za-z_]{1,32}\Z")
# How an answer in HTTP begins: with a status line or, where the server does not know the version it
# was asked in, as in the oldest version, with the page.
_HTTP = re.compile(rb"HTTP/\d|<(?:!doctype )?html\b", re.IGNORECASE)
_INTERLEAVED = 0x24  # "$"
_EMPTY_LINE_BYTES = b"\r\n"


class _MessageParser:
    """What both parsers share: the buffer, interleaved frames, heads and bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._first_arrival = 0.0
        self._last_arrival = 0.0

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now` (seconds on any steady clock)."""
        if not self._buffer:
            self._first_arrival = now
        self._last_arrival = now
        self._buffer += data

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._first_arrival = self._last_arrival
        return taken

    def _skip_empty_lines(self) -> None:
        if self._buffer and self._buffer[0] in _EMPTY_LINE_BYTES:
            self._take(len(self._buffer) - len(self._buffer.lstrip(_EMPTY_LINE_BYTES)))

    def _take_interleaved(self) -> InterleavedFrame | None:
        """RFC 2326 section 10.12: "$", one byte of channel, two bytes of length, the packet."""
        if len(self._buffer) < 4:
            return None
        length = 4 + int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < length:
            return None
        frame = self._take(length)
        return InterleavedFrame(frame[1], frame[4:])


def split_lines(head: bytes) -> tuple[list[str], str]:
    """Return the lines of a head, folded ones joined (RFC 2326 section 4.2), and its line end.

    There is always a first line, if need be an empty one.
    """
    match = _LINE_END.search(head)
    eol = match.group().decode() if match else "\n"
    lines: list[str] = []
    for raw in head.decode("utf-8", "surrogateescape").split("\n"):
        line = raw.rstrip("\r")
        folded = line[:1] in (" ", "\t") and len(lines) > 1 and ":" in lines[-1]
        if folded:
            lines[-1] += " " + line.strip()
        elif line.strip():
            lines.append(line)
    return lines or [""], eol


def parse_headers(lines: list[str]) -> Headers:
    """Read `Name: value` lines; one without a colon is not a header and is left out."""
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields.append((name.strip(), value.strip()))
    return Headers(fields)


def content_length(headers: Headers, most: int = MAX_BODY) -> int:
    """Return the length of the body in bytes. Raises MessageError; framing is then lost."""
    text = headers.get("Content-Length", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise MessageError(f"Content-Length is no number: {printable(text, 20)}", 400, fatal=True)
    if int(text) > most:
        raise MessageError(f"a body of {text} bytes is over {most}", 413, fatal=True)
    return int(text)


class RequestParser(_MessageParser):
    """Requests of both dialects, out of whatever pieces TCP delivers."""

    def __init__(
        self,
        request_timeout: float = REQUEST_TIMEOUT,
        max_head: int = MAX_HEAD,
        max_body: int = MAX_BODY,
    ) -> None:
        """A request may take so many seconds to come, and its parts have so many bytes."""
        super().__init__()
        self._speaks_lab = False
        self._request_timeout = request_timeout
        self._max_head, self._max_body = max_head, max_body

    def deadline(self) -> float | None:
        """When to call `next` again although nothing arrived, in seconds; None: never."""
        if not self._buffer:
            return None
        if self._buffer[0] != _INTERLEAVED and self._could_be_complete():
            return self._last_arrival + QUIET_PERIOD
        return self._overdue_at()

    def next(self, now: float) -> Request | InterleavedFrame | None:
        """Return the next message that is complete at `now`, or None.

        A request that can't be obeyed comes with its `problem`; after a fatal one, stop reading.
        """
        self._skip_empty_lines()
        if not self._buffer:
            return None
        if self._buffer[0] == _INTERLEAVED:
            return self._take_interleaved() or self._overdue(now)
        end = self._head_end() or self._unmarked_end(now)
        if end is None:
            return self._too_long() or self._overdue(now)
        return self._complete(*end) or self._overdue(now)

    def _head_end(self) -> tuple[int, int, bool] | None:
        """Return where the head ends, where what follows begins, and if a blank line is there."""
        blank = _BLANK_LINE.search(self._buffer, 0, self._max_head)
        limit = blank.start() + 1 if blank else self._max_head
        following = _NEXT_REQUEST.search(self._buffer, 0, limit)
        if following and self._is_lab(split_lines(self._head(following.start()))[0]):
            # Two requests of a client that sends no blank lines.
            return following.start(), following.end(), False
        return (blank.start(), blank.end(), True) if blank else None

    def _is_lab(self, lines: list[str]) -> bool:
        return self._speaks_lab or lab.is_lab_head(lines)

    def _head(self, end: int) -> bytes:
        return bytes(self._buffer[:end])

    def _unmarked_end(self, now: float) -> tuple[int, int, bool] | None:
        """Return the end of a head that nothing marks: all that there is, once that is enough."""
        length = len(self._buffer)
        quiet = now >= self._last_arrival + QUIET_PERIOD
        if length <= self._max_head and (
            self._is_nonsense() or quiet and self._could_be_complete()
        ):
            return length, length, False
        return None

    def _is_nonsense(self) -> bool:
        first_line, line_end, _ = self._buffer.partition(b"\n")
        return bool(line_end) and not lab.is_request_line(first_line.decode("utf-8", "replace"))

    def _could_be_complete(self) -> bool:
        if len(self._buffer) > self._max_head or _BLANK_LINE.search(self._buffer):
            return False
        if self._buffer.count(b"\n") > MAX_HEADERS:
            return False  # to read them all again with every byte that comes would cost too much
        lines, _ = split_lines(bytes(self._buffer))
        return self._is_lab(lines) and lab.is_complete(lines)

    def _complete(self, head_end: int, body_start: int, blank_line: bool) -> Request | None:
        """Take the request whose head is in the buffer, unless its body is still on its way."""
        request = self._parse_head(self._head(head_end), blank_line)
        length = 0
        if blank_line:  # without one there is nowhere for a body to begin
            try:
                length = content_length(request.headers, self._max_body)
            except MessageError as problem:
                request.problem = problem
        if len(self._buffer) < body_start + length:
            return None
        request.body = self._take(body_start + length)[body_start:]
        return request

    def _parse_head(self, head: bytes, blank_line: bool) -> Request:
        lines, eol = split_lines(head)
        form = Form(eol, blank_line)
        if self._is_lab(lines):
            request = lab.parse_request(lines, form)
            self._speaks_lab = self._speaks_lab or request.method == "SETUP"
        else:
            request = _parse_standard(lines, form)
        if len(lines) > MAX_HEADERS:
            request.problem = MessageError(f"{len(lines)} header lines are over {MAX_HEADERS}")
        elif len(lines[0]) > MAX_REQUEST_LINE:
            request.problem = MessageError("the request line is too long", 414)
        return request

    def _too_long(self) -> Request | None:
        if len(self._buffer) <= self._max_head:
            return None
        return self._give_up(
            MessageError(f"no end of the head in {self._max_head} bytes", fatal=True)
        )

    def _overdue_at(self) -> float:
        silence_ends = self._last_arrival + SILENCE_TIMEOUT
        return min(silence_ends, self._first_arrival + self._request_timeout)

    def _overdue(self, now: float) -> Request | None:
        if now < self._overdue_at():
            return None
        return self._give_up(MessageError("the request was never completed", 408, fatal=True))

    def _give_up(self, problem: MessageError) -> Request:
        head = self._take(len(self._buffer))[:MAX_REQUEST_LINE]
        lines, eol = split_lines(head)
        dialect = Dialect.LAB if self._is_lab(lines) else Dialect.STANDARD
        return Request("", "", dialect=dialect, form=Form(eol, True), problem=problem)


def _parse_standard(lines: list[str], form: Form) -> Request:
    """Read a head of the standard dialect (RFC 2326 section 6)."""
    method, _, rest = lines[0].partition(" ")
    uri, _, version = rest.rpartition(" ")
    request = Request(method, uri.strip(), parse_headers(lines[1:]), form=form)
    request.cseq = _checked_cseq(request.headers.get("CSeq"))
    if not _METHOD.match(method) or not uri or not version.startswith("RTSP/"):
        request.problem = MessageError(f"not a request line: {printable(lines[0], 80)}")
    elif version != VERSION:
        request.problem = MessageError(f"version {printable(version, 20)} is not {VERSION}", 505)
    elif not request.cseq:
        request.problem = MessageError("a request needs a CSeq (RFC 2326 section 12.17)")
    return request


def _checked_cseq(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) <= 10 else ""


class ResponseParser(_MessageParser):
    """Responses of both dialects, as a client reads them."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect
        self._has_response = False
        self._first_skipped = b""

    @property
    def foreign_line(self) -> bytes:
        """The first line of what has come from a server that speaks no RTSP; empty: nothing."""
        if self._has_response:
            return b""
        pending = b"" if self._begins_message() else _first_line(self._buffer)
        line = self._first_skipped or pending
        return b"" if b"RTSP/" in line else line  # a server may ask, too

    @property
    def speaks_http(self) -> bool:
        """Tell if that line is one of HTTP."""
        return bool(_HTTP.match(self.foreign_line))

    def deadline(self) -> float | None:
        """When to call `next` again although nothing arrived, in seconds; None: never."""
        lab_pending = self._dialect is Dialect.LAB and self._could_be_complete()
        return self._last_arrival + QUIET_PERIOD if lab_pending else None

    def next(self, now: float) -> Response | InterleavedFrame | None:
        """Return the next response or interleaved frame that is complete at `now`, or None.

        Lines before a status line are skipped. Raises MessageError when framing is lost.
        """
        self._skip_empty_lines()
        if self._dialect is Dialect.STANDARD and self._buffer[:1] == b"$":
            return self._take_interleaved()
        self._skip_to_status_line()
        blank = _BLANK_LINE.search(self._buffer, 0, MAX_HEAD)
        if blank:
            return self._complete(blank.start(), blank.end(), True)
        if len(self._buffer) > MAX_HEAD:
            raise MessageError(f"no end of the reply in {MAX_HEAD} bytes", fatal=True)
        if self._dialect is Dialect.LAB and self._is_quiet(now):
            return self._complete(len(self._buffer), len(self._buffer), False)
        return None

    def rest(self) -> Response | None:
        """Return what a lab server has meant by the bytes so far, or None.

        In the standard dialect they may be the beginning of an interleaved frame: they stay.
        """
        if self._dialect is not Dialect.LAB:
            return None
        self._skip_to_status_line()
        if not self._buffer.startswith(b"RTSP/"):
            return None
        return self._complete(len(self._buffer), len(self._buffer), False)

    def _skip_to_status_line(self) -> None:
        """Drop whole lines until one begins with RTSP/: what an earlier reply had too much."""
        while self._buffer and not self._begins_response():
            line_end = self._buffer.find(b"\n")
            interleaved = self._buffer.find(b"$") if self._dialect is Dialect.STANDARD else -1
            if line_end < 0 and interleaved < 0:
                if len(self._buffer) > MAX_REQUEST_LINE:
                    raise MessageError("what the server sent is no RTSP", fatal=True)
                return
            self._first_skipped = self._first_skipped or _first_line(self._buffer)
            self._take(line_end + 1 if line_end >= 0 else interleaved)
            if self._buffer[:1] == b"$" and interleaved >= 0:
                return

    def _begins_response(self) -> bool:
        return b"RTSP/".startswith(bytes(self._buffer[:5]))

    def _begins_message(self) -> bool:
        is_interleaved = self._dialect is Dialect.STANDARD and self._buffer[:1] == b"$"
        return self._begins_response() or is_interleaved

    def _could_be_complete(self) -> bool:
        if not self._buffer.startswith(b"RTSP/") or _BLANK_LINE.search(self._buffer):
            return False  # no status line yet, or its body is still on its way
        return lab.is_complete_response(split_lines(bytes(self._buffer))[0])

    def _is_quiet(self, now: float) -> bool:
        return self._could_be_complete() and now >= self._last_arrival + QUIET_PERIOD

    def _complete(self, head_end: int, body_start: int, blank_line: bool) -> Response | None:
        lines, _ = split_lines(bytes(self._buffer[:head_end]))
        response = _parse_response(lines)
        length = content_length(response.headers) if blank_line else 0
        if len(self._buffer) < body_start + length:
            return None
        self._has_response = True
        response.raw = self._take(body_start + length)
        response.body = response.raw[body_start:]
        return response


def _first_line(data: bytearray) -> bytes:
    """The first line that is not empty, as far as it goes."""
    return bytes(data[:MAX_REQUEST_LINE]).strip().partition(b"\n")[0].rstrip()


def _parse_response(lines: list[str]) -> Response:
    """Read a status line and headers (RFC 2326 section 7), however sloppy the rest is."""
    words = lines[0].split(None, 2)
    if len(words) < 2 or not re.fullmatch(r"[1-9]\d\d", words[1], re.ASCII):
        raise MessageError(f"not a status line: {printable(lines[0], 80)}", fatal=True)
    headers = parse_headers(lines[1:])
    session = headers.get("Session").partition(";")[0].strip()
    reason = words[2] if len(words) > 2 else ""
    return Response(int(words[1]), headers, b"", headers.get("CSeq"), session, reason)
