"""The UDP ports on which a client receives RTP and, in the standard dialect, RTCP."""

from __future__ import annotations

import selectors
import socket
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from rtplab.clock import steady
from rtplab.protocol.addresses import socket_address, without_interface
from rtplab.protocol.errors import SessionError

Clock = Callable[[], float]  # seconds, as clock.steady gives them

LARGEST_DATAGRAM = 65_535  # bytes
# Bytes that may wait in the socket: a burst of several large frames.
RECEIVE_BUFFER = 2 * 1024 * 1024
READINGS = 64  # reads at once: a flood must not keep the thread from its other duties
LAST_READINGS = RECEIVE_BUFFER // 1024  # reads when all is over: all that may have come by then
PAIR_TRIES = 64  # for two consecutive free ports
_WAKE, _LOOK_UP = b"x", b"."  # reasons to wake the receiving thread

# linux/udp.h: a sender's datagrams of one size that arrive together are read together, and a
# message of the level UDP states that size. One wake-up per datagram would cost more than handling.
_UDP_GRO = 104
_HAS_GRO = sys.platform == "linux"


class Batch(NamedTuple):
    """Datagrams read together: to one of our ports, from one port of the server."""

    datagrams: list[bytes]
    source_port: int
    is_rtcp: bool


class RtpSocket:
    """Bound ports that take datagrams from one host only. One thread receives."""

    def __init__(self, port: int, host: str, with_rtcp: bool, clock: Clock = steady) -> None:
        """Bind the port, and the one above it for RTCP, for datagrams from the address `host`.

        Port 0 takes any free port. Raises SessionError with a sentence for the user.
        """
        self._host = host
        self._source = without_interface(host)  # as the sender address of its datagrams shows it
        self._clock = clock
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._rtp, self._rtcp = _bind(family, port, with_rtcp)
        except (OSError, OverflowError) as error:
            raise SessionError(
                f"RTP port {port} can't be used ({getattr(error, 'strerror', None) or error}): "
                "close the program that uses it, or choose another port."
            ) from error
        self.port: int = self._rtp.getsockname()[1]
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._rtp, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        if self._rtcp is not None:
            self._selector.register(self._rtcp, selectors.EVENT_READ)
        self._buffer = memoryview(bytearray(LARGEST_DATAGRAM))
        self._closing = False
        self.strangers = 0  # datagrams from other hosts
        self.is_behind = False  # more RTP waited when `receive` returned

    @property
    def own_socket(self) -> socket.socket:
        """The port that receives RTP."""
        return self._rtp

    def receive(self, deadline: float | None) -> list[Batch] | None:
        """Return the datagrams received, RTP first; an empty list at `deadline` (by our clock).

        `look_up` ends the waiting as well. None means that `wake` was called, and all that
        had come was returned.
        """
        if self._closing:
            return None
        ready = self._ready(None if deadline is None else max(0.0, deadline - self._clock()))
        if self._wake_reader in ready:  # datagrams received by then still count
            self._closing = _WAKE in self._wake_reader.recv(4096)
        most = LAST_READINGS if self._closing else READINGS
        # The end must not overtake media: only then it matters if more is waiting after a burst.
        # A BYE comes by RTCP; for an end that was announced otherwise, somebody wakes us.
        is_end_near = self._rtcp in ready or self._wake_reader in ready
        is_burst_enough = not (is_end_near or self.is_behind)
        media, self.is_behind = self._waiting(self._rtp, ready, False, most, is_burst_enough)
        return media + self._waiting(self._rtcp, ready, True, most)[0]

    def _waiting(
        self,
        source: socket.socket | None,
        ready: set[Any],
        is_rtcp: bool,
        most: int,
        is_burst_enough: bool = False,
    ) -> tuple[list[Batch], bool]:
        """Return the datagrams waiting at one of the ports, if it is ready, and if more wait.

        With `is_burst_enough` it stops after datagrams that were sent together: most often, that
        is all, and to look once more costs as much as to read them.
        """
        batches: list[Batch] = []
        for _ in range(most):
            if source is None or source not in ready:
                return batches, False
            read = self._read(source, is_rtcp)
            batches += read
            if is_burst_enough and read and len(read[0].datagrams) > 1:
                return batches, False
            # Check first: an empty read costs as much as a successful one.
            ready = self._ready(0.0)
        return batches, source in ready

    def _ready(self, timeout: float | None) -> set[Any]:
        """Wait at most `timeout` seconds for something to read; return the ready sockets."""
        return {key.fileobj for key, _ in self._selector.select(timeout)}

    def _read(self, source: socket.socket, is_rtcp: bool) -> list[Batch]:
        """Read the datagrams that the kernel returns together; nothing if they are not for us."""
        try:
            size, each, address = self._fill_buffer(source)
        except OSError:
            return []  # a damaged datagram, or an ICMP message about something we sent
        if without_interface(address[0]) != self._source:
            self.strangers += 1
            return []
        filled = self._buffer[:size]
        datagrams = [bytes(filled[start : start + each]) for start in range(0, size, each)]
        return [Batch(datagrams, address[1], is_rtcp)]

    def _fill_buffer(self, source: socket.socket) -> tuple[int, int, Any]:
        """Return the bytes received, the bytes per datagram, and the sender."""
        if not _HAS_GRO:
            size, address = source.recvfrom_into(self._buffer)
            return size, max(size, 1), address
        size, messages, _, address = source.recvmsg_into([self._buffer], socket.CMSG_SPACE(4))
        each = size
        for level, kind, value in messages:
            if (level, kind) == (socket.IPPROTO_UDP, _UDP_GRO):
                each = int.from_bytes(value, sys.byteorder)
        return size, max(each, 1), address

    def send_rtp(self, data: bytes, port: int) -> None:
        """Send an RTP packet to the server's RTP port, from ours."""
        self._send(self._rtp, data, port)

    def send_rtcp(self, data: bytes, port: int) -> None:
        """Send an RTCP packet to the server's RTCP port; after a lost one the next follows soon."""
        if self._rtcp is not None:
            self._send(self._rtcp, data, port)

    def _send(self, source: socket.socket, data: bytes, port: int) -> None:
        try:
            source.sendto(data, socket_address(self._host, port))
        except OSError:
            pass  # the server's port may be closed for the moment

    def look_up(self) -> None:
        """Make `receive` return, from any thread: its deadline has changed."""
        self._wake_writer.send(_LOOK_UP)

    def wake(self) -> None:
        """Make `receive` return None, from any thread."""
        self._wake_writer.send(_WAKE)

    def close(self) -> None:
        """Free the ports; the receiving thread has ended."""
        self._selector.close()
        for end in (self._rtp, self._rtcp, self._wake_reader, self._wake_writer):
            if end is not None:
                end.close()


def _bind(
    family: socket.AddressFamily, port: int, with_rtcp: bool
) -> tuple[socket.socket, socket.socket | None]:
    if not with_rtcp:
        return _bound(family, port), None
    for _ in range(1 if port else PAIR_TRIES):
        rtp = _bound(family, port)
        number = rtp.getsockname()[1]
        try:
            if port or number % 2 == 0:  # RFC 3550 section 11: an even port, and the next
                return rtp, _bound(family, number + 1)
        except OSError:
            if port:
                rtp.close()
                raise
        rtp.close()
    raise OSError("no two consecutive ports are free")


def _bound(family: socket.AddressFamily, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if _HAS_GRO:
            _read_together(bound)
        bound.setblocking(False)
        bound.bind(("", port))
    except (OSError, OverflowError):
        bound.close()
        raise
    return bound


def _read_together(bound: socket.socket) -> None:
    try:
        bound.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
    except OSError:
        pass  # a kernel before 5.0: one datagram is read at a time
