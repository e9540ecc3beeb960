"""RTP packets on the wire (RFC 3550 sections 5.1 and 5.3.1).

    12 bytes of header | CC sources | with X: an extension | payload | with P: padding

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    |                           timestamp                           |
    |           synchronization source (SSRC) identifier            |

FFmpeg and cameras use all of it, while the lab always takes 12 bytes for the header.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from rtplab.protocol.errors import PacketError

HEADER_SIZE = 12  # bytes, without contributing sources and extension

# The extension in which ONVIF sends JPEG segments that RTP/JPEG has no room for ("JPEG over RTP" in
# its Streaming Specification): its profile is FFD8. All of them together are below 1,024 bytes.
JPEG_EXTENSION = 0xFFD8
MAX_EXTENSION = 1024

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_MORE_MASK = 0x3F  # bits of the first byte that announce more than header and payload
_PADDING_BIT = 0x20
_EXTENSION_BIT = 0x10
_CC_MASK = 0x0F
_PT_MASK = 0x7F


def pack_header(marker: int, pt: int, seqnum: int, timestamp: int, ssrc: int) -> bytes:
    """Return the 12 bytes of a plain header: version 2, no padding, extension or sources."""
    return _HEADER.pack(0x80, (marker << 7) | pt, seqnum, timestamp, ssrc)


def pack_headers(
    count: int, marker: int, pt: int, seqnum: int, timestamp: int, ssrc: int
) -> list[bytes]:
    """Return the headers of `count` packets of one frame; `marker` is the last one's.

    They are numbered from `seqnum`, which wraps around.
    """
    pack = _HEADER.pack
    headers = [
        pack(0x80, pt, number & 0xFFFF, timestamp, ssrc)
        for number in range(seqnum, seqnum + count - 1)
    ]
    headers.append(pack_header(marker, pt, (seqnum + count - 1) & 0xFFFF, timestamp, ssrc))
    return headers


def extended(header: bytes) -> bytes:
    """Return the header of a packet with an extension (RFC 3550 section 5.3.1)."""
    return bytes([header[0] | _EXTENSION_BIT]) + header[1:]


class ReceivedPacket(NamedTuple):
    """One RTP packet off the wire. `timestamp` is in ticks of its sender's clock."""

    payload: bytes  # without sources, extension and padding
    sequence_number: int
    timestamp: int
    ssrc: int
    payload_type: int
    marker: bool
    version: int
    jpeg_extension: bytes = b""  # the JPEG segments in its extension, if that has some


def parse_packet(datagram: bytes) -> ReceivedPacket:
    """Parse a packet.

    A version other than 2 is a lab server's garbage: then everything after 12 bytes is payload.
    Raises PacketError when the packet is shorter than its own fields say.
    """
    if len(datagram) < HEADER_SIZE:
        raise PacketError(
            f"{len(datagram)} bytes are too few for an RTP packet: its header has {HEADER_SIZE}"
        )
    first, second, number, timestamp, ssrc = _HEADER.unpack_from(datagram)
    version = first >> 6
    has_more = first & _MORE_MASK and version == 2
    payload = _payload(datagram, first, number) if has_more else datagram[HEADER_SIZE:]
    packet = ReceivedPacket(
        payload, number, timestamp, ssrc, second & _PT_MASK, second > _PT_MASK, version
    )
    if has_more and first & _EXTENSION_BIT:
        return packet._replace(jpeg_extension=_jpeg_extension(datagram, first))
    return packet


def _jpeg_extension(packet: bytes, first: int) -> bytes:
    """The segments in an extension that is known to be whole; empty if it is another kind."""
    start = HEADER_SIZE + 4 * (first & _CC_MASK)
    profile, words = _EXTENSION.unpack_from(packet, start)
    if profile != JPEG_EXTENSION or 4 * words > MAX_EXTENSION:
        return b""
    start += _EXTENSION.size
    return packet[start : start + 4 * words]


def _payload(packet: bytes, first: int, number: int) -> bytes:
    start = HEADER_SIZE + 4 * (first & _CC_MASK)
    if first & _EXTENSION_BIT and start + _EXTENSION.size <= len(packet):
        _, words = _EXTENSION.unpack_from(packet, start)  # RFC 3550 section 5.3.1
        start += _EXTENSION.size + 4 * words
    elif first & _EXTENSION_BIT:
        start = len(packet) + 1
    if start > len(packet):
        raise PacketError(f"packet {number}: its sources and extension end beyond it")
    padding = packet[-1] if first & _PADDING_BIT else 0
    if first & _PADDING_BIT and not 0 < padding <= len(packet) - start:
        raise PacketError(f"packet {number}: {padding} bytes of padding do not fit")
    return packet[start : len(packet) - padding]
