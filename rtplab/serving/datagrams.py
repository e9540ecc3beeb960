"""Sends the packets of a frame as datagrams: with few system calls where the kernel can help.

Linux cuts one large message into datagrams by itself (UDP_SEGMENT, generic segmentation
offload), all of one size but the last, which may be shorter. That is how frames are packetised
here. Elsewhere each packet is a `send` of its own. The bytes on the wire are the same.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys

Packet = tuple[bytes | memoryview, ...]  # one RTP packet as pieces to be gathered: header, payload

_SOL_UDP = 17
_UDP_SEGMENT = 103  # from linux/udp.h: Python's socket module has no name for it
_SEGMENT_SIZE = struct.Struct("=H")
# The kernel takes at most so many segments, and bytes, in one message.
_MAX_SEGMENTS = 64
_MAX_BYTES = 65_507


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


class DatagramSender:
    """Sends packets on one connected, non-blocking UDP socket."""

    def __init__(self, connected: socket.socket, segmenting: bool) -> None:
        self._socket = connected
        self._segmenting = segmenting

    def send(self, packets: list[Packet]) -> None:
        """Send the packets in order. Raises OSError; what comes after is then unsent."""
        if not self._segmenting or len(packets) == 1:
            self._send_singly(packets)
            return
        size = sum(map(len, packets[0]))
        calls = max(-(-len(packets) // _MAX_SEGMENTS), -(-len(packets) * size // _MAX_BYTES))
        batch = -(-len(packets) // calls)
        for start in range(0, len(packets), batch):
            self._send_together(packets[start : start + batch], size)

    def _send_together(self, packets: list[Packet], size: int) -> None:
        pieces = [piece for packet in packets for piece in packet]
        try:
            self._socket.sendmsg(pieces, [(_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(size))])
        except OSError as error:
            if not _means_no_segmentation(error):
                raise
            self._segmenting = False
            self._send_singly(packets)

    def _send_singly(self, packets: list[Packet]) -> None:
        for packet in packets:
            self._socket.send(b"".join(packet))


def _means_no_segmentation(error: OSError) -> bool:
    """Tell if this route can't: its device has no checksums (EIO), or a small MTU (EINVAL)."""
    return error.errno in (errno.EIO, errno.EINVAL, errno.ENOPROTOOPT)
