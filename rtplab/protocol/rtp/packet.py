"""The payload of an RTP packet as real senders make it (RFC 3550 sections 5.1 and 5.3.1).

    12 bytes | CC sources | with X: profile (16), count (16), words | payload | with P: padding

FFmpeg and cameras use all of it, which the lab's own `RtpPacket.decode` does not look at.
"""

from __future__ import annotations

import struct

from rtplab.protocol.errors import PacketError

# Bits of the first byte: those that tell of more than the 12 bytes and the payload.
MORE_MASK = 0x3F
_PADDING_BIT = 0x20
_EXTENSION_BIT = 0x10
_CC_MASK = 0x0F
_VERSION_MASK = 0xC0
_VERSION_2 = 0x80
_HEADER_SIZE = 12  # bytes, without contributing sources and extension
_EXTENSION = struct.Struct("!HH")


def payload_of(packet: bytes) -> bytes:
    """Return what a packet carries, without sources, extension and padding.

    Of another version than 2, which is a lab server's garbage, it is all that follows 12 bytes.
    Raises PacketError when the packet is shorter than its own fields say.
    """
    if len(packet) < _HEADER_SIZE:
        raise PacketError(f"{len(packet)} bytes are no RTP packet: its header has {_HEADER_SIZE}")
    if packet[0] & _VERSION_MASK != _VERSION_2 or not packet[0] & MORE_MASK:
        return bytes(packet[_HEADER_SIZE:])
    start = _payload_start(packet)
    return bytes(packet[start : len(packet) - _padding_length(packet, start)])


def _payload_start(packet: bytes) -> int:
    start = _HEADER_SIZE + 4 * (packet[0] & _CC_MASK)
    if packet[0] & _EXTENSION_BIT and start + _EXTENSION.size <= len(packet):
        _, words = _EXTENSION.unpack_from(packet, start)  # RFC 3550 section 5.3.1
        start += _EXTENSION.size + 4 * words
    elif packet[0] & _EXTENSION_BIT:
        start = len(packet) + 1
    if start > len(packet):
        raise PacketError(f"packet {_number(packet)}: its sources and extension end beyond it")
    return start


def _padding_length(packet: bytes, start: int) -> int:
    if not packet[0] & _PADDING_BIT:
        return 0
    length = packet[-1]
    if not 0 < length <= len(packet) - start:
        raise PacketError(f"packet {_number(packet)}: {length} bytes of padding do not fit")
    return length


def _number(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")
