"""Explains the fields of RTCP packets (RFC 3550 section 6.4)."""

from __future__ import annotations

from email.utils import formatdate
from typing import NamedTuple

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtsp.explain import Field

MAX_SECTIONS = 12  # of a compound packet that are explained: usual ones have two or three
_WORD = 4  # bytes
_CLOCK_RATE = 90_000  # of the media's timestamps
_TYPES = {
    rtcp.SENDER_REPORT: ("Sender report", "RFC 3550 section 6.4.1", "SR"),
    rtcp.RECEIVER_REPORT: ("Receiver report", "RFC 3550 section 6.4.2", "RR"),
    rtcp.SOURCE_DESCRIPTION: ("Source description", "RFC 3550 section 6.5", "SDES"),
    rtcp.BYE: ("Goodbye", "RFC 3550 section 6.6", "BYE"),
}


class Section(NamedTuple):
    """One packet of a compound packet: its fields, and an explanation."""

    title: str
    fields: list[Field]
    words: str


def rtcp_sections(data: bytes) -> list[Section]:
    """Parse a compound packet. Raises PacketError."""
    rtcp.parse_compound(data)
    sections: list[Section] = []
    offset = 0
    while offset < len(data) and len(sections) < MAX_SECTIONS:
        end = offset + _WORD * (1 + int.from_bytes(data[offset + 2 : offset + 4], "big"))
        sections.append(_section(data[offset:end]))
        offset = end
    return sections


def _section(packet: bytes) -> Section:
    name, where, short = _TYPES.get(packet[1], ("RTCP packet", "RFC 3550 section 6", "other"))
    count = packet[0] & 31
    size = len(packet) // _WORD - 1
    counted = {"SR": "RC", "RR": "RC"}.get(short, "SC")
    counts = "report blocks" if counted == "RC" else "sources"
    fields = [
        Field("V", 2, packet[0] >> 6, "version"),
        Field("P", 1, packet[0] >> 5 & 1, "padded" if packet[0] & 32 else "no padding"),
        Field(counted, 5, count, f"{count or 'no'} {counts}"),
        Field("PT", 8, packet[1], short),
        Field("length", 16, size, "words after this one"),
    ]
    words = ""
    if short in ("SR", "RR"):
        rest = packet[_WORD:]
        fields.append(_word("SSRC of the reporter", rest, 0, is_hex=True))
        rest = rest[_WORD:]
        if short == "SR":
            fields += _sender_fields(rest)
            rest = rest[5 * _WORD :]
            words = (
                "The NTP time and the RTP timestamp are the same moment: with them a player "
                "synchronises several streams."
            )
        for start in range(0, 6 * _WORD * count, 6 * _WORD):
            fields += _block_fields(rest[start : start + 6 * _WORD])
            words = _explain_delay(rest[start : start + 6 * _WORD])
    elif short == "BYE":
        fields += [
            _word("SSRC", packet, _WORD * (1 + number), "has stopped sending", True)
            for number in range(count)
        ]
    elif short == "SDES" and count:
        fields.append(_word("SSRC", packet, _WORD, is_hex=True))
        words = _explain_names(packet)
    return Section(f"{name} ({where})", fields, words)


def _word(name: str, data: bytes, offset: int, meaning: str = "", is_hex: bool = False) -> Field:
    value = int.from_bytes(data[offset : offset + _WORD], "big")
    return Field(name, 32, value, meaning, is_hex)


def _sender_fields(info: bytes) -> list[Field]:
    seconds, fraction = (int.from_bytes(info[n : n + _WORD], "big") for n in (0, _WORD))
    since_1970 = seconds - rtcp.NTP_UNIX_OFFSET
    moment = formatdate(since_1970, usegmt=True) if since_1970 >= 0 else "no time of day"
    return [
        _word("NTP time, seconds since 1900", info, 0, moment),
        _word("NTP time, fraction", info, _WORD, f"{fraction / 2**32:.6f} s"),
        _word("RTP timestamp", info, 2 * _WORD, "the same moment, at 90 kHz"),
        _word("packets sent", info, 3 * _WORD),
        _word("bytes sent", info, 4 * _WORD, "of payload"),
    ]


def _block_fields(block: bytes) -> list[Field]:
    lost = int.from_bytes(block[5:8], "big", signed=True)
    jitter = int.from_bytes(block[12:16], "big")
    delay = int.from_bytes(block[20:24], "big")
    return [
        _word("SSRC that this block is about", block, 0, is_hex=True),
        Field("fraction lost", 8, block[4], f"{block[4] / 2.56:.1f} %"),
        Field("lost in total", 24, lost & 0xFFFFFF, f"{lost:,} packets" if lost < 0 else "packets"),
        Field("cycles", 16, int.from_bytes(block[8:10], "big"), "wraps of the number"),
        Field("highest sequence number", 16, int.from_bytes(block[10:12], "big")),
        _word("jitter", block, 12, f"{1000 * jitter / _CLOCK_RATE:.2f} ms at 90 kHz"),
        _word("LSR", block, 16, "middle of the last SR's NTP time", True),
        _word("DLSR", block, 20, f"{delay / 65536:.3f} s, in 65536ths"),
    ]


def _explain_delay(block: bytes) -> str:
    last, delay = (int.from_bytes(block[n : n + _WORD], "big") for n in (16, 20))
    if not last:
        return "LSR and DLSR are 0: no sender report had come, so this report gives no round trip."
    return (
        f"LSR: the last sender report was stamped {last / 65536:,.3f} s, of which LSR "
        "has the lower 16 bits of the seconds and the upper 16 of the fraction. "
        f"DLSR: this report was sent {delay / 65536:.3f} s after that one arrived. "
        "If it arrives at A, the round trip is A − LSR − DLSR: only the other "
        "side, whose clock wrote LSR, can compute it (RFC 3550 section 6.4.1)."
    )


def _explain_names(packet: bytes) -> str:
    try:
        (described,) = rtcp.parse_compound(_EMPTY_REPORT + packet)[1:]
    except (PacketError, ValueError):
        return ""
    names = described.names if isinstance(described, rtcp.SourceDescription) else ()
    return " ".join(f"CNAME of 0x{ssrc:08X}: {name}." for ssrc, name in names)


_EMPTY_REPORT = bytes([0x80, rtcp.RECEIVER_REPORT, 0, 1, 0, 0, 0, 0])
