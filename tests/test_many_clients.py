"""Ten viewers at once: every frame of the movie, to the byte, and none lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from movies import MOVIE, frames_of, write_movie
from processes import HOST, ServerProcess, run_client

pytestmark = pytest.mark.alone

CLIENTS = 10
FRAMES = 240
FPS = 40  # twice the usual: 6 s


@pytest.fixture(scope="module")
def frames():
    return frames_of(MOVIE)[:FRAMES]


@pytest.fixture(scope="module")
def runs(frames, tmp_path_factory):
    """What ten headless clients in processes of their own have received, all at once."""
    folder = tmp_path_factory.mktemp("saved")
    media = write_movie(folder / "media" / "movie.Mjpeg", frames).parent

    def watch(number):
        saved = folder / str(number)
        run = run_client(
            *(HOST, server.port, 0, "movie.Mjpeg", "--headless", "--json"),
            *("--frames", len(frames), "--save", saved),
            limit=40,
        )
        return run, [path.read_bytes() for path in sorted(saved.iterdir())]

    with ServerProcess(media, "--fps", str(FPS), "--log-level", "error") as server:
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(watch, range(CLIENTS)))


def test_every_frame_comes_to_the_byte(runs, frames):
    for run, saved in runs:
        assert (run.status, run.stderr) == (0, "")
        assert saved == frames


def test_nothing_is_lost_late_or_doubled(runs, frames):
    for run, _ in runs:
        report = run.report
        counts = [report[name] for name in ("frames", "packets", "lost", "late", "duplicates")]
        assert counts == [len(frames), len(frames), 0, 0, 0]
        assert (report["loss_rate"], report["error"]) == (0, None)


def test_it_goes_at_the_pace_of_the_movie(runs):
    """Not faster, and slower only as far as a busy machine makes it."""
    for run, _ in runs:
        assert FPS / 2 < run.report["fps"] < FPS * 1.05
