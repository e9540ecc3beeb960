"""The marker walk, on hand-made bytes and on what Pillow writes."""

import io
import mmap
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import without_huffman
from PIL import Image
from wording import lacks

from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.jpeg import Component, dimensions, end_of_image, parse
from rtplab.protocol.rtp.jpegtables import STANDARD_CHROMA_QUANT, STANDARD_LUMA_QUANT

QUANT = bytes(range(1, 65))

# Every segment by hand: the smallest picture that has them all.
DQT = bytes.fromhex("FFDB 0043 00") + QUANT
SOF = bytes.fromhex("FFC0 0011 08 0010 0018 03 01 21 00 02 11 00 03 11 00")
DRI = bytes.fromhex("FFDD 0004 0007")
SOS = bytes.fromhex("FFDA 000C 03 01 00 02 11 03 11 00 3F 00")
SCAN = bytes.fromhex("12 FF00 34 FFD0 56 FFD7 78")
PICTURE = b"\xff\xd8" + DQT + SOF + DRI + SOS + SCAN + b"\xff\xd9"


def pillow_jpeg(size=(64, 48), mode="RGB", **options):
    pixels = random.Random(1).randbytes(size[0] * size[1] * len(mode))
    picture = Image.frombytes(mode, size, pixels)
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def fault(function, *arguments):
    with pytest.raises(MovieError) as caught:
        function(*arguments)
    return str(caught.value), caught.value.offset


# --- the golden picture -------------------------------------------------------------------------


def test_parse_reads_every_header():
    assert parse(PICTURE) == jpeg.JpegHeader(
        sof=jpeg.SOF0,
        precision=8,
        width=24,
        height=16,
        components=(
            Component(1, 2, 1, 0, dc_table=0, ac_table=0),
            Component(2, 1, 1, 0, dc_table=1, ac_table=1),
            Component(3, 1, 1, 0, dc_table=1, ac_table=1),
        ),
        quantization_tables={0: QUANT},
        standard_huffman=True,
        restart_interval=7,
        scan_start=len(PICTURE) - 2 - len(SCAN),
        scan_end=len(PICTURE) - 2,
        scans=1,
        rgb=False,
    )


def test_dimensions_and_end():
    assert dimensions(PICTURE) == (24, 16)
    assert end_of_image(PICTURE) == len(PICTURE)


def test_start_is_an_offset_into_a_film():
    film = b"12345" + PICTURE + PICTURE
    assert end_of_image(film, 5) == 5 + len(PICTURE)
    assert end_of_image(film, 5 + len(PICTURE)) == len(film)
    assert dimensions(film, 5) == (24, 16)


def test_fill_bytes_before_a_marker_belong_to_the_marker():
    padded = PICTURE[:2] + b"\xff\xff" + PICTURE[2:-2] + b"\xff\xff\xff\xd9"
    header = parse(padded)
    assert end_of_image(padded) == len(padded)
    assert padded[header.scan_start : header.scan_end] == SCAN


def test_sixteen_bit_quantization_table():
    wide = bytes.fromhex("FFDB 0083 11") + QUANT + QUANT
    picture = PICTURE.replace(DQT, DQT + wide)
    assert parse(picture).quantization_tables == {0: QUANT, 1: QUANT + QUANT}


def test_one_segment_may_hold_several_tables():
    two = bytes.fromhex("FFDB 0084 00") + QUANT + b"\x01" + QUANT[::-1]
    assert parse(PICTURE.replace(DQT, two)).quantization_tables == {0: QUANT, 1: QUANT[::-1]}


def test_table_ids_go_up_to_three():
    quant = DQT.replace(b"\x43\x00", b"\x43\x03")
    huffman = b"\xff\xc4\x00\x13\x13" + bytes(16)
    header = parse(PICTURE.replace(DQT, DQT + quant + huffman))
    assert header.quantization_tables == {0: QUANT, 3: QUANT}
    assert not header.standard_huffman


def test_tables_after_the_scan_do_not_count():
    late = PICTURE[:-2] + DRI.replace(b"\x07", b"\x09") + PICTURE[-2:]
    assert parse(late).restart_interval == 7
    assert parse(late).scan_end == len(PICTURE) - 2


def test_adobe_and_component_ids_tell_rgb():
    adobe = bytes.fromhex("FFEE 000E 41646F6265 0064 0000 0000 00")
    jfif = bytes.fromhex("FFE0 0010 4A46494600 0101 00 0001 0001 00 00")
    assert parse(PICTURE.replace(DQT, adobe + DQT)).rgb
    assert not parse(PICTURE.replace(DQT, adobe[:-1] + b"\x01" + DQT)).rgb
    assert not parse(PICTURE.replace(DQT, jfif + adobe + DQT)).rgb
    named = SOF.replace(b"\x01\x21", b"R\x21").replace(b"\x02\x11", b"G\x11")
    scan = SOS.replace(b"\x01\x00\x02", b"R\x00G").replace(b"\x03\x11\x00", b"B\x11\x00")
    picture = PICTURE.replace(SOF, named.replace(b"\x03\x11", b"B\x11")).replace(SOS, scan)
    assert parse(picture).rgb


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "message", "offset"),
    [
        (b"", "byte 0, FFD8, the end", 0),
        (b"GIF89a", "byte 0, FFD8, 4749", 0),
        (b"\xff\xd8", "byte 2, cut short", 2),
        (b"\xff\xd8\xff\xff", "byte 4, cut short", 4),
        (b"\xff\xd8\x12", "byte 2, marker, 0x12", 2),
        (b"\xff\xd8\xff\x00", "byte 3, marker, 0x00", 3),
        (b"\xff\xd8\xff\x42", "byte 2, 0xFF42, marker", 2),
        (b"\xff\xd8\xff\xd8", "byte 2, another picture", 2),
        (b"\xff\xd8\xff\xe0\x00", "byte 5, cut short", 5),
        (b"\xff\xd8\xff\xe0\x00\x01", "byte 4, segment, 1 bytes", 4),
        (b"\xff\xd8\xff\xe0\x00\x03", "byte 6, cut short", 6),
        (b"\xff\xd8" + b"\xff\x01" * 10_000, "10000 segments", 20_002),
    ],
)
def test_the_walk_stops_at_damage(damaged, message, offset):
    text, at = fault(end_of_image, damaged)
    assert not lacks(text, *message.split(", "))
    assert at == offset


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SOF, b"", "unknown component"),
        (SOF, SOF + SOF, "second frame header"),
        (SOF, SOF.replace(b"\x00\x18", b"\0\0"), "0x16"),
        (SOF, SOF.replace(b"\x00\x10", b"\0\0"), "24x0"),
        (SOF, SOF.replace(b"\x03\x01", b"\x02\x01"), "2 components"),
        (SOF, SOF.replace(b"\x03\x01", b"\x00\x01"), "0 components"),
        (
            SOF,
            b"\xff\xc0\x00\x17\x08\x00\x10\x00\x18\x05" + SOF[10:] + b"\4\x11\0\5\x11\0",
            "5 components",
        ),
        (SOF, SOF.replace(b"\x01\x21", b"\x02\x21"), "one id"),
        (SOF, SOF.replace(b"\x21", b"\x51"), "sampling 5x1"),
        (SOF, SOF.replace(b"\x21", b"\x20"), "sampling 2x0"),
        (SOF, b"\xff\xc0\x00\x07\x08\x00\x10\x00\x18", "frame header"),
        (DQT, DQT[:4] + b"\x20" + QUANT, "quantization table"),
        (DQT, DQT[:4] + b"\x04" + QUANT, "quantization table"),
        (DQT, DQT[:4] + b"\x10" + QUANT, "quantization table"),
        (DQT, DQT[:4] + b"\x01" + QUANT, "no quantization table 0"),
        (DRI, b"\xff\xdd\x00\x03\x07", "restart interval"),
        (DRI, b"\xff\xc4\x00\x03\x00", "Huffman table"),
        (DRI, b"\xff\xc4\x00\x13\x00" + b"\1" * 16, "Huffman table"),
        (DRI, b"\xff\xc4\x00\x13\x20" + b"\0" * 16, "Huffman table"),
        (DRI, b"\xff\xc4\x00\x13\x04" + b"\0" * 16, "Huffman table"),
        (SOS, b"\xff\xda\x00\x02", "scan header"),
        (SOS, b"\xff\xda\x00\x0c\x02" + SOS[5:], "scan header"),
        (SOS + SCAN, b"", "empty"),
        (SCAN, b"", "empty"),
    ],
)
def test_parse_refuses_nonsense(old, new, message):
    assert old in PICTURE
    assert message in fault(parse, PICTURE.replace(old, new))[0]


def test_every_truncation_is_noticed():
    for length in range(len(PICTURE)):
        message = fault(end_of_image, PICTURE[:length])
        assert fault(parse, PICTURE[:length]) == message
        if length >= 2:
            assert message[1] == length and not lacks(message[0], f"byte {length}", "cut short")


def test_the_offset_is_that_of_the_damaged_table():
    two = bytes.fromhex("FFDB 0084 00") + QUANT + b"\x04" + QUANT
    assert fault(parse, b"\xff\xd8" + two + b"\xff\xd9")[1] == 2 + 4 + 65
    two = bytes.fromhex("FFC4 0024 00") + bytes(16) + b"\x04" + bytes(16)
    assert fault(parse, b"\xff\xd8" + two + b"\xff\xd9")[1] == 2 + 4 + 17


def test_a_picture_without_frame_header_has_no_dimensions():
    assert not lacks(fault(dimensions, b"\xff\xd8\xff\xd9")[0], "byte 0", "no frame header")


@given(st.binary(max_size=200))
def test_only_documented_errors_on_junk(junk):
    for function in (end_of_image, dimensions, parse):
        for data in (junk, b"\xff\xd8" + junk):
            try:
                function(data)
            except MovieError as error:
                assert 0 <= error.offset <= len(data)


@given(st.integers(0, len(PICTURE) - 1), st.integers(0, 255))
def test_only_documented_errors_on_a_changed_byte(at, value):
    changed = PICTURE[:at] + bytes([value]) + PICTURE[at + 1 :]
    for function in (end_of_image, dimensions, parse):
        try:
            function(changed)
        except MovieError as error:
            assert 0 <= error.offset <= len(changed)


# --- how far a picture goes -----------------------------------------------------------------------

OTHER_SIZE = PICTURE.replace(SOF, SOF[:5] + bytes.fromhex("0020 0028") + SOF[9:])


@given(
    st.lists(st.sampled_from([PICTURE, OTHER_SIZE, PICTURE[:-2], PICTURE[:40]]), min_size=1),
    st.integers(0, 10_000),
    st.integers(0, 255),
)
def test_what_a_measurer_knows_changes_no_result(pictures, at, value):
    """Also with one byte changed somewhere."""
    film = bytearray(b"".join(pictures))
    film[at % len(film)] = value
    measurer, start = jpeg.Measurer(), 0
    while (start := film.find(b"\xff\xd8", start)) >= 0:
        known, walked = measurer.measure(film, start), jpeg.measure(film, start)
        assert (known.end, known.lacks_end) == (walked.end, walked.lacks_end)
        assert str(known.problem) == str(walked.problem)
        start = max(known.end, start + 2)


def test_headers_without_a_size_are_not_known():
    """The size stands behind the first scan: the next picture has none at all."""
    late = b"\xff\xd8" + DQT + SOS + SCAN + SOF + SOS + SCAN + b"\xff\xd9"
    without = b"\xff\xd8" + DQT + SOS + SCAN + b"\xff\xd9"
    measurer = jpeg.Measurer()
    assert measurer.measure(late).problem is None
    assert measurer.measure(without).problem is not None


@pytest.mark.parametrize(
    ("film", "end"),
    [
        (PICTURE[:-2], len(PICTURE) - 2),
        (PICTURE[:-2] + PICTURE, len(PICTURE) - 2),
        (PICTURE[:-9] + PICTURE, len(PICTURE) - 9),
        (PICTURE[:-2] + bytes(2) + PICTURE, len(PICTURE)),
    ],
)
def test_a_picture_whose_data_goes_up_to_the_next_one_lacks_its_end(film, end):
    measured = jpeg.measure(film)
    assert measured.lacks_end and measured.problem is not None and measured.end == end
    whole = jpeg.completed(film[:end])
    assert jpeg.measure(whole) == (jpeg.end_of_image(whole), None, False)


@pytest.mark.parametrize(
    "damaged",
    [
        PICTURE,
        PICTURE[: -len(SCAN) - 2],  # no data at all
        PICTURE[:40],
        PICTURE[: -len(SCAN) - 6],
        PICTURE[:-2] + b"\xff\x02" + PICTURE,
        (PICTURE[:-2] + PICTURE).replace(SOF, b"", 1),
    ],
)
def test_what_is_whole_or_damaged_does_not_lack_its_end(damaged):
    assert not jpeg.measure(damaged).lacks_end


def pixels(picture):
    with Image.open(io.BytesIO(picture)) as image:
        return image.size, image.tobytes()


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_missing_huffman_tables_are_the_standard_ones(mode, options):
    picture = pillow_jpeg(mode=mode, **options)
    bare = without_huffman(picture)
    assert jpeg.is_complete(picture) and not jpeg.is_complete(bare)
    completed = jpeg.completed(bare)
    assert jpeg.is_complete(completed) and b"\xff\xc4" in completed
    assert pixels(completed) == pixels(picture)
    assert jpeg.completed(completed) == completed


def test_tables_are_found_wherever_they_stand():
    picture = pillow_jpeg()
    comment = b"\xff\xfe\x40\x00" + bytes(0x3FFE)
    late = picture[:2] + comment + picture[2:]
    assert not jpeg.is_complete(late), "they stand beyond what is looked at"
    assert jpeg.completed(late) == late


@pytest.mark.parametrize(
    "picture",
    [
        pillow_jpeg(optimize=True),
        without_huffman(pillow_jpeg(progressive=True)),
        PICTURE.replace(b"\xff\xc0", b"\xff\xc9"),  # arithmetic coding
        PICTURE[:40] + b"\xff\xd9",
    ],
)
def test_tables_go_into_no_other_picture(picture):
    assert jpeg.completed(picture) == picture


# --- real files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_walks_what_pillow_writes(mode, options):
    data = pillow_jpeg(mode=mode, **options)
    header = parse(data)
    assert end_of_image(data + data) == len(data)
    assert dimensions(data) == (header.width, header.height) == (64, 48)
    assert len(header.components) == len(mode)
    assert header.sof == (jpeg.SOF2 if "progressive" in options else jpeg.SOF0)
    assert (header.scans > 1) == ("progressive" in options)
    assert header.standard_huffman == (not options)


def test_parse_finds_sampling_restarts_and_tables():
    tables = [[q] * 64 for q in (3, 5)]
    data = pillow_jpeg(subsampling="4:2:0", qtables=tables, restart_marker_blocks=2)
    header = parse(data)
    assert [(c.horizontal, c.vertical) for c in header.components] == [(2, 2), (1, 1), (1, 1)]
    assert header.quantization_tables == {0: b"\3" * 64, 1: b"\5" * 64}
    assert header.restart_interval == 2
    assert b"\xff\xd0" in data[header.scan_start : header.scan_end]


def test_parse_knows_rgb_as_pillow_writes_it():
    assert parse(pillow_jpeg(keep_rgb=True)).rgb
    assert not parse(pillow_jpeg()).rgb


def test_an_embedded_thumbnail_is_not_the_end():
    thumbnail = pillow_jpeg((16, 16))
    data = pillow_jpeg(exif=b"Exif\0\0" + thumbnail)
    assert thumbnail in data
    assert end_of_image(data) == len(data)
    assert dimensions(data) == (64, 48)


def test_any_buffer_will_do(tmp_path):
    data = pillow_jpeg()
    path = tmp_path / "picture.jpg"
    path.write_bytes(data * 2)
    expected = parse(data)
    for buffer in (data, bytearray(data), memoryview(data)):
        assert parse(buffer) == expected
        assert end_of_image(buffer) == len(data)
        assert dimensions(buffer) == (64, 48)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert end_of_image(mapped, len(data)) == 2 * len(data)
        assert dimensions(mapped, len(data)) == (64, 48)
        assert parse(mapped).scans == 1


def test_standard_tables_are_those_that_encoders_write():
    header = parse(pillow_jpeg(quality=50))
    assert header.quantization_tables == {
        0: STANDARD_LUMA_QUANT,
        1: STANDARD_CHROMA_QUANT,
    }
    assert header.standard_huffman
