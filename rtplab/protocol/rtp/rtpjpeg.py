"""JPEG over RTP (RFC 2435): cuts a picture into payloads, and parses one payload.

The JPEG headers are not sent: a receiver makes them from eight bytes in every packet and from the
quantization tables in the first. So not every picture can be sent: see `unsupported_reason`.
jpegassembler.py assembles the fragments.
"""

from __future__ import annotations

import struct
from enum import Enum, auto
from typing import NamedTuple

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.jpeg import SOF0, SOF1, START_OF_IMAGE, Buffer, JpegHeader, parse
from rtplab.protocol.rtp.packet import JPEG_EXTENSION

# Main header, in every packet (RFC 2435 section 3.1), sides in units of 8 pixels:
#
#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    | type-specific |             fragment offset (bytes)           |
#    |      type     |       Q       |     width     |     height    |
_MAIN = struct.Struct(">IBBBB")
_OFFSET_MASK = 0xFFFFFF
MAX_SIDE = 255 * 8  # pixels
MAX_SCAN = _OFFSET_MASK  # bytes: the last fragment's offset must fit

# A larger picture has 0 for both sides. The description states them, and so does, in the first
# packet, ONVIF's extension (Streaming Specification, "JPEG over RTP"), before the headers:
#
#    |            FFD8               |      length, in words         |
#    |   segments of a JPEG file, here SOF0, filled up with FF       |
_EXTENSION = struct.Struct(">HH")
_FRAME = struct.Struct(">BBHBHHB")  # FF, marker, length, precision, height, width, components

# Type: sampling of the colours, and 64 more when there is a restart header (section 4.1).
TYPE_422 = 0
TYPE_420 = 1
RESTART_TYPE = 64
_SAMPLING_TYPES: dict[tuple[tuple[int, int], ...], int] = {
    ((2, 1), (1, 1), (1, 1)): TYPE_422,
    ((2, 2), (1, 1), (1, 1)): TYPE_420,
}

# Restart header, types 64..127 (section 3.1.7), interval in MCUs:
#
#    |       restart interval        |F|L|       restart count       |
_RESTART = struct.Struct(">HH")
WHOLE_FRAME = 0xFFFF  # F = L = 1, count 3FFF: the picture must be whole before decoding

# Quantization table header, in the first packet when Q >= 128 (section 3.1.8):
#
#    |      MBZ      |   precision   |            length             |
#    |                quantization tables (length bytes)             |
_QUANTIZATION = struct.Struct(">BBH")
TABLES_SIZE = 128  # luma and chroma, 64 bytes each
FIRST_IN_BAND_Q = 128  # 1..99 are computed, 100..127 reserved (section 4.2)
DYNAMIC_Q = 255  # the tables are good for one picture only


class Large(Enum):
    """How to treat pictures that are too large for RFC 2435."""

    REFUSED = auto()
    AS_THEY_ARE = auto()  # for viewers who find their size elsewhere
    MADE_SMALLER = auto()


def fits(width: int, height: int) -> bool:
    """Whether RFC 2435 can express a picture of these sides (pixels) at all."""
    return 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE


def fitting_size(width: int, height: int) -> tuple[int, int]:
    """The sides of the largest picture of this shape that RFC 2435 can express."""
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(8, int(width * scale) // 8 * 8), max(8, int(height * scale) // 8 * 8)


def converted_size(width: int, height: int, may_be_large: bool) -> tuple[int, int]:
    """The sides of a picture after its conversion into one that can be carried."""
    if not fits(width, height) and not may_be_large:
        return fitting_size(width, height)
    return -(-width // 8) * 8, -(-height // 8) * 8


def unsupported_reason(header: JpegHeader, may_be_large: bool = False) -> str | None:
    """Why RFC 2435 can't carry this picture as it is, or None if it can.

    One that is too large `may_be` sent to a viewer who finds its size elsewhere.
    """
    if header.sof not in (SOF0, SOF1):
        return "its coding is not baseline"
    if header.precision != 8:
        return f"its samples have {header.precision} bits, not 8"
    if len(header.components) != 3:
        return f"it has {len(header.components)} colour components, not 3"
    if header.rgb:
        return "its colours are RGB, not YCbCr"
    if _sampling(header) not in _SAMPLING_TYPES:
        return "its colours are sampled neither 4:2:0 nor 4:2:2"
    if header.scans != 1:
        return f"it has {header.scans} scans, not 1"
    is_large = not fits(header.width, header.height)
    if is_large and not may_be_large:
        return f"a side of {header.width}x{header.height} is over {MAX_SIDE} pixels"
    if not is_large and (header.width % 8 or header.height % 8):
        return f"a side of {header.width}x{header.height} is not a multiple of 8 pixels"
    if header.scan_end - header.scan_start > MAX_SCAN:
        return f"it has more than {MAX_SCAN} bytes"
    luma, chroma, other_chroma = (
        header.quantization_tables[component.quantization_table] for component in header.components
    )
    if chroma != other_chroma:
        return "its two chroma components have different quantization tables"
    if len(luma) != 64 or len(chroma) != 64:
        return "its quantization tables have 16 bits"
    chosen = [(component.dc_table, component.ac_table) for component in header.components]
    if not header.standard_huffman or chosen != [(0, 0), (1, 1), (1, 1)]:
        return "its Huffman tables are not the standard ones"
    return None


def _sampling(header: JpegHeader) -> tuple[tuple[int, int], ...]:
    return tuple((component.horizontal, component.vertical) for component in header.components)


def packetize(jpeg: Buffer, max_payload: int, header: JpegHeader | None = None) -> list[bytes]:
    """The payloads of one picture's packets: RFC 2435 headers, and a piece of its scan.

    Every payload but the last has exactly `max_payload` bytes, so that UDP segmentation offload can
    cut them. A caller that has parsed the picture, and found no `unsupported_reason`, passes its
    `header`. The first payload of a picture that is too large begins with an RTP header extension:
    see `begins_with_extension`. Raises MovieError for a damaged picture, ValueError for one that
    can't be sent and for a `max_payload` that leaves no room for more than the headers.
    """
    if header is None:
        header = parse(jpeg)
        problem = unsupported_reason(header)
        if problem is not None:
            raise ValueError(f"RTP/JPEG can't carry this picture: {problem}")
    scan = memoryview(jpeg)[header.scan_start : header.scan_end]
    constant = _constant_headers(header)
    tables = _QUANTIZATION.pack(0, 0, TABLES_SIZE) + _tables(header)
    extension = b"" if fits(header.width, header.height) else _size_extension(header)
    step = max_payload - 4 - len(constant)
    first = step - len(tables) - len(extension)
    if first < 1:
        raise ValueError(f"a payload of {max_payload} bytes has no room for picture data")
    # Type-specific is 0, so that the offset fills the first four bytes alone.
    payloads = [b"".join((extension, bytes(4), constant, tables, scan[:first]))]
    for offset in range(first, len(scan), step):
        data = scan[offset : offset + step]
        payloads.append(b"".join((offset.to_bytes(4, "big"), constant, data)))
    return payloads


def _constant_headers(header: JpegHeader) -> bytes:
    """What follows the fragment offset in every packet of one picture."""
    kind = _SAMPLING_TYPES[_sampling(header)]
    restart = b""
    if header.restart_interval:
        kind += RESTART_TYPE
        restart = _RESTART.pack(header.restart_interval, WHOLE_FRAME)
    is_large = not fits(header.width, header.height)
    width, height = (0, 0) if is_large else (header.width // 8, header.height // 8)
    return bytes([kind, DYNAMIC_Q, width, height]) + restart


def _size_extension(header: JpegHeader) -> bytes:
    """The size of a picture that is too large, as a frame header (T.81 section B.2.2)."""
    luma = header.components[0]
    sampling = luma.horizontal << 4 | luma.vertical
    frame = _FRAME.pack(0xFF, SOF0, 17, 8, header.height, header.width, 3)
    frame += bytes([1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1])  # id, sampling, table of each
    frame += b"\xff" * (-len(frame) % 4)
    return _EXTENSION.pack(JPEG_EXTENSION, len(frame) // 4) + frame


def begins_with_extension(payload: bytes) -> bool:
    """Whether a payload of `packetize` begins with an extension: its own headers begin with 0."""
    return payload.startswith(START_OF_IMAGE)


def _tables(header: JpegHeader) -> bytes:
    """Luma's and chroma's table, even if they are the same: players need both."""
    luma, chroma, _ = header.components
    tables = header.quantization_tables
    return tables[luma.quantization_table] + tables[chroma.quantization_table]


class JpegFragment(NamedTuple):
    """One parsed RTP payload.

    `offset` of `data` in the scan is in bytes, `width` and `height` are in pixels,
    `restart_interval` is in MCUs (0: none), `restart_count` includes the bits F and L. `tables` is
    empty or luma's and chroma's quantization table, 128 bytes. `data` is a view of the payload.
    Only the first fragment's parameters, that of offset 0, are checked and good for the picture.
    """

    type_specific: int
    offset: int
    type: int
    q: int
    width: int
    height: int
    restart_interval: int
    restart_count: int
    tables: bytes
    data: memoryview
    segments: bytes = b""  # of JPEG headers that came separately and take precedence

    @property
    def begins_jpeg(self) -> bool:
        """Whether the picture is a JPEG file with its own headers: no scan begins with FFD8."""
        return self.offset == 0 and self.data[:2] == START_OF_IMAGE


def parse_payload(
    payload: bytes | bytearray | memoryview, size: tuple[int, int] | None = None
) -> JpegFragment:
    """Parse an RTP/JPEG payload. Raises PacketError if it is malformed.

    `size` in pixels, known from elsewhere, is that of pictures whose width or height is 0 because
    it is over 2,040 pixels.

    By RFC 2435 section 3.1, all fragments of a picture agree, but some cameras (Micro-RTSP, espp)
    have another Q in later ones. So only the first one counts, as in FFmpeg, live555 and
    GStreamer.
    """
    view = memoryview(payload)
    if len(view) < _MAIN.size:
        raise PacketError(f"an RTP/JPEG payload of {len(view)} bytes has no whole header")
    word, kind, q, width, height = _MAIN.unpack_from(view)
    offset = word & _OFFSET_MASK
    view = view[_MAIN.size :]
    interval = count = 0
    tables = b""
    # ESP32-RTSPServer puts a whole JPEG file here, and any type and Q before it.
    if offset or view[:2] != START_OF_IMAGE:
        if offset == 0:  # it must describe a picture
            if kind & ~RESTART_TYPE not in (TYPE_422, TYPE_420):
                raise PacketError(f"RTP/JPEG type {kind} is unknown")
            if not (width and height or size):
                pixels = f"{width * 8}x{height * 8} pixels"
                raise PacketError(
                    f"an RTP/JPEG picture of {pixels}, and nothing else says its size"
                )
        if RESTART_TYPE <= kind < 2 * RESTART_TYPE:
            if len(view) < _RESTART.size:
                raise PacketError("an RTP/JPEG restart header is cut short")
            interval, count = _RESTART.unpack_from(view)
            view = view[_RESTART.size :]
        if q >= FIRST_IN_BAND_Q and offset == 0:
            tables, view = _parse_quantization_header(view, q)
    if not view:
        raise PacketError("an RTP/JPEG payload without picture data")
    columns, rows = (width * 8, height * 8) if width and height or size is None else size
    return JpegFragment(word >> 24, offset, kind, q, columns, rows, interval, count, tables, view)


def _parse_quantization_header(view: memoryview, q: int) -> tuple[bytes, memoryview]:
    """The tables and what follows them."""
    if len(view) < _QUANTIZATION.size:
        raise PacketError("an RTP/JPEG quantization table header is cut short")
    _, precision, length = _QUANTIZATION.unpack_from(view)
    end = _QUANTIZATION.size + length
    if length == 0 and q == DYNAMIC_Q:  # section 4.2
        raise PacketError("an RTP/JPEG picture with Q 255 lacks its quantization tables")
    # The length decides: like FFmpeg, we ignore a precision that contradicts it.
    if length not in (0, 64, TABLES_SIZE):
        bits = " of 16 bits" if precision else ""
        raise PacketError(f"RTP/JPEG quantization tables{bits} of {length} bytes")
    if len(view) < end:
        raise PacketError("RTP/JPEG quantization tables are cut short")
    tables = bytes(view[_QUANTIZATION.size : end])
    if length == 64:  # ffmpeg sends one table when luma and chroma share it
        tables += tables
    return tables, view[end:]
