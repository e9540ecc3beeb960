"""The RTP packet, bit by bit (RFC 3550 section 5.1).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                           timestamp                           |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|           synchronization source (SSRC) identifier            |
+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
|            contributing source (CSRC) identifiers, CC of them |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|  extension when X: profile (16), length in words (16), words  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|  payload ...  padding when P, its last byte counting it       |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

from time import time

from rtplab.protocol.errors import PacketError

HEADER_SIZE = 12  # bytes, without contributing sources and extension


class RtpPacket:
    """One RTP packet: `encode` fills it from fields, `decode` from bytes off the wire."""

    header = bytearray(HEADER_SIZE)  # the lab's scripts read it on the class, too
    payload = b""

    def __init__(self) -> None:
        """Begin with an empty header, which no other packet shares."""
        self.header = bytearray(HEADER_SIZE)

    def encode(
        self,
        version: int,
        padding: int,
        extension: int,
        cc: int,
        seqnum: int,
        marker: int,
        pt: int,
        ssrc: int,
        payload: bytes,
        timestamp: int | None = None,
    ) -> None:
        """Fill the packet. `timestamp` None is the wall clock in seconds, as the lab has it.

        Sequence number, timestamp and SSRC wrap around at their width. Each is sent with its
        highest byte first, which is the order of the network ("big endian").
        """
        if timestamp is None:
            timestamp = int(time())
        header = bytearray(HEADER_SIZE)
        header[0] = (version & 3) << 6 | (padding & 1) << 5 | (extension & 1) << 4 | (cc & 0x0F)
        header[1] = (marker & 1) << 7 | (pt & 0x7F)
        header[2] = seqnum >> 8 & 0xFF
        header[3] = seqnum & 0xFF
        header[4] = timestamp >> 24 & 0xFF
        header[5] = timestamp >> 16 & 0xFF
        header[6] = timestamp >> 8 & 0xFF
        header[7] = timestamp & 0xFF
        header[8] = ssrc >> 24 & 0xFF
        header[9] = ssrc >> 16 & 0xFF
        header[10] = ssrc >> 8 & 0xFF
        header[11] = ssrc & 0xFF
        self.header = header
        self.payload = payload

    def decode(self, byteStream: bytes) -> None:
        """Cut a packet at byte 12: what stands before is its header, what follows its payload.

        Sources, extension and padding, if the header tells of any, stay within the payload;
        `parse_packet` of rtplab.protocol.rtp.packet takes them off. Raises PacketError if a packet
        is shorter than 12 bytes.
        """
        if len(byteStream) < HEADER_SIZE:
            raise PacketError(
                f"{len(byteStream)} bytes are too few for an RTP packet: its header has 12"
            )
        self.header = bytearray(byteStream[:HEADER_SIZE])
        self.payload = bytes(byteStream[HEADER_SIZE:])

    def version(self) -> int:
        return self.header[0] >> 6

    def seqNum(self) -> int:
        return self.header[2] << 8 | self.header[3]

    def timestamp(self) -> int:
        """Return the timestamp: 90 kHz ticks from our server, anything from a lab server."""
        return int.from_bytes(self.header[4:8], "big")

    def payloadType(self) -> int:
        return self.header[1] & 0x7F

    def marker(self) -> int:
        return self.header[1] >> 7

    def ssrc(self) -> int:
        return int.from_bytes(self.header[8:12], "big")

    def getPayload(self) -> bytes:
        return self.payload

    def getPacket(self) -> bytes:
        """Return the whole packet: header, then payload."""
        return bytes(self.header) + self.payload
