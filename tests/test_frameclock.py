"""When frames are due, and which are left out: all by injected time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.serving.rtp.frameclock import LONGEST_BEAT, MAX_LATENESS, PATIENCE, FrameClock

FRAME = 0.05  # seconds: one beat


def run(clock, start, seconds, cost=0.0, interval=FRAME):
    """Send for so long, each frame when it is due and not before the last one has been sent.

    Return (when, number) of the frames sent; `cost` is what sending takes, in seconds.
    """
    sent, now, number = [], start, 0
    while now < start + seconds:
        number += clock.missed(now)
        sent.append((now, number))
        number += 1
        now = max(now + cost, clock.next_due(now))
    return sent


def test_frames_are_due_at_even_intervals_whenever_they_are_sent():
    clock = FrameClock(FRAME, now=100.0)
    for number in range(1, 1000):
        now = 100.0 + (number - 1) * FRAME + 0.004 * (number % 3)
        assert clock.missed(now) == 0
        assert clock.next_due(now) == pytest.approx(100.0 + number * FRAME)


@pytest.mark.parametrize("fps", [1, 10, 20, 24, 25, 30, 50, 60, 120])
def test_streams_of_one_rate_share_their_beats(fps):
    interval = 1 / fps
    phases = set()
    for start in (7.0, 7.001, 7.013, 7.0249, 7.9999):
        due = FrameClock(interval, start).next_due(start)
        assert abs(due - (start + interval)) <= LONGEST_BEAT / 2 + 1e-9
        phases.add(round(due % interval, 6) % round(interval, 6))
    assert len(phases) <= -(-interval // LONGEST_BEAT)


def test_a_delay_is_made_up_for_at_double_speed_and_without_a_bunch():
    clock = FrameClock(FRAME, now=0.0)
    sent = [(0.0, 0)]
    clock.next_due(0.0)
    sent += run(clock, 0.5, 2.0)  # the machine stood still for half a second
    times = [when for when, _ in sent]
    steps = [later - earlier for earlier, later in zip(times[1:], times[2:], strict=False)]
    assert min(steps) >= FRAME / 2 - 1e-9
    assert [number for _, number in sent[1:]] == list(range(len(sent) - 1)), "none is left out"
    assert times[-1] == pytest.approx((len(sent) - 1) * FRAME), "on time again"


@given(st.floats(0, MAX_LATENESS - 0.001))
def test_a_single_delay_never_leaves_a_frame_out(delay):
    clock = FrameClock(FRAME, now=0.0)
    clock.next_due(0.0)
    sent = run(clock, delay, 5.0)
    assert [number for _, number in sent] == list(range(len(sent)))


def test_after_a_suspension_it_goes_on_from_where_it_was():
    clock = FrameClock(FRAME, now=0.0)
    clock.next_due(0.0)
    sent = run(clock, 3600.0, 1.0)
    assert [number for _, number in sent] == list(range(20))
    assert [when for when, _ in sent] == pytest.approx([3600 + n * FRAME for n in range(20)])


@pytest.mark.parametrize("load", [1.1, 1.5, 2.0, 4.0])
def test_what_can_not_be_sent_is_left_out_evenly(load):
    """Sending takes `load` times as long as there is: the rest of the frames must go."""
    clock = FrameClock(FRAME, now=0.0)
    sent = run(clock, 0.0, 20.0, cost=load * FRAME)
    later = [(when, number) for when, number in sent if when > 3 * PATIENCE]
    lateness = [when - number * FRAME for when, number in later]
    assert max(lateness) < (1 + load) * FRAME, "it keeps up with the time"
    steps = [b - a for (_, a), (_, b) in zip(later, later[1:], strict=False)]
    assert max(steps) - min(steps) <= 2, "evenly"
    assert sum(steps) / len(steps) == pytest.approx(load, rel=0.05)


def test_nothing_is_left_out_any_more_once_it_is_on_time():
    clock = FrameClock(FRAME, now=0.0)
    run(clock, 0.0, 5.0, cost=2 * FRAME)
    run(clock, 5.05, 2.0)
    last = run(clock, 7.1, 2.0)
    assert [number for _, number in last] == list(range(len(last)))
    assert clock.missed(last[-1][0] + 0.5) == 0, "and it is patient again"


def test_bursts_of_one_frame_share_its_time():
    clock = FrameClock(0.04, now=0.0)
    assert clock.next_due(0.0, share=0.5) == pytest.approx(0.02)
    assert clock.next_due(0.02, share=0.5) == pytest.approx(0.04)
    assert clock.next_due(0.04) == pytest.approx(0.08)


@given(st.floats(0.001, 10.0), st.lists(st.floats(0, 5.0), max_size=50))
def test_the_next_frame_is_between_half_an_interval_and_one_and_a_beat_away(interval, delays):
    clock, now = FrameClock(interval, now=0.0), 0.0
    for delay in delays:
        now += delay
        clock.missed(now)
        due = clock.next_due(now)
        assert now + interval / 2 - 1e-9 <= due
        now = max(now, due)
