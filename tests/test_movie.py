"""movie.Mjpeg is as promised, frame by frame, and tools/make_movie.py makes such frames."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import make_movie
import pytest
import strip
from PIL import Image, ImageChops, ImageStat

MOVIE = Path(__file__).parent.parent / "movie.Mjpeg"
FRAMES = 500
SIZE = (384, 288)
SMALLEST, LARGEST = 6_000, 14_500
SOME_FRAMES = (1, 64, 255, 256, 430, 500)

# JPEG markers (ITU-T T.81 table B.1)
SOF0, DHT, SOI, EOI, SOS, DQT, APP0 = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE0

# The tables K.3 to K.6 of ITU-T T.81: class and number, how many codes of 1 to 16 bits, values.
STANDARD_HUFFMAN_TABLES = {
    bytes.fromhex(text)
    for text in (
        """
        00
        00 01 05 01 01 01 01 01 01 00 00 00 00 00 00 00
        00 01 02 03 04 05 06 07 08 09 0A 0B
        """,
        """
        01
        00 03 01 01 01 01 01 01 01 01 01 00 00 00 00 00
        00 01 02 03 04 05 06 07 08 09 0A 0B
        """,
        """
        10
        00 02 01 03 03 02 04 03 05 05 04 04 00 00 01 7D
        01 02 03 00 04 11 05 12 21 31 41 06 13 51 61 07
        22 71 14 32 81 91 A1 08 23 42 B1 C1 15 52 D1 F0
        24 33 62 72 82 09 0A 16 17 18 19 1A 25 26 27 28
        29 2A 34 35 36 37 38 39 3A 43 44 45 46 47 48 49
        4A 53 54 55 56 57 58 59 5A 63 64 65 66 67 68 69
        6A 73 74 75 76 77 78 79 7A 83 84 85 86 87 88 89
        8A 92 93 94 95 96 97 98 99 9A A2 A3 A4 A5 A6 A7
        A8 A9 AA B2 B3 B4 B5 B6 B7 B8 B9 BA C2 C3 C4 C5
        C6 C7 C8 C9 CA D2 D3 D4 D5 D6 D7 D8 D9 DA E1 E2
        E3 E4 E5 E6 E7 E8 E9 EA F1 F2 F3 F4 F5 F6 F7 F8
        F9 FA
        """,
        """
        11
        00 02 01 02 04 04 03 04 07 05 04 04 00 01 02 77
        00 01 02 03 11 04 05 21 31 06 12 41 51 07 61 71
        13 22 32 81 08 14 42 91 A1 B1 C1 09 23 33 52 F0
        15 62 72 D1 0A 16 24 34 E1 25 F1 17 18 19 1A 26
        27 28 29 2A 35 36 37 38 39 3A 43 44 45 46 47 48
        49 4A 53 54 55 56 57 58 59 5A 63 64 65 66 67 68
        69 6A 73 74 75 76 77 78 79 7A 82 83 84 85 86 87
        88 89 8A 92 93 94 95 96 97 98 99 9A A2 A3 A4 A5
        A6 A7 A8 A9 AA B2 B3 B4 B5 B6 B7 B8 B9 BA C2 C3
        C4 C5 C6 C7 C8 C9 CA D2 D3 D4 D5 D6 D7 D8 D9 DA
        E2 E3 E4 E5 E6 E7 E8 E9 EA F2 F3 F4 F5 F6 F7 F8
        F9 FA
        """,
    )
}

# 8 bits, 288 lines of 384, three components: luminance 2x2 and table 0, the others 1x1 and table 1
BASELINE_420 = bytes.fromhex("08 0120 0180 03  01 22 00  02 11 01  03 11 01")


def split_movie(data: bytes) -> list[bytes]:
    frames, position = [], 0
    while position < len(data):
        digits = data[position : position + 5]
        assert digits.isdigit() and len(digits) == 5, f"no length at byte {position}"
        end = position + 5 + int(digits)
        assert end <= len(data), f"the frame at byte {position} is cut off"
        frames.append(data[position + 5 : end])
        position = end
    return frames


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of every segment up to and with SOS; then EOI with the coded picture."""
    assert jpeg[:2] == bytes((0xFF, SOI))
    position, marker = 2, SOI
    while marker != SOS:
        assert jpeg[position] == 0xFF
        marker = jpeg[position + 1]
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        yield marker, jpeg[position + 4 : end]
        position = end
    assert jpeg[-2:] == bytes((0xFF, EOI))
    yield EOI, jpeg[position:-2]


def check_standard_baseline(jpeg: bytes) -> None:
    found = list(segments(jpeg))
    markers = [marker for marker, _ in found]
    assert set(markers) == {APP0, DQT, SOF0, DHT, SOS, EOI}, "something else is in the header"
    assert [markers.count(one) for one in (APP0, SOF0, SOS)] == [1, 1, 1]
    contents = dict(found)
    assert contents[APP0][:5] == b"JFIF\0" and len(contents[APP0]) == 14, "a thumbnail"
    assert contents[SOF0] == BASELINE_420
    assert contents[SOS][-3:] == bytes((0, 63, 0)), "not one sequential scan"
    assert {content for marker, content in found if marker == DHT} == STANDARD_HUFFMAN_TABLES
    assert contents[EOI].count(b"\xff") == contents[EOI].count(b"\xff\0"), "a marker in the scan"


def decoded(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.load()
    return image


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return split_movie(MOVIE.read_bytes())


def test_the_movie_has_all_frames_within_the_sizes(frames: list[bytes]) -> None:
    assert len(frames) == FRAMES
    assert [len(frame) for frame in frames if not SMALLEST <= len(frame) <= LARGEST] == []


def test_every_frame_is_standard_baseline_jpeg(frames: list[bytes]) -> None:
    for frame in frames:
        check_standard_baseline(frame)


def test_every_frame_tells_its_number_and_differs_from_the_one_before(frames: list[bytes]) -> None:
    scene = (0, 64, 384, 272)  # below the texts, above the strip
    before = decoded(frames[-1]).crop(scene)
    for number, frame in enumerate(frames, 1):
        image = decoded(frame)
        assert image.size == SIZE
        assert strip.frame_number(image) == number
        now = image.crop(scene)
        # Neither frozen nor a cut, and so from the last frame to the first.
        assert 2 < difference(before, now) < 12, f"frame {number}"
        before = now


@pytest.mark.parametrize("number", SOME_FRAMES)
def test_the_tool_draws_the_frames_of_the_movie(number: int, frames: list[bytes]) -> None:
    frame = make_movie.make_frame(number)
    assert SMALLEST <= len(frame) <= LARGEST
    check_standard_baseline(frame)
    assert strip.frame_number_of_jpeg(frame) == number
    # Other versions of Pillow may round otherwise; the picture is the same.
    assert difference(decoded(frame), decoded(frames[number - 1])) < 2


def difference(first: Image.Image, second: Image.Image) -> float:
    """The mean difference of two pictures in steps of 0 to 255."""
    means = ImageStat.Stat(ImageChops.difference(first, second)).mean
    return sum(means) / len(means)


def test_the_tool_writes_five_digit_lengths_and_checks_sizes() -> None:
    assert make_movie.movie_of([b"x" * 6_000, b"y" * 14_500]) == (
        b"06000" + b"x" * 6_000 + b"14500" + b"y" * 14_500
    )
    make_movie.check_sizes([bytes(SMALLEST), bytes(LARGEST)])
    for wrong in (SMALLEST - 1, LARGEST + 1):
        with pytest.raises(ValueError, match=f"frame 2 has {wrong} bytes"):
            make_movie.check_sizes([bytes(SMALLEST), bytes(wrong)])


def test_the_time_is_that_of_20_frames_per_second() -> None:
    assert [make_movie.time_text(number) for number in (1, 2, 21, 500, 1201)] == [
        "00:00.00",
        "00:00.05",
        "00:01.00",
        "00:24.95",
        "01:00.00",
    ]


@pytest.mark.parametrize("size", [(192, 144), (384, 288), (1000, 500), (401, 907)])
def test_the_strip_is_read_at_any_scale(size: tuple[int, int], frames: list[bytes]) -> None:
    for number in (1, 341, 500):
        assert strip.frame_number(decoded(frames[number - 1]).resize(size)) == number


def test_the_strip_is_read_in_a_screenshot(frames: list[bytes]) -> None:
    screenshot = Image.new("RGB", (800, 600), (120, 130, 140))
    screenshot.paste(decoded(frames[122]), (50, 70))
    assert strip.frame_number_in_screenshot(screenshot, (50, 70, 434, 358)) == 123


@pytest.mark.parametrize("brightness", [0, 81, 128, 174])
def test_what_is_no_strip_is_refused(brightness: int) -> None:
    with pytest.raises(ValueError, match="strip"):
        strip.frame_number(Image.new("L", SIZE, brightness))
