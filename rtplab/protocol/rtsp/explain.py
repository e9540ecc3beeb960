"""Explains bytes on the wire: RTSP headers, and fields of RTP and RTP/JPEG packets."""

from __future__ import annotations

from dataclasses import dataclass

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import rtpjpeg
from rtplab.protocol.rtsp.messages import REASONS

_RFC = "RFC 2326 §"

# Header: its purpose, and the section that defines it (of RFC 2326 unless another RFC is named).
_HEADERS = {
    "accept": ("descriptions that the client understands", "12.1"),
    "accept-encoding": ("compressions that the client understands", "12.2"),
    "accept-language": ("languages that the client's user reads", "12.3"),
    "allow": ("the methods that are allowed here", "12.4"),
    "authorization": ("proves who the client is", "12.5"),
    "bandwidth": ("the client's bandwidth in bits per second", "12.6"),
    "blocksize": ("largest packet the client wants, in bytes of media", "12.7"),
    "cache-control": ("how long the answer may be kept", "12.8"),
    "conference": ("the conference that this belongs to", "12.9"),
    "connection": ("what happens to the TCP connection", "12.10"),
    "content-base": ("where relative addresses start from", "12.11"),
    "content-encoding": ("how the body is compressed", "12.12"),
    "content-language": ("what language the body is in", "12.13"),
    "content-length": ("bytes of body that follow the blank line", "12.14"),
    "content-location": ("the address of what the body describes", "12.15"),
    "content-type": ("what kind of body follows", "12.16"),
    "cseq": ("numbers the request and its answer", "12.17"),
    "date": ("when the message was written", "12.18"),
    "expires": ("until when the description is valid", "12.19"),
    "last-modified": ("when the movie or its description was changed", "12.24"),
    "location": ("where the movie has moved", "12.25"),
    "proxy-authenticate": ("how the client can log in to a proxy", "12.26"),
    "proxy-require": ("options that proxies must know", "12.27"),
    "public": ("the methods that the server knows", "12.28"),
    "range": ("the part of the movie, in seconds (npt)", "12.29"),
    "retry-after": ("when to try again", "12.31"),
    "require": ("options that the server must know", "12.32"),
    "rtp-info": ("first sequence number and timestamp", "12.33"),
    "scale": ("speed: 2 is twice as fast, -1 backwards", "12.34"),
    "session": ("names the session that SETUP began", "12.37"),
    "server": ("the server's software", "12.36"),
    "speed": ("how much faster than in real time data is to be sent", "12.35"),
    "timestamp": ("when the request was sent, for measuring the round trip", "12.38"),
    "transport": ("how to send RTP: protocol, ports or channels", "12.39"),
    "unsupported": ("options that the server does not know", "12.40"),
    "user-agent": ("the client's software", "12.41"),
    "via": ("the proxies this message passed through", "12.43"),
    "www-authenticate": ("how the client can log in", "12.44"),
}
_METHODS = {
    "OPTIONS": ("asks what the server can do", "10.1"),
    "DESCRIBE": ("asks what the movie is made of", "10.2"),
    "SETUP": ("asks for a session and says how to send RTP", "10.4"),
    "PLAY": ("starts the media", "10.5"),
    "PAUSE": ("stops the media for now; the session stays open", "10.6"),
    "TEARDOWN": ("ends the session", "10.7"),
    "GET_PARAMETER": ("asks for values; empty, it keeps the session alive", "10.8"),
    "SET_PARAMETER": ("sets values; empty, it keeps the session alive", "10.9"),
}
_REASONS = {str(status): reason.lower() for status, reason in REASONS.items()}

_END_NAMES = {"\r": "CR", "\n": "LF"}


@dataclass(frozen=True)
class Line:
    """One line of a message, its end of line, and what it means (empty: nothing to explain)."""

    text: str
    end: str
    meaning: str = ""

    @property
    def visible_end(self) -> str:
        """The end of line by the names of its characters: `CR LF`, `LF`, or nothing."""
        return " ".join(_END_NAMES[character] for character in self.end)


def explain_message(data: bytes) -> list[Line]:
    """Split a message into lines, and explain each header with its RFC section.

    A camera's HTTP has the same headers, but RFC 2326 does not define them.
    """
    lines: list[Line] = []
    in_body = False
    is_http = b"HTTP/1." in data.partition(b"\n")[0]
    for raw in data.decode("utf-8", "replace").splitlines(keepends=True):
        text = raw.rstrip("\r\n")
        meaning = "" if in_body else _explain_start(text) if not lines else _explain_header(text)
        if is_http:
            meaning = _of_http(text, meaning, is_first=not lines)
        in_body = in_body or (bool(lines) and not text)
        lines.append(Line(text, raw[len(text) :], meaning))
    return lines


def _explain_start(text: str) -> str:
    words = text.split()
    if text.startswith("RTSP/"):
        status = words[1] if len(words) > 1 else ""
        meaning = "done" if status == "200" else _REASONS.get(status, "an answer")
        return f"{meaning} ({_RFC}7.1.1)"
    if words and words[0] in _METHODS:
        meaning, section = _METHODS[words[0]]
        return f"{meaning} ({_RFC}{section})"
    return ""


def _explain_header(text: str) -> str:
    name = text.partition(":")[0].strip().lower()
    if name not in _HEADERS:
        return "the end of the head" if not text else ""
    meaning, section = _HEADERS[name]
    return f"{meaning} ({_RFC}{section})"


def _of_http(text: str, meaning: str, is_first: bool) -> str:
    """The meaning of a line of a camera's HTTP, taken from RTSP."""
    if is_first:
        words = text.split()
        if words[:1] == ["GET"]:
            return "asks for the pictures"
        status = words[1] if len(words) > 1 else ""
        return "done: pictures follow" if status == "200" else _REASONS.get(status, "an answer")
    return meaning.partition(f" ({_RFC}")[0]


@dataclass(frozen=True)
class Field:
    """One field of a packet header: its name, width in bits, value, and what that means."""

    name: str
    bits: int
    value: int
    meaning: str = ""
    is_hex: bool = False  # usually written in hexadecimal

    @property
    def text(self) -> str:
        """The value as it is usually written."""
        return f"0x{self.value:0{self.bits // 4}X}" if self.is_hex else f"{self.value:,}"


def rtp_fields(packet: bytes) -> list[Field]:
    """The RTP header in the order of RFC 3550 section 5.1. Raises PacketError if it is short."""
    if len(packet) < 12:
        raise PacketError(f"{len(packet)} bytes are too few for an RTP packet: its header has 12")
    first, second = packet[0], packet[1]
    timestamp = int.from_bytes(packet[4:8], "big")
    padding, extension, marker = first >> 5 & 1, first >> 4 & 1, second >> 7
    sources = f"{first & 15 or 'no'} contributing sources"
    fields = [
        Field("V", 2, first >> 6, "version"),
        Field("P", 1, padding, "padded" if padding else "no padding"),
        Field("X", 1, extension, "an extension" if extension else "no extension"),
        Field("CC", 4, first & 15, sources),
        Field("M", 1, marker, "marker, as on a frame's last packet" if marker else "no marker"),
        Field("PT", 7, second & 127, "JPEG" if second & 127 == 26 else "payload type"),
        Field("sequence number", 16, int.from_bytes(packet[2:4], "big")),
        Field("timestamp", 32, timestamp, f"{timestamp / 90_000:,.3f} s at 90 kHz"),
        Field("SSRC", 32, int.from_bytes(packet[8:12], "big"), "synchronization source", True),
    ]
    listed = packet[12 : 12 + 4 * (first & 15)]
    for start in range(0, len(listed) - 3, 4):
        csrc = int.from_bytes(listed[start : start + 4], "big")
        fields.append(Field("CSRC", 32, csrc, is_hex=True))
    return fields


def jpeg_fields(payload: bytes) -> list[Field]:
    """The RFC 2435 header of an RTP payload; empty if the payload is a whole JPEG, as in the lab.

    Raises PacketError if it is neither.
    """
    if payload[:2] == b"\xff\xd8":
        return []
    rtpjpeg.parse_payload(payload)
    kind, quality, width, height = payload[4:8]
    fields = [
        Field("type-specific", 8, payload[0], "progressive scan" if payload[0] == 0 else ""),
        Field("fragment offset", 24, int.from_bytes(payload[1:4], "big"), "bytes into the frame"),
        Field("type", 8, kind, "4:2:0" if kind & 63 == 1 else "4:2:2"),
        Field("Q", 8, quality, "tables in band" if quality > 127 else "tables by formula"),
        Field("width", 8, width, f"{width * 8} pixels"),
        Field("height", 8, height, f"{height * 8} pixels"),
    ]
    if 64 <= kind <= 127:  # RFC 2435 section 3.1.7
        count = int.from_bytes(payload[10:12], "big")
        fields += [
            Field("restart interval", 16, int.from_bytes(payload[8:10], "big"), "MCUs"),
            Field("F", 1, count >> 15, "first"),
            Field("L", 1, count >> 14 & 1, "last"),
            Field("restart count", 14, count & 0x3FFF),
        ]
    tables = payload[12:16] if 64 <= kind <= 127 else payload[8:12]
    if quality > 127 and payload[1:4] == bytes(3) and len(tables) == 4:  # section 3.1.8
        length = int.from_bytes(tables[2:], "big")
        fields += [
            Field("MBZ", 8, tables[0], "must be 0"),
            Field("precision", 8, tables[1], "8 bits" if tables[1] == 0 else "some 16 bits"),
            Field("length", 16, length, "bytes of quantization tables"),
        ]
    return fields
