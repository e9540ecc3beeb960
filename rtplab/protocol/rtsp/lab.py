"""Requests as the lab's public programs write them, and when one of them is complete.

    SETUP movie.Mjpeg RTSP/1.0<LF>                SETUP movie.Mjpeg<LF>
    CSeq: 1<LF>                                   1<LF>
    Transport: RTP/UDP; client_port= 25000         RTSP/1.0 RTP/UDP 25000

The left form is the usual one, the right an older one. There are also misspelt headers, missing
colons, other cases, and ports on a line of their own: for each deviation that is accepted here, a
program exists whose users can't change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.messages import VERSION, Dialect, Form, Headers, Request, printable

# The name of a method, like all that have been seen: M-SEARCH is one.
METHOD = r"[A-Za-z_][A-Za-z0-9_-]{0,31}"
# In none of these may two adjacent parts match the same blanks: a line of 16,000 blanks would then
# take seconds to refuse.
_METHOD = re.compile(METHOD + r"\Z")
# A version as people write it: RTSP/1.0, RTPS/1.0, RTP/1.0, rtsp/1.0, RTSP/1.
_VERSION_WORD = r"[RTSPrtsp]{3,5}/\d(?:\.\d)?"
# The same at the end of the request line: RTSP 1.0, RTSP1,0, RTSP, HTTP/1.1, or without a blank
# before it. The longest has 9 characters.
_LAST_VERSION = re.compile(
    r"(?:\A|(?<=\s))(?:[RTSPrtsp]{3,5}[/ ]?\d(?:[.,]\d)?|RTSP|RTPS|rtsp|HTTP/\d\.\d)\Z"
    r"|(?<=\S)RTSP/\d\.\d\Z",
    re.ASCII,
)
_MAX_VERSION = 10  # characters: one more than the longest, to see what stands before it
# And within the line, if something follows that should not: a remark, or the other lines.
_VERSION_WITHIN = re.compile(rf"(?:\A|(?<=\s)){_VERSION_WORD}(?=[\s,;#\\])", re.ASCII)
# What programs write that do not turn it into a line end, such as `echo` in most shells.
_WRITTEN_LINE_END = re.compile(r"(?:\\r)?\\n")
_CSEQ = re.compile(r"\bCSeq[^\d]{0,20}(\d{1,10})(?!\d)", re.ASCII | re.IGNORECASE)
_NUMBER_LINE = re.compile(
    r"\s*(?:[A-Za-z]{1,20}(?: [A-Za-z]{1,20}){0,3}(?:\s*[:=])?\s*)?(\d{1,10})"
    rf"(?:\s+{_VERSION_WORD})?\s*\Z",
    re.ASCII,
)
_PORT = re.compile(
    r"port(?:\s*[=:])?\s*[\"'<(\[]?(\d+)|(?:RTP|TCP)/UDP[\s;,]+(\d+)",
    re.ASCII | re.IGNORECASE,
)
_OLD_TRANSPORT = re.compile(rf"\s*{_VERSION_WORD}\s+\S+\s+(\d+)\s*\Z", re.ASCII)
_INTERLEAVED = re.compile(r"interleaved\s*=\s*\d", re.ASCII | re.IGNORECASE)
_LAB_TRANSPORT = re.compile(r"\s*Transport(?:\s*:)?\s*(RTP|TCP)/UDP\b", re.IGNORECASE)
_SESSION = re.compile(r"\s*Session(?:[_ -]?Id)?\b(?:\s*[:=])?\s*(.*)", re.IGNORECASE)
# What a client prints if it has no session id.
_NO_SESSION = frozenset({"", "none", "null", "undefined", "nan", "0", "-1"})
_SESSION_NUMBER = re.compile(r"\d+(?=[^\w]|\Z)", re.ASCII)
_KNOWN_METHOD = r"(?i:SETUP|PLAY|PAUSE|TEARDOWN|STOP|DESCRIBE|OPTIONS)"
# A line that belongs to a request whose first line is gone: a field, a bare number, or the older
# form's transport. `PLAY: movie.Mjpeg` is a request.
_FIELD_LINE = re.compile(
    rf"\s*(?!{_KNOWN_METHOD}\b)"
    r"(?:[\w-]{1,40}\s*[:=]|\d+\s*\Z|(?i:cseq|session|transport|client[_-]?port)\b"
    rf"|{_VERSION_WORD}\s+\S)",
    re.ASCII,
)
# The beginning of another request within the lines of a first: it has a version, or a well-known
# method.
_NEXT_REQUEST = re.compile(
    rf"{_KNOWN_METHOD}(?:\s|\Z)"
    rf"|[A-Z_][A-Z0-9_-]* .*\b{_VERSION_WORD}\s*\Z",
    re.ASCII,
)

_IS_KNOWN_METHOD = re.compile(_KNOWN_METHOD + r"\Z")
_METHOD_ALIASES = {"STOP": "TEARDOWN"}  # one public client says STOP
_NEEDS_SESSION = frozenset({"PLAY", "PAUSE", "TEARDOWN"})

# Fields written so need no warning; names are recognised in any case (RFC 2326 section 4.2).
_RIGHT_CSEQ = re.compile(r"CSeq *: *\d+\s*\Z|\d+\s*\Z", re.ASCII | re.IGNORECASE)
_RIGHT_SESSION = re.compile(
    rf"Session *: *(?!(?:{'|'.join(_NO_SESSION - {''})})\b)[^\s;,\"'<(\[]+(?: *;.*)?\s*\Z",
    re.IGNORECASE,
)
_RIGHT_TRANSPORT = re.compile(
    r"Transport *: *RTP/(?:UDP|AVP)\b.*;.*\b(?:client_port|interleaved) *= *\d"
    rf"|\s*{_VERSION_WORD} +\S+ +\d",
    re.ASCII | re.IGNORECASE,
)


class RequestLine(NamedTuple):
    """The parts of a request line."""

    method: str
    uri: str
    version: str
    surplus: str  # the text after the version
    has_bare_name: bool  # it names a file as the lab does, or nothing at all


@lru_cache(maxsize=256)  # asked for several times, and all viewers of a movie write it alike
def parse_request_line(line: str) -> RequestLine | None:
    """Parse a line; None if it could not begin a request of either dialect."""
    words = line.split(None, 1)
    method = words[0].removesuffix(":") if words else ""
    if not _METHOD.match(method) or (method != words[0] and not _IS_KNOWN_METHOD.match(method)):
        return None
    uri, version, surplus = words[1].rstrip() if len(words) > 1 else "", "", ""
    if last := _LAST_VERSION.search(uri[-_MAX_VERSION:]):
        version = last.group()
        uri = uri[: -len(version)].rstrip()
    elif within := _VERSION_WITHIN.search(uri):
        version, surplus = within.group(), uri[within.end() :]
        uri = uri[: within.start()].rstrip()
    has_bare_name = uri != "*" and "://" not in uri.partition(" ")[0]
    return RequestLine(method, uri, version, surplus, has_bare_name)


def as_meant(lines: list[str]) -> list[str]:
    """Return the lines of a lab request, even if its first line contains all of them."""
    first = parse_request_line(lines[0])
    if first is None or not first.surplus:
        return lines
    more = (line.strip(" \t,;") for line in _WRITTEN_LINE_END.split(first.surplus))
    request_line = " ".join(part for part in first[:3] if part)
    return [request_line, *(line for line in more if line), *lines[1:]]


def is_field_line(line: str) -> bool:
    """Tell if a line, or its beginning, continues a request instead of beginning one."""
    return bool(_FIELD_LINE.match(line))


def begins_next_request(line: str) -> bool:
    """Tell if a line below the first of a lab request begins another one."""
    return bool(_NEXT_REQUEST.match(line))


def has_bare_name(line: str) -> bool:
    """Tell if a request line names a file as the lab does, or nothing at all."""
    parts = parse_request_line(line)
    return parts is not None and parts.has_bare_name


def is_lab_head(lines: list[str]) -> bool:
    """Tell if a request is in the lab dialect: a bare file name, or transport RTP/UDP."""
    first = parse_request_line(lines[0])
    if first is None:
        return False
    return first.has_bare_name or any(map(_LAB_TRANSPORT.match, lines[1:]))


def is_executable(lines: list[str]) -> bool:
    """Tell if the lines can be carried out, even without a number and a session."""
    if parse_request(lines[:1], Form()).method != "SETUP":
        return True
    return client_port(lines) is not None or any(map(_INTERLEAVED.search, lines))


def is_complete(lines: list[str]) -> bool:
    """Tell if the lines say all that their method needs: number, and transport or session."""
    request = parse_request(lines, Form())
    if not request.cseq or not is_executable(lines):
        return False
    return (
        request.method not in _NEEDS_SESSION
        or bool(request.headers.get("Session"))
        or _is_old_form(lines)
    )


def named_session(text: str) -> str:
    """Return the session that a lab client names; "" if it means its connection's only one.

    That is so for `None` and `0`, which a client prints that has not read the reply to SETUP.
    """
    text = text.strip("\"'<>()[], ")
    if text.lower() in _NO_SESSION:
        return ""
    number = _SESSION_NUMBER.match(text)
    return number.group() if number else text


def understand(lines: list[str], form: Form, forgiveness: Forgiveness) -> Request:
    """Read a lab request, however it is written, and note its mistakes."""
    request = parse_request(as_meant(lines), form)
    for mistake in mistakes(lines, request):
        forgiveness.add(*mistake)
    return request


def parse_request(lines: list[str], form: Form) -> Request:
    """Read a lab request. `problem` is set if its first line is not a request line."""
    request_line = parse_request_line(lines[0])
    if request_line is None:
        problem = MessageError(f"not a request line: {printable(lines[0], 80)}")
        return Request("", "", form=form, dialect=Dialect.LAB, problem=problem)
    return Request(
        _meant_method(request_line),
        request_line.uri,
        _headers(lines[1:]),
        _sequence_number(lines[1:]),
        form=form,
        dialect=Dialect.LAB,
    )


def _meant_method(request_line: RequestLine) -> str:
    method = request_line.method.upper()
    return _METHOD_ALIASES.get(method, method)


def mistakes(lines: list[str], request: Request) -> Iterator[tuple[str, str | None, str]]:
    """Yield the mistakes in the lines of a lab request that is understood all the same.

    Each is a description, what is written (None: nothing) and what would be right.
    """
    first = parse_request_line(lines[0])
    if first is None:
        return
    method = request.method
    if first.surplus:
        yield "The text after the version", first.surplus, "a line of its own"
    if first.version != VERSION and not (_is_old_form(lines) and not first.version):
        yield "The version in a request", first.version or None, VERSION
    if first.method != method:
        yield "The method of a request", first.method, method
    lines = as_meant(lines)
    if not any(map(_RIGHT_CSEQ.match, lines[1:])):
        number = next(filter(_CSEQ.search, lines[1:]), lines[1] if request.cseq else None)
        yield "The number of a request", number, f"CSeq: {request.cseq or 1}"
    is_named = _is_old_form(lines) or any(map(_RIGHT_SESSION.match, lines[1:]))
    if method in _NEEDS_SESSION and not is_named:
        session = next(filter(_SESSION.match, lines[1:]), None)
        yield "The session in a request", session, "Session: and the number in the reply to SETUP"
    if method == "SETUP" and not any(map(_RIGHT_TRANSPORT.match, lines[1:])):
        transport = next(filter(_PORT.search, lines[1:]), None)
        yield "The transport in SETUP", transport, "Transport: RTP/UDP; client_port= and the port"


def client_port(lines: list[str]) -> int | None:
    """Return the RTP port that a SETUP names, on whatever line and in whatever spelling."""
    for line in lines[1:]:
        match = _PORT.search(line) or _OLD_TRANSPORT.match(line)
        if match:
            return int(match.group(match.lastindex or 1)[:6])
    return None


def is_complete_response(lines: list[str]) -> bool:
    """Tell if a reply is complete: an error has a status line, a success also CSeq and Session."""
    words = lines[0].split() if lines else []
    if len(words) < 2:
        return False
    if words[1] != "200":
        return len(words) > 2
    fields = _fields(lines)
    return "cseq" in fields and bool(fields.get("session", "").strip())


def is_response_without_session(lines: list[str]) -> bool:
    """Tell if a reply has a success and a number: some servers write nothing else."""
    is_success = bool(lines) and lines[0].split()[1:2] == ["200"]
    fields = _fields(lines)
    return is_success and bool(fields.get("cseq", "").strip()) and "session" not in fields


def _fields(lines: list[str]) -> dict[str, str]:
    return {name.strip().lower(): value for name, _, value in (x.partition(":") for x in lines)}


def _is_old_form(lines: list[str]) -> bool:
    return len(lines) > 1 and lines[1].strip().isdigit()


def _sequence_number(lines: list[str]) -> str:
    """Return the request's number: CSeq's, or else the number that ends the second line.

    `SEeq: 1`, `Cseg: 1`, `Csequenznumber: 1`, `CSeq 1` and a bare `1` are all in use.
    """
    for line in lines:
        match = _CSEQ.search(line)
        if match:
            return match.group(1)
    if not lines or _SESSION.match(lines[0]) or _PORT.search(lines[0]):
        return ""
    match = _NUMBER_LINE.match(lines[0])
    return match.group(1) if match else ""


def _headers(lines: list[str]) -> Headers:
    """Collect the header fields; the client port, wherever it is, becomes the Transport."""
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        session = _SESSION.match(line)
        if session:
            fields.append(("Session", session.group(1).strip()))
        elif colon:
            fields.append((name.strip(), value.strip()))
    port = client_port(["", *lines])
    if port is not None:
        fields = [(name, value) for name, value in fields if name.lower() != "transport"]
        fields.append(("Transport", f"RTP/UDP;client_port={port}"))
    return Headers(fields)
