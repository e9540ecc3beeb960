"""HTTPS: what http.server reads and writes, inside TLS, until a moving picture takes over.

http.server takes a socket whose `makefile` returns files. This one uses a TlsChannel and not an
ssl.SSLSocket, which the connection's thread could not read while the pacer sends.
"""

from __future__ import annotations

import io
import socket
import ssl
from typing import Any

from rtplab.protocol.tls import HANDSHAKE, TlsChannel

RECEIVE_SIZE = 16 * 1024  # bytes per recv: more than any real request
_USE_HTTPS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks TLS: use an https:// address.\n"
)


class TlsConnection(io.RawIOBase):
    """A browser's connection inside TLS, for one thread. It blocks if its socket does."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__()
        self.socket = connection
        self.channel = TlsChannel(context)
        self._is_first = True  # nothing has come yet
        self._plain = b""  # received, and not yet read

    def settimeout(self, seconds: float | None) -> None:
        """Make reading and writing raise TimeoutError after this many seconds."""
        self.socket.settimeout(seconds)

    def makefile(self, mode: str, buffering: int = -1) -> io.BufferedReader | io.BufferedWriter:
        """Return a file to read ("rb") or to write ("wb")."""
        size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else max(1, buffering)
        return io.BufferedReader(self, size) if "r" in mode else io.BufferedWriter(self, size)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes and return them. Raises OSError."""
        while not self._plain and not self.channel.is_closed:
            data = self.socket.recv(RECEIVE_SIZE)
            if not data:
                return 0
            self._take(data)
        view = memoryview(buffer)
        count = min(len(view), len(self._plain))
        view[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _take(self, data: bytes) -> None:
        if self._is_first and data[0] != HANDSHAKE:
            self.socket.sendall(_USE_HTTPS)
            raise ConnectionError("it speaks plain HTTP on a TLS port")
        self._is_first = False
        try:
            self._plain += self.channel.take(data)
        finally:
            if outgoing := self.channel.outgoing():
                self.socket.sendall(outgoing)

    def write(self, data: Any) -> int:
        """Send all of it. Raises OSError."""
        plain = bytes(data)
        self.socket.sendall(self.channel.encrypt(plain))
        return len(plain)

    def say_goodbye(self) -> None:
        """Close TLS (RFC 8446 section 6.1), if the browser still listens. Raises OSError."""
        if self.channel.is_established:
            self.socket.sendall(self.channel.close())
