"""RTP/JPEG payloads: golden bytes both ways, what can't be carried, what must be refused."""

import io
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from wording import lacks

from rtplab.protocol.errors import MovieError, PacketError
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.rtpjpeg import (
    WHOLE_FRAME,
    fits,
    packetize,
    parse_payload,
    unsupported_reason,
)

LUMA, CHROMA = bytes(range(1, 65)), bytes(range(101, 165))
TABLES = LUMA + CHROMA

# The smallest picture that has everything: 24x16 pixels, 4:2:2, a restart interval of 7.
DQT = bytes.fromhex("FFDB 0084 00") + LUMA + b"\x01" + CHROMA
SOF = bytes.fromhex("FFC0 0011 08 0010 0018 03 01 21 00 02 11 01 03 11 01")
DRI = bytes.fromhex("FFDD 0004 0007")
SOS = bytes.fromhex("FFDA 000C 03 01 00 02 11 03 11 00 3F 00")
SCAN = bytes.fromhex("12 FF00 34 FFD0 56 FFD7 78")
PICTURE = b"\xff\xd8" + DQT + SOF + DRI + SOS + SCAN + b"\xff\xd9"


def pillow_jpeg(size=(64, 48), mode="RGB", **options):
    pixels = random.Random(1).randbytes(size[0] * size[1] * len(mode))
    file = io.BytesIO()
    Image.frombytes(mode, size, pixels).save(file, "JPEG", **options)
    return file.getvalue()


# --- sending -------------------------------------------------------------------------------------


def test_golden_payloads_with_restart_header():
    assert packetize(PICTURE, 148) == [
        bytes.fromhex("00000000 40 FF 03 02 0007 FFFF 00 00 0080") + TABLES + SCAN[:4],
        bytes.fromhex("00000004 40 FF 03 02 0007 FFFF") + SCAN[4:],
    ]


def test_golden_payloads_without_restart_header():
    picture = PICTURE.replace(DRI, b"").replace(SOF, SOF.replace(b"\x01\x21", b"\x01\x22"))
    assert packetize(picture, 141) == [
        bytes.fromhex("00000000 01 FF 03 02 00 00 0080") + TABLES + SCAN[:1],
        bytes.fromhex("00000001 01 FF 03 02") + SCAN[1:],
    ]


def test_both_tables_are_sent_even_when_they_are_one():
    picture = PICTURE.replace(SOF, SOF.replace(b"\x11\x01", b"\x11\x00"))
    assert packetize(picture, 1400)[0][16:144] == LUMA + LUMA


def test_payloads_are_full():
    picture = pillow_jpeg(subsampling="4:2:0")
    payloads = packetize(picture, 500)
    assert {len(payload) for payload in payloads[:-1]} == {500}
    assert 0 < len(payloads[-1]) <= 500
    data = b"".join(parse_payload(payload).data for payload in payloads)
    assert data == picture[slice(*_scan_of(picture))]


def _scan_of(picture):
    header = jpeg.parse(picture)
    return header.scan_start, header.scan_end


def test_a_payload_without_room_is_our_own_mistake():
    assert packetize(PICTURE, 145)
    with pytest.raises(ValueError, match="144 bytes"):
        packetize(PICTURE, 144)


def test_a_damaged_picture_is_a_movie_error():
    with pytest.raises(MovieError):
        packetize(PICTURE[:-1], 1400)


HEADER = jpeg.parse(PICTURE)
LUMA_COMPONENT, CB, CR = HEADER.components
WIDE_TABLES = {0: LUMA + LUMA, 1: CHROMA}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"sof": jpeg.SOF1}, None),
        ({"sof": jpeg.SOF2}, "not baseline"),
        ({"precision": 12}, "12 bits"),
        ({"components": (LUMA_COMPONENT,)}, "1 colour components"),
        ({"rgb": True}, "RGB"),
        (
            {"components": (replace(LUMA_COMPONENT, horizontal=1), CB, CR)},
            "sampled neither",
        ),
        ({"scans": 3}, "3 scans"),
        ({"width": 2040, "height": 2040}, None),
        ({"width": 2048}, "2048x16, 2040"),
        ({"height": 2048}, "24x2048, 2040"),
        ({"width": 30}, "30x16, multiple of 8"),
        ({"height": 9}, "24x9, multiple of 8"),
        ({"scan_end": HEADER.scan_start + 0xFFFFFF}, None),
        ({"scan_end": HEADER.scan_start + 0x1000000}, "16777215 bytes"),
        (
            {"components": (LUMA_COMPONENT, CB, replace(CR, quantization_table=0))},
            "chroma, quantization tables",
        ),
        ({"quantization_tables": WIDE_TABLES}, "quantization tables, 16 bits"),
        ({"standard_huffman": False}, "Huffman tables"),
        (
            {"components": (LUMA_COMPONENT, CB, replace(CR, dc_table=0))},
            "Huffman tables",
        ),
        (
            {"components": (LUMA_COMPONENT, CB, replace(CR, dc_table=None, ac_table=None))},
            "Huffman tables",
        ),
    ],
)
def test_what_can_be_carried(changes, reason):
    problem = unsupported_reason(replace(HEADER, **changes))
    assert (problem is None) == (reason is None)
    assert reason is None or not lacks(problem, *reason.split(", "))


@pytest.mark.parametrize(
    ("size", "fit"),
    [((1, 1), True), ((2040, 2040), True), ((2041, 8), False), ((8, 2041), False), ((0, 8), False)],
)
def test_fits(size, fit):
    assert fits(*size) == fit


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"subsampling": "4:2:0"}, None),
        ({"subsampling": "4:2:2", "restart_marker_rows": 1}, None),
        ({"subsampling": "4:4:4"}, "sampled neither"),
        ({"progressive": True}, "not baseline"),
        ({"optimize": True}, "Huffman"),
        ({"mode": "L"}, "1 colour components"),
        ({"mode": "CMYK"}, "4 colour components"),
        ({"keep_rgb": True}, "RGB"),
        ({"size": (60, 48)}, "multiple of 8"),
        ({"qtables": [[300] * 64] * 2}, "16 bits"),
        ({"qtables": [[3] * 64, [4] * 64, [5] * 64]}, "chroma"),
    ],
)
def test_what_of_pillows_pictures_can_be_carried(options, reason):
    picture = pillow_jpeg(**options)
    problem = unsupported_reason(jpeg.parse(picture))
    if reason is None:
        assert problem is None
    else:
        assert reason in problem
        with pytest.raises(ValueError, match="RTP/JPEG .*" + reason):
            packetize(picture, 1400)


# --- receiving -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        # computed tables, a later fragment
        ("00001234 01 32 30 24 AABB", (0, 0x1234, 1, 50, 384, 288, 0, 0, b"", b"\xaa\xbb")),
        # computed tables, the first fragment, type-specific and the largest picture
        ("02000000 00 63 FF FF AA", (2, 0, 0, 99, 2040, 2040, 0, 0, b"", b"\xaa")),
        # a restart header
        (
            "00FFFFFF 41 01 01 01 0007 FFFF AA",
            (0, 0xFFFFFF, 65, 1, 8, 8, 7, WHOLE_FRAME, b"", b"\xaa"),
        ),
        ("00000001 40 01 01 01 0007 8003 AA", (0, 1, 64, 1, 8, 8, 7, 0x8003, b"", b"\xaa")),
        # tables in band
        (
            "00000000 01 FF 30 24 00 00 0080" + TABLES.hex() + "AA",
            (0, 0, 1, 255, 384, 288, 0, 0, TABLES, b"\xaa"),
        ),
        (
            "00000000 41 80 30 24 0007 FFFF 00 00 0080" + TABLES.hex() + "AA",
            (0, 0, 65, 128, 384, 288, 7, WHOLE_FRAME, TABLES, b"\xaa"),
        ),
        # tables that were sent before
        ("00000000 01 80 30 24 00 00 0000 AA", (0, 0, 1, 128, 384, 288, 0, 0, b"", b"\xaa")),
        # one table for both
        (
            "00000000 01 FF 30 24 00 00 0040" + LUMA.hex() + "AA",
            (0, 0, 1, 255, 384, 288, 0, 0, LUMA + LUMA, b"\xaa"),
        ),
        # no table header but in the first fragment
        ("00000001 01 FF 30 24 AABB", (0, 1, 1, 255, 384, 288, 0, 0, b"", b"\xaa\xbb")),
        # what a later fragment says of the picture is nobody's business
        ("00000001 05 00 00 00 AABB", (0, 1, 5, 0, 0, 0, 0, 0, b"", b"\xaa\xbb")),
        # reserved Q
        ("00000000 01 64 30 24 AA", (0, 0, 1, 100, 384, 288, 0, 0, b"", b"\xaa")),
        # a precision that contradicts the length
        (
            "00000000 01 FF 30 24 00 03 0080" + TABLES.hex() + "AA",
            (0, 0, 1, 255, 384, 288, 0, 0, TABLES, b"\xaa"),
        ),
        # a whole JPEG file, of whatever type, Q and size
        ("00000000 00 0C 00 00 FFD8FF", (0, 0, 0, 12, 0, 0, 0, 0, b"", b"\xff\xd8\xff")),
        ("00000000 FF FF 30 24 FFD8FF", (0, 0, 255, 255, 384, 288, 0, 0, b"", b"\xff\xd8\xff")),
    ],
)
def test_golden_fragments(payload, fields):
    for buffer in (bytes, bytearray, memoryview):
        fragment = parse_payload(buffer(bytes.fromhex(payload)))
        assert tuple(fragment) == (*fields, b"")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("", "0 bytes, header"),
        ("00000000 01 32 30", "7 bytes, header"),
        ("00000000 01 32 30 24", "without picture data"),
        ("00000000 02 32 30 24 AA", "type 2"),
        ("00000000 42 32 30 24 AA", "type 66"),
        ("00000000 80 32 30 24 AA", "type 128"),
        ("00000000 FF 32 30 24 AA", "type 255"),
        ("00000000 01 32 00 24 AA", "0x288"),
        ("00000000 01 32 30 00 AA", "384x0"),
        ("00000000 41 32 30 24 0007FF", "restart header, cut short"),
        ("00000000 41 32 30 24 0007FFFF", "without picture data"),
        ("00000000 01 FF 30 24 00 00 00", "table header, cut short"),
        ("00000000 01 FF 30 24 00 00 0000 AA", "Q 255, lacks"),
        ("00000000 01 FF 30 24 00 00 0041" + "01" * 99, "tables, 65 bytes"),
        ("00000000 01 FF 30 24 00 00 00C0" + "01" * 199, "tables, 192 bytes"),
        ("00000000 01 FF 30 24 00 03 0100" + "01" * 299, "16 bits, 256 bytes"),
        ("00000000 01 FF 30 24 00 00 0080" + "01" * 127, "tables, cut short"),
        ("00000000 01 FF 30 24 00 00 0080" + "01" * 128, "without picture data"),
    ],
)
def test_contradictions_are_refused(payload, message):
    with pytest.raises(PacketError) as caught:
        parse_payload(bytes.fromhex(payload))
    assert not lacks(str(caught.value), *message.split(", "))


def test_parsing_gives_back_what_packetize_wrote():
    fragments = [parse_payload(payload) for payload in packetize(PICTURE, 148)]
    assert [fragment[2:8] for fragment in fragments] == [(64, 255, 24, 16, 7, WHOLE_FRAME)] * 2
    assert [fragment.offset for fragment in fragments] == [0, 4]
    assert [fragment.tables for fragment in fragments] == [TABLES, b""]
    assert b"".join(fragment.data for fragment in fragments) == SCAN


plausible_payloads = st.builds(
    lambda offset, kind, q, rest: b"\0" + offset + bytes([kind, q]) + rest,
    st.sampled_from([b"\0\0\0", b"\0\0\1"]),
    st.sampled_from([0, 1, 64, 65, 66]),
    st.sampled_from([0, 1, 99, 100, 128, 255]),
    st.binary(max_size=200),
)


@given(st.one_of(st.binary(max_size=200), plausible_payloads))
def test_only_documented_errors_on_junk(payload):
    try:
        fragment = parse_payload(payload)
    except PacketError:
        return
    assert fragment.data
    assert len(fragment.tables) in (0, 128)
