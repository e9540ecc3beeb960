"""The playout buffer, by an injected clock."""

from __future__ import annotations

import random

import pytest

from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.playout import (
    FRAME_OVERHEAD,
    MAX_BYTES,
    MAX_SECONDS,
    OFFSET_WINDOW,
    PlayoutBuffer,
)


def frame(number: int, arrival: float, interval: float = 0.05) -> Frame:
    return Frame(b"%d" % number, number, 0, number * interval, arrival)


def numbers_taken(buffer: PlayoutBuffer, moments) -> list[int]:
    return [taken.number for now in moments if (taken := buffer.take(now)) is not None]


def test_a_frame_waits_for_the_latency():
    buffer = PlayoutBuffer(latency=0.1)
    buffer.put(frame(0, 10.0))
    assert buffer.next_due() == pytest.approx(10.1)
    assert buffer.take(10.09) is None
    taken = buffer.take(10.1001)
    assert taken is not None and taken.number == 0
    assert buffer.next_due() is None


def test_jitter_within_the_latency_is_not_seen():
    buffer, rng = PlayoutBuffer(latency=0.1), random.Random(1)
    arrivals = [(n, 5 + n * 0.05 + (0 if n == 0 else rng.uniform(0, 0.09))) for n in range(100)]
    shown = {}
    pending = sorted(arrivals, key=lambda item: item[0])
    now = 5.0
    while now < 11:
        while pending and pending[0][1] <= now:
            buffer.put(frame(*pending.pop(0)))
        taken = buffer.take(now)
        if taken is not None:
            shown[taken.number] = now
        now += 0.001
    assert list(shown) == list(range(100))
    assert all(when == pytest.approx(5.1 + n * 0.05, abs=0.0021) for n, when in shown.items())
    assert buffer.skipped == 0


def test_the_newest_due_frame_is_shown_and_the_others_are_counted():
    buffer = PlayoutBuffer(latency=0.0)
    for number in range(5):
        buffer.put(frame(number, 1.0 + number * 0.05))
    taken = buffer.take(1.11)
    assert taken is not None and taken.number == 2
    assert buffer.skipped == 2
    assert buffer.waiting == 2


def test_no_frame_comes_out_while_held_and_all_come_after():
    buffer = PlayoutBuffer(latency=0.1)
    for number in range(3):
        buffer.put(frame(number, 1 + number * 0.05))
    buffer.hold()
    assert buffer.take(99.0) is None
    assert buffer.next_due() is None
    buffer.release()
    assert buffer.take(100.0) is None  # nobody knows yet when what waits is due
    buffer.put(frame(3, 200.0))
    assert numbers_taken(buffer, [200.01 + n * 0.01 for n in range(12)]) == [1, 2, 3]


def test_stepping_takes_one_at_a_time():
    buffer = PlayoutBuffer()
    for number in range(2):
        buffer.put(frame(number, 1.0))
    buffer.hold()
    assert [buffer.step().number, buffer.step().number, buffer.step()] == [0, 1, None]


def test_clear_forgets_frames_and_clock():
    buffer = PlayoutBuffer(latency=0.1)
    buffer.put(frame(0, 1.0))
    buffer.clear()
    assert buffer.take(99.0) is None
    buffer.put(frame(0, 50.0))
    assert buffer.next_due() == pytest.approx(50.1)


def test_a_clock_that_runs_slower_than_ours_does_not_eat_the_buffer():
    """The sender loses a millisecond a second; after minutes frames still wait the latency."""
    buffer, drift = PlayoutBuffer(latency=0.1), 1.001
    waits = []
    for number in range(6000):
        arrival = number * 0.05 * drift
        buffer.put(frame(number, arrival))
        while buffer.waiting > 1:  # only the newest is looked at
            buffer.step()
        waits.append(buffer.next_due() - arrival)
    assert min(waits) >= 0.1 - 2 * OFFSET_WINDOW * (drift - 1) - 1e-9


@pytest.mark.parametrize("size", [1, 10_000, 8_000_000])
def test_so_many_bytes_wait_and_no_more(size):
    """Whatever the frames' size; a frame has a price of its own, as small ones take memory too."""
    buffer, most = PlayoutBuffer(), MAX_BYTES // (size + FRAME_OVERHEAD)
    data = bytes(size)
    for number in range(most + 10):
        assert buffer.skipped == max(0, number - most)
        buffer.put(Frame(data, number, 0, number * 1e-5, 1.0))
    assert buffer.waiting == most
    assert buffer.step().number == 10
    buffer.clear()
    buffer.put(Frame(data, 0, 0, 0.0, 1.0))
    assert buffer.waiting == 1


def test_the_newest_frame_stays_whatever_its_size():
    buffer = PlayoutBuffer()
    for number in range(3):
        buffer.put(Frame(bytes(MAX_BYTES), number, 0, number * 0.05, 1.0))
    assert (buffer.waiting, buffer.skipped) == (1, 2)
    assert buffer.take(99.0).number == 2


@pytest.mark.parametrize("fps", [0.1, 20, 120])
def test_so_many_seconds_wait_and_no_more(fps):
    """A count of frames is two seconds of one movie and an hour of another."""
    buffer = PlayoutBuffer()
    buffer.hold()
    for number in range(int(2 * MAX_SECONDS * fps) + 2):
        buffer.put(frame(number, 1.0, interval=1 / fps))
    assert buffer.waiting == pytest.approx(MAX_SECONDS * fps + 1, abs=1)


def test_how_long_the_user_paused_drops_nothing():
    """A pause is no time in the movie."""
    buffer = PlayoutBuffer()
    buffer.put(frame(1, 1.0))
    buffer.hold()
    buffer.put(frame(2, 1.0 + 10 * MAX_SECONDS))
    assert (buffer.waiting, buffer.skipped) == (2, 0)


def test_fill_is_seconds_until_it_is_empty():
    buffer = PlayoutBuffer()
    assert buffer.fill(1.0) == 0.0
    for number in range(5):
        buffer.put(frame(number, 1.0 + number * 0.05))
    assert buffer.fill(1.2) == pytest.approx(0.1)
    assert buffer.fill(9.0) == 0.0
