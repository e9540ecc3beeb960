"""JPEGs decoded for display: no larger than shown, and bounded."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from movies import MOVIE, ROOT, frames_of
from pictures import lossless
from PIL import Image, ImageFile
from strip import frame_number

from rtplab.player.picture.decoding import (
    MAX_PIXELS,
    FrameDecoder,
    decode,
    fitted,
    is_costly,
    picture_size,
)
from rtplab.protocol.errors import PacketError

FRAMES = frames_of(MOVIE)
FRAME = FRAMES[340]
SIZE = (384, 288)


def forged(width: int, height: int) -> bytes:
    data = bytearray(FRAME)
    struct.pack_into("!HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


@pytest.mark.parametrize("size", [(384, 288), (192, 144), (200, 150), (96, 72), (768, 576)])
def test_a_frame_is_decoded_to_the_size_shown(size):
    image = decode(FRAME, size)
    assert image.size == size
    assert frame_number(image) == 341


BOMB = """
import resource, sys
from rtplab.player.picture.decoding import decode
from rtplab.protocol.errors import PacketError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bomb, before = sys.stdin.buffer.read(), peak()
try:
    decode(bomb, (384, 288))
except PacketError:
    print(peak() - before)
"""


def test_the_size_is_read_without_decoding():
    assert picture_size(FRAME) == (384, 288)


def test_a_bomb_is_refused_before_it_takes_memory():
    for look in (picture_size, lambda bomb: decode(bomb, SIZE)):
        with pytest.raises(PacketError, match="13000 x 13000"):
            look(forged(13000, 13000))
    if sys.platform == "linux":
        used = subprocess.run(
            [sys.executable, "-c", BOMB],
            input=forged(13000, 13000), stdout=subprocess.PIPE, check=True, cwd=ROOT,
        ).stdout  # fmt: skip
        assert int(used) < 10_000  # KiB: its pixels would take 660,000


def test_8k_is_allowed():
    assert picture_size(forged(7680, 4320)) == (7680, 4320)
    assert MAX_PIXELS == 7680 * 4320
    with pytest.raises(PacketError):
        picture_size(forged(7681, 4320))


@settings(max_examples=2 * settings.default.max_examples)
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


def jpeg(mode: str, size: tuple[int, int], quality: int = 75) -> bytes:
    """A picture with a different colour at every place."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, "JPEG", quality=quality)
    return file.getvalue()


def by_pillow_alone(data: bytes) -> Image.Image | None:
    """What Pillow makes of a picture that it sees for the first time."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            return image
    except Exception:
        return None


def test_the_frames_of_a_stream_are_decoded_as_if_each_were_the_first():
    frames = FrameDecoder()
    for number, data in enumerate(FRAMES[:40], 1):
        assert frames.picture_size(data) == SIZE
        image = frames.decode(data, SIZE)
        assert frame_number(image) == number
        assert image.tobytes() == by_pillow_alone(data).tobytes()


def test_the_headers_of_a_stream_are_parsed_once(monkeypatch):
    parsed = []
    opened = ImageFile.ImageFile.__init__
    monkeypatch.setattr(
        ImageFile.ImageFile, "__init__", lambda *args: (parsed.append(1), opened(*args))[1]
    )
    frames = FrameDecoder()
    for data in FRAMES[:10]:
        frames.decode(data, SIZE)
    assert len(parsed) == 1


def test_a_stream_may_change_its_pictures_and_its_size_at_any_time():
    pictures = [
        jpeg("RGB", (64, 48)), jpeg("L", (64, 48)), jpeg("RGB", (48, 64)), FRAME,
        jpeg("RGB", (64, 48), quality=30), jpeg("CMYK", (64, 48)), jpeg("RGB", (64, 48)),
    ]  # fmt: skip
    frames = FrameDecoder()
    for data in pictures * 2:
        alone = by_pillow_alone(data)
        for size in (alone.size, (32, 24), alone.size, (384, 400)):
            assert frames.picture_size(data) == alone.size
            image = frames.decode(data, size)
            assert (image.mode, image.size) == (alone.mode, size)
            assert image.tobytes() == decode(data, size).tobytes()
            if size == alone.size:
                assert image.tobytes() == alone.tobytes()


def with_thumbnail(data: bytes) -> bytes:
    """A picture with a whole other one in a segment before its own headers, as cameras have it."""
    thumbnail = jpeg("RGB", (16, 16))
    return data[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]


def test_the_headers_go_beyond_those_of_a_thumbnail():
    """What both begin with says nothing about how large they are."""
    small, large = with_thumbnail(jpeg("RGB", (64, 48))), with_thumbnail(jpeg("RGB", (512, 512)))
    frames = FrameDecoder()
    for data, size in ((small, (64, 48)), (large, (512, 512)), (small, (64, 48))):
        assert frames.picture_size(data) == size
        assert frames.decode(data, size).tobytes() == by_pillow_alone(data).tobytes()


SCAN = FRAME.index(b"\xff\xda")


@settings(max_examples=2 * settings.default.max_examples)
@given(
    st.integers(0, SCAN + 40) | st.integers(0, len(FRAME) - 1), st.binary(min_size=1, max_size=4)
)
def test_a_damaged_frame_behind_good_ones_is_what_it_is_alone(position, garbage):
    """Nothing of the frame before it shows, and it does no harm to the next."""
    frames = FrameDecoder()
    frames.decode(FRAMES[0], SIZE)
    damaged = FRAME[:position] + garbage + FRAME[position + len(garbage) :]
    alone = by_pillow_alone(damaged)
    try:
        size = frames.picture_size(damaged)
        if size[0] * size[1] < 4_000_000:
            image = frames.decode(damaged, size)
            assert alone is not None and image.tobytes() == alone.tobytes()
    except PacketError:
        assert alone is None or position < SCAN, "only of headers may we think otherwise"
    assert frame_number(frames.decode(FRAME, SIZE)) == 341


def test_a_frame_that_is_cut_is_refused_and_the_next_one_is_not():
    frames = FrameDecoder()
    frames.decode(FRAMES[0], SIZE)
    for end in (SCAN + 2, SCAN + 20, len(FRAME) // 2, len(FRAME) - 200):
        with pytest.raises(PacketError, match="damaged"):
            frames.decode(FRAME[:end], SIZE)
        assert frame_number(frames.decode(FRAME, SIZE)) == 341


def test_a_picture_that_claims_two_sizes_is_refused():
    start = FRAME.index(b"\xff\xc0")
    end = start + 2 + int.from_bytes(FRAME[start + 2 : start + 4], "big")
    twice = FRAME[:end] + forged(96, 72)[start:end] + FRAME[end:]
    with pytest.raises(PacketError, match="96 x 72"):
        decode(twice, SIZE)


@pytest.mark.parametrize("size", [(1200, 700), (576, 336)])
def test_a_lossless_picture_is_refused(size):
    """GHSA-5x8w-8jj5-q52h: halved, it wrote beyond its rows and ended the process."""
    for look in (picture_size, lambda data: decode(data, size)):
        with pytest.raises(PacketError, match="0xFFC3"):
            look(lossless(1200, 700))


def test_scans_without_end_are_refused_behind_a_good_frame_too():
    frames = FrameDecoder()
    frames.decode(FRAME, SIZE)
    with pytest.raises(PacketError, match="scans"):
        frames.decode(FRAME + b"\xff\xda" * 200, SIZE)


def test_what_decoding_costs_counts_every_scan():
    scan = b"\xff\xda"
    assert is_costly(b"", (1920, 1080))
    assert not is_costly(scan * 3, (384, 288))
    assert is_costly(scan * 90, (384, 288))


def test_other_headers_are_no_reason_for_other_memory():
    frames = FrameDecoder()
    coarse, fine = jpeg("RGB", SIZE, quality=30), jpeg("RGB", SIZE, quality=90)
    image = frames.decode(coarse, SIZE)
    assert frames.decode(fine, SIZE) is image
    assert image.tobytes() == by_pillow_alone(fine).tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_one_frame_is_enough_for_all():
    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    frames = FrameDecoder()
    image = frames.decode(FRAME, SIZE)
    for _ in range(20):
        with pytest.raises(PacketError):
            frames.decode(FRAME[:-300], SIZE)
    before = resident()
    for _ in range(500):
        assert frames.decode(FRAME, SIZE) is image
        with pytest.raises(PacketError):
            frames.decode(FRAME[:-300], SIZE)
    assert resident() - before < 4_000_000  # a decoder that is not freed takes 40 KB


@pytest.mark.skipif(not hasattr(Image.core, "new_block"), reason="Pillow does not let us have it")
def test_tk_takes_a_frame_without_copying_it_first():
    """ImageTk copies what does not lie in one piece."""
    assert FrameDecoder().decode(FRAME, SIZE).im.isblock()
