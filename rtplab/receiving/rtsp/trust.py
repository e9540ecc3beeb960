"""TLS at the client: which servers are trusted, and a socket that speaks it."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass

from rtplab.clock import steady
from rtplab.protocol.errors import SessionError
from rtplab.protocol.tls import TlsChannel


@dataclass(frozen=True)
class TlsTrust:
    """Which certificates are trusted: the system's authorities', or those of a file's.

    And whether an unverified server may get an unencrypted password.
    """

    ca: str | None = None  # a file of authorities, in PEM
    insecure: bool = False  # any certificate will do
    allow_basic: bool = False  # a password may be sent that anyone on the path can read

    def context(self) -> ssl.SSLContext:
        """Return the TLS context. Raises SessionError with a sentence for the user."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SessionError(
                f"{self.ca} holds no certificates that can be read ({reason})."
            ) from (error)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class TlsSocket:
    """A TLS connection that one thread reads and any may write to; the caller owns the socket."""

    def __init__(
        self, connected: socket.socket, context: ssl.SSLContext, host: str, timeout: float
    ) -> None:
        """Shake hands within `timeout` seconds. Raises OSError, of which ssl.SSLError is one."""
        self._socket = connected
        self._channel = TlsChannel(context, host)
        self._lock = threading.Lock()  # guards the channel and the order on the socket
        deadline = steady() + timeout
        self._take(b"")
        while not self._channel.is_established:
            if steady() > deadline:
                raise TimeoutError
            data = connected.recv(16384)
            if not data:
                raise ConnectionResetError("closed in the TLS handshake")
            self._take(data)  # the server sends nothing unrequested, so there is no plain text yet

    def recv(self, size: int) -> bytes | None:
        """Return the data received: b"" at the end, None if there was none. Raises OSError."""
        data = self._socket.recv(size)
        plain = self._take(data) if data else b""
        return plain or (b"" if not data or self._channel.is_closed else None)

    def sendall(self, data: bytes) -> None:
        """Send. Raises OSError."""
        with self._lock:
            self._socket.sendall(self._channel.encrypt(data))

    def _take(self, data: bytes) -> bytes:
        with self._lock:
            try:
                return self._channel.take(data)
            finally:
                outgoing = self._channel.outgoing()
                if outgoing:
                    self._socket.sendall(outgoing)
