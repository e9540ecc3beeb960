"""JPEGs decoded for display: no larger than shown, and bounded."""

from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from movies import MOVIE, frames_of
from PIL import Image
from strip import frame_number

from rtplab.player.decoding import MAX_PIXELS, decode, fitted, picture_size
from rtplab.protocol.errors import PacketError

FRAME = frames_of(MOVIE)[340]


def forged(width: int, height: int) -> bytes:
    data = bytearray(FRAME)
    struct.pack_into("!HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


@pytest.mark.parametrize("size", [(384, 288), (192, 144), (200, 150), (96, 72), (768, 576)])
def test_a_frame_is_decoded_to_the_size_shown(size):
    image = decode(FRAME, size)
    assert image.size == size
    assert frame_number(image) == 341


def test_the_size_is_read_without_decoding():
    assert picture_size(FRAME) == (384, 288)


def test_a_bomb_is_refused_before_it_takes_memory():
    tracemalloc.start()
    try:
        with pytest.raises(PacketError, match="13000 x 13000"):
            picture_size(forged(13000, 13000))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_8k_is_allowed():
    assert picture_size(forged(7680, 4320)) == (7680, 4320)
    assert MAX_PIXELS == 7680 * 4320
    with pytest.raises(PacketError):
        picture_size(forged(7681, 4320))


@settings(max_examples=200)
@given(st.integers(0, len(FRAME) - 1), st.binary(min_size=1, max_size=40), st.booleans())
def test_damage_raises_nothing_but_packet_errors(position, garbage, cut):
    rest = b"" if cut else FRAME[position + len(garbage) :]
    try:
        decode(FRAME[:position] + garbage + rest, (96, 72))
    except PacketError:
        pass


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_all_kinds_of_jpeg(mode):
    file = io.BytesIO()
    Image.new(mode, (64, 48)).save(file, "JPEG")
    assert decode(file.getvalue(), (32, 24)).size == (32, 24)


@pytest.mark.parametrize(
    ("picture", "room", "size"),
    [
        ((384, 288), (1000, 288), (384, 288)),
        ((384, 288), (768, 2000), (768, 576)),
        ((1920, 1080), (100, 100), (100, 56)),
        ((10000, 1), (100, 100), (100, 1)),
    ],
)
def test_the_aspect_is_kept(picture, room, size):
    assert fitted(picture, room) == size
