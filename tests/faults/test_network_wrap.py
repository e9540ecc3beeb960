"""Sequence numbers go through 65,535 and timestamps through 2^32, while a viewer watches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from frames import complete, numbers_of
from movies import MOVIE, frames_of, write_movie
from peers import TCP, UDP, ffmpeg, gstreamer, need_player, numbers_by_step, output_of
from processes import HOST, ServerProcess, run_client

FRAMES = 80
FPS = 20  # a socket then holds more than a second, in which a busy machine may not come to read it
AT_ONCE = 3
FEW = 10  # packets
ODD_SERVER = Path(__file__).parent / "odd_server.py"
LIMIT = 60.0
TOO_MUCH_JITTER = 500.0  # milliseconds; a timestamp taken for an earlier one makes it hours


@pytest.fixture(scope="module")
def originals():
    return frames_of(MOVIE)[:FRAMES]


@pytest.fixture(scope="module")
def views(tmp_path_factory, originals):
    """What each viewer shows, to be waited for; some watch at the same time."""
    folder = tmp_path_factory.mktemp("wrap")
    media = write_movie(folder / "media" / "movie.Mjpeg", originals).parent

    def ours(name, *address):
        # The lab dialect knows no end but silence, which need not be waited for here.
        options = ("--headless", "--json", "--frames", FRAMES, "--save", folder / name)
        run = run_client(*address, *options, limit=LIMIT)
        return numbers_of(folder / name, originals), run.report

    def theirs(player, transport):
        return numbers_by_step(output_of(player(url, transport), LIMIT))[0]

    odd = ServerProcess(media, "--fps", str(FPS), program=(ODD_SERVER, "near-wrap"))
    with odd as server, ThreadPoolExecutor(AT_ONCE) as pool:
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        yield {
            "server": server,
            ("ours", "lab"): pool.submit(ours, "lab", HOST, server.port, 0, "movie.Mjpeg"),
            ("ours", UDP): pool.submit(ours, UDP, url, "--transport", UDP),
            ("ours", TCP): pool.submit(ours, TCP, url, "--transport", TCP),
            ("ffmpeg", UDP): pool.submit(theirs, ffmpeg, UDP),
            ("ffmpeg", TCP): pool.submit(theirs, ffmpeg, TCP),
            ("GStreamer", UDP): pool.submit(theirs, gstreamer, UDP),
        }


@pytest.mark.parametrize("transport", ["lab", UDP, TCP])
def test_our_client_loses_and_repeats_nothing(views, transport):
    """All frames, each equal to the file's; nothing counted as late, double, or hours of jitter.

    Nothing as lost either, but for single packets that a busy machine may lose.
    """
    shown, report = views["ours", transport].result()
    assert complete(shown, FRAMES, views["server"].errors())
    assert report["lost"] < FEW
    assert [report[name] for name in ("late", "duplicates")] == [0, 0]
    assert report["jitter_ms"] < TOO_MUCH_JITTER


@pytest.mark.parametrize("viewer", [("ffmpeg", UDP), ("ffmpeg", TCP), ("GStreamer", UDP)])
def test_players_of_others_lose_and_repeat_nothing(views, viewer):
    need_player(viewer[0])
    shown = views[viewer].result()
    assert complete(shown, FRAMES, views["server"].errors())
    assert shown[-1] > FRAMES - FEW
