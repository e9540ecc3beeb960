"""Assembles RTP/JPEG fragments (RFC 2435): the headers that were not sent, and the scan.

A picture comes out whole or not at all. Fragments may arrive in any order within a picture. Only
the one with offset 0 describes the picture.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache

from rtplab.protocol.errors import MovieError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtp.jpeg import (
    DHT,
    DQT,
    DRI,
    END_OF_IMAGE,
    SOF0,
    SOF1,
    SOS,
    START_OF_IMAGE,
    header_segments,
)
from rtplab.protocol.rtp.jpegtables import (
    STANDARD_CHROMA_QUANT,
    STANDARD_HUFFMAN,
    STANDARD_LUMA_QUANT,
)
from rtplab.protocol.rtp.rtpjpeg import (
    DYNAMIC_Q,
    FIRST_IN_BAND_Q,
    RESTART_TYPE,
    TYPE_422,
    JpegFragment,
)
from rtplab.protocol.rtp.serial import timestamp_delta

# As many as the 24-bit offset can express. 2,040 x 2,040 pixels take half of that even uncompressed
# (4:2:2, two bytes a pixel), but there are larger pictures, whose size is given elsewhere.
MAX_FRAME_BYTES = 16 << 20
# As many as there are sequence numbers: a peer must not fill memory with one-byte fragments.
MAX_FRAGMENTS = 1 << 16
_SIZE = struct.Struct(">BHH")  # precision, height, width: how a frame header begins
# A packet that is older than the current picture by less than this (90 kHz ticks) was overtaken on
# its way. If it is older still, the sender has restarted elsewhere.
LATE_TICKS = 90_000


@cache
def quant_tables(q: int) -> bytes:
    """Luma's and chroma's quantization table, 128 bytes, for Q 1..99 (RFC 2435 section 4.2)."""
    if not 1 <= q <= 99:
        raise ValueError(f"no quantization tables are defined for Q {q}")
    percent = 5000 // q if q < 50 else 200 - 2 * q
    standard = STANDARD_LUMA_QUANT + STANDARD_CHROMA_QUANT
    return bytes(min(max((value * percent + 50) // 100, 1), 255) for value in standard)


@lru_cache(maxsize=16)  # one stream needs one, unless its tables change with every picture
def jpeg_headers(type: int, width: int, height: int, tables: bytes, restart_interval: int) -> bytes:
    """Everything in a JPEG before the entropy-coded data (T.81 annex B).

    `type` is RTP/JPEG's, `width` and `height` are in pixels, `tables` are luma's and chroma's
    quantization table (128 bytes), `restart_interval` is in MCUs (0: none).
    """
    sampling = 0x21 if type & ~RESTART_TYPE == TYPE_422 else 0x22
    components = bytes([1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1])  # id, sampling, table
    frame = struct.pack(">BHHB", 8, height, width, 3) + components
    restart = _segment(DRI, restart_interval.to_bytes(2, "big")) if restart_interval else b""
    quantization = _segment(DQT, b"\x00" + tables[:64] + b"\x01" + tables[64:])
    return START_OF_IMAGE + quantization + _segment(SOF0, frame) + restart + _HUFFMAN + _SCAN


@lru_cache(maxsize=16)
def with_segments(headers: bytes, segments: bytes) -> bytes:
    """The headers of a JPEG with other `segments`, which take precedence.

    ONVIF sends them in an RTP header extension, padded with FF. Raises MovieError if they are not
    segments.
    """
    given = _by_kind(segments)
    own = _by_kind(headers[len(START_OF_IMAGE) :])
    own_scan = own.pop(SOS)
    scan = given.pop(SOS, own_scan)
    kept = [body for kind, body in own.items() if kind in (DQT, DHT) or kind not in given]
    return b"".join((START_OF_IMAGE, *kept, *given.values(), scan))


def _by_kind(segments: bytes) -> dict[int, bytes]:
    """Segments by marker, those of one kind together; any frame header counts as SOF0."""
    kinds: dict[int, bytes] = {}
    for segment in header_segments(segments):
        kind = SOF0 if segment.marker in (SOF0, SOF1) else segment.marker
        kinds[kind] = kinds.get(kind, b"") + segments[segment.start : segment.end]
    return kinds


def size_in(segments: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, if segments of JPEG headers state them."""
    try:
        found = [segment for segment in header_segments(segments) if segment.marker in (SOF0, SOF1)]
    except MovieError:
        return None
    if not found or found[0].end - found[0].body < _SIZE.size:
        return None
    _, height, width = _SIZE.unpack_from(segments, found[0].body)
    return (width, height) if width and height else None


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


_HUFFMAN = _segment(
    DHT,
    b"".join(
        bytes([table_class << 4 | identifier]) + table
        for (table_class, identifier), table in STANDARD_HUFFMAN.items()
    ),
)
# Huffman tables 0 and 0 for luma, 1 and 1 for chroma
_SCAN = _segment(SOS, bytes([3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]))


class JpegAssembler:
    """Assembles the fragments of one stream, picture by picture.

    `dropped` counts pictures that stayed incomplete or whose fragments contradict each other, and
    `problem` says why the last one was dropped; it is "" after a picture.
    """

    def __init__(self, forgiveness: Forgiveness | None = None) -> None:
        self.dropped = 0
        self.problem = ""
        self._forgiveness = forgiveness or Forgiveness()
        self._frame: _Frame | None = None
        self._tables: dict[int, bytes] = {}

    def add(self, fragment: JpegFragment, timestamp: int, marker: bool) -> bytes | None:
        """The complete JPEG, if this fragment completes it.

        `timestamp` and `marker` are those of the fragment's RTP packet. The first fragment of
        another timestamp gives up the picture so far.
        """
        if fragment.tables and fragment.q != DYNAMIC_Q:
            self._tables[fragment.q] = fragment.tables
        frame = self._frame_at(timestamp)
        if frame is None or frame.closed:
            return None
        fits = frame.add(fragment, marker)
        if fits and not frame.is_complete():
            return None
        picture = self._picture(frame) if fits else None
        if not fits:
            self._drop("fragments contradict each other")
        elif picture is not None:
            self.problem = ""
        frame.close()
        return picture

    def begin_anew(self) -> None:
        """Give up the picture so far; the next one may have an older timestamp."""
        if self._frame is not None and not self._frame.closed:
            self._give_up(self._frame)
        self._frame = None

    def _give_up(self, frame: _Frame) -> None:
        has_end = frame.end is not None
        self._drop("fragments are missing" if has_end else "no fragment has the marker of the last")

    def _drop(self, why: str) -> None:
        self.dropped += 1
        self.problem = why

    def _frame_at(self, timestamp: int) -> _Frame | None:
        """The picture of this timestamp; None if the stream has passed it."""
        frame = self._frame
        if frame is not None:
            if timestamp == frame.timestamp:
                return frame
            if -LATE_TICKS < timestamp_delta(timestamp, frame.timestamp) < 0:
                return None
            if not frame.closed:
                self._give_up(frame)
        self._frame = frame = _Frame(timestamp)
        return frame

    def _picture(self, frame: _Frame) -> bytes | None:
        """Headers, scan and end of image; None if the scan has gaps or the tables are unknown."""
        scan = frame.scan()
        if scan is None:
            self._drop("fragments are missing")
            return None
        first = frame.fragments[0]
        self._forgive(first, next(reversed(frame.fragments.values())))
        if first.begins_jpeg:
            headers = b""
        else:
            tables = self._tables_for(first)
            if tables is None:
                self._drop(f"Q {first.q} without quantization tables")
                return None
            headers = jpeg_headers(
                first.type, first.width, first.height, tables, first.restart_interval
            )
            if first.segments:
                try:
                    headers = with_segments(headers, first.segments)
                except MovieError as error:
                    self._drop(f"the JPEG segments in an RTP header extension are damaged: {error}")
                    return None
        # Senders may omit the end-of-image marker.
        tail = b"".join(data[-2:] for data in scan[-2:])
        end = b"" if tail.endswith(END_OF_IMAGE) else END_OF_IMAGE
        return b"".join((headers, *scan, end))

    def _forgive(self, first: JpegFragment, last: JpegFragment) -> None:
        """Report what is ignored: by RFC 2435 section 3.1, all fragments must agree."""
        forgive = self._forgiveness.add
        if first.begins_jpeg:
            found = bytes(first.data[:2]).hex().upper()
            forgive("The beginning of an RTP/JPEG scan", found, "the scan, without JPEG headers")
        elif (first.q, first.type) != (last.q, last.type):
            found = f"Q {last.q}, type {last.type}"
            right = f"Q {first.q}, type {first.type}, as in the frame's first"
            forgive("Q and type in a frame's last RTP/JPEG fragment", found, right)
        elif first.q == 0 or 100 <= first.q < FIRST_IN_BAND_Q:
            forgive("Q of RTP/JPEG", f"{first.q}", "1 to 99, or 128 to 255")

    def _tables_for(self, first: JpegFragment) -> bytes | None:
        """RFC 2435 section 4.2: computed, in this packet, or in an earlier one of the same Q.

        A reserved Q counts as the next one that is not reserved, as in live555 and GStreamer.
        """
        if first.q < FIRST_IN_BAND_Q:
            return quant_tables(min(max(first.q, 1), 99))
        return first.tables or self._tables.get(first.q)


class _Frame:
    """The fragments of one timestamp so far, by their offset."""

    def __init__(self, timestamp: int) -> None:
        self.timestamp = timestamp
        self.fragments: dict[int, JpegFragment] = {}
        self.closed = False
        self.end: int | None = None  # known from the fragment that had the marker
        self._size = 0

    def add(self, fragment: JpegFragment, marker: bool) -> bool:
        """Add a fragment, unless it is a duplicate. False if it can't belong to the others."""
        known = self.fragments.get(fragment.offset)
        if known is not None:
            return len(known.data) == len(fragment.data)
        end = fragment.offset + len(fragment.data)
        if end > MAX_FRAME_BYTES or len(self.fragments) >= MAX_FRAGMENTS:
            return False
        if marker:
            if self.end is not None:
                return False
            self.end = end
        self.fragments[fragment.offset] = fragment
        self._size += len(fragment.data)
        return self.end is None or self._size <= self.end

    def is_complete(self) -> bool:
        """Whether all of the picture's bytes are there."""
        return self._size == self.end

    def scan(self) -> list[memoryview] | None:
        """The data in order; None if it overlaps and so has gaps."""
        data, offset = [], 0
        for fragment_offset, fragment in sorted(self.fragments.items()):
            if fragment_offset != offset:
                return None
            data.append(fragment.data)
            offset += len(fragment.data)
        return data

    def close(self) -> None:
        """Stop taking fragments, and release those received."""
        self.closed = True
        self.fragments.clear()
