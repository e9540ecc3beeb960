"""RTP/JPEG pictures put together: any order, duplicates, losses, contradictions, hostile input."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rtplab.protocol.rtp import jpeg, jpegassembler
from rtplab.protocol.rtp.jpegassembler import (
    LATE_TICKS,
    MAX_FRAME_BYTES,
    JpegAssembler,
    jpeg_headers,
    quant_tables,
    size_in,
    with_segments,
)
from rtplab.protocol.rtp.rtpjpeg import JpegFragment, packetize, parse_payload, unsupported_reason

TABLES = bytes(range(1, 129))


def fragment(offset, data, *, q=50, tables=b"", type=1, width=16, height=16, interval=0):
    return JpegFragment(0, offset, type, q, width, height, interval, 0, tables, memoryview(data))


def pillow_jpeg(size, seed=1, **options):
    pixels = random.Random(seed).randbytes(size[0] * size[1] * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", size, pixels).save(file, "JPEG", **options)
    return file.getvalue()


def pixels_of(picture):
    with Image.open(io.BytesIO(picture)) as image:
        return image.tobytes()


# --- headers -------------------------------------------------------------------------------------


def test_golden_headers():
    headers = jpeg_headers(64, 384, 288, TABLES, 7)
    assert headers.startswith(
        bytes.fromhex("FFD8 FFDB 0084 00")
        + TABLES[:64]
        + b"\x01"
        + TABLES[64:]
        + bytes.fromhex("FFC0 0011 08 0120 0180 03 01 21 00 02 11 01 03 11 01 FFDD 0004 0007")
        + bytes.fromhex("FFC4 01A2 00")
    )
    assert headers.endswith(bytes.fromhex("FFDA 000C 03 01 00 02 11 03 11 00 3F 00"))


@pytest.mark.parametrize("type", [0, 1, 64, 65])
def test_headers_say_what_they_were_told(type):
    interval = 5 if type >= 64 else 0
    header = jpeg.parse(jpeg_headers(type, 2040, 8, TABLES, interval) + b"\x12\xff\xd9")
    assert unsupported_reason(header) is None
    assert (header.width, header.height, header.restart_interval) == (2040, 8, interval)
    assert header.components[0].vertical == (2 if type & 1 else 1)
    assert header.quantization_tables == {0: TABLES[:64], 1: TABLES[64:]}


def test_computed_tables_are_those_of_libjpeg():
    for q in range(1, 100):
        tables = jpeg.parse(pillow_jpeg((8, 8), quality=q)).quantization_tables
        assert quant_tables(q) == tables[0] + tables[1], q


@pytest.mark.parametrize("q", [0, 100, 255])
def test_no_tables_are_computed_for_other_values(q):
    with pytest.raises(ValueError, match=f"Q {q}"):
        quant_tables(q)


# --- reassembly ----------------------------------------------------------------------------------


def test_one_fragment_is_a_picture():
    assembler = JpegAssembler()
    picture = assembler.add(fragment(0, b"scan"), 1, True)
    assert picture == jpeg_headers(1, 16, 16, quant_tables(50), 0) + b"scan\xff\xd9"
    assert assembler.dropped == 0


@pytest.mark.parametrize("cut", [0, 1, 4, 5])
def test_an_end_of_image_that_was_sent_is_not_doubled(cut):
    assembler = JpegAssembler()
    data = b"scan\xff\xd9"
    if cut:
        assert assembler.add(fragment(0, data[:cut]), 1, False) is None
    picture = assembler.add(fragment(cut, data[cut:]), 1, True)
    assert picture.endswith(b"\x3f\x00scan\xff\xd9")


def test_a_late_marker_and_duplicates():
    assembler = JpegAssembler()
    first, second, last = fragment(0, b"aa"), fragment(2, b"bb"), fragment(4, b"c")
    assert assembler.add(last, 1, True) is None
    assert assembler.add(last, 1, True) is None
    assert assembler.add(first, 1, False) is None
    assert assembler.add(first, 1, False) is None
    assert assembler.add(second, 1, False).endswith(b"aabbc\xff\xd9")
    for again, marker in ((first, False), (second, False), (last, True)):
        assert assembler.add(again, 1, marker) is None
    assert assembler.dropped == 0


def test_a_gap_is_given_up_when_the_next_picture_begins():
    assembler = JpegAssembler()
    assembler.add(fragment(0, b"aa"), 1, False)
    assembler.add(fragment(4, b"c"), 1, True)
    assert assembler.dropped == 0
    assert assembler.add(fragment(0, b"next"), 2, True)
    assert assembler.dropped == 1


def test_a_lost_marker_is_given_up_when_the_next_picture_begins():
    assembler = JpegAssembler()
    assembler.add(fragment(0, b"aa"), 1, False)
    assert assembler.add(fragment(0, b"next"), 2, True)
    assert assembler.dropped == 1


def test_an_overtaken_packet_does_not_disturb_the_next_picture():
    assembler = JpegAssembler()
    assembler.add(fragment(0, b"aa"), 1, False)
    assembler.add(fragment(0, b"bb"), 4501, False)
    assert assembler.add(fragment(2, b"aa"), 1, True) is None
    assert assembler.add(fragment(2, b"cc"), 4501, True).endswith(b"bbcc\xff\xd9")
    assert assembler.add(fragment(2, b"aa"), 1, True) is None
    assert assembler.dropped == 1


def test_timestamps_wrap():
    assembler = JpegAssembler()
    assert assembler.add(fragment(0, b"aa"), 0xFFFFFFFF, True)
    assert assembler.add(fragment(0, b"bb"), 4499, True)
    assert assembler.add(fragment(0, b"aa"), 0xFFFFFFFF, True) is None


def test_a_stream_may_begin_anew_far_behind():
    assembler = JpegAssembler()
    assert assembler.add(fragment(0, b"aa"), LATE_TICKS, True)
    assert assembler.add(fragment(0, b"aa"), 1, True) is None
    assert assembler.add(fragment(0, b"aa"), 0, True)


@pytest.mark.parametrize(
    ("fragments", "why"),
    [
        ([(0, b"aaaa", 0), (2, b"bb", 1)], "overlap: more bytes than there are"),
        ([(0, b"aa", 0), (1, b"bb", 0), (4, b"c", 1)], "overlap and gap of the same size"),
        ([(1, b"aa", 0), (0, b"bb", 1)], "the marker is not on the last"),
        ([(0, b"aa", 1), (2, b"bb", 0)], "data after the marker"),
        ([(2, b"bb", 1), (4, b"cc", 1)], "two ends"),
        ([(2, b"bb", 0), (2, b"b", 0)], "one offset, two lengths"),
        ([(MAX_FRAME_BYTES - 1, b"bb", 0)], "too large"),
    ],
)
def test_contradictory_fragments_drop_the_picture_once(fragments, why):
    assembler = JpegAssembler()
    given = [assembler.add(fragment(at, data), 1, bool(end)) for at, data, end in fragments]
    whole = fragments[0] == (0, b"aa", 1)  # it was complete before the contradiction came
    assert [picture is not None for picture in given] == [whole] + [False] * (len(given) - 1), why
    assert assembler.dropped == (0 if whole else 1), why
    assert assembler.add(fragment(0, b"zz"), 1, True) is None, "its timestamp is used up"
    assert assembler.add(fragment(0, b"next"), 2, True)
    assert assembler.dropped == (0 if whole else 1), why


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize(
    "change", [{"type": 0}, {"q": 94}, {"width": 0}, {"height": 8}, {"type": 65, "interval": 3}]
)
def test_only_the_first_fragment_says_what_the_picture_is(change, order):
    """Micro-RTSP and espp: Q 128 and tables in the first fragment, 94 or 96 in the others."""
    parts = [
        (fragment(0, b"aa", q=128, tables=TABLES), False),
        (fragment(2, b"bb", **change), False),
        (fragment(4, b"cc", **change), True),
    ]
    assembler = JpegAssembler()
    received = [assembler.add(parts[index][0], 1, parts[index][1]) for index in order]
    assert received == [None, None, jpeg_headers(1, 16, 16, TABLES, 0) + b"aabbcc\xff\xd9"]
    assert assembler.dropped == 0


@pytest.mark.parametrize("q", [0, 12, 128, 255])
def test_a_whole_jpeg_file_is_the_picture_itself(q):
    """ESP32-RTSPServer."""
    jpeg_file = pillow_jpeg((16, 16))
    payloads = [
        at.to_bytes(4, "big") + bytes([0, q, 0, 0]) + jpeg_file[at : at + 300]
        for at in range(0, len(jpeg_file), 300)
    ]
    assembler = JpegAssembler()
    *others, last = [
        assembler.add(parse_payload(payload), 1, payload is payloads[-1]) for payload in payloads
    ]
    assert last == jpeg_file
    assert others == [None] * (len(payloads) - 1)


@pytest.mark.parametrize(("q", "same_as"), [(0, 1), (100, 99), (127, 99)])
def test_a_reserved_q_is_the_next_that_is_none(q, same_as):
    assert JpegAssembler().add(fragment(0, b"aa", q=q), 1, True) == JpegAssembler().add(
        fragment(0, b"aa", q=same_as), 1, True
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(fragment(0, b"aa"), False), (fragment(4, b"c"), True)], "missing"),
        ([(fragment(0, b"aa"), False), (fragment(2, b"c"), False)], "marker"),
        ([(fragment(0, b"aa"), False), (fragment(0, b"c"), True)], "contradict"),
        ([(fragment(2, b"aa"), False), (fragment(3, b"cc"), True)], "missing"),
        ([(fragment(0, b"aa", q=130), True)], "Q 130 without"),
    ],
)
def test_why_a_picture_was_dropped_is_known_until_the_next_one(parts, words):
    assembler = JpegAssembler()
    for part, marker in parts:
        assembler.add(part, 1, marker)
    assembler.begin_anew()
    assert assembler.dropped == 1
    assert words in assembler.problem
    assert assembler.add(fragment(0, b"next"), 2, True)
    assert assembler.problem == ""


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(jpegassembler, "MAX_FRAGMENTS", 3)
    assembler = JpegAssembler()
    for offset in range(3):
        assembler.add(fragment(offset, b"a"), 1, False)
    assert assembler.add(fragment(3, b"a"), 1, True) is None
    assert assembler.dropped == 1


def test_the_largest_picture_is_accepted():
    data = bytes(MAX_FRAME_BYTES)
    assembler = JpegAssembler()
    assert assembler.add(fragment(0, data), 1, True)


def test_static_tables_are_remembered_for_their_q():
    assembler = JpegAssembler()
    assert assembler.add(fragment(0, b"aa", q=128), 1, True) is None
    assert assembler.dropped == 1
    first = assembler.add(fragment(0, b"aa", q=128, tables=TABLES), 2, True)
    assert assembler.add(fragment(0, b"aa", q=128), 3, True) == first
    assert jpeg.parse(first).quantization_tables == {0: TABLES[:64], 1: TABLES[64:]}
    assert assembler.add(fragment(0, b"aa", q=129), 4, True) is None


def test_dynamic_tables_are_good_for_one_picture_only():
    assembler = JpegAssembler()
    assert assembler.add(fragment(0, b"aa", q=255, tables=TABLES), 1, True)
    assert assembler.add(fragment(0, b"aa", q=255), 2, True) is None
    assert assembler.dropped == 1


# --- properties ----------------------------------------------------------------------------------

sides = st.integers(1, 12).map(lambda units: units * 8)
restarts = st.one_of(
    st.just({}),
    st.builds(lambda n: {"restart_marker_blocks": n}, st.integers(1, 9)),
    st.builds(lambda n: {"restart_marker_rows": n}, st.integers(1, 3)),
)
pictures = st.builds(
    lambda size, seed, quality, subsampling, restart: pillow_jpeg(
        size, seed, quality=quality, subsampling=subsampling, **restart
    ),
    st.tuples(sides, sides),
    st.integers(0, 99),
    st.integers(1, 100),
    st.sampled_from(["4:2:2", "4:2:0"]),
    restarts,
)


@settings(deadline=None)
@given(pictures, st.integers(200, 9000), st.randoms(use_true_random=False))
def test_what_is_sent_in_any_order_with_duplicates_arrives(picture, mtu, chance):
    payloads = packetize(picture, mtu - 40)
    packets = [(payload, index == len(payloads) - 1) for index, payload in enumerate(payloads)]
    packets += chance.choices(packets, k=len(packets) // 2)
    chance.shuffle(packets)
    assembler = JpegAssembler()
    received = [assembler.add(parse_payload(data), 7, marker) for data, marker in packets]
    (arrived,) = [result for result in received if result is not None]
    assert assembler.dropped == 0
    assert_same_picture(arrived, picture)


def assert_same_picture(arrived, picture):
    sent, got = jpeg.parse(picture), jpeg.parse(arrived)
    assert arrived[got.scan_start : got.scan_end] == picture[sent.scan_start : sent.scan_end]
    assert got.quantization_tables[0] == sent.quantization_tables[0]
    assert (got.width, got.height) == (sent.width, sent.height)
    assert got.restart_interval == sent.restart_interval
    chroma = sent.components[1].quantization_table
    assert got.quantization_tables[1] == sent.quantization_tables[chroma]
    assert pixels_of(arrived) == pixels_of(picture)


@settings(deadline=None)
@given(pictures, st.integers(200, 400), st.data())
def test_a_picture_with_any_one_packet_lost_is_dropped(picture, mtu, data):
    payloads = packetize(picture, mtu - 40)
    lost = data.draw(st.integers(0, len(payloads) - 1))
    assembler = JpegAssembler()
    for index, payload in enumerate(payloads):
        if index != lost:
            last = index == len(payloads) - 1
            assert assembler.add(parse_payload(payload), 7, last) is None
    assembler.add(fragment(0, b"next"), 4507, True)
    assert assembler.dropped == (1 if len(payloads) > 1 else 0)


arrivals = st.tuples(
    st.integers(0, 12),
    st.binary(min_size=1, max_size=6),
    st.sampled_from([1, 50, 128, 255]),
    st.sampled_from([b"", TABLES]),
    st.integers(0, 3),
    st.booleans(),
)


@given(st.lists(arrivals, max_size=30))
def test_whatever_arrives_only_whole_pictures_come_out(stream):
    assembler = JpegAssembler()
    for offset, data, q, tables, timestamp, marker in stream:
        part = fragment(offset, data, q=q, tables=tables)
        picture = assembler.add(part, timestamp, marker)
        assert picture is None or picture.startswith(b"\xff\xd8")
    assert assembler.dropped <= len(stream)


# --- Segments of their own -----------------------------------------------------------------------


def test_segments_go_before_those_that_are_made_and_padding_is_no_segment() -> None:
    headers = jpeg_headers(1, 16, 16, bytes([16]) * 128, 5)
    table = b"\xff\xdb\x00\x43\x00" + b"\xff" * 64  # which ends as padding looks
    frame = b"\xff\xc0\x00\x11\x08\x10\x00\x20\x00\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    mixed = with_segments(headers, table + frame + b"\xff\xff")
    header = jpeg.parse(mixed + b"\x00\xff\xd9")
    assert header.restart_interval == 5
    assert (header.width, header.height) == (0x2000, 0x1000)
    assert header.quantization_tables == {0: b"\xff" * 64, 1: bytes([16]) * 64}
    assert header.standard_huffman
    assert size_in(table + frame + b"\xff\xff") == (0x2000, 0x1000)
    assert size_in(table) is None


def test_damaged_segments_drop_the_picture_and_say_so() -> None:
    assembler = JpegAssembler()
    damaged = fragment(0, b"aa")._replace(segments=b"\xff\xc0\x00")
    assert assembler.add(damaged, 1, True) is None
    assert "extension" in assembler.problem
    assert assembler.add(fragment(0, b"aa"), 2, True)
    assert size_in(b"\xff\xc0\x00") is None
