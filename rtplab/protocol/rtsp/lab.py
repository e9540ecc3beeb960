"""Requests as the public programs of the lab write them, and when one of them is complete.

    SETUP movie.Mjpeg RTSP/1.0<LF>                SETUP movie.Mjpeg<LF>
    CSeq: 1<LF>                                   1<LF>
    Transport: RTP/UDP; client_port= 25000         RTSP/1.0 RTP/UDP 25000

The left form is the usual one, the right an older one. Around them there are misspelt headers,
missing colons, other cases, ports on a line of their own: the program behind each deviation that
is accepted here exists, and none of its users can change it.
"""

from __future__ import annotations

import re

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import Dialect, Form, Headers, Request, printable

# The name of a method, as far as any has been seen: M-SEARCH is one.
METHOD = r"[A-Za-z_][A-Za-z0-9_-]{0,31}"
# In none of these may two neighbours match the same blanks: a line of 16,000 of them would then
# take seconds to refuse.
_METHOD = re.compile(METHOD + r"\Z")
# A version as people write it: RTSP/1.0, RTPS/1.0, RTP/1.0, rtsp/1.0, RTSP/1.
_VERSION_WORD = r"[RTSPrtsp]{3,5}/\d(?:\.\d)?"
_VERSION = re.compile(_VERSION_WORD + r"\Z", re.ASCII)
_NUMBER_LINE = re.compile(
    rf"\s*(?:[A-Za-z]+(?:\s*:)?\s*)?(\d{{1,10}})(?:\s+{_VERSION_WORD})?\s*\Z", re.ASCII
)
_PORT = re.compile(
    r"(?:port\s*[=:]|client[_-]?port)\s*[\"']?(\d+)|(?:RTP|TCP)/UDP[\s;,]+(\d+)",
    re.ASCII | re.IGNORECASE,
)
_OLD_TRANSPORT = re.compile(rf"\s*{_VERSION_WORD}\s+\S+\s+(\d+)\s*\Z", re.ASCII)
_INTERLEAVED = re.compile(r"interleaved\s*=\s*\d", re.ASCII | re.IGNORECASE)
_LAB_TRANSPORT = re.compile(r"\s*Transport(?:\s*:)?\s*(RTP|TCP)/UDP\b", re.IGNORECASE)
_SESSION = re.compile(r"\s*Session(?:[_-]?Id)?(?:\s*[:=])?\s*([^\s:]\S*)\s*\Z", re.IGNORECASE)
_NO_SESSION = frozenset({"", "none", "null", "0"})  # what a client prints that has noted none
_KNOWN_METHOD = r"(?i:SETUP|PLAY|PAUSE|TEARDOWN|STOP|DESCRIBE|OPTIONS)"
# A line that belongs to a request whose first line has gone: a field, a number by itself, or the
# older form's transport. `PLAY: movie.Mjpeg` is a request that is written wrong.
_FIELD_LINE = re.compile(
    rf"\s*(?!{_KNOWN_METHOD}\b)"
    r"(?:[\w-]{1,40}\s*[:=]|\d+\s*\Z|(?i:cseq|session|transport|client[_-]?port)\b"
    rf"|{_VERSION_WORD}\s+\S)",
    re.ASCII,
)
# The beginning of another request within the lines of a first: it says its version, or its method
# is one of those that everybody knows.
_NEXT_REQUEST = re.compile(
    rf"{_KNOWN_METHOD}(?:\s|\Z)"
    rf"|[A-Z_][A-Z0-9_-]* .*\b{_VERSION_WORD}\s*\Z",
    re.ASCII,
)

_METHOD_ALIASES = {"STOP": "TEARDOWN"}  # one public client says STOP
_NEEDS_SESSION = frozenset({"PLAY", "PAUSE", "TEARDOWN"})


def is_request_line(line: str) -> bool:
    """Tell if a line could begin a request of either dialect."""
    return _request_line(line) is not None


def _request_line(line: str) -> tuple[str, str] | None:
    """Return the method and the name or address in a request line; None when it is none."""
    words = line.split(None, 1)
    if not words or not _METHOD.match(words[0]):
        return None
    rest = words[1].rstrip() if len(words) > 1 else ""
    *before, last = rest.rsplit(None, 1) or [""]
    return words[0], "".join(before) if _VERSION.match(last) else rest


def is_field_line(line: str) -> bool:
    """Tell if a line, or its beginning, goes on with a request instead of beginning one."""
    return bool(_FIELD_LINE.match(line))


def begins_next_request(line: str) -> bool:
    """Tell if a line below the first of a lab request begins another one."""
    return bool(_NEXT_REQUEST.match(line))


def ends_in_version(line: str) -> bool:
    """Tell if a request line is whole although nothing ends it."""
    return bool(_VERSION.match(line.rpartition(" ")[2]))


def has_bare_name(line: str) -> bool:
    """Tell if a request line names a file as the lab does, or nothing at all."""
    request_line = _request_line(line)
    if request_line is None:
        return False
    uri = request_line[1]
    return uri != "*" and "://" not in uri.partition(" ")[0]


def is_lab_head(lines: list[str]) -> bool:
    """Tell if a request is in the lab dialect: a bare file name, or transport RTP/UDP."""
    if has_bare_name(lines[0]):
        return True
    return is_request_line(lines[0]) and any(map(_LAB_TRANSPORT.match, lines[1:]))


def is_executable(lines: list[str]) -> bool:
    """Tell if the lines can be carried out, if need be without a number and a session."""
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
    """Return the session that a lab client names; "" when it names none in particular.

    Then it means its connection's only one: `None` and `0` are what is printed by a client that
    has not read the reply to SETUP.
    """
    text = text.strip("\"' ")
    return "" if text.lower() in _NO_SESSION else text


def parse_request(lines: list[str], form: Form) -> Request:
    """Read a lab request. `problem` is set when its first line is none."""
    request_line = _request_line(lines[0])
    if request_line is None:
        problem = MessageError(f"not a request line: {printable(lines[0], 80)}")
        return Request("", "", form=form, dialect=Dialect.LAB, problem=problem)
    method = request_line[0].upper()
    return Request(
        _METHOD_ALIASES.get(method, method),
        request_line[1],
        _headers(lines[1:]),
        _sequence_number(lines[1:]),
        form=form,
        dialect=Dialect.LAB,
    )


def client_port(lines: list[str]) -> int | None:
    """Return the RTP port that a SETUP names, on whatever line and in whatever spelling."""
    for line in lines[1:]:
        match = _PORT.search(line) or _OLD_TRANSPORT.match(line)
        if match:
            return int(match.group(match.lastindex or 1)[:6])
    return None


def is_complete_response(lines: list[str]) -> bool:
    """Tell if a reply says all it can: an error its status line, a success CSeq and Session too."""
    words = lines[0].split() if lines else []
    if len(words) < 2:
        return False
    if words[1] != "200":
        return len(words) > 2
    fields = _fields(lines)
    return "cseq" in fields and bool(fields.get("session", "").strip())


def is_response_without_session(lines: list[str]) -> bool:
    """Tell if a reply says success and a number: some servers say no more."""
    is_success = bool(lines) and lines[0].split()[1:2] == ["200"]
    fields = _fields(lines)
    return is_success and bool(fields.get("cseq", "").strip()) and "session" not in fields


def _fields(lines: list[str]) -> dict[str, str]:
    return {name.strip().lower(): value for name, _, value in (x.partition(":") for x in lines)}


def _is_old_form(lines: list[str]) -> bool:
    return len(lines) > 1 and lines[1].strip().isdigit()


def _sequence_number(lines: list[str]) -> str:
    """Return the request's number: that of CSeq, else the number that ends the second line.

    `SEeq: 1`, `Cseg: 1`, `Csequenznumber: 1`, `CSeq 1` and a bare `1` are all in use.
    """
    for line in lines:
        if line.lower().startswith("cseq"):
            match = _NUMBER_LINE.match(line)
            if match:
                return match.group(1)
    if not lines or _SESSION.match(lines[0]) or _PORT.search(lines[0]):
        return ""
    match = _NUMBER_LINE.match(lines[0])
    return match.group(1) if match else ""


def _headers(lines: list[str]) -> Headers:
    """Collect the header fields; the client port, wherever it stands, becomes the Transport."""
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        session = _SESSION.match(line)
        if session:
            fields.append(("Session", session.group(1)))
        elif colon:
            fields.append((name.strip(), value.strip()))
    port = client_port(["", *lines])
    if port is not None:
        fields = [(name, value) for name, value in fields if name.lower() != "transport"]
        fields.append(("Transport", f"RTP/UDP;client_port={port}"))
    return Headers(fields)
