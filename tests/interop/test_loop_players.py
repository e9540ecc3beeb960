"""The players of others on a movie that begins again at its end: they notice nothing."""

from __future__ import annotations

import pytest
from movies import MOVIE, frames_of, write_movie
from peers import TRANSPORTS, ffmpeg, gstreamer, need_player, numbers_by_step, output_of
from processes import ServerProcess

pytestmark = pytest.mark.peers

FRAMES = 20
WANTED = 50  # two and a half rounds


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", frames_of(MOVIE)[:FRAMES])
    with ServerProcess(media, "--loop") as server:
        yield f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"


def commands(url, transport):
    ffmpeg_command = ffmpeg(url, transport)
    ffmpeg_command[-1:] = ["-frames:v", str(WANTED), "-"]
    return {
        "ffmpeg": ffmpeg_command,
        "GStreamer": gstreamer(url, transport, f"frames:{WANTED}"),
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("player", ["ffmpeg", "GStreamer"])
def test_the_rounds_follow_each_other(url, player, transport):
    need_player(player)
    (numbers,) = numbers_by_step(output_of(commands(url, transport)[player])).values()
    assert len(numbers) == WANTED
    assert numbers == [(numbers[0] - 1 + index) % FRAMES + 1 for index in range(WANTED)]
