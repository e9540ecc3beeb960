"""VideoStream: both movie formats, damaged files, what viewers share, and files that change."""

from __future__ import annotations

import builtins
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import MOVIE, ROOT, frames_of, jpeg_of_size, write_movie

import VideoStream as module
from rtplab.protocol.errors import MovieError
from VideoStream import Movie, VideoStream, open_movie

SMALL = [jpeg_of_size(size, seed) for seed, size in enumerate((900, 800, 1500))]


def with_thumbnail(jpeg, thumbnail):
    """A JPEG as cameras write it: with another one inside an APP1 segment."""
    segment = b"Exif\0\0" + thumbnail
    return jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]


def all_frames(stream):
    frames = []
    while frame := stream.nextFrame():
        frames.append(frame)
    return frames


@pytest.fixture
def movie(tmp_path):
    return write_movie(tmp_path / "movie.Mjpeg", SMALL)


# --- The classic API -----------------------------------------------------------------------------


def test_frames_and_their_numbers(movie):
    stream = VideoStream(str(movie))
    assert stream.frameNbr() == 0
    for number, frame in enumerate(SMALL, 1):
        assert stream.nextFrame() == frame
        assert stream.frameNbr() == number
    for _ in range(2):
        assert stream.nextFrame() == b""
        assert stream.frameNbr() == len(SMALL)


def test_a_frame_is_bytes(movie):
    assert type(VideoStream(movie).nextFrame()) is bytes


def test_the_demonstration_movie():
    stream = VideoStream(MOVIE)
    assert all_frames(stream) == frames_of(MOVIE)
    assert (stream.movie.width, stream.movie.height) == (384, 288)
    assert stream.movie.damage == ""


@pytest.mark.parametrize(
    ("number", "following"),
    [(1, 1), (2, 2), (3, 3), (4, None), (100, None), (0, 1), (-5, 1)],
)
def test_seek(movie, number, following):
    stream = VideoStream(movie)
    stream.nextFrame()
    stream.seek(number)
    assert stream.nextFrame() == (SMALL[following - 1] if following else b"")
    assert stream.frameNbr() == (following or len(SMALL))


def test_frames_of_a_movie_are_counted_from_1(movie):
    assert [bytes(Movie(movie).frame(number)) for number in (1, 2, 3)] == SMALL


# --- Bare sequences of JPEGs ---------------------------------------------------------------------


def test_a_bare_sequence(tmp_path):
    path = tmp_path / "bare.mjpeg"
    path.write_bytes(b"".join(SMALL))
    stream = VideoStream(path)
    assert all_frames(stream) == SMALL
    assert stream.movie.damage == ""


def test_thumbnails_inside_the_pictures_are_no_frames(tmp_path):
    frames = [with_thumbnail(jpeg, SMALL[1]) for jpeg in SMALL]
    assert all(frame.count(b"\xff\xd9") == 2 for frame in frames)
    path = tmp_path / "camera.mjpeg"
    path.write_bytes(b"".join(frames))
    assert all_frames(VideoStream(path)) == frames
    write_movie(path.with_name("camera.Mjpeg"), frames)
    assert all_frames(VideoStream(path.with_name("camera.Mjpeg"))) == frames


def test_both_formats_give_the_same_frames(tmp_path):
    frames = frames_of(MOVIE)[:20]
    path = tmp_path / "bare.mjpeg"
    path.write_bytes(b"".join(frames))
    assert all_frames(VideoStream(path)) == frames


# --- What is no movie ----------------------------------------------------------------------------


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        VideoStream(str(tmp_path / "missing.Mjpeg"))


def test_a_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError):
        VideoStream(str(tmp_path))


@pytest.mark.parametrize("error", [OSError, IOError])
def test_a_damaged_file_is_an_os_error_too(tmp_path, error):
    """Grading scripts catch IOError, as the textbook does."""
    path = tmp_path / "text.Mjpeg"
    path.write_text("not a movie")
    with pytest.raises(error):
        VideoStream(path)


PREFIXED = b"".join(b"%05d%s" % (len(jpeg), jpeg) for jpeg in SMALL)
BARE = b"".join(SMALL)
SECOND = 5 + len(SMALL[0])  # where the second frame's length stands
THIRD = SECOND + 5 + len(SMALL[1])


@pytest.mark.parametrize(
    ("data", "offset", "message"),
    [
        (b"", 0, "the file is empty: a movie begins with a frame"),
        (b"hello world", 0, "byte 0: expected the length of a frame in 5 ASCII digits, found"),
        (b"\n" + PREFIXED, 0, "byte 0: expected the length of a frame in 5 ASCII digits, found"),
        (b"-0005" + PREFIXED, 0, "byte 0: expected the length of a frame in 5 ASCII digits"),
        (b"00012hello, world", 5, "byte 5: expected a JPEG (FFD8), found b'he'"),
        (b"00000" + PREFIXED, 5, "byte 5: expected a JPEG (FFD8), found b'00'"),
        (PREFIXED + b"\n", len(PREFIXED), f"byte {len(PREFIXED)}: expected the length of a frame"),
        (
            PREFIXED[:SECOND] + b"0080x" + PREFIXED[SECOND + 5 :],
            SECOND,
            f"byte {SECOND}: expected the length of a frame in 5 ASCII digits, found b'0080x'",
        ),
        (
            PREFIXED[: SECOND + 5] + b"\xff\xd9" + PREFIXED[SECOND + 7 :],
            SECOND + 5,
            f"byte {SECOND + 5}: expected a JPEG (FFD8), found b'\\xff\\xd9'",
        ),
        (
            PREFIXED[:SECOND] + b"00700" + PREFIXED[SECOND + 5 :],
            SECOND + 705,
            f"byte {SECOND + 705}: expected the length of a frame",
        ),
        (BARE + b"tail", len(BARE), f"byte {len(BARE)}: "),
        (b"00004\xff\xd8\xff\xd9", 5, "byte 5: the picture has no frame header"),
        (PREFIXED[:500], 500, "byte 500: expected the rest of a frame, found the end"),
        (b"0090", 4, "byte 4: expected the rest of a frame, found the end"),
        (BARE[:500], 500, "byte 500: the picture is cut short"),
        (b"\xff\xd8", 2, "byte 2: the picture is cut short"),
    ],
)
def test_the_error_names_the_offset_and_what_was_expected(tmp_path, data, offset, message):
    path = tmp_path / "damaged.Mjpeg"
    path.write_bytes(data)
    with pytest.raises(MovieError) as caught:
        VideoStream(path)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.offset == offset


def test_an_overlarge_first_length_is_no_crash(tmp_path):
    path = tmp_path / "damaged.Mjpeg"
    path.write_bytes(b"99999" + SMALL[0])
    with pytest.raises(MovieError):
        VideoStream(path)


@pytest.mark.parametrize("cut", [1, 2, 100, len(SMALL[2]) - 1, len(SMALL[2]), len(SMALL[2]) + 4])
def test_a_file_cut_in_its_last_frame_plays_up_to_there_and_says_so(tmp_path, cut):
    path = tmp_path / "cut.Mjpeg"
    path.write_bytes(PREFIXED[:-cut])
    stream = VideoStream(path)
    assert all_frames(stream) == SMALL[:2]
    end = len(PREFIXED) - cut
    assert stream.movie.damage == (
        f"cut off in frame 3: byte {end}: expected the rest of a frame, found the end"
    )


@pytest.mark.parametrize("cut", [1, 2, 100, len(SMALL[2]) - 2, len(SMALL[2]) - 1])
def test_a_bare_sequence_cut_in_its_last_frame(tmp_path, cut):
    path = tmp_path / "cut.mjpeg"
    path.write_bytes(BARE[:-cut])
    stream = VideoStream(path)
    assert all_frames(stream) == SMALL[:2]
    assert stream.movie.damage.startswith(f"cut off in frame 3: byte {len(BARE) - cut}: ")


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(lambda b: b"\xff\xd8" + b)))
def test_any_file_is_a_movie_or_a_movie_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.Mjpeg"
    path.write_bytes(data)
    try:
        movie = Movie(path)
    except MovieError as error:
        assert 0 <= error.offset <= len(data)
        return
    assert movie.frames


@given(st.lists(st.sampled_from(SMALL), min_size=1, max_size=8), st.booleans())
def test_the_frames_that_are_written_are_read(tmp_path_factory, frames, bare):
    path = tmp_path_factory.getbasetemp() / "frames.Mjpeg"
    if bare:
        path.write_bytes(b"".join(frames))
    else:
        write_movie(path, frames)
    assert all_frames(VideoStream(path)) == frames


@given(st.integers(0, len(PREFIXED) - 1), st.integers(0, 255), st.booleans())
def test_a_flipped_byte_is_a_movie_or_a_movie_error(tmp_path_factory, at, value, bare):
    data = bytearray(BARE if bare else PREFIXED)
    data[at % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "flipped.Mjpeg"
    path.write_bytes(data)
    try:
        stream = VideoStream(path)
    except MovieError:
        return
    assert all_frames(stream)


# --- What viewers share --------------------------------------------------------------------------


def test_two_viewers_share_a_movie_and_not_their_position(movie):
    one, other = VideoStream(movie), VideoStream(str(movie))
    assert one.movie is other.movie
    assert one.nextFrame() == other.nextFrame() == SMALL[0]
    assert one.nextFrame() == SMALL[1]
    assert other.frameNbr() == 1


def test_a_symbolic_link_shares_the_movie_of_its_file(movie):
    link = movie.with_name("link.Mjpeg")
    link.symlink_to(movie)
    first = VideoStream(movie)
    assert VideoStream(link).movie is first.movie


@pytest.fixture
def file_access(monkeypatch):
    """The files that are opened from here on."""
    accesses = []
    real_open = builtins.open

    def noted_open(file, *arguments, **options):
        accesses.append(file)
        return real_open(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", noted_open)
    return accesses


def test_the_thousandth_viewer_opens_no_file(movie, file_access):
    viewers = [VideoStream(movie)]
    assert file_access == [str(movie)]
    viewers += [VideoStream(movie) for _ in range(999)]
    assert file_access == [str(movie)]
    assert len({id(viewer.movie) for viewer in viewers}) == 1


def test_many_viewers_at_once_have_the_file_indexed_once(movie, file_access):
    start = threading.Barrier(8)

    def open_together(_):
        start.wait()
        return VideoStream(movie)

    with ThreadPoolExecutor(8) as pool:
        viewers = list(pool.map(open_together, range(8)))
    assert file_access == [str(movie)]
    assert len({id(viewer.movie) for viewer in viewers}) == 1


def test_a_movie_that_nobody_watches_is_freed(movie, file_access):
    VideoStream(movie)
    gc.collect()
    assert not module._movies
    VideoStream(movie)
    assert file_access.count(str(movie)) == 2


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_has_changed_is_indexed_anew(movie, change):
    before = VideoStream(movie)
    frames = SMALL[::-1] if change == "time" else SMALL[:1]
    replacement = write_movie(movie.with_name("new.Mjpeg"), frames)
    os.replace(replacement, movie)
    os.utime(movie, ns=(10**18, 10**18 + (change == "time")))
    after = VideoStream(movie)
    assert after.movie is not before.movie
    assert all_frames(after) == frames
    assert all_frames(before) == SMALL, "who watches the old file sees it to its end"


CUT_WHILE_OPEN = """
import os, sys
sys.path.insert(0, {root!r})
from VideoStream import VideoStream
from rtplab.protocol.errors import MovieError
stream = VideoStream({path!r})
stream.nextFrame()
os.truncate({path!r}, {length})
try:
    while stream.nextFrame():
        print("frame", stream.frameNbr())
except MovieError as error:
    print(error.offset, error)
print("number", stream.frameNbr())
"""


@pytest.mark.parametrize("length", [0, 100, SECOND, THIRD, THIRD + 5 + 8])
def test_a_file_cut_while_it_is_shown_is_an_error_and_no_crash(movie, length):
    """In a process of its own: to touch lost pages of a mapped file would end it by SIGBUS."""
    code = CUT_WHILE_OPEN.format(root=str(ROOT), path=str(movie), length=length)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    shown = 2 if length >= THIRD else 1
    offset = (THIRD if shown == 2 else SECOND) + 5
    frames = "frame 2\n" if shown == 2 else ""
    assert run.stderr == ""
    assert run.returncode == 0
    assert run.stdout == (
        f"{frames}{offset} frame {shown + 1} is gone: the file has been cut shorter\n"
        f"number {shown}\n"
    )


def test_a_movie_may_be_deleted_while_it_is_shown(movie):
    stream = VideoStream(movie)
    movie.unlink()
    assert all_frames(stream) == SMALL


def test_open_movie_is_what_a_stream_has(movie):
    shared = open_movie(movie)
    assert VideoStream(movie).movie is shared
    assert [length for _, length in shared.frames] == [len(jpeg) for jpeg in SMALL]


@pytest.mark.parametrize("original", [PREFIXED, BARE], ids=["prefixed", "bare"])
def test_a_file_overwritten_while_it_is_shown_is_an_error(tmp_path, original):
    path = tmp_path / "movie.Mjpeg"
    path.write_bytes(original)
    stream = VideoStream(path)
    stream.nextFrame()
    with open(path, "r+b") as file:
        file.write(bytes(len(original)))
    with pytest.raises(MovieError, match="frame 2 is gone: the file has been overwritten"):
        stream.nextFrame()
    assert stream.frameNbr() == 1


def test_a_bare_picture_larger_than_any_guess_is_indexed_to_the_byte(tmp_path):
    frames = [jpeg_of_size(size, seed=size) for size in (900, 60_000, 900, 5_000, 60_000)]
    path = tmp_path / "movie.mjpeg"
    path.write_bytes(b"".join(frames))
    assert all_frames(VideoStream(path)) == frames
