"""Frames are read ahead by threads of their own: what is there when, and who waits for what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from movies import jpeg_of_size, write_movie
from test_recoding import scene
from threads import no_thread_for

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.serving.media import feed as feeds
from rtplab.serving.media import framecache, reader
from rtplab.serving.media.framecache import FrameCache
from rtplab.serving.media.payloads import RtpJpeg, WholeFrames
from rtplab.serving.media.playback import Playback
from rtplab.serving.media.reader import Wish
from rtplab.serving.media.store import MediaStore

FPS = 20
LIMIT = 10.0
FRAMES = 100
SIZE = 3000  # bytes of a frame
ANY = 65_535  # bytes: what the way takes

AHEAD = round(feeds.AHEAD_SECONDS * FPS)


class Disk:
    """Reads a movie's file, as slowly as it is told, and notes who has read what."""

    def __init__(self, movie: Movie) -> None:
        self._real = movie._read
        self._open = threading.Event()
        self._open.set()
        self.reads: list[tuple[str, int, int]] = []  # which thread, from where, how many bytes
        self.broken: set[int] = set()  # bytes that can't be read
        movie._read = self._read  # type: ignore[method-assign]

    def hold(self) -> None:
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    def _read(self, offset: int, length: int) -> bytes:
        self.reads.append((threading.current_thread().name, offset, length))
        assert self._open.wait(LIMIT)
        if any(offset <= byte < offset + length for byte in self.broken):
            raise OSError(5, "Input/output error")
        return self._real(offset, length)


@pytest.fixture(scope="module")
def frames():
    return [jpeg_of_size(SIZE, seed) for seed in range(FRAMES)]


@pytest.fixture
def store():
    store = MediaStore(1440)
    yield store
    store.close()


@pytest.fixture
def opened(tmp_path, frames, store):
    """Makes a viewer's feed of a movie, with its playback and disk."""
    disks = []

    def open_it(name="movie", loop=False, movie=None):
        movie = movie or Movie(write_movie(tmp_path / f"{name}.Mjpeg", frames))
        disk = Disk(movie)
        disks.append(disk)
        playback = Playback(MovieCursor(movie), FPS, loop)
        return store.whole_frames(movie, playback), playback, disk

    yield open_it
    while disks:  # pytest keeps this function, and with it all that is in there
        disks.pop().go_on()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def following(feed, playback):
    """What the pacer would send next."""
    number = playback.advance()
    return None if number is None else feed.frame(number, ANY)


def begun(feed, playback):
    """Have PLAY wait, and return the first frame: with it, those that follow are asked for."""
    feed.prepare(ANY)
    return following(feed, playback)


def test_all_that_is_read_is_read_ahead_by_a_thread_of_its_own(opened, frames):
    feed, playback, disk = opened()
    feed.prepare(ANY)
    for number, frame in enumerate(frames):
        wait_for(lambda number=number: feed._is_there(number + 1))
        assert following(feed, playback) == [frame]
    assert following(feed, playback) is None
    assert {thread for thread, _, _ in disk.reads} == {"reader"}
    assert sum(length for _, _, length in disk.reads) == FRAMES * (SIZE + 5)
    # Not for each frame, and not so many that whoever stops has had them read in vain.
    assert len(disk.reads) <= 8


def test_what_is_not_there_is_not_waited_for_and_what_comes_is_sent(opened, frames):
    feed, playback, disk = opened()
    assert begun(feed, playback) == [frames[0]]
    wait_for(lambda: feed._is_there(1 + AHEAD))
    disk.hold()
    began = time.monotonic()
    shown = [following(feed, playback) for _ in range(AHEAD + 10)]
    assert time.monotonic() - began < 0.5
    assert shown == [*([frame] for frame in frames[1 : 1 + AHEAD]), *[None] * 10]
    disk.go_on()
    wait_for(lambda: following(feed, playback) is not None)


def test_a_slow_disk_holds_up_no_other(opened, frames):
    _, _, slow = opened("slow")
    slow_feed, slow_playback, slow_disk = opened("slower")
    slow_disk.hold()
    slow_playback.advance()
    assert slow_feed.frame(1, ANY) is None
    wait_for(lambda: slow_disk.reads)
    feed, playback, _ = opened("fast")
    feed.prepare(ANY)
    assert following(feed, playback) == [frames[0]]


def test_play_waits_for_its_first_frame_and_not_for_ever(opened, frames, monkeypatch):
    feed, playback, disk = opened()
    disk.hold()
    threading.Timer(0.1, disk.go_on).start()
    feed.prepare(ANY)
    assert following(feed, playback) == [frames[0]]
    other, _, disk = opened("other")
    disk.hold()
    monkeypatch.setattr(feeds, "HEAD_START_TIMEOUT", 0.1)
    other.prepare(ANY)


def test_the_end_of_the_server_is_not_waited_for_by_play(opened, store):
    feed, _, disk = opened()
    disk.hold()
    threading.Timer(0.1, store.stop).start()
    began = time.monotonic()
    feed.prepare(ANY)
    assert time.monotonic() - began < feeds.HEAD_START_TIMEOUT / 2


def test_without_a_thread_play_is_refused_and_tried_again(opened, frames, monkeypatch, caplog):
    feed, playback, _ = opened()
    with no_thread_for("reader", monkeypatch):
        for _ in range(2):
            with pytest.raises(MessageError) as refusal:
                feed.prepare(ANY)
            assert refusal.value.status == 503
        assert len(caplog.records) == 1
    feed.prepare(ANY)
    assert following(feed, playback) == [frames[0]]


def test_a_frame_is_read_and_cut_once_for_all_who_watch(opened):
    feed, playback, disk = opened()
    other, at_other, _ = opened(movie=playback.cursor.movie)
    assert begun(feed, playback) is begun(other, at_other)
    wait_for(lambda: feed._is_there(1 + AHEAD))
    reads = len(disk.reads)
    for _ in range(AHEAD // 2 - 1):
        assert following(feed, playback) is following(other, at_other)
    assert len(disk.reads) == reads


def test_the_thread_ends_when_there_is_nothing_to_read_and_comes_back(opened, monkeypatch):
    def readers():
        return [thread for thread in threading.enumerate() if thread.name == "reader"]

    monkeypatch.setattr(reader, "IDLE_SECONDS", 0.01)
    feed, playback, _ = opened()
    feed.prepare(ANY)
    wait_for(lambda: not readers())
    for _ in range(AHEAD):
        following(feed, playback)
    wait_for(lambda: following(feed, playback) is not None)


@pytest.mark.parametrize("fault", ["broken", "cut"])
def test_what_can_not_be_read_is_told_when_it_is_due(opened, frames, fault):
    feed, playback, disk = opened()
    start_of_tenth = playback.cursor.movie.frames[9][0]
    if fault == "cut":
        with open(playback.cursor.movie.path, "r+b") as file:
            file.truncate(start_of_tenth + 50)
    else:
        disk.broken.add(start_of_tenth + 50)
    assert begun(feed, playback) == [frames[0]]
    wait_for(lambda: feed._is_there(10))
    assert [following(feed, playback) for _ in range(8)] == [[frame] for frame in frames[1:9]]
    with pytest.raises(MovieError, match="Input/output|frame 10 "):
        following(feed, playback)
    if fault == "broken":  # it may be read when it is asked for again
        disk.broken.clear()
        playback.cursor.seek(10)
        feed.prepare(ANY)
        assert following(feed, playback) == [frames[9]]


def test_a_fault_of_ours_is_told_too(opened, store, monkeypatch, caplog):
    def fail(*arguments):
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(WholeFrames, "cut", fail)
    feed, playback, _ = opened()
    feed.prepare(ANY)
    with pytest.raises(MovieError, match="unforeseen"):
        following(feed, playback)
    assert len(caplog.records) == 1 and "ZeroDivisionError" in caplog.text
    store.stop()
    caplog.clear()  # its records hold the movie


def test_a_loop_is_read_ahead_over_its_end(opened, frames):
    feed, playback, _ = opened(loop=True)
    playback.cursor.seek(FRAMES)
    assert begun(feed, playback) == [frames[-1]]
    wait_for(lambda: feed._is_there(AHEAD - 1))
    assert [following(feed, playback) for _ in range(2)] == [[frames[n]] for n in (0, 1)]


def test_only_the_frames_of_a_fast_pace_are_kept(opened):
    feed, playback, disk = opened()
    playback.set_pace(4.0, 1.0)
    begun(feed, playback)
    wait_for(lambda: feed._is_there(97))
    assert not feed._is_there(2) and feed._is_there(5)
    assert sum(length for _, _, length in disk.reads) < FRAMES * SIZE / 3


def test_what_a_lab_client_is_sent_is_not_what_a_player_gets_meanwhile(tmp_path, store):
    """Both watch one movie, whose pictures are converted for the player: not yet, all but one."""
    frames = [scene((640, 480), progressive=True, quality=60)] * FRAMES
    movie = Movie(write_movie(tmp_path / "movie.Mjpeg", frames))
    playbacks = [Playback(MovieCursor(movie), FPS) for _ in range(2)]
    lab, player = store.whole_frames(movie, playbacks[0]), store.rtp_jpeg(movie, playbacks[1])
    assert begun(lab, playbacks[0]) == [frames[0]]
    wait_for(lambda: lab._is_there(1 + AHEAD))
    player.prepare(ANY)
    sent = [following(player, playbacks[1]) for _ in range(AHEAD)]
    assert None in sent
    assert not [payloads for payloads in sent if payloads and payloads[0].startswith(b"\xff\xd8")]


@pytest.mark.parametrize("plain", [0, 1])
def test_play_begins_with_a_head_start_of_converted_frames(tmp_path, store, monkeypatch, plain):
    """They must be cut, too, by a thread that a busy machine may keep waiting."""
    cut = RtpJpeg.cut_converted

    def cut_late(self, number, size):
        time.sleep(0.01)
        return cut(self, number, size)

    monkeypatch.setattr(RtpJpeg, "cut_converted", cut_late)
    frames = [scene((64, 48), progressive=number >= plain, quality=60) for number in range(FRAMES)]
    movie = Movie(write_movie(tmp_path / "movie.Mjpeg", frames))
    playback = Playback(MovieCursor(movie), FPS)
    player = store.rtp_jpeg(movie, playback)
    player.prepare(ANY)
    assert None not in [following(player, playback) for _ in range(round(FPS * feeds.HEAD_START))]


def test_frames_that_would_come_too_late_are_not_read():
    wish = Wish(None, 0, range(10, 30, 2), due=100.0, interval=0.1)
    assert wish.in_time(99.0) == range(10, 30, 2)
    assert wish.in_time(100.05) == range(10, 30, 2)
    assert wish.in_time(100.35) == range(16, 30, 2)
    assert wish.in_time(200.0) == range(28, 30, 2)


# --- How much is kept ----------------------------------------------------------------------------


def test_the_cache_keeps_what_was_wanted_last_within_its_bytes(monkeypatch):
    monkeypatch.setattr(framecache, "CACHED_BYTES", 10 * (1000 + 300 + 50))
    cache = FrameCache()
    for number in range(10):
        cache.keep((1, number, 0), [bytes(1000)])
    assert cache.missing(1, range(12), 0) == [10, 11]
    assert cache.missing(1, [0, 3], 0) == []  # these are wanted again
    for number in range(10, 18):
        cache.keep((1, number, 0), [bytes(1000)])
    assert cache.missing(1, range(18), 0) == [1, 2, *range(4, 10)]
    cache.drop(1)
    assert cache.missing(1, range(18), 0) == [*range(18)]
    for number in range(50):  # all of it is free again, and nothing but frames of no bytes fits
        cache.keep((2, number, 0), [])
    assert len(cache.missing(2, range(50), 0)) == 5


def test_many_viewers_have_less_read_ahead_for_each(opened, store, monkeypatch):
    """Or what is read for one would push out what is read for another, and not yet sent."""
    monkeypatch.setattr(framecache, "CACHED_BYTES", 4 * AHEAD * (SIZE + 5))
    store._cache.share = 1.0
    first, *others = [opened(f"movie{number}")[0] for number in range(4)]
    assert store._cache.share == pytest.approx(0.5, rel=0.01)
    for one in others:
        one.close()
    assert store._cache.share == 1.0
    first.close()


def test_viewers_of_one_movie_need_no_more_room_than_the_movie(opened, store):
    _, playback, _ = opened()
    for _ in range(30):
        opened(movie=playback.cursor.movie)
    assert store._cache._expected == pytest.approx(FRAMES * SIZE, rel=0.01)
