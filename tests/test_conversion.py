"""Conversion ahead of the viewers: what is ready when, and that nobody waits for it."""

import errno
import io
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from movies import ROOT, write_movie
from PIL import Image
from systems import needs_any_name
from test_recoding import scene
from threads import no_thread_for
from wording import lacks

from rtplab.movies.movie import Movie
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.rtpjpeg import unsupported_reason
from rtplab.serving.media import conversion
from rtplab.serving.media.conversion import ConvertedMovie

FRAMES = 12
LIMIT = 20.0
"""Seconds that a conversion may take on a busy machine before a test fails."""


def frames(count=FRAMES, size=(100, 75)):
    """Progressive pictures that differ in their length and contents."""
    return [scene(size, progressive=True, quality=30 + 4 * number) for number in range(count)]


@pytest.fixture
def opened(tmp_path):
    """Makes a ConvertedMovie of pictures, which is closed after the test."""
    movies = []

    def open_it(pictures, name="progressive.mjpeg"):
        path = tmp_path / name
        path.write_bytes(b"".join(pictures)) if large(pictures) else write_movie(path, pictures)
        movies.append((movie := Movie(path), converted := ConvertedMovie(movie)))
        return converted

    yield open_it
    for movie, converted in movies:
        converted.close()
        movie._read.__self__.close()  # the file's


def enlarged(picture):
    """A progressive picture of 1918x1078 pixels, as large in bytes as a camera's."""
    with Image.open(io.BytesIO(picture)) as image:
        image = image.resize((1918, 1078))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, subsampling="4:4:4", progressive=True)
    return file.getvalue()


def large(pictures):
    """Whether the pictures are too large for a lab movie's five digits."""
    return max(map(len, pictures)) > 99_999


@pytest.fixture
def converted(opened):
    """A small movie of progressive pictures, converted."""
    return opened(frames())


def converters():
    return [thread for thread in threading.enumerate() if thread.name == "converter"]


def wait_for(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


class Gate:
    """Stands in for the conversion of a picture, which is done when `open` says so."""

    def __init__(self, monkeypatch):
        self._real = conversion.convert
        self._tickets = threading.Semaphore(0)
        self.order = []
        self._pictures = frames()
        monkeypatch.setattr(conversion, "convert", self._convert)

    def _convert(self, picture, file, large):
        self.order.append(self._pictures.index(picture) + 1)
        assert self._tickets.acquire(timeout=LIMIT)
        self._real(picture, file)

    def open(self, count=FRAMES):
        self._tickets.release(count)


@pytest.fixture
def gate(monkeypatch, converted):  # opened before the movie is closed
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


# --- what is ready -------------------------------------------------------------------------------


def test_prepared_frames_are_there_each_in_its_place(converted):
    assert converted.prepare(1, FRAMES, LIMIT)
    for number, original in enumerate(frames(), 1):
        header = jpeg.parse(converted.frame(number))
        assert unsupported_reason(header) is None
        assert (header.width, header.height) == (104, 80)
        assert header.quantization_tables[0] == jpeg.parse(original).quantization_tables[0]


def test_nothing_is_begun_before_it_is_asked_for(converted):
    assert converters() == []
    assert converted.frame(3) is None
    wait_for(lambda: converted.frame(3) is not None)


def test_frames_beyond_the_end_are_not_waited_for(converted):
    assert converted.prepare(FRAMES, 50, LIMIT)
    assert converted.prepare(FRAMES + 1, 50, 0)
    assert converted.frame(FRAMES) is not None
    assert converted.frame(FRAMES + 1) is None


def test_prepare_waits_no_longer_than_it_is_told(converted, gate):
    began = time.monotonic()
    assert not converted.prepare(1, 1, 0.05)
    assert 0.05 <= time.monotonic() - began < LIMIT / 2
    assert not converted.prepare(1, 1, 0)
    gate.open()
    assert converted.prepare(1, 1, LIMIT)


def test_prepare_returns_as_soon_as_its_frames_are_ready(converted, gate):
    gate.open(3)
    assert converted.prepare(5, 3, LIMIT)
    assert [converted.frame(number) is not None for number in (4, 5, 6, 7, 8)] == [
        *(False, True, True, True, False)
    ]


def test_the_converter_works_where_the_viewers_are(converted, gate):
    assert converted.frame(1) is None
    wait_for(lambda: gate.order)
    assert converted.frame(8) is None
    assert converted.frame(5) is None
    gate.open()
    wait_for(lambda: len(gate.order) == FRAMES)
    # One that was asked for after the other, each a frame, and then on from there to the end.
    assert gate.order == [1, 8, 5, 6, 7, 9, 10, 11, 12, 2, 3, 4]


def test_two_viewers_share_the_converter(converted, gate):
    for number in range(1, 4):
        converted.frame(number), converted.frame(number + 6)
    gate.open(6)
    wait_for(lambda: len(gate.order) == 7)
    assert sorted(gate.order[:6]) == [1, 2, 3, 7, 8, 9]


def test_a_viewer_with_enough_in_front_of_it_takes_nothing_from_others(
    converted, gate, monkeypatch
):
    monkeypatch.setattr(conversion, "AHEAD", 3)
    gate.open(3)
    assert converted.prepare(1, 3, LIMIT)
    wait_for(lambda: gate.order[3:] == [4])
    assert converted.frame(1) is not None
    assert converted.frame(9) is None
    gate.open(1)
    wait_for(lambda: len(gate.order) == 5)
    assert gate.order[4] == 9


def test_a_frame_that_can_be_carried_is_passed_on_as_it_is(opened):
    good = scene((104, 80), subsampling="4:2:0")
    converted = opened([*frames(2), good])
    assert converted.prepare(1, 3, LIMIT)
    assert converted.frame(3) == good


# --- the pacer never waits -----------------------------------------------------------------------


def test_a_frame_that_is_not_ready_is_not_waited_for(converted, gate):
    for number in (1, 1, 2, FRAMES):
        assert converted.frame(number) is None
    assert len(converters()) == 1


@pytest.mark.timed
def test_the_pacer_is_answered_within_a_millisecond_while_large_pictures_are_converted(opened):
    pictures = [enlarged(scene((384, 288), quality=q)) for q in range(50, 60)]
    converted = opened(pictures)
    converted.prepare(1, 2, LIMIT)
    times, found = [], []
    while len(found) < len(pictures):
        began = time.perf_counter()
        frame = converted.frame(len(found) + 1)
        times.append(time.perf_counter() - began)
        if frame is not None:
            found.append(frame)
        time.sleep(0.001)
    assert len(times) > 50, "converted before the pacer could ask"
    # The machine itself may take a thread its turn away now and then.
    assert statistics.quantiles(times, n=20)[-1] < 0.001


# --- what goes wrong -----------------------------------------------------------------------------


@needs_any_name
def test_damaged_frames_are_left_out_and_reported_once(opened, caplog):
    good = frames(4)
    good[1] = good[1][:100] + b"\xff\xd9"  # it ends well, so the index takes it
    good[2] = good[2][:30] + b"\xff\xd9"
    converted = opened(good, "bad\n.mjpeg")
    assert converted.prepare(1, 4, LIMIT)
    assert [converted.frame(number) is not None for number in range(1, 5)] == [
        *(True, False, False, True)
    ]
    converted.close()
    (message,) = caplog.messages
    assert not lacks(message, r"bad\n.mjpeg", "frame 2", "skipped", "byte ", "cut short")


def test_a_movie_that_is_cut_shorter_meanwhile(converted, caplog):
    movie = converted._movie
    os.truncate(movie.path, movie.frames[5][0])
    assert converted.prepare(5, 2, LIMIT)
    assert converted.frame(5) is not None
    assert converted.frame(6) is None
    assert "frame 6" in caplog.text


def test_without_a_thread_it_is_one_sentence_until_there_is_one(converted, caplog, monkeypatch):
    with no_thread_for("converter", monkeypatch):
        start = time.monotonic()
        assert not converted.prepare(1, 1, LIMIT)
        assert time.monotonic() - start < LIMIT / 2, "there is nothing to wait for"
        assert converted.frame(1) is None
    (message,) = caplog.messages
    assert not lacks(message, "progressive.mjpeg", "convert", "thread")
    assert converted.prepare(1, 1, LIMIT)
    assert converted.frame(1) is not None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_is_one_sentence_and_no_frames(converted, caplog, monkeypatch):
    full = open("/dev/full", "r+b", buffering=0)
    monkeypatch.setattr(conversion.tempfile, "TemporaryFile", lambda **options: full)
    assert not converted.prepare(1, 1, LIMIT)
    assert converted.frame(1) is None
    assert not converted.prepare(1, 1, LIMIT)
    converted.close()
    assert len(caplog.messages) == 1
    assert not lacks(caplog.messages[0], "progressive.mjpeg", "converted", "kept")


def test_no_place_for_temporary_files(converted, caplog, monkeypatch):
    def refuse(**options):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(conversion.tempfile, "TemporaryFile", refuse)
    assert not converted.prepare(1, 1, LIMIT)
    converted.close()
    assert "No usable temporary directory" in caplog.text


def test_the_bound_on_the_total_size(converted, caplog, monkeypatch):
    monkeypatch.setattr(conversion, "MAX_CACHE_BYTES", 1)
    assert not converted.prepare(1, 2, LIMIT)
    assert converted.frame(1) is not None, "what there is stays"
    assert converted.frame(2) is None
    converted.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_the_bound_is_that_of_all_movies_together(opened, monkeypatch):
    monkeypatch.setattr(conversion, "MAX_CACHE_BYTES", 1)
    first = opened(frames())
    first.prepare(1, 2, LIMIT)
    second = opened(frames(), "second.mjpeg")
    assert not second.prepare(1, 1, LIMIT)
    first.close()
    third = opened(frames(), "third.mjpeg")
    assert third.prepare(1, 1, LIMIT), "the first has given its space back"


CUT_SHORT = """
import resource, sys, logging
from rtplab.serving.media.conversion import ConvertedMovie
from rtplab.movies.movie import Movie
logging.basicConfig(format="%(message)s")
movie = ConvertedMovie(Movie(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
print(movie.prepare(1, 4, 20), [movie.frame(number) is not None for number in range(1, 5)])
movie.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_picture_that_the_disk_had_room_for_half_of_is_not_kept(converted):
    assert converted.prepare(1, 3, LIMIT)
    room = sum(len(converted.frame(number)) for number in (1, 2, 3)) - 1
    command = [sys.executable, "-c", CUT_SHORT, converted._movie.path, str(room)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout == "False [True, True, False, False]\n"
    assert len(run.stderr.splitlines()) == 1 and "No space left" in run.stderr


def test_where_reading_moves_the_position_frames_are_read_while_others_are_written(
    opened, monkeypatch
):
    """Windows has no pread. A thread reads what there is all the time."""
    pictures = [scene((96, 72), progressive=True, quality=20 + number) for number in range(60)]
    with_pread = opened(pictures, "other.mjpeg")
    assert with_pread.prepare(1, len(pictures), LIMIT)
    expected = [with_pread.frame(number) for number in range(1, len(pictures) + 1)]
    for name in ("pread", "pwrite"):
        monkeypatch.delattr(os, name, raising=False)
    converted = opened(pictures)
    reads = 0
    while converted._places.get(len(pictures)) is None:
        assert not converted._stopped
        converted.frame(1)
        for number in list(converted._places):
            assert converted.frame(number) == expected[number - 1]
            reads += 1
    assert reads > len(pictures)
    assert converted.prepare(1, len(pictures), LIMIT)
    assert [converted.frame(number) for number in range(1, len(pictures) + 1)] == expected


@pytest.mark.parametrize("unforeseen", [ZeroDivisionError("by zero"), RuntimeError()])
def test_a_frame_at_which_the_conversion_itself_fails_is_left_out(
    converted, caplog, monkeypatch, unforeseen
):
    def fail(picture, file, large):
        if picture == frames()[1]:
            raise unforeseen
        file.write(b"half")
        real(picture, file)

    real = conversion.convert
    monkeypatch.setattr(conversion, "convert", fail)
    assert converted.prepare(1, FRAMES, LIMIT)
    assert [number for number in range(1, FRAMES + 1) if converted.frame(number) is None] == [2]
    assert not converted.has_lost(2), "it is damaged, and the movie goes on"
    assert ["frame 2" in message for message in caplog.messages] == [True]


def test_when_the_thread_itself_fails_nobody_waits_for_it(converted, caplog, monkeypatch):
    def fail(last):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(converted, "_next_missing", fail)
    began = time.monotonic()
    assert not converted.prepare(1, 1, LIMIT)
    assert time.monotonic() - began < LIMIT / 2
    assert converted.frame(1) is None
    assert converted.has_lost(1)
    converted.close()
    assert ["by zero" in message for message in caplog.messages] == [True]


def test_after_a_full_disk_what_there_is_stays_and_the_rest_is_lost(converted, monkeypatch):
    monkeypatch.setattr(conversion, "MAX_CACHE_BYTES", 1)
    converted.prepare(1, 2, LIMIT)
    assert converted.frame(1) is not None and converted.frame(2) is None
    assert converted.has_lost(2)


# --- the end -------------------------------------------------------------------------------------


def test_the_thread_ends_when_all_is_converted(converted):
    assert converted.prepare(1, FRAMES, LIMIT)
    wait_for(lambda: not converters())
    assert converted.frame(FRAMES) is not None
    assert converters() == [], "started for nothing"


def test_the_thread_ends_without_viewers_and_begins_again_with_one(converted, gate, monkeypatch):
    monkeypatch.setattr(conversion, "IDLE_SECONDS", 0.02)
    converted.frame(1)
    wait_for(lambda: gate.order)
    time.sleep(0.03)
    gate.open(1)
    wait_for(lambda: not converters())
    assert gate.order == [1]
    monkeypatch.setattr(conversion, "IDLE_SECONDS", LIMIT)
    gate.open()
    assert converted.prepare(1, 2, LIMIT)


def test_close_ends_the_thread_and_whoever_waits(converted, gate):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(converted.prepare(1, 9, LIMIT)))
    waiting.start()
    wait_for(lambda: gate.order)
    closing = threading.Thread(target=converted.close)
    closing.start()
    waiting.join(LIMIT)
    assert answers == [False]
    gate.open()
    closing.join(LIMIT)
    assert converters() == [] and not closing.is_alive()
    assert gate.order == [1]


def test_after_close_there_are_no_frames_no_errors_and_no_file(converted, caplog):
    assert converted.prepare(1, FRAMES, LIMIT)
    converted.close()
    converted.close()
    assert converted.frame(1) is None
    assert caplog.messages == []
