"""RTP payloads put together to JPEG frames, as lab servers and as RFC 2435 send them."""

from __future__ import annotations

from typing import NamedTuple

from rtplab.protocol import rtpjpeg
from rtplab.protocol.errors import PacketError
from rtplab.protocol.jpegassembler import JpegAssembler
from rtplab.protocol.serial import timestamp_delta
from RtpPacket import RtpPacket

# Bytes of one frame that is put together from many packets: a 4K JPEG of high quality is 4 MB.
MAX_FRAME = 16 * 1024 * 1024
# Packets of one frame: as many as there are sequence numbers. Empty ones would have no end.
MAX_PARTS = 1 << 16

_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"


class Frame(NamedTuple):
    """One JPEG as it was received.

    `number` counts frames from 1 (lost ones too where that can be known), `media_time` is when it
    is due and `arrival` when its last packet came, both in seconds.
    """

    data: bytes
    number: int
    timestamp: int
    media_time: float
    arrival: float


class LabAssembler:
    """Frames of a lab server: a JPEG a packet, or one in several, however they are marked.

    A JPEG begins with FFD8. It ends with FFD9, with a marker, or where the next one begins or the
    timestamp changes. A frame of which a packet is missing is dropped.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._timestamp = 0
        self._sequence = 0
        self._continuations = 0  # packets so far that did not begin a frame
        self.dropped = 0

    def add(self, sequence: int, packet: RtpPacket) -> list[tuple[int, bytes]]:
        """Take the next packet; return the frames that it completes, each with its number."""
        payload = packet.payload
        frames = []
        if self._parts and sequence - self._sequence not in (0, 1):
            self._drop()  # a packet is missing, or the numbers begin anew
        starts_frame = payload[:2] == _SOI
        if self._parts and (starts_frame or packet.timestamp() != self._timestamp):
            frames.append(self._finish())
        if self._parts or starts_frame:
            self._append(sequence, packet)
        if self._parts and (payload.endswith(_EOI) or packet.marker()):
            frames.append(self._finish())
        return frames

    def _append(self, sequence: int, packet: RtpPacket) -> None:
        self._size += len(packet.payload)
        if self._size > MAX_FRAME or len(self._parts) >= MAX_PARTS:
            self._drop()
            return
        if self._parts and sequence != self._sequence:
            self._continuations += 1
        self._parts.append(packet.payload)
        self._timestamp = packet.timestamp()
        self._sequence = sequence

    def _finish(self) -> tuple[int, bytes]:
        """Return the frame and its number: a lab server numbers frames, not packets."""
        frame = self._sequence - self._continuations, b"".join(self._parts)
        self._reset()
        return frame

    def _drop(self) -> None:
        self.dropped += 1
        self._reset()

    def _reset(self) -> None:
        self._parts = []
        self._size = 0


class RtpJpegFrames:
    """Frames of RFC 2435. Packets of another payload type are ignored."""

    def __init__(self, payload_type: int) -> None:
        self.malformed = 0
        self._payload_type = payload_type
        self._assembler = JpegAssembler()
        self._timestamp: int | None = None  # of the last packet, and
        self._ended_frame = False  # its marker
        self._number = 0

    def add(self, sequence: int, packet: RtpPacket) -> list[tuple[int, bytes]]:
        """Take the next packet; return the frame that it completes, counted from 1."""
        if packet.payloadType() != self._payload_type:
            return []
        try:
            fragment = rtpjpeg.parse_payload(packet.payload)
        except PacketError:
            self.malformed += 1
            return []
        timestamp, marker = packet.timestamp(), bool(packet.marker())
        self._follow(timestamp, marker)
        data = self._assembler.add(fragment, timestamp, marker)
        if data is None:
            return []
        self._number += 1
        return [(self._number, data)]

    def _follow(self, timestamp: int, marker: bool) -> None:
        """Packets come in order here, so one with an older timestamp is not late.

        After a seek, gst-rtsp-server counts its timestamps from where they began at first, although
        RFC 2326 appendix B has them go on.
        """
        if timestamp == self._timestamp:
            begins_anew = self._ended_frame
        else:
            before = timestamp if self._timestamp is None else self._timestamp
            begins_anew = timestamp_delta(timestamp, before) < 0
        self._timestamp, self._ended_frame = timestamp, marker
        if begins_anew:
            self._assembler.begin_anew()
