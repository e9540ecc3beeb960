"""Writes the traffic to a capture file that Wireshark reads.

We see messages and datagrams, not packets. So we add the IP, UDP and TCP headers that they must
have had, with the real addresses, ports and times. A TCP stream begins with its handshake.

    pcapng (draft-ietf-opsawg-pcapng): blocks, each of them
    type (4 bytes), length of the block (4), body, padding to 4 bytes, length of the block (4)

    section header      0A0D0D0A, the first block: byte order, version 1.0
    interface           00000001, before its first packet: link type 101 (raw IP), name
    enhanced packet     00000006: interface, microseconds, captured length, length, the IP packet
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

LINKTYPE_RAW = 101  # the packet begins with its IP header, version 4 or 6
SNAPLEN = 262_144  # maximum bytes of a record that readers accept
SEGMENT = 16_384  # bytes of an RTSP message in one TCP packet
_UDP, _TCP = 17, 6
_SYN, _ACK, _PSH = 0x02, 0x10, 0x08
_HOP_LIMIT = 64

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6  # types of blocks
_SECTION_BODY = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)  # of unknown length
_INTERFACE_BODY = struct.Struct("<HHI")
_PACKET_BODY = struct.Struct("<IIIII")
_OPTION = struct.Struct("<HH")  # code and length
_INTERFACE_NAME = 2
_END_OF_OPTIONS = _OPTION.pack(0, 0)
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_UDP_HEADER = struct.Struct("!HHHH")
_TCP_HEADER = struct.Struct("!HHIIBBHHH")


@dataclass(frozen=True)
class Endpoint:
    """An address and a port."""

    host: str
    port: int

    @property
    def packed(self) -> bytes:
        """The address in network order; an IPv6 scope is left out."""
        return ipaddress.ip_address(self.host.partition("%")[0]).packed


class Interface(Enum):
    """Where a packet was seen; the value is the interface's name in the file."""

    RECEIVED = "network"
    DROPPED = "dropped by the impairment"


class PcapngWriter:
    """A capture file that grows. Not for several threads at once."""

    def __init__(self, file: BinaryIO) -> None:
        """Write the first blocks into `file`, which stays the caller's. Raises OSError."""
        self._file = file
        self._identification = 0
        self._next_sequence: dict[tuple[Endpoint, Endpoint], int] = {}
        self._interfaces: list[Interface] = []  # those in the file
        file.write(_block(_SECTION, _SECTION_BODY) + self._begin(Interface.RECEIVED))

    def udp(
        self,
        source: Endpoint,
        target: Endpoint,
        payload: bytes,
        when: float,
        interface: Interface = Interface.RECEIVED,
    ) -> None:
        """Write a datagram; `when` is Unix time in seconds. Raises OSError."""
        length = _UDP_HEADER.size + len(payload)
        header = _UDP_HEADER.pack(source.port, target.port, length, 0)
        checksum = _checksum(_pseudo_header(source, target, _UDP, length) + header + payload)
        header = _UDP_HEADER.pack(source.port, target.port, length, checksum or 0xFFFF)
        self._ip(source, target, _UDP, header + payload, when, interface)

    def tcp(self, source: Endpoint, target: Endpoint, payload: bytes, when: float) -> None:
        """Write bytes of a TCP connection; `when` is Unix time in seconds. Raises OSError."""
        if (source, target) not in self._next_sequence:
            self._handshake(source, target, when)
        for start in range(0, len(payload), SEGMENT):
            part = payload[start : start + SEGMENT]
            self._segment(source, target, _PSH | _ACK, part, when)

    def _handshake(self, source: Endpoint, target: Endpoint, when: float) -> None:
        """SYN, SYN ACK, ACK (RFC 9293 section 3.5); the first sender has opened the connection."""
        self._next_sequence[source, target] = self._next_sequence[target, source] = 0
        self._segment(source, target, _SYN, b"", when)
        self._segment(target, source, _SYN | _ACK, b"", when)
        self._segment(source, target, _ACK, b"", when)

    def _segment(
        self, source: Endpoint, target: Endpoint, flags: int, payload: bytes, when: float
    ) -> None:
        sequence = self._next_sequence[source, target]
        acknowledged = self._next_sequence[target, source] if flags & _ACK else 0
        fields = (source.port, target.port, sequence, acknowledged, 5 << 4, flags, 0xFFFF)
        header = _TCP_HEADER.pack(*fields, 0, 0)
        pseudo = _pseudo_header(source, target, _TCP, len(header) + len(payload))
        header = _TCP_HEADER.pack(*fields, _checksum(pseudo + header + payload), 0)
        self._ip(source, target, _TCP, header + payload, when)
        advance = len(payload) + (1 if flags & _SYN else 0)
        self._next_sequence[source, target] = (sequence + advance) & 0xFFFFFFFF

    def _ip(
        self,
        source: Endpoint,
        target: Endpoint,
        protocol: int,
        payload: bytes,
        when: float,
        interface: Interface = Interface.RECEIVED,
    ) -> None:
        sender, receiver = source.packed, target.packed
        if len(sender) == 16:
            header = _IPV6.pack(6 << 28, len(payload), protocol, _HOP_LIMIT, sender, receiver)
        else:
            header = self._ipv4_header(sender, receiver, protocol, len(payload))
        self._record(header + payload, when, interface)

    def _ipv4_header(self, sender: bytes, receiver: bytes, protocol: int, size: int) -> bytes:
        self._identification = (self._identification + 1) & 0xFFFF
        before = (0x45, 0, _IPV4.size + size, self._identification, 0, _HOP_LIMIT, protocol)
        checksum = _checksum(_IPV4.pack(*before, 0, sender, receiver))
        return _IPV4.pack(*before, checksum, sender, receiver)

    def _record(self, packet: bytes, when: float, interface: Interface) -> None:
        new = self._begin(interface) if interface not in self._interfaces else b""
        high, low = divmod(round(when * 1_000_000), 1 << 32)
        number, size = self._interfaces.index(interface), len(packet)
        body = _PACKET_BODY.pack(number, high, low, size, size) + packet
        self._file.write(new + _block(_PACKET, body))

    def _begin(self, interface: Interface) -> bytes:
        """Return the block that describes the next interface."""
        self._interfaces.append(interface)
        name = interface.value.encode()
        option = _OPTION.pack(_INTERFACE_NAME, len(name)) + _padded(name)
        body = _INTERFACE_BODY.pack(LINKTYPE_RAW, 0, SNAPLEN) + option + _END_OF_OPTIONS
        return _block(_INTERFACE, body)


def _block(kind: int, body: bytes) -> bytes:
    body = _padded(body)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _pseudo_header(source: Endpoint, target: Endpoint, protocol: int, length: int) -> bytes:
    """The pseudo-header that UDP and TCP checksums also cover (RFC 9293, RFC 8200)."""
    return source.packed + target.packed + struct.pack("!IHH", length, 0, protocol)


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
