"""JPEG files seen from outside (ITU-T T.81): where a picture ends, and its headers.

Nothing is decoded. A picture is walked marker by marker, so that bytes inside a segment that look
like a marker (an embedded thumbnail's) are never taken for one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp.jpegtables import STANDARD_HUFFMAN

Buffer = bytes | bytearray | memoryview

# A picture is FFD8, segments, FFD9 (T.81 sections B.1.1 and B.2.1):
#
#     FF  marker  length (2 bytes, itself included)  length - 2 bytes
#
# Any number of fill bytes FF may precede a marker. An SOS segment is followed by entropy-coded data
# without a length, in which FF is written as FF00, and only RSTn may occur.
SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2  # baseline, extended sequential, progressive
DHT, RST0, SOI, EOI, SOS, DQT, DRI, APP0, APP14, COM = (
    0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE, 0xFE,
)  # fmt: skip
START_OF_IMAGE = bytes([0xFF, SOI])
END_OF_IMAGE = bytes([0xFF, EOI])

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, 0xCC}  # not JPG, DAC
_WITHOUT_LENGTH = frozenset(range(RST0, RST0 + 8)) | {0x01, EOI}  # RSTn, TEM, EOI
_RESERVED = frozenset(range(0x02, 0xC0))
_WITHOUT_SEGMENT = _WITHOUT_LENGTH | _RESERVED | {SOI}

_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_LENGTH = struct.Struct(">H")
_FRAME = struct.Struct(">BHHB")  # precision, height, width, number of components

MAX_COMPONENTS = 4  # T.81 allows 255 in sequential pictures; nothing has more than CMYK's four
MAX_SEGMENTS = 10_000  # progressive pictures have some dozens; junk may have one every two bytes
MAX_SCAN_HEADER = 4 + 2 * MAX_COMPONENTS  # bytes
# Bytes of headers that are compared with the previous picture's: they usually have 623. Larger
# ones hold thumbnails, which differ.
MAX_KNOWN_HEADERS = 4096


class Segment(NamedTuple):
    """A marker with its parameters, which are at `body`..`end`; `start` is its first FF."""

    marker: int
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Component:
    """One colour: its sampling factors, and the ids of its tables.

    The Huffman table ids are None if the first scan does not contain the component.
    """

    identifier: int
    horizontal: int
    vertical: int
    quantization_table: int
    dc_table: int | None = None
    ac_table: int | None = None


@dataclass(frozen=True)
class JpegHeader:
    """The headers of one picture.

    `sof` is the frame header's marker (SOF0 for baseline), `width` and `height` are in pixels,
    `quantization_tables` map an id to 64 bytes (128 if of 16 bits) in zigzag order as in the file,
    `restart_interval` counts MCUs (0: none). `scan_start`..`scan_end` is the entropy-coded data of
    the first scan. `rgb` says that the components are red, green and blue.
    """

    sof: int
    precision: int
    width: int
    height: int
    components: tuple[Component, ...]
    quantization_tables: dict[int, bytes]
    standard_huffman: bool
    restart_interval: int
    scan_start: int
    scan_end: int
    scans: int
    rgb: bool


def end_of_image(buffer: Buffer, start: int = 0) -> int:
    """The offset just after the end-of-image marker of the JPEG that begins at `start`.

    Raises MovieError, with the offset where it stopped, if the picture is cut short or damaged.
    """
    end = start
    for segment in _segments(buffer, start):
        end = segment.end
    return end


class Extent(NamedTuple):
    """Where a picture ends; if it is damaged, why, and `end` is where to look for the next one.

    `lacks_end` says that only FFD9 is missing, which should be at `end`.
    """

    end: int
    problem: MovieError | None
    lacks_end: bool = False


class Measurer:
    """Finds where pictures end; headers equal to the previous picture's are not walked."""

    def __init__(self) -> None:
        self._headers = b""  # of a good picture, up to its first scan; b"" before the first

    def measure(self, buffer: Buffer, start: int = 0) -> Extent:
        """Where the JPEG at `start` ends; it must have a size in pixels and a scan.

        A caller that goes on at the `end` of a damaged picture walks only its last segment or scan
        again: that one's length may be wrong, and a good picture may begin inside it. So even a
        file of nothing but junk is walked only once.
        """
        headers = self._headers
        scan = start + len(headers)
        if headers and buffer[start:scan] == headers:
            marker = _MARKER_IN_SCAN.search(buffer, scan)
            if marker is not None and buffer[marker.end() - 1] == EOI:
                return Extent(marker.end(), None)
        return self._walk(buffer, start)

    def _walk(self, buffer: Buffer, start: int) -> Extent:
        last = Segment(SOI, start, start + 2, start + 2)
        has_size = False
        scan = 0  # where the data of the first one begins
        headers = b""
        try:
            for last in _segments(buffer, start):
                marker = last.marker
                if marker in _FRAME_HEADERS:
                    _frame_parameters(_body(buffer, last), last.body)
                    has_size = True
                elif marker == SOS:
                    if last.end - last.body > MAX_SCAN_HEADER:
                        raise _fault(last.body, "a damaged scan header")
                    if has_size and not scan and last.end - start <= MAX_KNOWN_HEADERS:
                        headers = bytes(buffer[start : last.end])
                    scan = scan or last.end
            if not has_size:
                raise _fault(start, "the picture has no frame header")
            if not scan:
                raise _fault(start, "the picture is empty")
        except MovieError as error:
            end = _after_damage(buffer, last)
            return Extent(end, error, has_size and _lacks_end(buffer, last, end))
        self._headers = headers
        return Extent(last.end, None)


def measure(buffer: Buffer, start: int = 0) -> Extent:
    """As `Measurer.measure`, for a single picture."""
    return Measurer().measure(buffer, start)


def _after_damage(buffer: Buffer, last: Segment) -> int:
    if last.marker == EOI:
        return last.end
    if last.marker != SOS or last.end - last.body > MAX_SCAN_HEADER:
        return last.start + 2
    match = _MARKER_IN_SCAN.search(buffer, last.end)
    return match.start() if match else len(buffer)


def _lacks_end(buffer: Buffer, last: Segment, end: int) -> bool:
    """Tell if a scan's data reaches `end`, where the next picture begins or the data ends."""
    if last.marker != SOS or last.end - last.body > MAX_SCAN_HEADER or end == last.end:
        return False
    if buffer[end - 2 : end] == END_OF_IMAGE:  # half in the scan's header: damaged otherwise
        return False
    return end == len(buffer) or buffer[end + 1] == SOI


# The beginning of a segment of Huffman tables, and in how many bytes we search for it: encoders
# write them within 700. A quantization table can't contain these three bytes.
_HUFFMAN_TABLES = re.compile(bytes([0xFF, DHT]) + rb"[\x00\x01]")
_USUAL_HEADERS = 1024


def is_complete(buffer: bytes | memoryview, start: int = 0) -> bool:
    """Tell quickly if the JPEG from `start` on has its end and Huffman tables.

    That takes a tenth of the time of the walk in `completed`, which finds later tables, too.
    """
    end = start + _USUAL_HEADERS
    is_whole = buffer[-len(END_OF_IMAGE) :] == END_OF_IMAGE
    return is_whole and _HUFFMAN_TABLES.search(buffer, start, end) is not None


def completed(picture: bytes) -> bytes:
    """The picture with its end and its Huffman tables, as every decoder needs them.

    Many cameras write none, as pictures in AVI files have none: the standard ones are meant. A
    damaged picture is returned without them.
    """
    if not picture.endswith(END_OF_IMAGE):
        picture += END_OF_IMAGE
    sof = 0
    with suppress(MovieError):
        for segment in _segments(picture, 0):
            if segment.marker in _FRAME_HEADERS:
                sof = segment.marker
            elif segment.marker == DHT:
                break
            elif segment.marker == SOS:
                if sof in (SOF0, SOF1):
                    return picture[: segment.start] + _STANDARD_DHT + picture[segment.start :]
                break
    return picture


def comments(picture: Buffer) -> Iterator[bytes]:
    """The text of the comments before the first scan. Raises MovieError."""
    for segment in _segments(picture, 0):
        if segment.marker == COM:
            yield _body(picture, segment)
        elif segment.marker == SOS:
            return


def with_comment(picture: bytes, text: bytes) -> bytes:
    """The picture with a comment behind its application data. Raises MovieError."""
    comment = bytes([0xFF, COM]) + _LENGTH.pack(_LENGTH.size + len(text)) + text
    for segment in _segments(picture, 0):
        if not APP0 <= segment.marker < APP0 + 16:
            return picture[: segment.start] + comment + picture[segment.start :]
    raise _fault(0, "the picture is empty")


def _table_segment(tables: dict[tuple[int, int], bytes]) -> bytes:
    """DHT: FFC4, the length, and for each table its class and id (1), counts and values."""
    body = b"".join(bytes([kind << 4 | number]) + table for (kind, number), table in tables.items())
    return bytes([0xFF, DHT]) + _LENGTH.pack(2 + len(body)) + body


_STANDARD_DHT = _table_segment(STANDARD_HUFFMAN)
MAX_ADDED = len(_STANDARD_DHT) + len(END_OF_IMAGE)  # bytes that `completed` adds


class FrameHeader(NamedTuple):
    """The frame header's marker (SOF0 for baseline), and the picture's sides in pixels."""

    sof: int
    width: int
    height: int


def frame_header(buffer: Buffer, start: int = 0) -> FrameHeader:
    """The frame header of the JPEG at `start`, without looking beyond it. Raises MovieError."""
    for segment in _segments(buffer, start):
        if segment.marker in _FRAME_HEADERS:
            _, height, width, _ = _frame_parameters(_body(buffer, segment), segment.body)
            return FrameHeader(segment.marker, width, height)
    raise _fault(start, "the picture has no frame header")


def dimensions(buffer: Buffer, start: int = 0) -> tuple[int, int]:
    """Width and height in pixels of the JPEG at `start`. Raises MovieError."""
    header = frame_header(buffer, start)
    return header.width, header.height


def parse(buffer: Buffer) -> JpegHeader:
    """All headers of the JPEG that begins at byte 0, walked to its end. Raises MovieError."""
    reader = _HeaderReader()
    for segment in _segments(buffer, 0):
        reader.read(segment, buffer)
    return reader.header()


def header_segments(buffer: Buffer) -> Iterator[Segment]:
    """Segments alone, without a picture, padded with FF at the end. Raises MovieError."""
    offset = 0
    while bytes(buffer[offset:]).strip(b"\xff"):
        segment = _segment(buffer, offset)
        yield segment
        offset = segment.end


def _segments(buffer: Buffer, start: int) -> Iterator[Segment]:
    """Every segment after SOI up to EOI, entropy-coded data skipped."""
    if bytes(buffer[start : start + 2]) != START_OF_IMAGE:
        found = bytes(buffer[start : start + 2]).hex().upper() or "the end"
        raise _fault(start, f"expected a JPEG (FFD8), found {found}")
    offset = start + 2
    for _ in range(MAX_SEGMENTS):
        segment = _segment(buffer, offset)
        yield segment
        if segment.marker == EOI:
            return
        offset = segment.end
        if segment.marker == SOS:
            offset = _end_of_entropy_coded_data(buffer, offset)
    raise _fault(offset, f"more than {MAX_SEGMENTS} segments in one picture")


def _segment(buffer: Buffer, start: int) -> Segment:
    match = _MARKER.match(buffer, start)
    if match is None:
        raise _no_marker(buffer, start)
    body = match.end()
    marker = buffer[body - 1]
    if marker in _WITHOUT_SEGMENT:
        if marker == SOI:
            raise _fault(start, "another picture begins before the end of this one")
        if marker in _RESERVED:
            raise _fault(start, f"0xFF{marker:02X} is not a marker of JPEG")
        return Segment(marker, start, body, body)
    if body + 2 > len(buffer):
        raise _cut_short(buffer)
    (length,) = _LENGTH.unpack_from(buffer, body)
    if length < 2:
        raise _fault(body, f"a segment can't be {length} bytes long")
    if body + length > len(buffer):
        raise _cut_short(buffer)
    return Segment(marker, start, body + 2, body + length)


def _end_of_entropy_coded_data(buffer: Buffer, start: int) -> int:
    match = _MARKER_IN_SCAN.search(buffer, start)
    if match is None:
        raise _cut_short(buffer)
    end = match.start()
    while end > start and buffer[end - 1] == 0xFF:  # fill bytes belong to the marker
        end -= 1
    return end


def _no_marker(buffer: Buffer, start: int) -> MovieError:
    found = start
    while found < len(buffer) and buffer[found] == 0xFF:
        found += 1
    if found >= len(buffer):
        return _cut_short(buffer)
    return _fault(found, f"expected a marker, found 0x{buffer[found]:02X}")


def _cut_short(buffer: Buffer) -> MovieError:
    size = len(buffer)
    return _fault(size, "the picture is cut short")


def _fault(offset: int, problem: str) -> MovieError:
    return MovieError(f"byte {offset}: {problem}", offset)


def _body(buffer: Buffer, segment: Segment) -> bytes:
    return bytes(buffer[segment.body : segment.end])


def _frame_parameters(body: bytes, offset: int) -> tuple[int, int, int, int]:
    """Precision, height, width and number of components (T.81 section B.2.2)."""
    if len(body) < _FRAME.size:
        raise _fault(offset, "the frame header is too short")
    precision, height, width, count = _FRAME.unpack_from(body)
    if width == 0 or height == 0:  # a height of 0 announces a DNL segment: nobody writes that
        raise _fault(offset, f"a picture of {width}x{height} pixels")
    return precision, height, width, count


@dataclass
class _HeaderReader:
    """Collects the segments of one picture, in the order of the file."""

    sof: int = 0
    precision: int = 0
    width: int = 0
    height: int = 0
    components: dict[int, Component] = field(default_factory=dict)
    quantization_tables: dict[int, bytes] = field(default_factory=dict)
    huffman_tables: dict[tuple[int, int], bytes] = field(default_factory=dict)
    restart_interval: int = 0
    jfif: bool = False
    adobe_transform: int | None = None
    scan_start: int = 0
    scan_end: int = 0
    scans: int = 0

    def read(self, segment: Segment, buffer: Buffer) -> None:
        """Add the next segment."""
        if self.scans == 1 and self.scan_end == 0:
            self.scan_end = segment.start
        marker, offset = segment.marker, segment.body
        if marker == SOS:
            self._read_scan(_body(buffer, segment), segment)
        elif self.scans:
            return  # tables after the first scan are for later ones
        elif marker in _FRAME_HEADERS:
            self._read_frame(marker, _body(buffer, segment), offset)
        elif marker == DQT:
            self._read_quantization_tables(_body(buffer, segment), offset)
        elif marker == DHT:
            self._read_huffman_tables(_body(buffer, segment), offset)
        elif marker == DRI:
            self._read_restart_interval(_body(buffer, segment), offset)
        elif marker in (APP0, APP14):
            self._read_application_data(bytes(buffer[offset : min(offset + 12, segment.end)]))

    def _read_frame(self, marker: int, body: bytes, offset: int) -> None:
        """SOFn: precision (1), height (2), width (2), count (1), count * (id, H V, table)."""
        if self.sof:
            raise _fault(offset, "a second frame header in one picture")
        self.precision, self.height, self.width, count = _frame_parameters(body, offset)
        if not 1 <= count <= MAX_COMPONENTS or len(body) != _FRAME.size + 3 * count:
            raise _fault(offset, f"a frame header of {count} components")
        for at in range(_FRAME.size, len(body), 3):
            identifier, sampling, table = body[at : at + 3]
            horizontal, vertical = sampling >> 4, sampling & 0x0F
            if not (1 <= horizontal <= 4 and 1 <= vertical <= 4):
                raise _fault(offset + at, f"sampling {horizontal}x{vertical}")
            self.components[identifier] = Component(identifier, horizontal, vertical, table)
        if len(self.components) != count:
            raise _fault(offset, "two components with one id")
        self.sof = marker

    def _read_quantization_tables(self, body: bytes, offset: int) -> None:
        """DQT: any number of (precision and id (1), 64 values of 1 or 2 bytes)."""
        at = 0
        while at < len(body):
            precision, identifier = body[at] >> 4, body[at] & 0x0F
            end = at + 1 + 64 * (precision + 1)
            if precision > 1 or identifier > 3 or end > len(body):
                raise _fault(offset + at, "a damaged quantization table")
            self.quantization_tables[identifier] = body[at + 1 : end]
            at = end

    def _read_huffman_tables(self, body: bytes, offset: int) -> None:
        """DHT: any number of (class and id (1), 16 counts, as many values as their sum)."""
        at = 0
        while at < len(body):
            table_class, identifier = body[at] >> 4, body[at] & 0x0F
            end = at + 17 + sum(body[at + 1 : at + 17])
            if table_class > 1 or identifier > 3 or end > len(body):
                raise _fault(offset + at, "a damaged Huffman table")
            self.huffman_tables[table_class, identifier] = body[at + 1 : end]
            at = end

    def _read_restart_interval(self, body: bytes, offset: int) -> None:
        """DRI: MCUs between two restart markers (2)."""
        if len(body) != 2:
            raise _fault(offset, "a damaged restart interval")
        self.restart_interval = int.from_bytes(body, "big")

    def _read_scan(self, body: bytes, segment: Segment) -> None:
        """SOS: count (1), count * (id, DC and AC table), three bytes for progressive coding."""
        if not body or len(body) != 4 + 2 * body[0]:
            raise _fault(segment.body, "a damaged scan header")
        self.scans += 1
        if self.scans > 1:
            return
        self.scan_start = segment.end
        for at in range(1, len(body) - 3, 2):
            component = self.components.get(body[at])
            if component is None:
                raise _fault(segment.body + at, "a scan of an unknown component")
            self.components[body[at]] = replace(
                component, dc_table=body[at + 1] >> 4, ac_table=body[at + 1] & 0x0F
            )

    def _read_application_data(self, head: bytes) -> None:
        """JFIF promises YCbCr; Adobe's byte 11 tells (0: the components are what they are)."""
        if head.startswith(b"JFIF\0"):
            self.jfif = True
        elif head.startswith(b"Adobe") and len(head) == 12:
            self.adobe_transform = head[11]

    def header(self) -> JpegHeader:
        """The header, once all segments are read."""
        if not self.sof or self.scan_end <= self.scan_start:
            raise _fault(self.scan_start, "the picture is empty")
        for component in self.components.values():
            if component.quantization_table not in self.quantization_tables:
                problem = f"there is no quantization table {component.quantization_table}"
                raise _fault(self.scan_start, problem)
        return JpegHeader(
            sof=self.sof,
            precision=self.precision,
            width=self.width,
            height=self.height,
            components=tuple(self.components.values()),
            quantization_tables=self.quantization_tables,
            standard_huffman=self._has_standard_huffman(),
            restart_interval=self.restart_interval,
            scan_start=self.scan_start,
            scan_end=self.scan_end,
            scans=self.scans,
            rgb=self._is_rgb(),
        )

    def _has_standard_huffman(self) -> bool:
        """Whether every table present is the standard one; missing ones are, by convention."""
        return all(STANDARD_HUFFMAN.get(key) == table for key, table in self.huffman_tables.items())

    def _is_rgb(self) -> bool:
        """By the rule that decoders share: JFIF, else Adobe's word, else the components' ids."""
        if self.jfif or len(self.components) != 3:
            return False
        if self.adobe_transform is not None:
            return self.adobe_transform == 0
        return bytes(self.components) == b"RGB"
