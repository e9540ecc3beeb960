"""The incremental RTSP parsers: bytes and `now` in, messages and interleaved frames out.

A message of the standard ends at its blank line. A lab message often has none: it ends when its
lines say all that its method needs and nothing more has come for QUIET_PERIOD, or when missing
parts have not come for REPEAT_PERIOD or USELESS_PERIOD. So the caller asks a parser for its next
message, and `deadline()` says when to ask again although nothing arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.messages import (
    VERSION,
    Dialect,
    Form,
    Headers,
    InterleavedFrame,
    Request,
    Response,
    printable,
)

# Seconds of silence after which a lab message that could be complete is complete: 25 of 44 public
# clients do not end their last line. Longer than the gap between two TCP segments of one
# message, shorter than anyone notices.
QUIET_PERIOD = 0.020
# The same for a lab message that can be understood but lacks its number or its session. They may be
# in a second segment, and if that is lost, TCP repeats it after 0.2 to 1 s.
REPEAT_PERIOD = 1.0
# The same for one that can't be carried out: it is refused. By then, TCP has repeated whatever was
# lost, and the client's user is still waiting. If the lines have come over more than REPEAT_PERIOD,
# a person is typing, who has until SILENCE_TIMEOUT for the next line.
USELESS_PERIOD = 3.0
# An incomplete head is given up after this many seconds of silence, and this many after its first
# byte: a person who types it stays within both; a peer that dribbles must not hold a thread
# forever.
SILENCE_TIMEOUT = 10.0
REQUEST_TIMEOUT = 60.0
# The largest head, in bytes: real ones have less than 1,000; a long Authorization fits.
MAX_HEAD = 16 * 1024
MAX_REQUEST_LINE = 4096  # bytes: the longest file name (255) in any encoding, with its folders
MAX_HEADERS = 100  # header fields; real clients send less than 15
MAX_BODY = 64 * 1024  # bytes: GET_PARAMETER lists and session descriptions are below 4 KB

_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")  # a CR before it stays with the last line of the head
_LINE_END = re.compile(rb"\r?\n")
_METHOD = re.compile(lab.METHOD + r"\Z")
_LONE_CR = re.compile(rb"\r(?=[^\r\n])")  # a line end of its own
_LINE_START = 80  # bytes: enough of a line to see what it is
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
_INTERLEAVED = 0x24  # "$"
_EMPTY_LINE_BYTES = b"\r\n"
_BLANKS = (" ", "\t")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors on Windows write it at the beginning of a file

_Message = TypeVar("_Message", Request, Response)


class _MessageParser:
    """Shared by both parsers: the buffer, interleaved frames, heads and bodies."""

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

    If the second line is indented, there is no header that it could continue: then all lines are
    indented, and none is folded. There is always a first line, which may be empty.
    """
    match = _LINE_END.search(head)
    eol = match.group().decode() if match else "\n"
    lines: list[str] = []
    for raw in head.decode("utf-8", "surrogateescape").split("\n"):
        line = raw.rstrip("\r")
        folded = line[:1] in _BLANKS and len(lines) > 1 and ":" in lines[-1]
        if folded and lines[1][:1] not in _BLANKS:
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
        raise MessageError(
            f"Content-Length is not a number: {printable(text, 20)}", 400, fatal=True
        )
    if int(text) > most:
        raise MessageError(f"a body of {text} bytes exceeds the limit of {most}", 413, fatal=True)
    return int(text)


@dataclass
class _Head:
    """What is known about the head at the beginning of the buffer: nothing is read twice."""

    looked: int = 0  # bytes that were searched for line ends
    line_start: int = 0  # where the unfinished line begins
    lines: int = 0  # finished ones
    ends_lines_by_cr: bool | None = None  # in the standard; None: still unknown
    is_nonsense: bool = False  # its first line is not a request line
    may_be_lab: bool = False  # by its first line
    # Where it ends, where the rest begins, and whether a blank line is between them.
    end: tuple[int, int, bool] | None = None
    judged: int = 0  # bytes for which `patience` holds: see RequestParser._patience
    patience: float | None = None
    request: Request | None = None  # once it is whole, while we wait for the body
    body_start: int = 0
    length: int = 0  # with the body


class RequestParser(_MessageParser):
    """Requests of both dialects, out of whatever pieces TCP delivers."""

    def __init__(
        self,
        request_timeout: float = REQUEST_TIMEOUT,
        max_head: int = MAX_HEAD,
        max_body: int = MAX_BODY,
        forgiveness: Forgiveness | None = None,
    ) -> None:
        """Limit the seconds a request may take to arrive, and the bytes of its parts."""
        super().__init__()
        self._forgiveness = forgiveness or Forgiveness()
        self._speaks_lab = False
        self._ends_lines_by_cr = False
        self._speaks_standard = False  # a standard head has come: lines end with CRLF
        self._drops_fields = False  # late ones, of a lab request that was carried out without them
        self._request_timeout = request_timeout
        self._max_head, self._max_body = max_head, max_body
        self._head = _Head()

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now` (seconds on any steady clock)."""
        super().feed(data.replace(b"\r", b"\n") if self._ends_lines_by_cr else data, now)

    def deadline(self) -> float | None:
        """When to call `next` again although nothing arrived, in seconds; None: never.

        Single bytes must be cheap: their sum is judged once they stop coming.
        """
        if not self._buffer:
            return None
        overdue = self._overdue_at()
        if self._has_late_field():
            return self._last_arrival + REPEAT_PERIOD
        if not self._may_end_unmarked():
            return overdue
        is_judged = self._head.judged == len(self._buffer)
        patience = self._head.patience if is_judged else QUIET_PERIOD
        return overdue if patience is None else min(self._last_arrival + patience, overdue)

    def next(self, now: float) -> Request | InterleavedFrame | None:
        """Return the next message that is complete at `now`, or None.

        A request that can't be carried out has a `problem`; after a fatal one, stop reading.
        """
        self._skip_empty_lines()
        if self._buffer.startswith(_BYTE_ORDER_MARK):
            self._take(len(_BYTE_ORDER_MARK))
        if self._drops_fields:
            self._drop_late_fields(now)
        if not self._buffer:
            return None
        if self._buffer[0] == _INTERLEAVED:
            return self._take_interleaved() or self._overdue(now)
        if self._head.request is None:
            end = self._head_end() or self._unmarked_end(now)
            if end is None:
                return self._too_long() or self._overdue(now)
            self._read_head(*end)
        return self._complete() or self._overdue(now)

    def _take(self, length: int) -> bytes:
        self._head = _Head()
        return super()._take(length)

    def _head_end(self) -> tuple[int, int, bool] | None:
        """Continue the search for the end of the head."""
        head = self._head
        self._detect_lone_cr()
        while head.end is None:
            line_end = self._buffer.find(b"\n", head.looked, self._max_head)
            if line_end < 0:
                head.looked = len(self._buffer)
                break
            self._line_ended(line_end)
            if head.end is None and not head.may_be_lab and self._buffer.endswith(b"\n"):
                self._skip_whole_lines()
        return head.end

    def _skip_whole_lines(self) -> None:
        """Look on in one go, where only a blank line can end the head and all lines have ended."""
        head = self._head
        blank = _BLANK_LINE.search(self._buffer, head.line_start - 1, self._max_head)
        if blank:
            head.end = blank.start(), blank.end(), True
        head.looked = head.line_start = len(self._buffer)

    def _line_ended(self, line_end: int) -> None:
        head, start = self._head, self._head.line_start
        head.looked = head.line_start = line_end + 1
        head.lines += 1
        if start == 0:
            line = self._line(start, line_end)
            head.is_nonsense = not lab.is_request_line(line)
            may_say_so_below = line[:5].upper() == "SETUP"  # by its transport
            head.may_be_lab = self._speaks_lab or lab.has_bare_name(line) or may_say_so_below
        elif not self._buffer[start:line_end].strip(b" \t\r"):
            head.end = start - 1, line_end + 1, True
        elif head.may_be_lab and lab.begins_next_request(self._line(start, line_end)):
            if self._is_lab(split_lines(bytes(self._buffer[: start - 1]))[0]):
                # Two requests of a client that sends no blank lines.
                head.end = start - 1, start, False

    def _line(self, start: int, end: int) -> str:
        return self._buffer[start:end].decode("utf-8", "replace")

    def _detect_lone_cr(self) -> None:
        """Notice lines that end with CR alone, which RFC 2326 section 4 asks us to accept.

        A lab client sends nothing but lines, and ends all of them so. In the standard only the head
        consists of lines, up to its blank one.
        """
        head = self._head
        if self._speaks_standard or self._ends_lines_by_cr or head.lines:
            return
        if head.ends_lines_by_cr is None:
            lone = _LONE_CR.search(self._buffer, max(0, head.looked - 1), self._max_head)
            if not lone or self._buffer.find(b"\n", 0, lone.start()) >= 0:
                return
            line = self._buffer[: lone.start()].decode("utf-8", "replace")
            self._ends_lines_by_cr = lab.has_bare_name(line)
            head.ends_lines_by_cr = line.endswith(f" {VERSION}")
        if self._ends_lines_by_cr:
            self._buffer[:] = self._buffer.replace(b"\r", b"\n")
        elif head.ends_lines_by_cr and (end := self._buffer.find(b"\r\r")) >= 0:
            self._buffer[: end + 2] = self._buffer[: end + 2].replace(b"\r", b"\n")

    def _is_lab(self, lines: list[str]) -> bool:
        return self._speaks_lab or lab.is_lab_head(lines)

    # ------------------------------------------------------------------ heads that nothing ends

    def _unmarked_end(self, now: float) -> tuple[int, int, bool] | None:
        """Return the end of an unterminated head: all of it, once it is sufficient."""
        length = len(self._buffer)
        if length > self._max_head:
            return None
        is_over = self._head.is_nonsense
        if not is_over and now >= self._last_arrival + QUIET_PERIOD and self._may_end_unmarked():
            patience = self._patience()
            is_over = patience is not None and now >= self._last_arrival + patience
        return (length, length, False) if is_over else None

    def _may_end_unmarked(self) -> bool:
        """Tell if reading the lines is worthwhile, without reading them."""
        head = self._head
        if head.end is not None or len(self._buffer) > self._max_head:
            return False
        if not head.lines:  # whatever it is, nobody is left without an answer
            return self._buffer[0] != _INTERLEAVED
        return head.may_be_lab and head.lines <= MAX_HEADERS

    def _patience(self) -> float | None:
        """The silence in seconds after which the lines count as a request.

        None if only a terminator makes them one.
        """
        head = self._head
        if head.judged != len(self._buffer):
            head.judged = len(self._buffer)
            head.patience = self._judge(split_lines(bytes(self._buffer))[0])
        return head.patience

    def _judge(self, lines: list[str]) -> float | None:
        is_typed = self._last_arrival - self._first_arrival >= REPEAT_PERIOD
        patience = None if is_typed else USELESS_PERIOD
        if not self._is_lab(lines):
            return None if lab.is_request_line(lines[0]) else patience
        lines = lab.as_meant(lines)
        if lab.is_complete(lines):
            return QUIET_PERIOD
        if not lab.has_bare_name(lines[0]):
            return None
        return REPEAT_PERIOD if self._head.lines and lab.is_executable(lines) else patience

    def _has_late_field(self) -> bool:
        """Tell if the buffer begins with the rest of a request that was already answered."""
        if not self._drops_fields:
            return False
        start = self._buffer[:_LINE_START].partition(b"\n")[0]
        return lab.is_field_line(start.decode("utf-8", "replace"))

    def _drop_late_fields(self, now: float) -> None:
        while self._has_late_field():
            line_end = self._buffer.find(b"\n")
            if line_end < 0 and now < self._last_arrival + REPEAT_PERIOD:
                return
            self._take(line_end + 1 if line_end >= 0 else len(self._buffer))
            self._skip_empty_lines()

    # ------------------------------------------------------------------ whole requests

    def _read_head(self, head_end: int, body_start: int, blank_line: bool) -> None:
        head = self._head
        head.request = request = self._parse_head(bytes(self._buffer[:head_end]), blank_line)
        head.body_start = head.length = body_start
        self._drops_fields = not blank_line and bool(request.method)
        if blank_line:  # without one, no body can begin
            try:
                head.length += content_length(request.headers, self._max_body)
            except MessageError as problem:
                request.problem = problem

    def _complete(self) -> Request | None:
        """Take the request whose head has been read, unless its body is incomplete."""
        head = self._head
        if head.request is None or len(self._buffer) < head.length:
            return None
        head.request.body = self._take(head.length)[head.body_start :]
        return head.request

    def _parse_head(self, data: bytes, blank_line: bool) -> Request:
        lines, eol = split_lines(data)
        form = Form(eol, blank_line)
        if self._is_lab(lines):
            request = self._parse_lab(lines, form)
        else:
            request = _parse_standard(lines, form)
            is_right = request.problem is None and eol == "\r\n"
            self._speaks_standard = self._speaks_standard or is_right
            if eol == "\n" and not self._speaks_standard and not lab.is_request_line(lines[0]):
                request.dialect = Dialect.LAB  # its clients end lines so, and read three lines
        if len(lines) > MAX_HEADERS:
            request.problem = MessageError(
                f"{len(lines)} header lines exceed the limit of {MAX_HEADERS}"
            )
        elif len(lines[0]) > MAX_REQUEST_LINE:
            request.problem = MessageError("the request line is too long", 414)
        return request

    def _parse_lab(self, lines: list[str], form: Form) -> Request:
        request = lab.understand(lines, form, self._forgiveness)
        self._speaks_lab = self._speaks_lab or request.method == "SETUP"
        if (
            not form.blank_line
            and request.problem is None
            and not lab.is_executable(lab.as_meant(lines))
        ):
            request.problem = MessageError("SETUP has no client_port")
        if self._ends_lines_by_cr:
            self._forgiveness.add("The end of a line", "\r", "\n")
        return request

    def _too_long(self) -> Request | None:
        if len(self._buffer) <= self._max_head:
            return None
        return self._give_up(
            MessageError(f"the head is longer than {self._max_head} bytes", fatal=True)
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
    number = request.headers.get("CSeq")
    request.cseq = number if number.isascii() and number.isdigit() and len(number) <= 10 else ""
    if not _METHOD.match(method) or not uri or not version.startswith("RTSP/"):
        request.problem = MessageError(f"not a request line: {printable(lines[0], 80)}")
    elif version != VERSION:
        request.problem = MessageError(f"version {printable(version, 20)} is not {VERSION}", 505)
    elif not request.cseq:
        request.problem = MessageError("a request needs a CSeq (RFC 2326 section 12.17)")
    return request


class ResponseParser(_MessageParser):
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
        blank = _BLANK_LINE.search(self._buffer, 0, MAX_HEAD)
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
        if not self._buffer.startswith(b"RTSP/") or _BLANK_LINE.search(self._buffer):
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
        request = _parse_standard(lines, Form(eol, blank_line))
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
