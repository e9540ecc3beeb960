"""Many movies: a start that does not read them through, viewers who wait for their own only."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from movies import avi_header, avi_of, chunk, frames_of, jpeg_of_size, write_movie
from processes import ServerProcess, run_client
from wording import lacks

from rtplab.movies.index import PAGE
from rtplab.movies.movie import Movie, index_cost, open_movie
from rtplab.serving.admission import descriptors
from rtplab.serving.media import listing
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.listing import describe_movies

LIMIT = 10.0  # seconds that a thread may take to get somewhere
COUNT = 1000
HUGE = 1 << 30  # bytes of a file that is mostly a hole


@pytest.fixture(scope="module")
def many(tmp_path_factory, small_movie):
    """A thousand movies of both formats, from 1 kB to 1 GB."""
    folder = tmp_path_factory.mktemp("many")
    frames = frames_of(small_movie)
    write_movie(folder / "m0000.Mjpeg", frames)
    write_movie(folder / "m0001.Mjpeg", [jpeg_of_size(1000)])
    (folder / "m0002.mjpeg").write_bytes(b"".join(frames))
    (folder / "m0003.mjpeg").write_bytes(b"".join(frames[:3]))
    for name in ("m0004.mjpeg", "m0005.Mjpeg"):
        with open(folder / name, "wb") as file:
            file.write(
                b"%05d%s" % (len(frames[0]), frames[0]) if name == "m0005.Mjpeg" else frames[0]
            )
            file.truncate(HUGE)
    for number in range(6, COUNT):
        original = next(folder.glob(f"m{number % 6:04d}.*"))
        os.link(original, folder / f"m{number:04d}{original.suffix}")
    return folder


# --- What indexing costs -------------------------------------------------------------------------


def test_a_bare_sequence_costs_all_of_it(tmp_path):
    path = tmp_path / "bare.mjpeg"
    path.write_bytes(jpeg_of_size(50_000) * 3)
    assert index_cost(path) == 150_000


def test_frames_that_say_their_length_cost_a_page_each(tmp_path):
    path = write_movie(tmp_path / "movie.Mjpeg", [jpeg_of_size(50_000)] * 10)
    assert index_cost(path) == pytest.approx(10 * PAGE, rel=0.01)


def test_small_frames_cost_no_more_than_the_file(tmp_path):
    path = write_movie(tmp_path / "movie.Mjpeg", [jpeg_of_size(900)] * 10)
    assert index_cost(path) == path.stat().st_size


def test_a_length_of_six_digits_is_read_as_one(tmp_path):
    path = tmp_path / "large.Mjpeg"
    path.write_bytes((b"400000\xff\xd8" + bytes(399_998)) * 3)
    assert index_cost(path) == pytest.approx(3 * PAGE, rel=0.01)


@pytest.mark.parametrize("content", [b"", b"0", b"00000", b"0000", b"hello"])
def test_what_is_no_movie_costs_no_more_than_its_size(tmp_path, content):
    path = tmp_path / "none.Mjpeg"
    path.write_bytes(content)
    assert index_cost(path) == len(content)


# --- The list ------------------------------------------------------------------------------------


def test_within_the_budget_all_is_told(tmp_path, small_movie):
    frames = frames_of(small_movie)
    write_movie(tmp_path / "a.Mjpeg", frames)
    (tmp_path / "b.mjpeg").write_bytes(b"".join(frames[:5]) + frames[5][:100])
    (tmp_path / "c.mjpeg").write_bytes(b"hello")
    lines = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert lines[0] == "  a.Mjpeg: 40 frames, 384x288, 2.0 s"
    assert lines[1] == "  b.mjpeg: 5 frames, 384x288, 0.2 s"
    assert not lacks(lines[2], "cut off", "frame 6", "byte ")
    assert not lacks(lines[3], "c.mjpeg", "can't be played", "byte 0")
    assert len(lines) == 4


def test_what_is_left_out_is_told_in_one_line(tmp_path, small_movie):
    frames = frames_of(small_movie)[:4]
    frames[2] = frames[2][:100]
    (tmp_path / "a.mjpeg").write_bytes(b"\n".join(frames))
    summary, note = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert summary.startswith("  a.mjpeg: 3 frames")
    assert f"byte {len(frames[0])}" in note
    assert not lacks(note, f"{len(frames[2]) + 3:,} bytes", "2 places")


@pytest.mark.parametrize(
    ("fps", "line"),
    [
        (None, "3 frames, 16x16, 0.1 s at 29.97 frames/s"),
        (10, "3 frames, 16x16, 0.3 s"),
    ],
)
def test_the_movie_s_own_frame_rate_is_told_unless_another_is_asked_for(tmp_path, fps, line):
    chunks = chunk(b"00dc", jpeg_of_size(900)) * 3
    (tmp_path / "a.avi").write_bytes(avi_of(chunks, avi_header(30000, 1001)))
    assert describe_movies(MovieLibrary(tmp_path), fps).lines == [f"  a.avi: {line}"]


@pytest.mark.parametrize(
    ("size", "cut_off_by"),
    [
        (15_000 - 12, set()),
        (15_001 - 12, {"Java"}),
        (20_480 - 12, {"Java"}),
        (20_481 - 12, {"Java", "Python"}),
    ],
)
def test_lab_clients_that_cannot_receive_a_movie_are_named(tmp_path, size, cut_off_by):
    """What counts is the datagram, with the 12 bytes of the RTP header."""
    write_movie(tmp_path / "a.Mjpeg", [jpeg_of_size(900), jpeg_of_size(size), jpeg_of_size(900)])
    _, *notes = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert len(notes) == bool(cut_off_by)
    for note in notes:
        assert f"{size:,} bytes" in note
        assert {word for word in ("Java", "Python") if word in note} == cut_off_by


def test_a_folder_named_as_a_movie_is_told(tmp_path):
    (tmp_path / "pictures.mjpeg").mkdir()
    (tmp_path / "others").mkdir()
    (line,) = describe_movies(MovieLibrary(tmp_path), None).lines
    assert "pictures.mjpeg" in line and "folder" in line and "import" in line


def test_a_mistake_is_named(tmp_path):
    (tmp_path / "a.Mjpeg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (line,) = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert "git lfs pull" in line


def test_a_file_that_is_locked_is_not_said_to_be_missing(tmp_path, monkeypatch):
    write_movie(tmp_path / "a.Mjpeg", [jpeg_of_size(900)])

    def locked(path):
        raise PermissionError(errno.EACCES, "The file is used by another process")

    monkeypatch.setattr(listing, "open_movie", locked)
    (line,) = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert not lacks(line, "can't be opened", "The file is used by another process")


def test_beyond_the_budget_only_name_and_size_but_smaller_ones_still_fit(tmp_path):
    picture = jpeg_of_size(10_000)
    for name, count in (("a", 2), ("b", 10), ("c", 1)):
        (tmp_path / f"{name}.mjpeg").write_bytes(picture * count)
    lines = describe_movies(MovieLibrary(tmp_path), 20, budget=30_000).lines
    assert lines[0].startswith("  a.mjpeg: 2 frames")
    assert not lacks(lines[1], "b.mjpeg", "0.1 MB", "first request")
    assert lines[2].startswith("  c.mjpeg: 1 frames")


def test_an_empty_folder_says_what_to_do(tmp_path):
    assert "put one there" in describe_movies(MovieLibrary(tmp_path), 20).lines[0]


def test_of_a_thousand_movies_only_the_budget_is_read(many, monkeypatch):
    indexed = []

    def counted(path):
        indexed.append(index_cost(path))
        return open_movie(path)

    monkeypatch.setattr(listing, "open_movie", counted)
    lines = describe_movies(MovieLibrary(many), 20).lines
    assert len(lines) == COUNT
    assert sum(indexed) <= listing.LISTING_BUDGET
    assert not lacks(lines[4], "m0004.mjpeg", "1073.7 MB", "first request")
    assert "40 frames" in lines[0] and "3 frames" in lines[3]
    assert sum("indexed on" in line for line in lines) + len(indexed) == COUNT


@pytest.mark.skipif(not hasattr(os, "link"), reason="hard links")
def test_a_server_of_a_thousand_movies_starts_and_plays_the_last(many):
    with ServerProcess(many) as server:
        name = f"m{COUNT - 1:04d}"
        movie = next(many.glob(f"{name}.*")).name
        run = run_client(*server.address, 0, movie, "--headless", "--frames", 3, "--json")
    assert run.report["frames"] == 3, run.stderr


# --- Opening at the same time --------------------------------------------------------------------


class SlowIndex:
    """Holds up the indexing of one file until it is let go, and counts all."""

    def __init__(self, monkeypatch, slow):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.indexed = []
        original = Movie.__init__

        def index(movie, path, any_frame=False):
            self.indexed.append(os.path.basename(path))
            if self.indexed[-1] == slow:
                self.begun.set()
                assert self.go_on.wait(LIMIT)
            original(movie, path, any_frame)

        monkeypatch.setattr(Movie, "__init__", index)


@pytest.fixture
def two(tmp_path):
    for name in ("slow.Mjpeg", "quick.Mjpeg"):
        write_movie(tmp_path / name, [jpeg_of_size(900)])
    return tmp_path


def test_nobody_waits_for_the_index_of_another_movie(two, monkeypatch):
    index = SlowIndex(monkeypatch, "slow.Mjpeg")
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(open_movie, two / "slow.Mjpeg")
        try:
            assert index.begun.wait(LIMIT)
            quick = pool.submit(open_movie, two / "quick.Mjpeg").result(LIMIT)
            assert len(quick.frames) == 1 and not waiting.done()
        finally:
            index.go_on.set()
        assert len(waiting.result(LIMIT).frames) == 1


def test_two_first_viewers_index_once(two, monkeypatch):
    index = SlowIndex(monkeypatch, "slow.Mjpeg")
    with ThreadPoolExecutor(2) as pool:
        opened = [pool.submit(open_movie, two / "slow.Mjpeg") for _ in range(2)]
        assert index.begun.wait(LIMIT)
        index.go_on.set()
        first, second = (future.result(LIMIT) for future in opened)
    assert first is second
    assert index.indexed == ["slow.Mjpeg"]


# --- Descriptors ---------------------------------------------------------------------------------


class FakeResource:
    RLIMIT_NOFILE = 7

    def __init__(self, soft, hard, largest):
        self.limits, self.largest = (soft, hard), largest

    def getrlimit(self, which):
        assert which == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, which, limits):
        if limits[0] > self.largest:
            raise ValueError("current limit exceeds maximum limit")
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "largest", "after"),
    [
        (1024, 4096, 4096, 4096),
        (4096, 4096, 0, 4096),
        (256, 1 << 62, 10_240, 10_240),  # macOS
        (256, 1 << 62, 256, 256),
    ],
)
def test_the_soft_limit_becomes_what_can_be_had(monkeypatch, soft, hard, largest, after):
    fake = FakeResource(soft, hard, largest)
    monkeypatch.setattr(descriptors, "resource", fake)
    descriptors.raise_descriptor_limit()
    assert fake.limits == (after, hard)


def test_without_limits_nothing_is_done(monkeypatch):
    monkeypatch.setattr(descriptors, "resource", None)
    descriptors.raise_descriptor_limit()


@pytest.mark.skipif(not os.path.exists("/proc/self/limits"), reason="/proc of Linux")
def test_the_server_raises_its_limit(small_movie):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with ServerProcess(small_movie.parent) as server:
            limits = Path(f"/proc/{server.pid}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3] == line.split()[4] != "256"


def test_a_folder_with_videos_alone_says_how_they_become_movies(tmp_path):
    for number in range(9):
        (tmp_path / f"film{number}.MP4").touch()
    first, *lines = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert str(tmp_path) in first and len(lines) == 5
    assert all("rtplab import" in line for line in lines)
    write_movie(tmp_path / "movie.Mjpeg", [jpeg_of_size(1000)])
    (line,) = describe_movies(MovieLibrary(tmp_path), 20).lines
    assert "movie.Mjpeg" in line
