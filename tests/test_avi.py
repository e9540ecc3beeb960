"""AVI files of JPEG pictures: as encoders write them, broken off, damaged, or of another kind."""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import avi_header, avi_of, chunk, jpeg_of_size
from pictures import without_huffman
from wording import lacks

from rtplab.movies import index as index_module
from rtplab.movies.movie import Movie, index_cost
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg
from VideoStream import VideoStream

SMALL = [jpeg_of_size(size, seed) for seed, size in enumerate((900, 801, 1500))]
SOUND = chunk(b"01wb", bytes(200) + b"\xff\xd8\xff")
CHUNKS = [chunk(b"00dc", frame) for frame in SMALL]
REST = b"".join(CHUNKS[1:])
SOUND_STREAM = chunk(
    b"LIST", b"strl" + chunk(b"strh", b"auds" + bytes(52)) + chunk(b"strf", bytes(16))
)


@pytest.fixture
def opened(tmp_path):
    def open_avi(data):
        path = tmp_path / "movie.avi"
        path.write_bytes(data)
        movie = Movie(path)
        return movie, [bytes(movie.frame(number)) for number in range(1, len(movie.frames) + 1)]

    return open_avi


@pytest.mark.parametrize(
    "data",
    [
        avi_of(b"".join(CHUNKS)),
        avi_of(b"".join(chunk(b"00db", frame) for frame in SMALL)),
        avi_of(SOUND + SOUND.join(CHUNKS) + SOUND),
        avi_of(b"".join(CHUNKS)) + chunk(b"idx1", bytes(48)),
        avi_of(b"".join(CHUNKS), avi_header() + chunk(b"JUNK", bytes(2000))),
        avi_of(b"".join(chunk(b"JUNK", bytes(25)) + one for one in CHUNKS)),
        avi_of(chunk(b"LIST", b"rec " + CHUNKS[0] + SOUND) + CHUNKS[1] + CHUNKS[2]),
        avi_of(CHUNKS[0]) + chunk(b"RIFF", b"AVIX" + chunk(b"LIST", b"movi" + REST)),
        avi_of(b"".join(CHUNKS) + chunk(b"ix00", bytes(40))),
        avi_of(b"".join(chunk(b"00dc", frame + bytes(5)) for frame in SMALL)),
        avi_of(b"".join(chunk(b"00dc", frame + bytes(600)) for frame in SMALL)),
        avi_of(b"".join(chunk(b"00dc", frame)[: 8 + len(frame)] for frame in SMALL)),
        avi_of(b"".join(chunk(b"01dc", one) for one in SMALL), avi_header(first=SOUND_STREAM)),
    ],
    ids=[
        "dc", "db", "sound", "index", "junk in the header", "junk", "rec", "OpenDML",
        "OpenDML index", "padded", "padded much", "odd bytes missing", "sound first",
    ],
)  # fmt: skip
def test_every_picture_is_found_in_its_order(opened, data):
    movie, found = opened(data)
    assert found == SMALL
    assert movie.frame_rate == 25
    assert (movie.width, movie.height) == jpeg.dimensions(SMALL[0])


def test_nothing_is_said_of_a_whole_file(opened):
    movie, _ = opened(avi_of(SOUND + SOUND.join(CHUNKS)))
    assert movie.damage == ""


def test_a_file_of_another_name_is_recognised(tmp_path):
    path = tmp_path / "movie.mjpeg"
    path.write_bytes(avi_of(b"".join(CHUNKS)))
    stream = VideoStream(path)
    assert [stream.nextFrame() for _ in range(4)] == [*SMALL, b""]


def test_sizes_that_were_never_filled_in_do_not_matter(opened):
    """A recording that was broken off: the writer would have come back to them."""
    data = avi_of(b"".join(CHUNKS))
    at = data.index(b"movi") - 4
    for size in (bytes(4), b"\xff\xff\xff\xff"):
        movie, found = opened(data[:4] + size + data[8:at] + size + data[at + 4 :])
        assert found == SMALL and movie.damage == ""


@pytest.mark.parametrize("cut", [1, 100, len(SMALL[2]) - 3])
def test_the_last_picture_is_cut_off(opened, cut):
    movie, found = opened(avi_of(b"".join(CHUNKS))[:-cut])
    assert found == SMALL[:2]
    assert not lacks(movie.damage, "cut off", "frame 3")


def test_a_chunk_of_no_bytes_is_the_picture_before_once_more(opened):
    empty = chunk(b"00dc", b"")
    _, found = opened(avi_of(empty + CHUNKS[0] + empty + empty + CHUNKS[1] + CHUNKS[2] + empty))
    first, second, third = SMALL
    assert found == [first, first, first, second, third, third]


def test_pictures_of_another_stream_are_not_mixed_in(opened):
    """A second stream of pictures: small ones for an overview, as some cameras have it."""
    other = chunk(b"01dc", jpeg_of_size(850, 9))
    assert opened(avi_of(other.join(CHUNKS)))[1] == SMALL


def test_pictures_without_huffman_tables_get_the_standard_ones(opened):
    movie, found = opened(avi_of(b"".join(chunk(b"00dc", without_huffman(one)) for one in SMALL)))
    assert found == [jpeg.completed(without_huffman(one)) for one in SMALL]
    assert movie.damage == ""


# --- The frame rate ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "scale", "expected"),
    [
        (25, 1, Fraction(25)),
        (30000, 1001, Fraction(30000, 1001)),
        (1_000_000, 33_333, Fraction(1_000_000, 33_333)),
        (1, 10, Fraction(1, 10)),
        (25, 0, None),
        (0, 1, None),
        (4_000_000_000, 1, None),
    ],
)
def test_the_frame_rate_is_the_stream_s(opened, rate, scale, expected):
    header = avi_header(rate, scale)
    at = header.index(b"avih") + 8
    movie, _ = opened(avi_of(CHUNKS[0], header[:at] + bytes(4) + header[at + 4 :]))
    assert movie.frame_rate == expected


def test_else_it_is_the_file_s(opened):
    header = avi_header(0, 1)
    at = header.index(b"avih") + 8
    header = header[:at] + (40_000).to_bytes(4, "little") + header[at + 4 :]
    assert opened(avi_of(CHUNKS[0], header))[0].frame_rate == 25


# --- Damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0x00FFFFFF, 0xFFFFFFFF, 700, 100])
def test_a_chunk_of_a_wrong_size_costs_one_picture_at_the_most(opened, size):
    wrong = CHUNKS[1][:4] + size.to_bytes(4, "little") + CHUNKS[1][8:]
    _, found = opened(avi_of(CHUNKS[0] + wrong + CHUNKS[2]))
    assert found in (SMALL, [SMALL[0], SMALL[2]])


@pytest.mark.parametrize(
    "junk", [bytes(1000), b"\xff" * 34, b"junk" * 100, b"\0\1\2\3" + CHUNKS[1][4:]]
)
def test_what_is_no_chunk_is_left_out(opened, junk):
    movie, found = opened(avi_of(CHUNKS[0] + junk + CHUNKS[2]))
    assert found == [SMALL[0], SMALL[2]]
    assert f"skipped {len(junk):,} bytes" in movie.damage


@pytest.mark.parametrize("damaged", [SMALL[1][:30], b"x" * 900, SMALL[1][:4] + b"\xff\xf0\xff"])
def test_a_damaged_picture_is_left_out_alone(opened, damaged):
    movie, found = opened(avi_of(CHUNKS[0] + chunk(b"00dc", damaged) + CHUNKS[2]))
    assert found == [SMALL[0], SMALL[2]]
    place = avi_of(b"").index(b"movi") + 4 + len(CHUNKS[0])
    assert movie.left_out.places == 1 and f"byte {place}" in movie.damage


def test_a_damaged_first_picture_is_left_out_once_though_it_is_shown_twice(opened):
    damaged = SMALL[1][:30] + b"\xff\xd9"
    movie, found = opened(avi_of(chunk(b"00dc", damaged) + chunk(b"00dc", b"") + CHUNKS[2]))
    assert found == [SMALL[2]]
    assert f"skipped {len(damaged)} bytes" in movie.damage


def test_a_picture_without_its_end_gets_one(opened):
    movie, found = opened(avi_of(CHUNKS[0] + chunk(b"00dc", SMALL[1][:-2]) + CHUNKS[2]))
    assert found == SMALL
    assert "FFD9" in movie.damage


def test_a_picture_of_many_megabytes_is_left_out(opened, monkeypatch):
    monkeypatch.setattr("rtplab.movies.avi.MAX_PICTURE", 1000)
    movie, found = opened(avi_of(CHUNKS[0] + chunk(b"00dc", SMALL[2] + bytes(100)) + CHUNKS[1]))
    assert found == SMALL[:2]
    assert "1,000 bytes" in movie.damage


@pytest.mark.parametrize("codec", [b"H264", b"XVID", b"\0\0\0\0"])
def test_other_pictures_are_named_with_what_to_do(opened, codec):
    data = avi_of(
        b"".join(chunk(b"00dc", b"\0\0\1" + one) for one in SMALL), avi_header(codec=codec)
    )
    with pytest.raises(MovieError) as caught:
        opened(data)
    text = str(caught.value)
    assert not lacks(text, "AVI", "import")
    assert codec.decode().strip("\0") in text and text.isprintable()


def test_jpegs_under_another_name_are_played(opened):
    assert opened(avi_of(b"".join(CHUNKS), avi_header(codec=b"QIVG")))[1] == SMALL


def test_without_pictures_it_is_no_movie(opened):
    for data in (avi_of(b""), avi_of(SOUND), b"RIFF\0\0\0\0AVI "):
        with pytest.raises(MovieError):
            opened(data)


def test_a_file_overwritten_while_it_is_shown_is_an_error(tmp_path):
    path = tmp_path / "movie.avi"
    path.write_bytes(avi_of(b"".join(CHUNKS)))
    movie = Movie(path)
    with open(path, "r+b") as file:
        file.seek(movie.frames[1][0] - 4)
        file.write(b"\1")
    with pytest.raises(MovieError, match="overwritten"):
        movie.frame(2)


def test_indexing_costs_some_pages_per_picture(tmp_path):
    path = tmp_path / "movie.avi"
    header = avi_header()
    at = header.index(b"avih") + 8 + 16
    header = header[:at] + (3).to_bytes(4, "little") + header[at + 4 :]
    path.write_bytes(avi_of(b"".join(CHUNKS) + chunk(b"JUNK", bytes(1 << 20)), header))
    assert index_cost(path) == 9 * index_module.PAGE


MANY = 1 << 18  # bytes
JUNK = {
    "empty chunks": chunk(b"00dc", b"") * (MANY // 8),
    "chunks of one byte": chunk(b"00dc", b"x") * (MANY // 10),
    "chunks to the end": b"00dc\xff\xff\x2f\0\xff\xd8\xff\xe0" * (MANY // 12),
    "starts": b"\xff\xd8\xff" * (MANY // 3),
    "lists": b"LIST\0\0\0\0movi" * (MANY // 12),
    "sound": chunk(b"01wb", b"") * (MANY // 8),
    "no chunks": b"\0\0dc\xff\xd8\xff" * (MANY // 7),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_is_refused_soon(tmp_path, kind):
    path = tmp_path / "junk.avi"
    path.write_bytes(avi_of(JUNK[kind]))
    started = time.process_time()
    with pytest.raises(MovieError):
        Movie(path)
    assert sys.platform == "win32" or time.process_time() - started < 2  # not so on Wine


@given(st.integers(0, 4000), st.integers(0, 255))
def test_a_changed_byte_costs_one_picture_at_the_most(tmp_path_factory, at, value):
    data = bytearray(avi_of(SOUND + SOUND.join(CHUNKS)))
    first = data.index(b"movi") + 4
    at = first + at % (len(data) - first)
    data[at] = value
    path = tmp_path_factory.getbasetemp() / "changed.avi"
    path.write_bytes(data)
    movie = Movie(path)
    found = [bytes(movie.frame(number)) for number in range(1, len(movie.frames) + 1)]
    assert sum(frame in SMALL for frame in found) >= 2
