"""Media time: from timestamps that are 90 kHz ticks, and from arrivals where they are not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.receiving.rtp.timeline import CLOCK_RATE, MediaTimeline

FRAME = 0.04  # seconds
TICKS = int(FRAME * CLOCK_RATE)


def times(timestamps, interval=FRAME):
    timeline = MediaTimeline()
    return [timeline.frame(stamp, n * interval) for n, stamp in enumerate(timestamps)]


def steps(media_times):
    return [after - before for before, after in zip(media_times, media_times[1:], strict=False)]


def test_90_khz_ticks():
    timeline = MediaTimeline()
    for number in range(50):
        assert timeline.frame(number * TICKS, 0.1 * number) == pytest.approx(number * FRAME)
    assert timeline.trusts_timestamps


def test_to_pause_twice_is_to_pause_once():
    timeline = MediaTimeline()
    timeline.frame(0, 0.0)
    timeline.paused()
    after = timeline.media_time
    timeline.paused()
    assert timeline.media_time == after


def test_a_lost_frame_leaves_its_time():
    assert times([0, TICKS, 3 * TICKS]) == pytest.approx([0, FRAME, 3 * FRAME])


def test_over_the_wrap():
    start = 2**32 - 3 * TICKS
    stamps = [(start + n * TICKS) % 2**32 for n in range(10)]
    assert times(stamps) == pytest.approx([n * FRAME for n in range(10)])


@pytest.mark.parametrize(
    ("ticks", "believed"),
    [(359, False), (360, True), (450_000, True), (450_001, False), (0, False)],
)
def test_steps_that_a_90_khz_clock_can_make(ticks, believed):
    timeline = MediaTimeline()
    timeline.frame(1000, 0.0)
    expected = ticks / CLOCK_RATE if believed else 0.05
    assert timeline.frame(1000 + ticks, 0.05) == pytest.approx(expected)
    assert timeline.trusts_timestamps == believed


WHOLE_SECONDS = [1_700_000_000 + int(n * FRAME) for n in range(200)]
RANDOM = [random.Random(7).getrandbits(32) for _ in range(200)]
GARBAGE = {
    "zero": [0] * 200,
    "whole seconds": WHOLE_SECONDS,
    "frame numbers": list(range(200)),
    "milliseconds": [n * 40 for n in range(200)],
    "backwards": [2**31 - n * TICKS for n in range(200)],
    "half the circle": [n * 2**31 % 2**32 for n in range(200)],
}


@pytest.mark.parametrize("stamps", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_not_trusted_and_arrivals_count(stamps):
    media_times = times(stamps)
    assert steps(media_times[150:]) == pytest.approx([FRAME] * 49, rel=0.02)


@pytest.mark.parametrize("stamps", [*GARBAGE.values(), RANDOM], ids=[*GARBAGE, "random"])
def test_trust_is_lost(stamps):
    timeline = MediaTimeline()
    for number, stamp in enumerate(stamps):
        timeline.frame(stamp, number * FRAME)
    assert not timeline.trusts_timestamps


def test_the_rate_of_arrivals_is_learned_and_smooth():
    """Arrivals that swing by half a frame; the frames are due at an even pace all the same."""
    timeline = MediaTimeline()
    media_times = [timeline.frame(0, n * 0.1 + (0.05 if n % 2 else 0.0)) for n in range(300)]
    assert steps(media_times[200:]) == pytest.approx([0.1] * 99, rel=0.1)


def test_one_wild_timestamp_is_bridged():
    stamps = [n * TICKS for n in range(20)]
    stamps[10] = 12345
    media_times = times(stamps)
    assert steps(media_times[:10]) == pytest.approx([FRAME] * 9)
    assert all(0 < step < 0.5 for step in steps(media_times))
    assert steps(media_times[12:]) == pytest.approx([FRAME] * 7)


def test_a_pause_is_no_time_between_frames():
    timeline = MediaTimeline()
    for number in range(10):
        timeline.frame(number * TICKS, number * FRAME)
    timeline.paused()
    resumed = timeline.frame(10 * TICKS, 60.0)
    assert resumed == pytest.approx(10 * FRAME, abs=0.02)
    assert timeline.frame(11 * TICKS, 60.0 + FRAME) == pytest.approx(resumed + FRAME)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(-1, 100)), max_size=60))
def test_media_time_always_grows_and_never_jumps(frames):
    timeline, arrival, before, longest = MediaTimeline(), 0.0, None, 0.0
    for stamp, pause in frames:
        arrival += pause
        longest = max(longest, pause)
        media_time = timeline.frame(stamp, arrival)
        assert before is None or 0 < media_time - before <= max(5.0, 2 * longest)
        before = media_time


SLOW_AND_FAST = pytest.mark.parametrize("fps", [0.1, 0.15, 1, 20, 120])


@SLOW_AND_FAST
def test_90_khz_ticks_are_trusted_at_any_rate(fps):
    ticks = round(CLOCK_RATE / fps)
    media_times = times([n * ticks for n in range(30)], 1 / fps)
    assert steps(media_times) == pytest.approx([1 / fps] * 29, rel=0.001)


@SLOW_AND_FAST
def test_the_rate_of_a_stream_without_timestamps_is_learned_within_a_few_frames(fps):
    assert steps(times([0] * 12, 1 / fps)[4:]) == pytest.approx([1 / fps] * 7, rel=0.05)


def test_an_outage_is_time_in_the_movie_where_the_timestamps_say_so():
    timeline = MediaTimeline()
    for number in range(10):
        timeline.frame(number * TICKS, number * FRAME)
    assert timeline.frame(1000 * TICKS, 1000 * FRAME) == pytest.approx(1000 * FRAME)


def test_one_outage_does_not_make_a_stream_without_timestamps_slow():
    timeline = MediaTimeline()
    for number in range(100):
        timeline.frame(0, number * FRAME)
    before = timeline.frame(0, 600.0)
    assert timeline.frame(0, 600.0 + FRAME) - before == pytest.approx(FRAME, rel=0.1)
