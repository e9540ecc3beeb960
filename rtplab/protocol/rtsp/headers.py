"""The values of RTSP headers: Transport, Range, RTP-Info, Session (RFC 2326 section 12)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.messages import printable

MAX_TRANSPORTS = 16  # alternatives in one Transport header: real clients offer at most three
# Microseconds by which a sum of floats may exceed the intended value; these are not rounded up.
_FLOAT_DUST = 0.0001
_FLOAT_ERROR = 2.0**-51  # the same for a value beyond a month, as a fraction of it
_LOWEST_PORT = 1024  # lower ports belong to system services: no media goes there

_CHANNELS = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?\Z", re.ASCII)
_SSRC = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_WRITTEN_SSRC = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,8})\Z")  # as cameras write it
_NUMBER = re.compile(r"\d{1,10}\Z", re.ASCII)
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?\Z", re.ASCII)
_SESSION_ID = re.compile(r"[A-Za-z0-9$_.+-]+")  # RFC 2326 sections 3.4 and 15.1
SHORTEST_SESSION_ID = 8  # characters: ids should be hard to guess (RFC 2326 section 3.4)
_SESSION_PARAMETERS = re.compile(r"\s*timeout\s*=\s*[1-9]\d{0,5}\s*", re.ASCII | re.IGNORECASE)
_TIMEOUT = re.compile(r"timeout\s*=\s*(\d{1,6})", re.ASCII | re.IGNORECASE)
_NPT_SECONDS = re.compile(r"\d{1,9}(?:\.\d{0,9})?\Z", re.ASCII)
_NPT_CLOCK = re.compile(r"(\d{1,5}):([0-5]?\d):([0-5]?\d(?:\.\d{0,9})?)\Z", re.ASCII)


@dataclass(frozen=True)
class Transport:
    """One alternative of a Transport header (RFC 2326 section 12.39).

    Pairs are those of RTP and RTCP: UDP ports, or channels of the RTSP connection.
    """

    lower: str = "UDP"
    multicast: bool = False
    client_port: tuple[int, int] | None = None
    server_port: tuple[int, int] | None = None
    interleaved: tuple[int, int] | None = None
    destination: str = ""
    source: str = ""
    ttl: int | None = None
    ssrc: int | None = None

    @property
    def way(self) -> str:
        """The transport of the media, for people."""
        ports = f" to port {self.client_port[0]}" if self.client_port else ""
        if self.multicast:
            return f"multicast to {printable(self.destination, 60)}{ports}"
        return self.lower + ports

    def serialise(self) -> str:
        """Return the header value, in the standard's spelling."""
        parts = ["RTP/AVP/TCP" if self.lower == "TCP" else "RTP/AVP"]
        parts.append("multicast" if self.multicast else "unicast")
        for name, value in (("destination", self.destination), ("source", self.source)):
            if value:
                parts.append(f"{name}={value}")
        pairs = {
            "port" if self.multicast else "client_port": self.client_port,
            "server_port": self.server_port,
            "interleaved": self.interleaved,
        }
        parts += [f"{name}={pair[0]}-{pair[1]}" for name, pair in pairs.items() if pair]
        if self.ttl is not None:
            parts.append(f"ttl={self.ttl}")
        if self.ssrc is not None:
            parts.append(f"ssrc={self.ssrc:08X}")
        return ";".join(parts)


def parse_transports(value: str) -> list[Transport]:
    """Return the alternatives of a Transport header that we understand, in the client's order.

    A malformed one is dropped; the others remain. Raises MessageError 400 if that leaves none, 461
    if none is of a kind that we know.
    """
    alternatives = value.split(",")
    if len(alternatives) > MAX_TRANSPORTS:
        raise MessageError(f"{len(alternatives)} transports exceed the limit of {MAX_TRANSPORTS}")
    if not value.strip():
        raise MessageError("the Transport header is missing or empty")
    transports, problem = [], None
    for alternative in alternatives:
        try:
            transport = _parse_transport(alternative)
        except MessageError as error:
            problem = problem or error
            continue
        if transport is not None:
            transports.append(transport)
    if not transports and problem is not None:
        raise problem
    if not transports:
        raise MessageError(f"no supported transport in {printable(value, 80)}", 461)
    return transports


def parse_chosen_transport(
    value: str, asked: Transport, forgiveness: Forgiveness | None = None
) -> Transport:
    """Return the server's choice from its reply to SETUP, in which we `asked` for a transport.

    Servers write these as they like, so an invalid value counts as absent. Without the header,
    we get what we asked for. Raises MessageError 461 when it names no transport that we know.
    """
    forgiveness = forgiveness or Forgiveness()
    if not value.strip():
        forgiveness.add("Transport in the reply to SETUP", None, asked.serialise())
        return asked
    for alternative in value.split(",")[:MAX_TRANSPORTS]:
        chosen = _parse_transport(alternative, forgiveness)
        if chosen is None:
            continue
        if asked.lower == "TCP" and (chosen.lower == "TCP" or chosen.interleaved):
            if chosen.lower != "TCP":
                forgiveness.add("The transport for interleaved channels", value, "RTP/AVP/TCP")
            if chosen.interleaved is None:
                forgiveness.add("Transport by TCP", value, "one with interleaved=0-1")
            return replace(chosen, lower="TCP", interleaved=chosen.interleaved or asked.interleaved)
        if chosen.lower == "UDP" and chosen.client_port not in (None, asked.client_port):
            forgiveness.add("client_port in Transport", value, asked.serialise())
        return chosen
    raise MessageError(f"no supported transport in {printable(value, 80)}", 461)


def _parse_transport(text: str, forgiveness: Forgiveness | None = None) -> Transport | None:
    """Read one alternative; invalid values count as absent if they may be forgiven."""

    def pair(
        pattern: re.Pattern[str], name: str, lowest: int, highest: int
    ) -> tuple[int, int] | None:
        text = parameters.get(name)
        try:
            return _pair(pattern, text, lowest, highest)
        except MessageError:
            if forgiveness is None:
                raise
            forgiveness.add(
                f"{name} in Transport", text, f"a pair of numbers from {lowest} to {highest}"
            )
            return None

    specifier, *fields = (part.strip() for part in text.split(";"))
    lower = _lower_transport(specifier)
    if lower is None:
        return None
    parameters = _parameters(fields)
    ssrc = parameters.get("ssrc", "")
    if forgiveness is not None and ssrc and not _SSRC.fullmatch(ssrc):
        forgiveness.add("ssrc in Transport", ssrc, "eight hexadecimal digits")
    return Transport(
        lower=lower,
        multicast="multicast" in parameters,
        client_port=pair(
            _PORTS, "client_port" if parameters.get("client_port") else "port", _LOWEST_PORT, 65535
        ),
        server_port=pair(_PORTS, "server_port", 1, 65535),
        interleaved=pair(_CHANNELS, "interleaved", 0, 255),
        destination=parameters.get("destination", ""),
        source=parameters.get("source", ""),
        ttl=_number(parameters.get("ttl", ""), 255),
        ssrc=_ssrc(ssrc),
    )


def _lower_transport(specifier: str) -> str | None:
    """Return UDP or TCP for a transport that we support, None for any other."""
    known = {
        "RTP/AVP": "UDP",
        "RTP/AVP/UDP": "UDP",
        "RTP/AVP/TCP": "TCP",
        "RTP/UDP": "UDP",
        "RTP/UPD": "UDP",  # the spelling of HTW Dresden's Java lab
        "TCP/UDP": "UDP",
    }
    return known.get(specifier.upper())


def _parameters(fields: list[str]) -> dict[str, str]:
    """Return the parameters by lower-case name; of a repeated one the first counts."""
    parameters: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition("=")
        parameters.setdefault(name.strip().lower(), value.strip().strip('"'))
    return parameters


def _pair(
    pattern: re.Pattern[str], text: str | None, lowest: int, highest: int
) -> tuple[int, int] | None:
    """Return the pair that `a-b` or `a` (then b is a + 1) names."""
    if text is None:
        return None
    match = pattern.match(text)
    if not match:
        raise MessageError(f"not a pair of numbers in Transport: {printable(text, 40)}")
    first = int(match.group(1))
    second = int(match.group(2)) if match.group(2) else min(first + 1, highest)
    if not (lowest <= first <= highest and lowest <= second <= highest):
        raise MessageError(f"{printable(text, 40)} in Transport is not from {lowest} to {highest}")
    return first, second


def _ssrc(text: str) -> int | None:
    """RFC 2326 section 12.39 says eight hex digits; cameras prefix 0x, or write a decimal number.

    Up to eight digits are read as hexadecimal, as in the RFC.
    """
    match = _WRITTEN_SSRC.match(text)
    return int(match.group(1), 16) if match else _number(text, 0xFFFFFFFF)


@dataclass(frozen=True)
class Range:
    """A span of presentation time in seconds (RFC 2326 section 12.29).

    `start` None is "now", the session's position; `end` None is the end of the movie.
    """

    start: float | None = None
    end: float | None = None

    def serialise(self) -> str:
        """Return the header value in normal play time."""
        start = "now" if self.start is None else _seconds(self.start)
        return f"npt={start}-" + ("" if self.end is None else _seconds(self.end))


@lru_cache(maxsize=256)  # most often it is the beginning, or the end of a movie
def _seconds(value: float) -> str:
    """Write a time with as many microseconds as it needs, and at least three decimals.

    It is rounded up: at the start of a frame as we write it, a server must not find the frame
    before.
    """
    microseconds = value * 1_000_000
    dust = max(_FLOAT_DUST, microseconds * _FLOAT_ERROR)
    whole, fraction = divmod(math.ceil(microseconds - dust), 1_000_000)
    digits = f"{fraction:06}"
    return f"{whole}.{digits[:3]}{digits[3:].rstrip('0')}"


@lru_cache(maxsize=64)  # most viewers ask for the beginning
def parse_range(value: str) -> Range:
    """Read a Range in normal play time. Raises MessageError 457 if it is malformed.

    A range in other units, such as smpte or clock, raises MessageError 501 (RFC 2326 section
    12.29).
    """
    units, equals, span = value.partition(";")[0].strip().partition("=")
    if equals and units.strip().lower() != "npt":
        raise MessageError(f"a range in unknown units: {printable(value, 60)}", 501)
    first, dash, last = span.partition("-")
    if not dash or not (first.strip() or last.strip()):
        raise _invalid_range(value)
    start, end = _npt(first.strip(), value), _npt(last.strip(), value)
    if start is not None and end is not None and end < start:
        raise _invalid_range(value)
    return Range(start, end)


def _invalid_range(value: str) -> MessageError:
    return MessageError(f"an unsupported range: {printable(value, 60)}", 457)


def _npt(text: str, value: str) -> float | None:
    """RFC 2326 section 3.6: seconds, h:m:s, or "now"."""
    if text in ("", "now"):
        return None
    if _NPT_SECONDS.match(text):
        return float(text)
    match = _NPT_CLOCK.match(text)
    if not match:
        raise _invalid_range(value)
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@dataclass(frozen=True)
class RtpInfo:
    """Where a stream's RTP begins after PLAY (RFC 2326 section 12.33)."""

    url: str
    seq: int | None = None
    rtptime: int | None = None

    def serialise(self) -> str:
        """Return the header value for this one stream."""
        parameters = (("url", self.url), ("seq", self.seq), ("rtptime", self.rtptime))
        return ";".join(f"{name}={value}" for name, value in parameters if value is not None)


def parse_rtp_info(value: str) -> list[RtpInfo]:
    """Read RTP-Info as leniently as servers write it: a field that isn't a number is absent."""
    infos = []
    for entry in value.split(",")[:MAX_TRANSPORTS]:
        parameters = _parameters(entry.split(";"))
        infos.append(
            RtpInfo(
                parameters.get("url", ""),
                _number(parameters.get("seq", ""), 0xFFFF),
                _number(parameters.get("rtptime", ""), 0xFFFFFFFF),
            )
        )
    return infos


def _number(text: str, highest: int) -> int | None:
    if not _NUMBER.match(text):
        return None
    return int(text) if int(text) <= highest else None


@dataclass(frozen=True)
class SessionHeader:
    """A session id and the seconds after which a silent session ends (RFC 2326 section 12.37)."""

    session_id: str
    timeout: float = 60.0


def parse_session(value: str, forgiveness: Forgiveness | None = None) -> SessionHeader:
    """Read a Session header; a timeout that is not a number counts as the default of 60 s."""
    session_id, semicolon, parameters = value.partition(";")
    session_id = session_id.strip()
    match = _TIMEOUT.search(parameters)
    timeout = float(match.group(1)) if match and int(match.group(1)) > 0 else 60.0
    if forgiveness is not None:
        if not _SESSION_ID.fullmatch(session_id):
            forgiveness.add("Session", value, "letters, digits and $-_.+ (RFC 2326 section 3.4)")
        elif len(session_id) < SHORTEST_SESSION_ID:
            right = f"at least {SHORTEST_SESSION_ID} characters (RFC 2326 section 3.4)"
            forgiveness.add("The length of Session", session_id, right)
        if semicolon and not _SESSION_PARAMETERS.fullmatch(parameters):
            forgiveness.add("The text after the session", parameters, "timeout=SECONDS")
    return SessionHeader(session_id, timeout)
