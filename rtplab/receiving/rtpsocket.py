"""The UDP port on which a client receives RTP."""

from __future__ import annotations

import selectors
import socket
import time

from rtplab.protocol.errors import SessionError

LARGEST_DATAGRAM = 65_535  # bytes
# Bytes that may wait in the socket: a burst of several large frames.
RECEIVE_BUFFER = 2 * 1024 * 1024
BATCH = 64  # datagrams taken at once: a flood must not keep the thread from its other duties


class RtpSocket:
    """A bound port that takes datagrams from one host only. One thread receives."""

    def __init__(self, port: int, host: str) -> None:
        """Bind the port for datagrams of `host`, an address; port 0 takes a free one.

        Raises SessionError with a sentence for the user.
        """
        self._host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._socket.setblocking(False)
            self._socket.bind(("", port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise SessionError(
                f"RTP port {port} can't be used ({getattr(error, 'strerror', error)}): "
                "close the program that has it, or choose another port."
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self.strangers = 0  # datagrams from other hosts

    def receive(self, deadline: float | None) -> list[bytes] | None:
        """Return the datagrams that have come, none at `deadline` (time.monotonic).

        None means that `wake` was called.
        """
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = {key.fileobj for key, _ in self._selector.select(timeout)}
        if self._wake_reader in ready:
            return None
        return self._waiting() if ready else []

    def _waiting(self) -> list[bytes]:
        datagrams: list[bytes] = []
        for _ in range(BATCH):
            try:
                datagram, address = self._socket.recvfrom(LARGEST_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP message about something we sent
            if address[0] == self._host:
                datagrams.append(datagram)
            else:
                self.strangers += 1
        return datagrams

    def wake(self) -> None:
        """Make `receive` return None, from any thread."""
        self._wake_writer.send(b"x")

    def close(self) -> None:
        """Free the port; the receiving thread has ended."""
        self._selector.close()
        for end in (self._socket, self._wake_reader, self._wake_writer):
            end.close()
