"""Multipart dumps of cameras: every way in which parts are written, their times, and damage."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import jpeg_of_size, multipart_of
from wording import lacks

from rtplab.movies.movie import Movie, index_cost
from rtplab.protocol.errors import MovieError

SMALL = [jpeg_of_size(size, seed) for seed, size in enumerate((900, 801, 1500))]
DUMP = multipart_of(SMALL)
RESPONSE = (
    b"HTTP/1.0 200 OK\r\nServer: camera\r\n"
    b"Content-Type: multipart/x-mixed-replace;boundary=frame\r\n%b\r\n"
)


@pytest.fixture
def opened(tmp_path):
    def open_dump(data):
        path = tmp_path / "movie.mjpeg"
        path.write_bytes(data)
        movie = Movie(path)
        return movie, [bytes(movie.frame(number)) for number in range(1, len(movie.frames) + 1)]

    return open_dump


def with_lengths(lengths):
    return b"".join(
        b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (length, frame)
        for length, frame in zip(lengths, SMALL, strict=True)
    )


@pytest.mark.parametrize(
    "data",
    [
        DUMP,
        DUMP + b"--frame--\r\n",
        DUMP + b"--frame\r\n",
        b"\r\n" + DUMP,
        RESPONSE % b"" + DUMP,
        RESPONSE % b"" + b"\r\n" + DUMP,
        DUMP.replace(b"\r\n--", b"\n--").replace(b"jpeg\r\nContent", b"jpeg\nContent"),
        b"".join(b"--b\nContent-type: image/jpeg\n\n" + frame + b"\n" for frame in SMALL),
        b"".join(b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + frame for frame in SMALL),
        multipart_of(SMALL).replace(b"Content-Type: image/jpeg\r\n", b""),
        multipart_of(SMALL).replace(b"Content-Length", b"CONTENT-LENGTH"),
    ],
    ids=[
        "usual", "closed", "half a part more", "empty line first", "with HTTP's header",
        "HTTP's header and an empty line", "LF", "LF without lengths", "nothing between",
        "no types", "capitals",
    ],
)  # fmt: skip
def test_every_picture_is_found_and_nothing_is_said(opened, data):
    movie, found = opened(data)
    assert found == SMALL
    assert movie.damage == ""
    assert movie.frame_rate is None


@pytest.mark.parametrize("lengths", [[0, 0, 0], [890, 790, 1400], [999_999_999] * 3])
def test_wrong_lengths_are_told(opened, lengths):
    movie, found = opened(with_lengths(lengths))
    assert found == SMALL
    assert "length" in movie.damage and "3 pictures" in movie.damage


def test_parts_that_are_no_pictures_are_passed_over(opened):
    text = (
        b"--frame\r\nContent-Type: text/xml\r\nContent-Length: 12\r\n\r\n<xml>\xff\xd8\xff</>\r\n"
    )
    unsized = b"--frame\r\nContent-Type: audio/basic\r\n\r\n<\xff\xd8\xff>\r\n"
    parts = [multipart_of([frame]) for frame in SMALL]
    movie, found = opened(text + parts[0] + text + unsized + parts[1] + parts[2] + text)
    assert found == SMALL and movie.damage == ""


def test_bytes_behind_a_picture_within_its_length_are_left_out(opened):
    movie, found = opened(multipart_of([frame + bytes(7) for frame in SMALL]))
    assert found == SMALL
    assert not lacks(movie.damage, "21 bytes", "3 places")


# --- The frame rate ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([b"10.0", b"10.2", b"10.4"], Fraction(5)),
        ([b"1700000000.000000", b"1700000000.040000", b"1700000000.080000"], Fraction(25)),
        ([b"10.0", b"9.0", b"8.0"], None),
        ([b"10", b"10", b"10"], None),
        ([b"0", b"50", b"100"], None),
    ],
)
def test_the_frame_rate_is_that_of_the_times(opened, times, expected):
    fields = [b"X-Timestamp: %b\r\n" % time for time in times]
    assert opened(multipart_of(SMALL, fields))[0].frame_rate == expected


def test_a_picture_that_is_left_out_took_no_time(opened):
    """Four pictures in three tenths of a second, of which one is damaged: three times 10/s."""
    frames = [SMALL[0], SMALL[1][:50], SMALL[1], SMALL[2]]
    fields = [b"X-Timestamp: 0.%d\r\n" % tenth for tenth in range(4)]
    movie, found = opened(multipart_of(frames, fields))
    assert len(found) == 3
    assert movie.frame_rate == pytest.approx(Fraction(2, 3) * 10, rel=0.01)


@pytest.mark.parametrize(
    ("rate", "expected"), [(b"12.5", Fraction(25, 2)), (b"0", None), (b"x", None)]
)
def test_else_it_is_what_the_server_has_said(opened, rate, expected):
    response = RESPONSE % (b"X-Framerate: %b\r\n" % rate)
    assert opened(response + DUMP)[0].frame_rate == expected
    times = [b"X-Timestamp: %d\r\n" % second for second in range(3)]
    assert opened(response + multipart_of(SMALL, times))[0].frame_rate == 1


# --- Damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("damaged", [SMALL[1][:30], b"", SMALL[1][:4] + b"\xff\xf0\xff\xff"])
def test_a_damaged_picture_is_left_out_alone(opened, damaged, lengths):
    data = multipart_of([SMALL[0], damaged, SMALL[2]])
    if not lengths:
        data = data.replace(b"Content-Length", b"X-Length")
    movie, found = opened(data)
    assert found == [SMALL[0], SMALL[2]]
    assert movie.left_out.places or damaged == b""


@pytest.mark.parametrize("lengths", [True, False])
def test_a_picture_without_its_end_gets_one(opened, lengths):
    data = multipart_of([SMALL[0], SMALL[1][:-2], SMALL[2]])
    if not lengths:
        data = data.replace(b"Content-Length", b"X-Length")
    movie, found = opened(data)
    assert [frame.replace(b"\r\xff\xd9", b"\xff\xd9") for frame in found] == SMALL
    assert "FFD9" in movie.damage


@pytest.mark.parametrize("cut", [3, 100, 1400])
def test_the_last_picture_is_cut_off(opened, cut):
    movie, found = opened(DUMP[:-cut])
    assert found == SMALL[:2]
    assert not lacks(movie.damage, "cut off", "frame 3")


def test_junk_between_the_parts_is_left_out(opened):
    parts = [multipart_of([frame]) for frame in SMALL]
    movie, found = opened(parts[0] + b"junk" * 100 + parts[1] + parts[2])
    assert found == SMALL
    assert "byte" in movie.damage


def test_without_pictures_it_is_no_movie(opened):
    for data in (multipart_of([b"", b"x"]), b"--b\r\nContent-Type: text/plain\r\n\r\nhello"):
        with pytest.raises(MovieError):
            opened(data)


def test_indexing_costs_a_page_per_picture(tmp_path):
    path = tmp_path / "movie.mjpeg"
    path.write_bytes(multipart_of([jpeg_of_size(50_000)] * 10))
    assert index_cost(path) == pytest.approx(10 * 4096, rel=0.01)


MANY = 1 << 20  # bytes
HEAD = b"--b\r\nContent-Type: image/jpeg\r\n\r\n"
JUNK = {
    "empty parts": HEAD * (MANY // len(HEAD)),
    "starts": HEAD + b"\xff\xd8\xff" * (MANY // 3),
    "boundaries": HEAD + b"\n--b" * (MANY // 4),
    "headers": HEAD + b"--b\r\na: b\r\n" * (MANY // 11),
    "lengths": (HEAD[:-2] + b"Content-Length: 2000000\r\n\r\n\xff\xd8\xff\xe0") * (MANY // 62),
    "text": b"--b\r\nContent-Type: text/xml\r\n\r\n" * (MANY // 31),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_is_refused_soon(tmp_path, kind):
    path = tmp_path / "junk.mjpeg"
    path.write_bytes(JUNK[kind])
    with pytest.raises(MovieError):
        Movie(path)


@given(st.integers(0, len(DUMP) - 1), st.integers(0, 255))
def test_a_changed_byte_costs_one_picture_at_the_most(tmp_path_factory, at, value):
    data = bytearray(DUMP)
    data[at] = value
    path = tmp_path_factory.getbasetemp() / "changed.mjpeg"
    path.write_bytes(data)
    movie = Movie(path)
    found = [bytes(movie.frame(number)) for number in range(1, len(movie.frames) + 1)]
    assert sum(frame in SMALL for frame in found) >= 2
