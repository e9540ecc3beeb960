"""Socket addresses to hosts and back, with the interface of link-local ones.

An address such as fe80::1 does not say on which link it is (RFC 4007): a socket has the number of
the interface next to it, and in a host it follows a "%":

    ("fe80::1", 5678, 0, 3)  <->  "fe80::1%3", 5678
"""

from __future__ import annotations

from typing import Any

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


def host_of(address: tuple[Any, ...]) -> str:
    """Return the host of a socket's address, and its interface if it has one."""
    host = without_interface(str(address[0]))
    return f"{host}%{address[3]}" if len(address) == 4 and address[3] else host


def without_interface(host: str) -> str:
    """Return the host's name as other programs expect it."""
    return host.partition("%")[0]


def socket_address(host: str, port: int) -> SocketAddress:
    """Return a socket's form of a host from `host_of`, or of a name."""
    name, _, interface = host.partition("%")
    return (name, port, 0, int(interface)) if interface.isdecimal() else (host, port)
