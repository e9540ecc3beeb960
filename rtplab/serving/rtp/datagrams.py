"""Sends the packets of a frame as datagrams: with few system calls if the kernel can help.

Linux cuts one large message into datagrams by itself (UDP_SEGMENT, generic segmentation
offload), all of one size but the last, which may be shorter. That is how frames are packetised
here. Elsewhere each packet is a `send` of its own. The bytes on the wire are the same.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Callable
from functools import cached_property
from itertools import chain
from typing import NamedTuple

# One RTP packet in two pieces, to be gathered: its header, and the payload that viewers share.
PacketParts = tuple[bytes, bytes]

_SOL_UDP = 17
_UDP_SEGMENT = 103  # from linux/udp.h: Python's socket module has no name for it
_SEGMENT_SIZE = struct.Struct("=H")
_HAS_MTU = sys.platform.startswith("linux")  # it says what a path takes
_IP_MTU, _IPV6_MTU = 14, 24  # from linux/in.h and linux/in6.h
# The kernel's limits of segments, and of bytes, in one message.
_MAX_SEGMENTS = 64
_MAX_BYTES = 65_507
_LARGEST_PACKET = 65_535  # bytes: the length field of IP has 16 bits
_UDP_HEADER = 8  # bytes


def kernel_can_segment() -> bool:
    """Tell if the kernel cuts messages into datagrams, by asking it."""
    if not sys.platform.startswith("linux"):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(_SOL_UDP, _UDP_SEGMENT, 1200)
        except OSError:
            return False
    return True


def path_payload(connected: socket.socket) -> int:
    """Return the largest datagram, in bytes of payload, that the system knows the path to take."""
    is_ipv6 = connected.family == socket.AF_INET6
    option = (socket.IPPROTO_IPV6, _IPV6_MTU) if is_ipv6 else (socket.IPPROTO_IP, _IP_MTU)
    try:
        mtu = connected.getsockopt(*option) if _HAS_MTU else _LARGEST_PACKET
    except OSError:
        mtu = _LARGEST_PACKET  # no path at the moment
    return mtu - (40 if is_ipv6 else 20) - _UDP_HEADER


def packet_size(packet: PacketParts) -> int:
    """Return a packet's size in bytes."""
    header, payload = packet
    return len(header) + len(payload)


def evenly(packets: list[PacketParts], most: int) -> list[list[PacketParts]]:
    """Return the packets in as few parts of at most `most` as can be; the last may be shorter."""
    if len(packets) <= most:
        return [packets]
    size = -(-len(packets) // -(-len(packets) // most))
    return [packets[start : start + size] for start in range(0, len(packets), size)]


class Message(NamedTuple):
    """Packets that are handed to the system at once, which cuts them."""

    pieces: list[bytes]
    segments: list[tuple[int, int, bytes]]  # how they are to be cut
    packets: list[PacketParts]


class Burst(list[PacketParts]):
    """Packets for many viewers: the messages for the system are built once for all."""

    @cached_property
    def messages(self) -> list[Message]:
        """The packets as messages, in order. There must be two packets at least."""
        return [Message([b"".join(one.pieces)], *one[1:]) for one in _messages(self)]


def _messages(packets: list[PacketParts]) -> list[Message]:
    header, payload = packets[0]
    size = len(header) + len(payload)
    segments = [(_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(size))]
    return [
        Message(list(chain.from_iterable(batch)), segments, batch)
        for batch in evenly(packets, min(_MAX_SEGMENTS, max(1, _MAX_BYTES // size)))
    ]


class DatagramSender:
    """Sends packets on one connected, non-blocking UDP socket."""

    __slots__ = ("_socket", "_segmenting", "_refused", "dropped", "dropped_bytes")

    def __init__(
        self, connected: socket.socket, segmenting: bool, refused: Callable[[OSError], None]
    ) -> None:
        """`refused` is called when the network refuses; if it returns, we try once more.

        Usually, ICMP has reported that an earlier packet found its port closed.
        """
        self._socket = connected
        self._segmenting = segmenting
        self._refused = refused
        self.dropped = 0  # packets not taken, usually because the send buffer was full
        self.dropped_bytes = 0  # of these packets

    def send(self, packets: list[PacketParts]) -> None:
        """Send the packets in order. Raises what `refused` raises."""
        if not self._segmenting or len(packets) == 1:
            self._send_singly(packets)
            return
        messages = packets.messages if isinstance(packets, Burst) else _messages(packets)
        for pieces, segments, batch in messages:
            try:
                self._send_or_drop(pieces, segments, len(batch))
            except _NoSegmentation as error:
                self._segmenting = error.is_for_now
                self._send_singly(batch)

    def _send_singly(self, packets: list[PacketParts]) -> None:
        for packet in packets:
            self._send_or_drop([b"".join(packet)], [], 1)

    def _send_or_drop(
        self, pieces: list[bytes], ancillary: list[tuple[int, int, bytes]], count: int
    ) -> None:
        for is_last_try in (False, True):
            try:
                if ancillary:
                    self._socket.sendmsg(pieces, ancillary)
                else:
                    self._socket.send(pieces[0])
                return
            except BlockingIOError:
                break
            except OSError as error:
                if ancillary and error.errno in _WITHOUT_SEGMENTATION:
                    raise _NoSegmentation(is_for_now=False) from error
                if error.errno == errno.ENOBUFS:
                    break  # macOS and BSD report a full queue this way: nothing is closed
                if not is_last_try:
                    self._refused(error)
                elif ancillary and error.errno in TOO_LARGE:
                    raise _NoSegmentation(is_for_now=True) from error
        self.dropped += count
        self.dropped_bytes += sum(map(len, pieces))


class _NoSegmentation(Exception):
    """This message can't be cut: now (its packets are too large for the path) or ever."""

    def __init__(self, is_for_now: bool) -> None:
        super().__init__()
        self.is_for_now = is_for_now


# The packets are larger than the path takes; older kernels report the second.
TOO_LARGE = (errno.EMSGSIZE, errno.EINVAL)
# The device has no checksums, or the kernel knows no such thing.
_WITHOUT_SEGMENTATION = (errno.EIO, errno.ENOPROTOOPT)
