"""Behind a proxy: the trusted proxies, and the client addresses they report."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import time
from dataclasses import dataclass

from rtplab.protocol import proxy

HEADER_TIMEOUT = 3.0  # seconds: a proxy has its header ready when it connects

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustedProxies:
    """The networks whose PROXY headers are trusted, and from which one is required."""

    networks: tuple[Network, ...]

    def trusts(self, host: str) -> bool:
        """Tell if a connection from `host` must begin with a PROXY header."""
        address = ipaddress.ip_address(host)
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)

    def client_address(self, rtsp_socket: socket.socket, host: str) -> proxy.Address | None:
        """Return the address that a trusted proxy at `host` names; None for any other host.

        Also None if the proxy does not say, or speaks for itself. Raises PeerError, OSError.
        """
        return read_client_address(rtsp_socket) if self.trusts(host) else None


def read_client_address(rtsp_socket: socket.socket) -> proxy.Address | None:
    """Read exactly the PROXY header from a non-blocking socket; wait for it if necessary.

    Return the client's address; None when the proxy does not say, or speaks for itself. Raises
    PeerError, and OSError when it does not come in time.
    """
    deadline = time.monotonic() + HEADER_TIMEOUT
    header = b""
    with selectors.DefaultSelector() as selector:
        selector.register(rtsp_socket, selectors.EVENT_READ)
        while count := proxy.missing(header):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"no PROXY header within {HEADER_TIMEOUT:g} s")
            header += _received(rtsp_socket, count)
    return proxy.parse(header)


def _received(rtsp_socket: socket.socket, count: int) -> bytes:
    try:
        data = rtsp_socket.recv(count)
    except BlockingIOError:
        return b""
    if not data:
        raise ConnectionError("the proxy disconnected in the middle of its PROXY header")
    return data
