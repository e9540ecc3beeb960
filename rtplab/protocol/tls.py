"""TLS as bytes in, bytes out: without a socket, for any thread or loop.

One thread must not read an ssl.SSLSocket while another writes to it, and both reading and writing
may need both directions. Here the holder of the connection's lock turns one kind of bytes into the
other and never waits.
"""

from __future__ import annotations

import ssl

READ_SIZE = 64 * 1024  # bytes per read: a TLS record holds 16 KB
# The first byte on a connection that begins with a TLS handshake (RFC 8446 section 5.1), and with
# a TLS alert. No RTSP message begins with either.
HANDSHAKE, ALERT = 0x16, 0x15


class TlsChannel:
    """One end of a TLS connection. Not thread-safe."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """Act as the client of the server `server_name`; without a name, as the server."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_name is None,
            server_hostname=server_name,
        )
        self.is_established = False
        self.is_closed = False  # the peer has closed TLS

    def take(self, data: bytes) -> bytes:
        """Feed received bytes; return the decrypted ones. Raises ssl.SSLError, an OSError.

        Without bytes, a client begins the handshake. Afterwards, `outgoing` must be sent.
        """
        self._incoming.write(data)
        if not self.is_established:
            self._shake_hands()
        return self._read() if self.is_established else b""

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt `data`; return all pending outgoing bytes, including earlier ones."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]  # it may take only part of it
        return self.outgoing()

    def outgoing(self) -> bytes:
        """Return the bytes to send."""
        return self._outgoing.read()

    def close(self) -> bytes:
        """Return the bytes that close TLS (RFC 8446 section 6.1)."""
        try:
            self._tls.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # the peer has not closed yet, or nothing is open
        return self.outgoing()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.is_established = True

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(READ_SIZE):
                pieces.append(piece)
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_closed = True
        return b"".join(pieces)
