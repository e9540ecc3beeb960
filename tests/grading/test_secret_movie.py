"""The secret movie, and the reader of its numbers on a screen."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from PIL import Image
from strip import frame_number_of_jpeg

from rtplab.grading.record.movie import HEIGHT, WIDTH, draw_frame, draw_movie
from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.screen import Screen, Watcher
from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import open_movie
from rtplab.protocol.rtp.rtpjpeg import packetize

FRAMES = draw_movie(7, 12).frames


def test_every_frame_has_its_number_and_a_size_that_clients_can_take() -> None:
    assert [frame_number_of_jpeg(frame) for frame in FRAMES] == list(range(1, 13))
    assert all(2_400 <= len(frame) <= 14_500 for frame in FRAMES)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    again, other = draw_movie(7, 12), draw_movie(8, 12)
    assert again.frames == FRAMES
    assert not set(other.frames) & set(FRAMES) and other.name != again.name


@pytest.mark.parametrize("number", [1, 2, 255, 256, 0x5555, 0xFFFF])
@pytest.mark.parametrize(("size", "width"), [(1_300, 128), (2_400, WIDTH), (90_000, WIDTH)])
def test_frames_have_the_size_that_is_asked_for(number: int, size: int, width: int) -> None:
    frame = draw_frame(random.Random(1), number, size, width)
    assert len(frame) == size and frame_number_of_jpeg(frame) == number
    packetize(frame, 1_400)  # raises if RTP can't carry it


def screen_with(frame: bytes | None, at: tuple[int, int], size: tuple[int, int]) -> Screen:
    """A black screen with a grey window that shows a frame at this place and size."""
    image = Image.new("RGB", (900, 700))
    if frame is not None:
        image.paste(
            (217, 217, 217), (at[0] - 5, at[1] - 5, at[0] + size[0] + 5, at[1] + size[1] + 40)
        )
        image.paste(Image.open(io.BytesIO(frame)).resize(size), at)
    return Screen(image.tobytes("raw", "BGRX"), 900, 700, 900 * 4)


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (640, 480), (192, 144), (300, 300), (533, 401)])
@pytest.mark.parametrize("at", [(5, 5), (133, 77)])
def test_the_picture_is_found_at_any_place_and_scale(
    at: tuple[int, int], size: tuple[int, int]
) -> None:
    screen = screen_with(FRAMES[10], at, size)
    place = screen.find()
    assert place is not None and screen.number(place) == 11
    assert screen.has_window()


def test_nothing_is_found_where_nothing_is() -> None:
    screen = screen_with(None, (0, 0), (1, 1))
    assert screen.find() is None and not screen.has_window()


def test_the_watcher_tells_of_changes_alone() -> None:
    recorder = Recorder()
    screens = [None, FRAMES[0], FRAMES[0], FRAMES[1], None, None]
    watcher = Watcher(recorder, screen_with(None, (0, 0), (1, 1)))
    for moment, frame in enumerate(screens):
        watcher._screen = screen_with(frame, (40, 40), (WIDTH, HEIGHT))
        watcher.look(float(moment))

    events = recorder.recording("s", "e")
    assert [event["frame"] for event in events.of("picture")] == [1, 2, None]
    assert [event["shown"] for event in events.of("window")] == [True, False]


def test_a_screen_is_kept_as_png() -> None:
    screen = screen_with(FRAMES[4], (40, 40), (WIDTH, HEIGHT))
    image = Image.open(io.BytesIO(screen.png()))
    assert image.size == (900, 700)
    assert image.convert("RGB").getpixel((41, 38)) == (217, 217, 217)


def test_it_is_a_movie_of_the_lab(tmp_path: Path) -> None:
    movie = draw_movie(7, 12)
    (tmp_path / movie.name).write_bytes(movie.file)
    cursor = MovieCursor(open_movie(tmp_path / movie.name))
    assert tuple(cursor.next_frame() for _ in movie.frames) == movie.frames
