"""Assembles RTP payloads into JPEG frames, of lab servers and of RFC 2435."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from rtplab.protocol.errors import MovieError, PacketError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtp import rtpjpeg
from rtplab.protocol.rtp.jpeg import END_OF_IMAGE, START_OF_IMAGE, end_of_image
from rtplab.protocol.rtp.jpegassembler import JpegAssembler, size_in
from rtplab.protocol.rtp.packet import ReceivedPacket
from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.protocol.rtsp.sdp import JPEG_PAYLOAD_TYPE

# Bytes of one frame assembled from many packets: a 4K JPEG of high quality is 4 MB.
MAX_FRAME = 16 * 1024 * 1024
# Packets of one frame: as many as there are sequence numbers. Empty packets could go on forever.
MAX_PARTS = 1 << 16

# How often one frame is searched for an end that is not its last byte: a thumbnail in its headers
# has one too, and a peer may send one in every packet.
MAX_LOOKS = 4

# Bytes of the headers that lab servers put before a JPEG: an index and a count, and more.
OWN_HEADERS = (6, 8, 12)
FRAMES_RUNNING = 3  # consecutive frames must have the same header: that is not chance

RTP_VERSION = 2  # RFC 3550 section 5.1

_SOI, _EOI = START_OF_IMAGE, END_OF_IMAGE
_DIGITS = re.compile(rb"(\d{1,10})\xff\xd8")  # a length, as in the lab's movie files


class Frame(NamedTuple):
    """One JPEG as it was received.

    `number` counts frames from 1 (including lost ones if that is known), `media_time` is its due
    time and `arrival` its last packet's arrival time, both in seconds.
    """

    data: bytes
    number: int
    timestamp: int
    media_time: float
    arrival: float


class LabAssembler:
    """Frames of a lab server: one JPEG per packet, or in several packets, with any markers.

    A JPEG begins with FFD8, or with the digits before it in the movie file, or with a header of the
    server's own (see OwnHeader), and ends with FFD9. Markers and timestamps
    are ignored: some servers mark every piece, and those with timestamps in whole seconds change
    them within a frame. All pieces have the payload type of the first. A frame that lacks a
    packet or its end is dropped and counted; `problem` says why the last one was dropped, and is
    "" after a frame.
    """

    def __init__(self, forgiveness: Forgiveness | None = None) -> None:
        self._forgive = (forgiveness or Forgiveness()).add
        self._header = OwnHeader(self._forgive)
        self._parts: list[bytes] = []
        self._size = 0
        self._looks = 0  # at the frame so far, for its end
        self._payload_type = 0
        self._sequence = 0
        self._continuations = 0  # packets so far that did not begin a frame
        self.dropped = 0
        self.problem = ""

    def add(self, sequence: int, packet: ReceivedPacket) -> list[tuple[int, bytes]]:
        """Take the next packet; return the frames that it completes, each with its number."""
        if packet.payload[:2] == _SOI:
            self._header.is_absent()
            return self._add(sequence, packet, 0)
        digits = _DIGITS.match(packet.payload)
        if digits:
            self._forgive("The data before a JPEG in its packet", digits[1], "nothing")
            return self._add(sequence, packet, len(digits[1]))
        frames = []
        for number, other in self._header.take(sequence, packet, bool(self._parts)):
            frames += self._add(number, other, 0 if other.payload[:2] == _SOI else None)
        return frames

    def _add(
        self, sequence: int, packet: ReceivedPacket, start: int | None
    ) -> list[tuple[int, bytes]]:
        """Take the next packet. A JPEG begins in it at `start`, or nowhere if None."""
        payload, frames = packet.payload, []
        if self._parts:
            if sequence - self._sequence not in (0, 1):
                self._drop("packets are missing")  # or the numbering restarts
            elif start is not None:
                frames = self._finish()
        if start is not None:
            self._begin(packet)
            payload = payload[start:]
        elif self._parts and sequence != self._sequence:
            self._continuations += 1
        elif self._parts:
            right = "one more than that of the previous packet"
            self._forgive("The sequence number of a frame's second packet", f"{sequence}", right)
        if sequence < self._sequence:
            self._continuations = 0  # the numbering restarts
        self._sequence = sequence
        if start is None and not self._parts:
            self.problem = self.problem or "none of them starts with a JPEG (FFD8)"
        elif packet.payload_type == self._payload_type:
            self._append(payload)
            if self._parts and self._may_be_whole(payload):
                frames += self._whole()
        return frames

    def _begin(self, packet: ReceivedPacket) -> None:
        """Begin a frame with this packet."""
        self._payload_type = packet.payload_type
        if packet.version != RTP_VERSION:
            self._forgive("The version in an RTP header", f"{packet.version}", f"{RTP_VERSION}")
        if packet.payload_type != JPEG_PAYLOAD_TYPE:
            right = f"{JPEG_PAYLOAD_TYPE} (RFC 3551 section 6)"
            self._forgive("The payload type of a JPEG", f"{packet.payload_type}", right)

    def _append(self, payload: bytes) -> None:
        self._size += len(payload)
        if self._size > MAX_FRAME or len(self._parts) >= MAX_PARTS:
            self._drop(f"a picture has more than {MAX_FRAME} bytes or {MAX_PARTS} packets")
        else:
            self._parts.append(payload)

    def _may_be_whole(self, payload: bytes) -> bool:
        """Tell if the last piece may hold the end; limits how often we search for it.

        If bytes follow the end, all pieces but the last are as long as the first.
        """
        if payload[-2:] == _EOI:
            return True
        if len(self._parts) == 1:
            is_likely = _EOI in payload
        else:
            is_likely = len(payload) < len(self._parts[0])
        self._looks += is_likely
        return is_likely and self._looks <= MAX_LOOKS

    def _whole(self) -> list[tuple[int, bytes]]:
        """Return the frame and its number if it has its end. Data after the end is cut off.

        A lab server numbers frames, not packets.
        """
        data = b"".join(self._parts)
        if not data.endswith(_EOI):
            try:
                end = end_of_image(data)
            except MovieError:
                return []
            self._forgive("The data after the end of a JPEG (FFD9)", data[end:], "nothing")
            data = data[:end]
        self._reset()
        self.problem = ""
        return [(self._sequence - self._continuations, data)]

    def _finish(self) -> list[tuple[int, bytes]]:
        """Return the frame if it is complete, else drop it: no more of it will arrive."""
        frames = self._whole()
        if not frames:
            self._drop("pictures have no end marker (FFD9)")
        return frames

    def _drop(self, why: str) -> None:
        self.dropped += 1
        self.problem = why
        self._reset()

    def _reset(self) -> None:
        self._parts = []
        self._size = self._looks = 0


class OwnHeader:
    """A header that some lab servers put before the JPEG, and often before each piece of it.

    It is recognised by its length: FFD8 is at the same offset in three consecutive frames.
    Until then packets wait here, so that none of these frames is lost.
    """

    def __init__(self, forgive: Callable[[str, bytes, str], None]) -> None:
        self._forgive = forgive
        self._header = b""  # of the newest frame's first packet; empty: no frame seen yet
        self._is_known = False
        self._running = 0  # frames with a header of this length
        self._waiting: list[tuple[int, ReceivedPacket]] = []
        self._waiting_size = 0  # bytes

    def is_absent(self) -> None:
        """A JPEG is at the very start of its packet: there is no header."""
        if self._header:
            self._begin_anew(b"")

    def take(
        self, sequence: int, packet: ReceivedPacket, is_in_frame: bool
    ) -> list[tuple[int, ReceivedPacket]]:
        """Take a packet that does not begin with a JPEG; return packets without the header.

        `is_in_frame` tells if a frame has begun: only a known header may then begin another one.
        """
        if self._is_known or not is_in_frame:
            payload = packet.payload
            for size in OWN_HEADERS:
                if payload[size : size + 2] == _SOI:
                    if size != len(self._header):
                        self._begin_anew(payload[:size])
                    self._header = payload[:size]
                    self._running += 1
        if self._is_known or not self._header:
            return [(sequence, self._stripped(packet))]
        self._waiting.append((sequence, packet))
        self._waiting_size += len(packet.payload)
        if self._running == FRAMES_RUNNING:
            self._is_known = True
            self._forgive("The header before a JPEG in its packet", self._header, "nothing")
        elif self._waiting_size <= MAX_FRAME and len(self._waiting) <= MAX_PARTS:
            return []
        waiting = self._waiting
        self._waiting, self._waiting_size = [], 0
        return [(number, self._stripped(other)) for number, other in waiting]

    def _begin_anew(self, header: bytes) -> None:
        self._header, self._is_known, self._running = header, False, 0
        self._waiting, self._waiting_size = [], 0

    def _stripped(self, packet: ReceivedPacket) -> ReceivedPacket:
        """The packet without its header. A later piece has one if it looks like the first one's."""
        size, payload = len(self._header), packet.payload
        if not self._is_known or len(payload) < size:
            return packet
        same = sum(map(int.__eq__, payload[:size], self._header))
        if payload[size : size + 2] != _SOI and same < size / 2:
            return packet
        return packet._replace(payload=payload[size:])


class RtpJpegFrames:
    """Frames of RFC 2435. Packets of another payload type are ignored."""

    def __init__(
        self,
        payload_type: int,
        forgiveness: Forgiveness | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """`size` in pixels is from the description, for pictures too large for the header."""
        self.malformed = 0
        self._size = size
        self._payload_type = payload_type
        self._forgiveness = forgiveness or Forgiveness()
        self._assembler = JpegAssembler(self._forgiveness)
        self._timestamp: int | None = None  # of the last packet
        self._ended_frame = False  # marker bit of the last packet
        self._number = 0
        self._fault = ""  # of the last payload that could not be read, since the last frame
        self._other_type: int | None = None  # of the last packet of another type, likewise

    @property
    def dropped(self) -> int:
        """The number of pictures that were never complete."""
        return self._assembler.dropped

    @property
    def problem(self) -> str:
        """Why the packets since the last frame made none; "" as long as nothing is wrong."""
        why = self._fault or self._assembler.problem
        if not why and self._other_type is not None:
            why = f"their payload type is {self._other_type}, not {self._payload_type} as announced"
        return why

    def add(self, sequence: int, packet: ReceivedPacket) -> list[tuple[int, bytes]]:
        """Take the next packet; return the frame that it completes, counted from 1."""
        if packet.payload_type != self._payload_type:
            self._other_type = packet.payload_type
            return []
        try:
            fragment = self._fragment(packet)
        except PacketError as error:
            self.malformed += 1
            self._fault = str(error)
            return []
        timestamp, marker = packet.timestamp, packet.marker
        self._follow(timestamp, marker)
        data = self._assembler.add(fragment, timestamp, marker)
        if data is None:
            return []
        self._number += 1
        self._fault, self._other_type = "", None
        return [(self._number, data)]

    def _fragment(self, packet: ReceivedPacket) -> rtpjpeg.JpegFragment:
        """Take a payload apart. Raises PacketError."""
        segments = packet.jpeg_extension
        if not segments:
            return rtpjpeg.parse_payload(packet.payload, self._size)
        fragment = rtpjpeg.parse_payload(packet.payload, size_in(segments) or self._size)
        return fragment._replace(segments=segments)

    def _follow(self, timestamp: int, marker: bool) -> None:
        """Packets are in order here, so an older timestamp is not a late packet.

        After a seek, gst-rtsp-server restarts its timestamps from their first value, although
        RFC 2326 appendix B requires them to continue.
        """
        if timestamp == self._timestamp:
            begins_anew = self._ended_frame
        else:
            before = timestamp if self._timestamp is None else self._timestamp
            begins_anew = timestamp_delta(timestamp, before) < 0
        self._timestamp, self._ended_frame = timestamp, marker
        if begins_anew:
            right = "later than that of the previous frame (RFC 3550 section 5.1)"
            self._forgiveness.add("The RTP timestamp of a frame", f"{timestamp}", right)
            self._assembler.begin_anew()
