"""The PROXY protocol, versions 1 and 2: the client's address behind a proxy.

The proxy sends one header before the client's first byte. `missing` says how many bytes of it are
still to come, so that nothing after it is touched; `parse` reads it once it is whole. The sections
are those of https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt.
"""

from __future__ import annotations

import ipaddress
import struct

from rtplab.protocol.errors import PeerError

Address = tuple[str, int]  # host and TCP port

# Version 1 is a line of text:
#
#     PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n     source, destination, their ports
#     PROXY TCP6 ...                                        or PROXY UNKNOWN and anything
_V1_START = b"PROXY "
MAX_V1 = 107  # bytes (section 2.1): two IPv6 addresses in full

# Version 2 is binary:
#
#     |  signature (12 bytes)  | version, command | family, protocol | length (16 bits) |
#     |  addresses and more, as long as that says                                       |
_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEADER = struct.Struct(">12sBBH")
# Bytes. Section 2: a header that fits the smallest TCP segment can always be sent whole.
MAX_V2 = 536
_VERSION_2 = 0x20
_LOCAL, _PROXY = 0, 1  # the commands: the proxy speaks for itself, or for a client
_TCP4, _TCP6 = 0x11, 0x21
_UNKNOWN = (0x00, 0x31)  # not said, or by a Unix socket
_ADDRESSES = {_TCP4: struct.Struct(">4s4sHH"), _TCP6: struct.Struct(">16s16sHH")}

_SHORTEST = len(_V2_SIGNATURE)  # bytes of the shortest header


def missing(data: bytes) -> int:
    """Return how many more bytes certainly belong to the header in `data`; 0: it is whole.

    Raises PeerError if it is not a header, or is too long.
    """
    if len(data) < _SHORTEST:
        _check_start(data)
        return _SHORTEST - len(data)
    if data.startswith(_V1_START):
        return _missing_of_v1(data)
    if data.startswith(_V2_SIGNATURE):
        return _missing_of_v2(data)
    raise PeerError("it does not begin with a PROXY header")


def _check_start(data: bytes) -> None:
    if not (data.startswith(_V1_START[: len(data)]) or data.startswith(_V2_SIGNATURE[: len(data)])):
        raise PeerError("it does not begin with a PROXY header")


def _missing_of_v1(data: bytes) -> int:
    if data.endswith(b"\r\n"):
        return 0
    if len(data) >= MAX_V1:
        raise PeerError(f"a PROXY line of more than {MAX_V1} bytes")
    return 1 if data.endswith(b"\r") or len(data) == MAX_V1 - 1 else 2


def _missing_of_v2(data: bytes) -> int:
    if len(data) < _V2_HEADER.size:
        return _V2_HEADER.size - len(data)
    length: int = _V2_HEADER.unpack_from(data)[3]
    whole = _V2_HEADER.size + length
    if whole > MAX_V2:
        raise PeerError(f"a PROXY header of {whole} bytes, more than {MAX_V2}")
    return max(0, whole - len(data))


def parse(data: bytes) -> Address | None:
    """Return the client's address; None if the proxy does not name it, or speaks for itself.

    `data` is a whole header. Raises PeerError.
    """
    if missing(data):
        raise PeerError("a truncated PROXY header")
    return _parse_v1(data) if data.startswith(_V1_START) else _parse_v2(data)


def _parse_v1(data: bytes) -> Address | None:
    try:
        fields = data[:-2].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise PeerError("a PROXY line that is not ASCII") from None
    if fields[1] == "UNKNOWN":
        return None  # section 2.1: ignore whatever follows
    if fields[1] not in ("TCP4", "TCP6") or len(fields) != 6:
        raise PeerError("a PROXY line in an unknown format")
    source, destination, source_port, destination_port = fields[2:]
    _host_of_text(destination, fields[1])
    _port(destination_port)
    return _host_of_text(source, fields[1]), _port(source_port)


def _host_of_text(text: str, family: str) -> str:
    try:
        if family == "TCP4":
            return str(ipaddress.IPv4Address(text))
        return _host(ipaddress.IPv6Address(text).packed)
    except ValueError:
        raise PeerError(f"a PROXY line whose address is not {family}") from None


def _port(text: str) -> int:
    if not (text.isdigit() and str(int(text[:6])) == text and int(text) <= 65535):
        raise PeerError("a PROXY line with an invalid port")
    return int(text)


def _parse_v2(data: bytes) -> Address | None:
    _, command, family, length = _V2_HEADER.unpack_from(data)
    if command not in (_VERSION_2 | _LOCAL, _VERSION_2 | _PROXY):
        raise PeerError(f"a PROXY header of version and command {command:#04x}")
    if command == _VERSION_2 | _LOCAL or family in _UNKNOWN:
        return None
    if family not in _ADDRESSES:
        raise PeerError(f"a PROXY header of family and protocol {family:#04x}")
    addresses = _ADDRESSES[family]
    if length < addresses.size:
        raise PeerError(f"a PROXY header with {length} bytes for its addresses")
    source, _, port, _ = addresses.unpack_from(data, _V2_HEADER.size)
    return _host(source), port


def _host(packed: bytes) -> str:
    """Return an address as text; IPv4 inside IPv6 as IPv4."""
    address = ipaddress.ip_address(packed)
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
