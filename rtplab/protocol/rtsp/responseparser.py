"""The player's parser: replies in both dialects, and what standard servers send between them."""

from __future__ import annotations

import re
from typing import TypeVar

from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.messages import (
    VERSION,
    Dialect,
    Form,
    InterleavedFrame,
    Request,
    Response,
    printable,
)
from rtplab.protocol.rtsp.parser import (
    BLANK_LINE,
    MAX_HEAD,
    MAX_REQUEST_LINE,
    QUIET_PERIOD,
    REPEAT_PERIOD,
    MessageParser,
    content_length,
    parse_headers,
    parse_standard,
    split_lines,
)

# How an answer in HTTP begins: with a status line or, if the server does not know the version of
# the request, with the page, as in the oldest version.
_STATUS_LINE = re.compile(rf"{re.escape(VERSION)} [1-9]\d\d \S", re.ASCII)
_HEADER_LINE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:")  # a token (RFC 2326 section 15.1)
_HTTP = re.compile(rb"HTTP/\d|<(?:!doctype )?html\b", re.IGNORECASE)
# What a standard server may send besides a reply: an interleaved frame, or a request.
_OTHER_MESSAGE = re.compile(rb"\$|[A-Z_]{1,32} [^\x00-\x1f]* RTSP/\d\.\d *\r?\n")
_HALF_REQUEST_LINE = re.compile(rb"[A-Z_]{1,32}(?: [^\x00-\x1f]{0,4096}\r?)?\Z")
# The head of either ends at its blank line, or where the next frame begins. Anything else ends with
# its line, or there.
_HEAD_END = re.compile(rb"\n(?:[ \t]*\r?\n|(?=\$))")
_LINE_OR_FRAME = re.compile(rb"\n|(?=\$)")

_Message = TypeVar("_Message", Request, Response)


class ResponseParser(MessageParser):
    """Responses in both dialects, as a client reads them, and requests of standard servers."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.forgiveness = Forgiveness()
        self._dialect = dialect
        self._has_message = False
        self._first_skipped = b""

    @property
    def has_more(self) -> bool:
        """Tell if there are bytes that no message has taken yet."""
        return bool(self._buffer)

    @property
    def foreign_line(self) -> bytes:
        """The first line from a server that does not speak RTSP; empty if nothing came."""
        if self._has_message:
            return b""
        pending = b"" if self._begins_message() else _first_line(self._buffer)
        line = self._first_skipped or pending
        return b"" if b"RTSP/" in line else line  # a server may send requests, too

    @property
    def speaks_http(self) -> bool:
        """Tell if that line is HTTP."""
        return bool(_HTTP.match(self.foreign_line))

    def deadline(self) -> float | None:
        """When to call `next` again although nothing arrived, in seconds; None: never."""
        patience = self._patience() if self._dialect is Dialect.LAB else None
        return None if patience is None else self._last_arrival + patience

    def next(self, now: float) -> Response | Request | InterleavedFrame | None:
        """Return the next message or interleaved frame that is complete at `now`, or None.

        Anything else is skipped. Raises MessageError when framing is lost.
        """
        if self._dialect is Dialect.LAB:
            return self._next_lab(now)
        self._skip_to_message()
        if self._buffer[:1] == b"$":
            return self._take_interleaved()
        if not self._begins_message():
            return None
        end = _HEAD_END.search(self._buffer, 0, MAX_HEAD)
        if end:
            return self._complete(end.start(), end.end(), end.end() - end.start() > 1)
        self._check_head()
        return None

    def _next_lab(self, now: float) -> Response | None:
        self._skip_empty_lines()
        self._skip_to_status_line()
        blank = BLANK_LINE.search(self._buffer, 0, MAX_HEAD)
        if blank:
            return self._complete_response(blank.start(), blank.end(), True)
        patience = self._patience()
        if patience is not None and now >= self._last_arrival + patience:
            return self._complete_response(len(self._buffer), len(self._buffer), False)
        self._check_head()
        return None

    def _check_head(self) -> None:
        """Refuse an unfinished head that is longer than any real one."""
        if len(self._buffer) > MAX_HEAD:
            raise MessageError(f"the reply's head is longer than {MAX_HEAD} bytes", fatal=True)

    def rest(self) -> Response | None:
        """Return what a lab server means by the bytes so far, or None.

        In the standard dialect they may begin an interleaved frame, so they are kept.
        """
        if self._dialect is not Dialect.LAB:
            return None
        self._skip_to_status_line()
        if not self._buffer.startswith(b"RTSP/"):
            return None
        return self._complete_response(len(self._buffer), len(self._buffer), False)

    def _skip_to_status_line(self) -> None:
        """Drop whole lines until one begins with RTSP/: the surplus of an earlier reply."""
        while self._buffer and not self._begins_response():
            line_end = self._buffer.find(b"\n")
            if line_end < 0:
                self._check_line()
                return
            self._skip(line_end + 1)

    def _skip_to_message(self) -> None:
        """Drop lines that do not begin a message, but nothing from a "$" on."""
        self._skip_empty_lines()
        while self._buffer and not self._begins_message():
            end = _LINE_OR_FRAME.search(self._buffer)
            if not end or _HALF_REQUEST_LINE.match(self._buffer):
                self._check_line()
                return
            self._skip(end.end())
            self._skip_empty_lines()

    def _skip(self, length: int) -> None:
        self._first_skipped = self._first_skipped or _first_line(self._buffer)
        skipped = self._take(length)
        if self._has_message:  # otherwise it may not speak RTSP, which is reported elsewhere
            self.forgiveness.add("The data between two messages", skipped, "nothing")

    def _check_line(self) -> None:
        """Refuse an unfinished line that is longer than any real one."""
        if len(self._buffer) > MAX_REQUEST_LINE:
            raise MessageError("the server sent something other than RTSP", fatal=True)

    def _begins_response(self) -> bool:
        return b"RTSP/".startswith(bytes(self._buffer[:5]))

    def _begins_message(self) -> bool:
        if self._begins_response():
            return True
        return self._dialect is Dialect.STANDARD and bool(_OTHER_MESSAGE.match(self._buffer))

    def _patience(self) -> float | None:
        """The silence in seconds that ends a lab reply; None: more must come."""
        if not self._buffer.startswith(b"RTSP/") or BLANK_LINE.search(self._buffer):
            return None  # no status line yet, or its body is incomplete
        lines, _ = split_lines(bytes(self._buffer))
        if lab.is_complete_response(lines):
            return QUIET_PERIOD
        return REPEAT_PERIOD if lab.is_response_without_session(lines) else None

    def _complete(
        self, head_end: int, body_start: int, blank_line: bool
    ) -> Response | Request | None:
        if self._buffer.startswith(b"RTSP/"):
            return self._complete_response(head_end, body_start, blank_line)
        lines, eol = split_lines(bytes(self._buffer[:head_end]))
        request = parse_standard(lines, Form(eol, blank_line))
        return self._with_body(request, body_start, blank_line)

    def _complete_response(
        self, head_end: int, body_start: int, blank_line: bool
    ) -> Response | None:
        lines, eol = split_lines(bytes(self._buffer[:head_end]))
        response = _parse_response(lines)
        if response.status == 200:  # the lab's errors have only a status line, which is right
            self._forgive(lines, eol)
        return self._with_body(response, body_start, blank_line)

    def _forgive(self, lines: list[str], eol: str) -> None:
        """Report mistakes in the lines of a reply. In the lab dialect they may also end in LF."""
        forgive = self.forgiveness.add
        if not _STATUS_LINE.match(lines[0]):
            forgive("A status line", lines[0], f"a line such as {VERSION} 200 OK")
        if self._dialect is Dialect.STANDARD and eol == "\n":
            forgive("The end of a reply's lines", eol, repr("\r\n"))
        for line in lines[1:]:
            if not _HEADER_LINE.match(line):
                forgive("A header line", line, "a name, a colon and a value")

    def _with_body(self, message: _Message, body_start: int, blank_line: bool) -> _Message | None:
        """Take the message whose head has been read, unless its body is incomplete."""
        length = content_length(message.headers) if blank_line else 0
        if len(self._buffer) < body_start + length:
            return None
        self._has_message = True
        message.raw = self._take(body_start + length)
        message.body = message.raw[body_start:]
        return message


def _first_line(data: bytearray) -> bytes:
    """The first line that is not empty, as far as it has come."""
    return bytes(data[:MAX_REQUEST_LINE]).strip().partition(b"\n")[0].rstrip()


def _parse_response(lines: list[str]) -> Response:
    """Read a status line and headers (RFC 2326 section 7), however sloppy the others are."""
    words = lines[0].split(None, 2)
    if len(words) < 2 or not re.fullmatch(r"[1-9]\d\d", words[1], re.ASCII):
        raise MessageError(f"not a status line: {printable(lines[0], 80)}", fatal=True)
    headers = parse_headers(lines[1:])
    session = headers.get("Session").partition(";")[0].strip()
    reason = words[2] if len(words) > 2 else ""
    return Response(int(words[1]), headers, b"", headers.get("CSeq"), session, reason)
