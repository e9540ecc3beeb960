"""The ways to send a stream's packets: to UDP ports, or inside the RTSP connection."""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple, Protocol

from rtplab.clock import steady
from rtplab.protocol.addresses import socket_address
from rtplab.protocol.errors import RtpLabError
from rtplab.protocol.rtp.packet import HEADER_SIZE
from rtplab.serving.rtp.datagrams import (
    TOO_LARGE,
    DatagramSender,
    PacketParts,
    kernel_can_segment,
    packet_size,
    path_payload,
)

# Seconds that a client's port may stay closed before the client is gone: lab clients may open it
# only after PLAY.
REFUSAL_PATIENCE = 5.0
# Seconds without a report of a closed port after which it counts as open, if frames were sent in
# the meantime. Each frame causes a report, but over a network Linux sends at most one a second
# (icmp_ratelimit).
REFUSAL_MEMORY = 2.5
# Bytes. macOS sends no datagram larger than its send buffer, which is 9,216 by default.
SEND_BUFFER = 256 * 1024
# Bytes. Nothing reads what comes to our RTP port, such as the datagrams with which players open the
# path: by default the system would keep 208 KiB of them for each viewer.
RECEIVE_BUFFER = 4096
PAIR_TRIES = 64  # for an even port and the next odd one: even if half the tries fail, not all will
LARGEST_DATAGRAM = 65_535
# On Windows, `recv` reports that an earlier datagram found its port closed (WSAECONNRESET), and
# `send` never does.
_REFUSALS_ARE_RECEIVED = sys.platform == "win32"
_SEGMENTING = kernel_can_segment()

_INTERLEAVED = struct.Struct("!cBH")

# Maximum number of packets sent at once: a viewer's socket takes 212,992 bytes by default, of which
# Linux counts about 2,300 for a packet of Ethernet's size. A larger frame goes in several bursts.
MAX_BURST = 64


class ViewerGone(RtpLabError):
    """The packets' destination no longer listens."""


class Counts(NamedTuple):
    """How much was sent, or was not: frames, packets, bytes of payload."""

    frames: int = 0
    packets: int = 0
    payload: int = 0


class Connection(Protocol):
    """A sink's view of the RTSP connection. Both methods send or queue; both raise OSError."""

    def offer(self, frame: bytes) -> bool:
        """Send a frame, or drop it whole and return False if too much is queued."""

    def send(self, data: bytes) -> None:
        """Send bytes that must not be dropped."""


class Sink(Protocol):
    """Takes the packets of a stream. No method ever blocks."""

    max_burst: int  # packets that may be sent at once
    max_payload: int  # bytes of RTP payload that the path takes in one piece
    is_lossy: bool  # the network may lose packets

    @property
    def not_sent(self) -> Counts:
        """Everything dropped here since the beginning."""

    @property
    def report_socket(self) -> socket.socket | None:
        """Where the viewer's reports arrive; None if that is the RTSP connection."""

    def send(self, packets: list[PacketParts]) -> None:
        """Send packets of one frame. Raises ViewerGone."""

    def send_report(self, report: bytes) -> None:
        """Send an RTCP compound packet, if the sink has a path for it."""

    def receive_report(self) -> bytes:
        """Return a datagram that waits at `report_socket`; b"" if nothing waits."""

    def close(self) -> None:
        """Free the sink's resources. May be called twice."""


class UdpSink:
    """Connected UDP sockets to one viewer's RTP port and, in the standard dialect, RTCP port."""

    __slots__ = (
        "report_socket",
        "server_port",
        "max_payload",
        "_socket",
        "_sender",
        "_refused_for",
        "_last_refusal",
        "_sent_since",
    )

    max_burst = MAX_BURST
    is_lossy = True

    def __init__(
        self, local_host: str, host: str, rtp_port: int, rtcp_port: int | None = None
    ) -> None:
        """Open the sockets on `local_host`, the address the client knows us by. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.report_socket: socket.socket | None = None
        self.server_port: tuple[int, int] | None = None  # ours for RTP and RTCP, if there are both
        if rtcp_port is None:
            self._socket = _bound_socket(family, local_host, 0)
        else:
            self._socket, self.report_socket, first = bound_pair(family, local_host)
            self.server_port = first, first + 1
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._socket.connect(socket_address(host, rtp_port))
            if self.report_socket is not None and rtcp_port is not None:
                self.report_socket.connect(socket_address(host, rtcp_port))
        except OSError:
            self.close()
            raise
        self.max_payload = self._path_payload()
        self._sender = DatagramSender(self._socket, _SEGMENTING, self._refused)
        self._refused_for = self._last_refusal = 0.0  # seconds
        self._sent_since = 2  # bursts since the last refusal; before the first one, some

    @property
    def sockets(self) -> list[socket.socket]:
        """The sockets that send: for RTP, and for RTCP where there is one."""
        return [self._socket] + ([self.report_socket] if self.report_socket else [])

    def send(self, packets: list[PacketParts]) -> None:
        """Send packets of one frame. Raises ViewerGone if they have long been refused."""
        self._sent_since += 1
        self._sender.send(packets)
        if _REFUSALS_ARE_RECEIVED:
            self._receive_refusal()

    def _receive_refusal(self) -> None:
        """Count a refusal that waits to be received. Raises ViewerGone."""
        try:
            self._socket.recv(LARGEST_DATAGRAM)  # players open the path with these
        except BlockingIOError:
            pass
        except ConnectionError as error:
            self._refused(error)
        except OSError:
            pass  # a datagram larger than any of ours

    @property
    def not_sent(self) -> Counts:
        """What a full send buffer did not take; parts of frames count too."""
        payload = self._sender.dropped_bytes - HEADER_SIZE * self._sender.dropped
        return Counts(0, self._sender.dropped, payload)

    def _path_payload(self) -> int:
        """Return what the path to the viewer takes, as far as it is known now."""
        return path_payload(self._socket) - HEADER_SIZE

    def _refused(self, error: OSError) -> None:
        """Count how long the network has refused. Raises ViewerGone."""
        if error.errno in TOO_LARGE:
            self.max_payload = self._path_payload()
            return
        now = steady()
        elapsed = now - self._last_refusal
        if elapsed > REFUSAL_MEMORY and self._sent_since > 1:
            self._refused_for = 0.0
        else:  # of a pause, and of what a slow stream waits for its next frame, not all counts
            self._refused_for += min(elapsed, REFUSAL_MEMORY)
        self._last_refusal, self._sent_since = now, 0
        if self._refused_for > REFUSAL_PATIENCE:
            raise ViewerGone(f"its RTP port can't be reached: {error.strerror}")

    def send_report(self, report: bytes) -> None:
        """Send an RTCP compound packet; if it is lost, another follows soon."""
        if self.report_socket is not None:
            try:
                self.report_socket.send(report)
            except OSError:
                pass  # the port may be closed: many players open it late or never

    def receive_report(self) -> bytes:
        """Return a datagram that waits at the RTCP port; b"" if nothing waits."""
        try:
            return self.report_socket.recv(LARGEST_DATAGRAM) if self.report_socket else b""
        except OSError:
            return b""

    def close(self) -> None:
        """Free the sockets. May be called twice."""
        self._socket.close()
        if self.report_socket is not None:
            self.report_socket.close()


class InterleavedSink:
    """Two channels of the viewer's RTSP connection (RFC 2326 section 10.12)."""

    __slots__ = ("_connection", "_rtp_channel", "_rtcp_channel", "not_sent")

    max_burst = sys.maxsize  # TCP has its own flow control, and frames go whole or not at all
    max_payload = LARGEST_DATAGRAM - HEADER_SIZE  # the length field has 16 bits
    is_lossy = False
    report_socket = None

    def __init__(self, connection: Connection, channels: tuple[int, int]) -> None:
        """Send by these channels, for RTP and RTCP."""
        self._connection = connection
        self._rtp_channel, self._rtcp_channel = channels
        self.not_sent = Counts()

    def send(self, packets: list[PacketParts]) -> None:
        """Send all packets of one frame, or none of them. Raises ViewerGone."""
        pieces: list[bytes] = []
        for packet in packets:
            pieces.append(_interleaved_header(self._rtp_channel, packet_size(packet)))
            pieces += packet
        try:
            is_sent = self._connection.offer(b"".join(pieces))
        except OSError as error:
            raise _gone(error) from error
        if not is_sent:
            count, size = len(packets), sum(len(payload) for _, payload in packets)
            frames, all_packets, payloads = self.not_sent
            self.not_sent = Counts(frames + 1, all_packets + count, payloads + size)

    def send_report(self, report: bytes) -> None:
        """Send an RTCP compound packet on its channel: never dropped, as BYE comes only once.

        Raises ViewerGone.
        """
        try:
            self._connection.send(_interleaved_header(self._rtcp_channel, len(report)) + report)
        except OSError as error:
            raise _gone(error) from error

    def receive_report(self) -> bytes:
        """Return None: reports arrive with the requests."""
        return b""

    def close(self) -> None:
        """Do nothing: the sink does not own the connection."""


def _gone(error: OSError) -> ViewerGone:
    return ViewerGone(f"its connection is lost: {error.strerror or error}")


def _interleaved_header(channel: int, length: int) -> bytes:
    """ "$", the channel in one byte, the packet's length in two."""
    return _INTERLEAVED.pack(b"$", channel, length)


def _bound_socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.bind(socket_address(host, port))
    except OSError:
        bound.close()
        raise
    return bound


def bound_pair(family: socket.AddressFamily, host: str) -> tuple[socket.socket, socket.socket, int]:
    """Return sockets on an even port and the odd one above it (RFC 3550 section 11), and the port.

    Raises OSError.
    """
    for _ in range(PAIR_TRIES):
        first = _bound_socket(family, host, 0)
        port = first.getsockname()[1]
        try:
            second = _bound_socket(family, host, port ^ 1)
        except OSError:
            first.close()  # another program has the odd one
        else:
            return (first, second, port) if port % 2 == 0 else (second, first, port - 1)
    raise OSError("no pair of UDP ports is free")
