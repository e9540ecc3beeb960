"""The players of others on our server: every frame, in order, and none invented; pause and seek."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from movies import MOVIE, frames_of, write_movie
from mpv_remote import mpv_remote
from peers import (
    PLAYERS,
    TCP,
    TRANSPORTS,
    UDP,
    difference,
    ffmpeg,
    gstreamer,
    need_command,
    need_player,
    numbers_by_step,
    output_of,
    pictures,
)
from PIL import Image
from processes import ServerProcess
from strip import frame_number

pytestmark = pytest.mark.peers

FPS = 20
FRAMES = 60
LONG_FRAMES = 400
AT_ONCE = 3  # players at the same time; more would disturb each other on two cores
CLOSE = 3.0
"""How far, of 255, a decoder's picture may be from Pillow's: they blow up chroma in other ways."""
FREED_LIMIT = 5.0
ON_THE_WAY = 20
"""Frames, a second's, that a busy machine may still hold in its buffers when a player seeks."""


@pytest.fixture(scope="module")
def originals():
    return frames_of(MOVIE)[:LONG_FRAMES]


@pytest.fixture(scope="module")
def server(tmp_path_factory, originals):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", originals[:FRAMES])
    write_movie(media / "long.Mjpeg", originals)
    with ServerProcess(media, "--fps", str(FPS), "--log-level", "debug") as process:
        yield process


@pytest.fixture(scope="module")
def url(server):
    return f"rtsp://127.0.0.1:{server.port}"


LIBRARIES = ("OpenCV", "PyAV")  # which have FFmpeg's library inside
PAUSE = ("frames:20", "pause:1", "end")
BOTH_WAYS = ("frames:20", "pause:0.5", "frames:5", "seek:5", "frames:6", "seek:1", "frames:6")


@pytest.fixture(scope="module")
def plays(url):
    """Everything that is played without a hand on it, a few at a time; to be waited for."""
    movie, long = f"{url}/movie.Mjpeg", f"{url}/long.Mjpeg"
    commands = {}
    for transport in TRANSPORTS:
        for name, player in PLAYERS.items():
            commands[name, transport] = player(movie, transport)
        commands["-ss", transport] = ffmpeg(movie, transport, "-ss", "1.5")
        commands["pause", transport] = gstreamer(movie, transport, *PAUSE)
        commands["both ways", transport] = gstreamer(long, transport, *BOTH_WAYS)
        for name in LIBRARIES:
            commands[name, "seek", transport] = PLAYERS[name](movie, transport, "20", "2")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {key: pool.submit(output_of, command) for key, command in commands.items()}


def all_frames(first=1):
    return list(range(first, FRAMES + 1))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", PLAYERS)
class TestWholeMovie:
    """Also that the player ends by itself, and well, when our server says BYE."""

    def test_every_frame_in_order_and_none_invented(self, plays, name, transport):
        need_player(name)
        shown = pictures(plays[name, transport].result())
        assert [frame_number(image) for _, image in shown] == all_frames()

    def test_the_pictures_are_right(self, plays, originals, name, transport):
        need_player(name)
        for (_, shown), jpeg in zip(
            pictures(plays[name, transport].result()), originals, strict=False
        ):
            with Image.open(io.BytesIO(jpeg)) as original:
                assert difference(shown, original) < CLOSE


def behind_a_seek(shown, start, after):
    """The frames from `start` on. What was on its way when the player said PAUSE may come first."""
    arrived = shown.index(start)
    on_the_way = shown[:arrived]
    assert on_the_way == sorted({*on_the_way}), shown
    assert len(on_the_way) <= ON_THE_WAY and all(number > after for number in on_the_way), shown
    return shown[arrived:]


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestPauseAndSeek:
    def test_a_pause_loses_no_frame(self, plays, transport):
        """Of these players rtspsrc is the one that sends PAUSE when it is paused."""
        need_player("GStreamer")
        shown = numbers_by_step(plays["pause", transport].result())
        assert shown == {0: list(range(1, 21)), 2: all_frames(21)}

    def test_ffmpeg_starts_in_the_middle(self, plays, transport):
        need_player("ffmpeg")
        assert numbers_by_step(plays["-ss", transport].result()) == {0: all_frames(31)}

    def test_gstreamer_pauses_and_seeks_both_ways(self, plays, transport):
        # It is stopped before the end: rtspsrc 1.22 that has sought waits for the packets that it
        # threw away itself and lets no end through. It does so with gst-rtsp-server as well.
        need_player("GStreamer")
        shown = numbers_by_step(plays["both ways", transport].result())
        assert shown[0] == list(range(1, 21))
        assert shown[2] == list(range(21, 26))
        arrived = behind_a_seek(shown[4], 101, after=25)
        assert arrived == list(range(101, 101 + len(arrived)))
        arrived = behind_a_seek(shown[6], 21, after=arrived[-1])
        assert arrived == list(range(21, 21 + len(arrived)))

    @pytest.mark.parametrize("name", LIBRARIES)
    def test_a_library_seeks(self, plays, name, transport):
        need_player(name)
        shown = numbers_by_step(plays[name, "seek", transport].result())
        assert shown[0] == list(range(1, 21))
        assert behind_a_seek(shown[1], 41, after=20) == all_frames(41)

    def test_mpv_pauses_resumes_and_seeks_both_ways(self, url, transport, tmp_path):
        need_player("mpv")
        with mpv_remote(f"{url}/long.Mjpeg", transport, tmp_path) as mpv:
            mpv.wait_for_frame(5, 60)
            mpv.command("set_property", "pause", True)
            stopped_at = mpv.frame()
            time.sleep(0.5)
            assert mpv.frame() - stopped_at in (0, 1)  # one may have been on its way to the screen
            mpv.command("set_property", "pause", False)
            mpv.wait_for_frame(stopped_at + 2, stopped_at + 40)
            mpv.command("seek", 7, "absolute")
            mpv.wait_for_frame(141, 160, limit=3)
            mpv.command("seek", 3, "absolute")
            mpv.wait_for_frame(61, 80, limit=3)


def test_ffplay_that_is_interrupted_leaves_nothing(tmp_path, originals):
    """At SIGINT it hangs up without TEARDOWN."""
    need_command("ffplay")
    write_movie(tmp_path / "movie.Mjpeg", originals)
    with ServerProcess(tmp_path, "--log-level", "debug") as server:
        held = []
        for round_, transport in enumerate((UDP, TCP, UDP, TCP), 1):
            interrupted_ffplay(server, transport, round_)
            wait_for_log(server, " gone: ", round_)
            time.sleep(0.2)  # the last thing that a worker does is to say that it is gone
            held.append((server.open_files(), server.threads()))
        assert len(set(held)) == 1, held
        assert "< TEARDOWN" not in server.errors()


def interrupted_ffplay(server, transport, round_):
    command = ["ffplay", "-v", "error", "-rtsp_transport", transport]
    process = subprocess.Popen(
        [*command, f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_log(server, "< PLAY", round_)
        time.sleep(0.5)  # let it play
        process.send_signal(signal.SIGINT)
        process.wait(FREED_LIMIT)
    finally:
        process.kill()
        process.wait()


def wait_for_log(server, words, times):
    deadline = time.monotonic() + FREED_LIMIT
    while server.errors().count(words) < times:
        assert time.monotonic() < deadline, f"no {words!r}: {server.errors()}"
        time.sleep(0.02)


def test_all_sessions_are_freed(server, plays):
    """After all the players above, whichever way each of them went."""
    for play in plays.values():
        play.exception()
    wait_for_log(server, " gone: ", server.errors().count(" connected\n"))
