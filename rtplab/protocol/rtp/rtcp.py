"""RTCP packets (RFC 3550 section 6): sender and receiver reports, CNAME and BYE.

They travel together as one compound packet: `build_compound` writes one, `parse_compound` reads it.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

from rtplab.protocol.errors import PacketError

# Every packet begins with the same four bytes (RFC 3550 section 6.4.1):
#
#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    |V=2|P|  count  |  packet type  |   length in words, minus one  |
_HEADER = struct.Struct(">BBH")
_VERSION = 0x80
_VERSION_MASK = 0xC0
_PADDING = 0x20
_COUNT = 0x1F
SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203

# Sender report: SSRC, NTP timestamp, RTP timestamp, packets, octets, then report blocks.
_SENDER_INFO = struct.Struct(">IQIII")
# Report block: SSRC, |fraction lost (8)| cumulative lost (24)|, highest sequence number,
# jitter, last SR, delay since last SR.
_BLOCK = struct.Struct(">IIIIII")
_SSRC = struct.Struct(">I")

_CNAME = 1  # the SDES item
_MAX_TEXT = 255  # bytes of an SDES item or a reason: their length has 8 bits
MAX_BLOCKS = 31  # the count has 5 bits

NTP_UNIX_OFFSET = 2_208_988_800  # seconds from 1900, where NTP begins, to 1970
_UINT32 = 0xFFFFFFFF
_CUMULATIVE_MIN, _CUMULATIVE_MAX = -(1 << 23), (1 << 23) - 1

MIN_REPORT_INTERVAL = 5.0  # seconds (RFC 3550 section 6.2)


class ReportBlock(NamedTuple):
    """How one source is received (RFC 3550 section 6.4.1).

    `fraction_lost` is in 256ths since the last report, `cumulative_lost` in packets (negative when
    duplicates outnumber losses), `jitter` in ticks of the media clock, `last_sr` the middle 32 bits
    of the last sender report's NTP timestamp and `delay_since_last_sr` in 65536ths of a second.
    """

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int


@dataclass(frozen=True)
class SenderReport:
    """A sender's totals, and the wall clock time of `rtp_timestamp` (section 6.4.1)."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True)
class ReceiverReport:
    """The reception of a participant that sends nothing (section 6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True)
class SourceDescription:
    """The canonical names of sources, as (SSRC, CNAME); other items are skipped (section 6.5)."""

    names: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Bye:
    """These sources have stopped sending (section 6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye


def build_compound(
    report: SenderReport | ReceiverReport, cname: str, bye: Bye | None = None
) -> bytes:
    """A compound packet: report, CNAME of its sender, BYE (section 6.1).

    The packet and octet counts wrap at 32 bits, the cumulative loss stops at 24 (signed).
    Raises ValueError for a name or reason of more than 255 bytes or over 31 report blocks.
    """
    packets = _build_report(report) + _build_name(report.ssrc, cname)
    return packets + _build_bye(bye) if bye else packets


def _packet(packet_type: int, count: int, body: bytes) -> bytes:
    if count > MAX_BLOCKS:
        raise ValueError(f"an RTCP packet can't hold {count} of anything, at most {MAX_BLOCKS}")
    body += bytes(-len(body) % 4)
    return _HEADER.pack(_VERSION | count, packet_type, len(body) // 4) + body


def _build_report(report: SenderReport | ReceiverReport) -> bytes:
    blocks = b"".join(map(_build_block, report.blocks))
    if isinstance(report, ReceiverReport):
        body = _SSRC.pack(report.ssrc) + blocks
        return _packet(RECEIVER_REPORT, len(report.blocks), body)
    sent = _SENDER_INFO.pack(
        report.ssrc,
        report.ntp,
        report.rtp_timestamp,
        report.packet_count & _UINT32,
        report.octet_count & _UINT32,
    )
    return _packet(SENDER_REPORT, len(report.blocks), sent + blocks)


def _build_block(block: ReportBlock) -> bytes:
    lost = min(max(block.cumulative_lost, _CUMULATIVE_MIN), _CUMULATIVE_MAX) & 0xFFFFFF
    return _BLOCK.pack(block.ssrc, block.fraction_lost << 24 | lost, *block[3:])


def _build_name(ssrc: int, cname: str) -> bytes:
    """SDES: SSRC, item (type, length, text), a zero byte that ends the list."""
    return _packet(SOURCE_DESCRIPTION, 1, _SSRC.pack(ssrc) + bytes([_CNAME]) + _text(cname) + b"\0")


def _build_bye(bye: Bye) -> bytes:
    """BYE: SSRCs, then the reason (length, text) if there is one."""
    ssrcs = struct.pack(f">{len(bye.ssrcs)}I", *bye.ssrcs)
    return _packet(BYE, len(bye.ssrcs), ssrcs + (_text(bye.reason) if bye.reason else b""))


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > _MAX_TEXT:
        raise ValueError(f"an RTCP text of {len(encoded)} bytes exceeds the limit of {_MAX_TEXT}")
    return bytes([len(encoded)]) + encoded


def parse_compound(data: bytes | bytearray | memoryview) -> list[RtcpPacket]:
    """The packets of a compound packet, without unknown types.

    Makes the checks of RFC 3550 appendix A.2 and raises PacketError. A CNAME may be missing:
    ffmpeg opens ports with only an empty receiver report.
    """
    data = bytes(data)
    packets: list[RtcpPacket] = []
    offset = 0
    while True:
        packet_type, count, body, end = _split(data, offset)
        if offset == 0 and packet_type not in (SENDER_REPORT, RECEIVER_REPORT):
            raise PacketError(f"an RTCP compound packet begins with type {packet_type}")
        packet = _parse_packet(packet_type, count, body)
        if packet is not None:
            packets.append(packet)
        if end == len(data):
            return packets
        offset = end


def _split(data: bytes, offset: int) -> tuple[int, int, bytes, int]:
    """Type, count and body of the packet at `offset`, and where the next one begins."""
    if len(data) - offset < _HEADER.size:
        raise PacketError(f"too short for an RTCP packet: {len(data) - offset} bytes")
    first, packet_type, words = _HEADER.unpack_from(data, offset)
    end = offset + _HEADER.size + 4 * words
    if first & _VERSION_MASK != _VERSION:
        raise PacketError(f"RTCP version {first >> 6}, not 2")
    if end > len(data):
        raise PacketError(
            f"an RTCP packet of {end - offset} bytes, but only {len(data) - offset} are left"
        )
    body = data[offset + _HEADER.size : end]
    if first & _PADDING:
        if offset == 0 or end != len(data):  # section 6.4.1: only the last one, to fill up
            raise PacketError("padding inside an RTCP compound packet")
        body = _without_padding(body)
    return packet_type, first & _COUNT, body, end


def _without_padding(body: bytes) -> bytes:
    """The last byte says how many bytes of padding there are, itself included."""
    padding = body[-1] if body else 0
    if padding == 0 or padding % 4 or padding > len(body):
        raise PacketError(f"{padding} bytes of padding in an RTCP packet of {len(body)}")
    return body[:-padding]


def _parse_packet(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    if packet_type == SENDER_REPORT:
        return _parse_sender_report(count, body)
    if packet_type == RECEIVER_REPORT:
        _need(body, _SSRC.size)
        return ReceiverReport(_SSRC.unpack_from(body)[0], _parse_blocks(count, body[4:]))
    if packet_type == SOURCE_DESCRIPTION:
        return _parse_source_description(count, body)
    if packet_type == BYE:
        return _parse_bye(count, body)
    return None


def _need(body: bytes, size: int) -> None:
    if len(body) < size:
        raise PacketError(f"an RTCP packet has {len(body)} bytes where {size} are needed")


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    _need(body, _SENDER_INFO.size)
    blocks = _parse_blocks(count, body[_SENDER_INFO.size :])
    ssrc, ntp, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, rtp_timestamp, packets, octets, blocks)


def _parse_blocks(count: int, body: bytes) -> tuple[ReportBlock, ...]:
    """Report blocks; anything after them is some profile's extension."""
    _need(body, count * _BLOCK.size)
    return tuple(_parse_block(body, index * _BLOCK.size) for index in range(count))


def _parse_block(body: bytes, offset: int) -> ReportBlock:
    ssrc, loss, *rest = _BLOCK.unpack_from(body, offset)
    cumulative = loss & 0xFFFFFF
    if cumulative > _CUMULATIVE_MAX:
        cumulative -= 1 << 24
    return ReportBlock(ssrc, loss >> 24, cumulative, *rest)


def _parse_source_description(count: int, body: bytes) -> SourceDescription:
    names = []
    offset = 0
    for _ in range(count):
        _need(body, offset + _SSRC.size)
        (ssrc,) = _SSRC.unpack_from(body, offset)
        cname, offset = _parse_items(body, offset + _SSRC.size)
        if cname is not None:
            names.append((ssrc, cname))
    return SourceDescription(tuple(names))


def _parse_items(body: bytes, offset: int) -> tuple[str | None, int]:
    """The CNAME among the items of one source, and where the next source begins."""
    cname = None
    while True:
        _need(body, offset + 1)
        item = body[offset]
        if item == 0:
            return cname, (offset + 4) & ~3  # zero bytes up to the next word
        text, end = _parse_text(body, offset + 1)
        if item == _CNAME:
            cname = text
        offset = end


def _parse_bye(count: int, body: bytes) -> Bye:
    end = count * _SSRC.size
    _need(body, end)
    ssrcs = struct.unpack_from(f">{count}I", body)
    reason = _parse_text(body, end)[0] if len(body) > end else ""
    return Bye(ssrcs, reason)


def _parse_text(body: bytes, offset: int) -> tuple[str, int]:
    """A length of one byte and that many bytes of UTF-8; and where they end."""
    _need(body, offset + 1)
    end = offset + 1 + body[offset]
    _need(body, end)
    return body[offset + 1 : end].decode("utf-8", "replace"), end


def ntp_timestamp(unix_seconds: float) -> int:
    """The 64-bit NTP timestamp (seconds since 1900 in 2**-32 s) of a Unix time (section 4)."""
    whole = math.floor(unix_seconds)
    fraction = int((unix_seconds - whole) * (1 << 32))
    return (whole + NTP_UNIX_OFFSET & _UINT32) << 32 | fraction


def middle_32(ntp: int) -> int:
    """The middle 32 bits of an NTP timestamp: 65536ths of a second (section 4)."""
    return ntp >> 16 & _UINT32


def report_interval(uniform: float, needed: float = 0.0) -> float:
    """Seconds until the next report (RFC 3550 sections 6.2 and 6.3.1).

    `uniform` is a random number in 0..1: it spreads the reports over half to one and a half times
    the interval. That is the minimum, or `needed` seconds if reports would otherwise take more than
    their share of the bandwidth.
    """
    return max(MIN_REPORT_INTERVAL, needed) * (0.5 + uniform)
