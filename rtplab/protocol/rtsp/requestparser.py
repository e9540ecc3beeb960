"""The server's parser: requests of both dialects, also from clients that do not mark their end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.messages import VERSION, Dialect, Form, InterleavedFrame, Request
from rtplab.protocol.rtsp.parser import (
    BLANK_LINE,
    INTERLEAVED,
    MAX_BODY,
    MAX_HEAD,
    MAX_HEADERS,
    MAX_REQUEST_LINE,
    QUIET_PERIOD,
    REPEAT_PERIOD,
    USELESS_PERIOD,
    MessageParser,
    content_length,
    parse_standard,
    split_lines,
)

# An incomplete head is given up after this many seconds of silence, and this many after its first
# byte: a person who types it stays within both; a peer that dribbles must not hold a thread
# forever.
SILENCE_TIMEOUT = 10.0
REQUEST_TIMEOUT = 60.0

_LONE_CR = re.compile(rb"\r(?=[^\r\n])")  # a line end of its own
_LINE_START = 80  # bytes: enough of a line to see what it is
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors on Windows write it at the beginning of a file


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


class RequestParser(MessageParser):
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
        if not self._buffer:
            return None
        self._skip_empty_lines()
        if self._buffer.startswith(_BYTE_ORDER_MARK):
            self._take(len(_BYTE_ORDER_MARK))
        if self._drops_fields:
            self._drop_late_fields(now)
        if not self._buffer:
            return None
        if self._buffer[0] == INTERLEAVED:
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
        blank = BLANK_LINE.search(self._buffer, head.line_start - 1, self._max_head)
        if blank:
            head.end = blank.start(), blank.end(), True
        head.looked = head.line_start = len(self._buffer)

    def _line_ended(self, line_end: int) -> None:
        head, start = self._head, self._head.line_start
        head.looked = head.line_start = line_end + 1
        head.lines += 1
        if start == 0:
            line = self._buffer[:line_end].decode("utf-8", "replace")
            first = lab.parse_request_line(line)
            head.is_nonsense = first is None
            has_bare_name = first is not None and first.has_bare_name
            may_say_so_below = line[:5].upper() == "SETUP"  # by its transport
            head.may_be_lab = self._speaks_lab or has_bare_name or may_say_so_below
        elif not self._buffer[start:line_end].strip(b" \t\r"):
            head.end = start - 1, line_end + 1, True
        elif head.may_be_lab and lab.begins_next_request(
            self._buffer[start:line_end].decode("utf-8", "replace")
        ):
            if self._is_lab(split_lines(bytes(self._buffer[: start - 1]))[0]):
                # Two requests of a client that sends no blank lines.
                head.end = start - 1, start, False

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
            return self._buffer[0] != INTERLEAVED
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
            return patience if lab.parse_request_line(lines[0]) is None else None
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
            request = parse_standard(lines, form)
            is_right = request.problem is None and eol == "\r\n"
            self._speaks_standard = self._speaks_standard or is_right
            if (
                eol == "\n"
                and not self._speaks_standard
                and lab.parse_request_line(lines[0]) is None
            ):
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
