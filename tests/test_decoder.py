"""The thread that decodes large pictures."""

from __future__ import annotations

import threading
import time

import pytest
from movies import MOVIE, frames_of
from strip import frame_number
from threads import no_thread_for

from rtplab.player.picture.decoding import BackgroundDecoder

FRAMES = frames_of(MOVIE)[:20]


@pytest.fixture
def decoder():
    decoder = BackgroundDecoder()
    yield decoder
    decoder.close()
    decoder.close()


def wait(decoder: BackgroundDecoder):
    deadline = time.monotonic() + 10
    while (picture := decoder.take()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return picture


def test_a_frame_comes_back_decoded(decoder):
    decoder.submit(FRAMES[4], (384, 288))
    assert decoder.busy
    picture = wait(decoder)
    assert picture.jpeg == FRAMES[4]
    assert frame_number(picture.image) == 5
    assert decoder.take() is None


def test_the_newest_counts(decoder):
    for jpeg in FRAMES:
        decoder.submit(jpeg, (384, 288))
    deadline = time.monotonic() + 10
    while decoder.busy and time.monotonic() < deadline:
        time.sleep(0.002)
    assert decoder.take().jpeg == FRAMES[-1]


def test_a_damaged_frame_has_no_image(decoder):
    decoder.submit(FRAMES[0][:500], (384, 288))
    picture = wait(decoder)
    assert picture.image is None
    assert "JPEG" in picture.problem


def test_nothing_comes_of_what_is_forgotten(decoder):
    decoder.submit(FRAMES[0], (384, 288))
    decoder.forget()
    deadline = time.monotonic() + 10
    while decoder.busy and time.monotonic() < deadline:
        time.sleep(0.002)
    assert decoder.take() is None


def test_a_frame_is_decoded_even_if_the_system_grants_no_thread(decoder, monkeypatch):
    with no_thread_for("decoder", monkeypatch):
        decoder.submit(FRAMES[4], (384, 288))
        picture = decoder.take()
        assert frame_number(picture.image) == 5
        assert not decoder.busy
        assert decoder.take() is None
    decoder.submit(FRAMES[5], (384, 288))  # by now there is one again
    assert frame_number(wait(decoder).image) == 6


def test_no_thread_without_work_and_none_after_close():
    before = threading.active_count()
    decoder = BackgroundDecoder()
    assert threading.active_count() == before
    decoder.submit(FRAMES[0], (384, 288))
    assert threading.active_count() == before + 1
    decoder.close()
    assert threading.active_count() == before
