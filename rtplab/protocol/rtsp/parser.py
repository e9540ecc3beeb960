"""The incremental RTSP parsers: bytes and `now` in, messages and interleaved frames out.

A message of the standard ends at its blank line. A lab message often has none: it ends when its
lines say all that its method needs and nothing more has come for QUIET_PERIOD, or when missing
parts have not come for REPEAT_PERIOD or USELESS_PERIOD. So the caller asks a parser for its next
message, and `deadline()` says when to ask again although nothing arrived.
"""

from __future__ import annotations

import re

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.messages import (
    VERSION,
    Form,
    Headers,
    InterleavedFrame,
    Request,
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
# The largest head, in bytes: real ones have less than 1,000; a long Authorization fits.
MAX_HEAD = 16 * 1024
MAX_REQUEST_LINE = 4096  # bytes: the longest file name (255) in any encoding, with its folders
MAX_HEADERS = 100  # header fields; real clients send less than 15
MAX_BODY = 64 * 1024  # bytes: GET_PARAMETER lists and session descriptions are below 4 KB

BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")  # a CR before it stays with the last line of the head
_LINE_END = re.compile(rb"\r?\n")
_METHOD = re.compile(lab.METHOD + r"\Z")
INTERLEAVED = 0x24  # "$"
_EMPTY_LINE_BYTES = b"\r\n"
_BLANKS = (" ", "\t")


class MessageParser:
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


def parse_standard(lines: list[str], form: Form) -> Request:
    """Read the head of a request of the standard dialect (RFC 2326 section 6)."""
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
