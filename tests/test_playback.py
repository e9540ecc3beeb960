"""From the seconds of a Range to the frame that is meant, at every frame rate."""

from __future__ import annotations

import io
import math

import pytest
from PIL import Image

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import open_movie
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Range, parse_range
from rtplab.serving.media.playback import Playback

FRAMES = 300
RATES = (0.5, 24.0, 30000 / 1001, 29.97, 30.0, 60.0, 240.0)

# How players write seconds: we ourselves, VLC and live555, ffmpeg and mpv.
WAYS = {
    "ours": lambda seconds: Range(seconds).serialise(),
    "rounded": lambda seconds: f"npt={seconds:.3f}-",
    "cut off": lambda seconds: f"npt={math.floor(seconds * 1000) / 1000:.3f}-",
}


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    Image.new("L", (16, 16)).save(jpeg := io.BytesIO(), "JPEG")
    path = tmp_path_factory.mktemp("playback") / "grey.mjpeg"
    path.write_bytes(jpeg.getvalue() * FRAMES)
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("loop", [False, True])
def test_the_start_of_every_frame_leads_to_that_frame(movie, fps, way, loop):
    playback = Playback(MovieCursor(open_movie(movie)), fps, loop)
    wrong = []
    for number in range(1, FRAMES + 1):
        playback.select(parse_range(WAYS[way]((number - 1) / fps)))
        shown = playback.advance()
        if shown != number:
            wrong.append((number, shown))
    assert wrong == []


@pytest.mark.parametrize("fps", RATES)
def test_our_times_lead_to_the_frame_on_a_server_that_only_cuts_off(fps):
    """The frame that is shown at a time is the one of the whole number below."""
    starts = [parse_range(Range(number / fps).serialise()).start for number in range(FRAMES)]
    assert [int(start * fps + 1e-6) for start in starts] == list(range(FRAMES))


@pytest.mark.parametrize("fps", RATES)
def test_what_the_server_says_of_its_place_leads_back_to_it(movie, fps):
    playback = Playback(MovieCursor(open_movie(movie)), fps)
    for number in range(FRAMES):
        playback.cursor.seek(number + 1)
        playback.select(parse_range(playback.range.serialise()))
        assert playback.cursor.number == number


@pytest.mark.parametrize("fps", RATES)
def test_the_middle_of_a_frame_leads_to_it_and_the_end_is_refused(movie, fps):
    playback = Playback(MovieCursor(open_movie(movie)), fps)
    playback.select(Range(17.5 / fps))
    assert playback.advance() == 18
    with pytest.raises(MessageError) as refusal:
        playback.select(Range(playback.duration))
    assert refusal.value.status == 457


@pytest.mark.parametrize("scale", [0.1, 0.333, 0.909, 1.0, 1.1, 1.21, 1.5, 2.0, 2.75, 7.999, 8.0])
def test_media_time_goes_as_fast_as_the_scale_says(movie, scale):
    """Of frames that are sent apart by less than their usual time, some are left out."""
    playback = Playback(MovieCursor(open_movie(movie)), 20.0)
    playback.set_pace(scale, 1.0)
    for index in range(30):
        assert playback.advance() == 1 + math.floor(index * max(scale, 1.0) + 1e-9)
    seconds = 30 * playback.interval * scale
    assert seconds == pytest.approx(30 * max(scale, 1.0) / 20)
    assert playback.interval >= 1 / 20 - 1e-9
