"""How long movies stay open, and what is left of them afterwards."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from movies import frames_of, jpeg_of_size, write_movie
from raw_rtsp import Peer, running_server
from standard_clients import StandardClient, goodbyes
from test_recoding import scene

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import open_movie
from rtplab.serving.media import store as stores
from rtplab.serving.media.playback import Playback
from rtplab.serving.media.store import MAX_IDLE, MediaStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

LIMIT = 10.0
MOVIES = 4 * MAX_IDLE


@pytest.fixture
def store():
    store = MediaStore(1440)
    yield store
    store.close()


@pytest.fixture
def soon(monkeypatch):
    """Movies that nobody watches are closed at once."""
    monkeypatch.setattr(stores, "IDLE_SECONDS", 0.0)


@pytest.fixture
def folder(tmp_path):
    for number in range(MOVIES):
        write_movie(tmp_path / f"{number}.Mjpeg", [jpeg_of_size(3000, number)])
    return tmp_path


def open_below(folder: Path | str) -> list[str]:
    """The files in a folder that this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if path.startswith(str(folder)):
            found.append(path)
    return found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_few_movies_stay_open_that_nobody_watches(store, folder):
    for number in range(MOVIES):
        with store.use(open_movie(folder / f"{number}.Mjpeg")):
            pass
        assert len(open_below(folder)) <= MAX_IDLE
    last = f"{folder}/{MOVIES - 1}.Mjpeg"
    assert last in open_below(folder) and f"{folder}/0.Mjpeg" not in open_below(folder)
    with store.use(open_movie(last)) as opened, store.use(open_movie(last)) as again:
        assert opened is again


def test_after_a_while_nothing_is_left_of_a_movie_that_nobody_watches(store, folder, soon):
    feeds = []
    for number in range(MOVIES):
        movie = open_movie(folder / f"{number}.Mjpeg")
        feeds.append(store.rtp_jpeg(movie, Playback(MovieCursor(movie), 20)))
        feeds[-1].prepare(1440)
        del movie
    assert len(open_below(folder)) == MOVIES
    for feed in feeds:
        feed.close()
        feed.close()
    del feed
    feeds.clear()
    wait_for(lambda: not open_below(folder))
    assert not store._open and not store._idle and not store._cache._frames
    assert store._cache._bytes == store._cache._expected == 0
    wait_for(lambda: not {"reader", "sweeper"} & {t.name for t in threading.enumerate()})


def test_a_movie_that_takes_long_to_close_holds_up_no_other(store, folder, monkeypatch):
    monkeypatch.setattr(stores, "MAX_IDLE", 0)
    closing, go_on = threading.Event(), threading.Event()

    def stop(opened):
        closing.set()
        assert go_on.wait(LIMIT)

    with monkeypatch.context() as changed:
        changed.setattr(stores.OpenMovie, "stop", stop)

        def watch(number):
            with store.use(open_movie(folder / f"{number}.Mjpeg")):
                pass

        first = threading.Thread(target=watch, args=(0,))
        first.start()
        assert closing.wait(LIMIT)
        opened = threading.Event()

        def watch_another():
            with store.use(open_movie(folder / "1.Mjpeg")):
                opened.set()

        second = threading.Thread(target=watch_another)
        second.start()
        is_held_up = not opened.wait(LIMIT / 2)
        go_on.set()
        first.join()
        second.join()
    assert not is_held_up


def test_a_movie_that_is_watched_stays_open(store, folder, soon):
    movie = open_movie(folder / "0.Mjpeg")
    feed = store.whole_frames(movie, Playback(MovieCursor(movie), 20))
    del movie
    with store.use(open_movie(folder / "0.Mjpeg")):
        pass
    with store.use(open_movie(folder / "1.Mjpeg")):
        pass
    wait_for(lambda: open_below(folder) == [f"{folder}/0.Mjpeg"])
    feed.prepare(65_535)
    assert feed.frame(1, 65_535)
    feed.close()


def test_what_was_converted_gives_its_disk_space_back(tmp_path, soon):
    picture = scene((96, 72), progressive=True, quality=50)
    path = write_movie(tmp_path / "movies" / "movie.Mjpeg", [picture] * 40)
    with running_server(path.parent) as port:
        before = len(open_below("/tmp"))
        with StandardClient(port) as viewer:
            viewer.watch()
            assert len(open_below("/tmp")) == before + 3, "the movie, and two for its pictures"
        wait_for(lambda: len(open_below("/tmp")) == before)


def test_pictures_that_must_be_converted_begin_amid_others(tmp_path, small_movie):
    """They are of another size, too. The first viewer of the movie sees them all."""
    others = [scene((638, 358), progressive=True, quality=50 + number) for number in range(5)]
    frames = frames_of(small_movie)[:20]
    write_movie(tmp_path / "movie.Mjpeg", [*frames, *others, *frames])
    with running_server(tmp_path) as port, StandardClient(port) as viewer:
        viewer.watch()
        assert viewer.wait(lambda: goodbyes(viewer))
        assert viewer.pictures == 45


def test_movies_asked_for_once_leave_nothing(folder, soon):
    with running_server(folder) as port, Peer(port) as peer:
        for number in range(MOVIES):
            assert peer.ask("DESCRIBE", f"{peer.base}/{number}.Mjpeg").status == 200
        wait_for(lambda: not open_below(folder))
