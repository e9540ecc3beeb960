"""Where in the movie frames belong, by their timestamps and what the server said of them."""

from __future__ import annotations

import pytest

from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.timeline import CLOCK_RATE
from rtplab.receiving.rtsp.position import MAX_LEAD, MoviePosition

RATE = 20
STEP = CLOCK_RATE // RATE
DAY = 86_400 * CLOCK_RATE


def frame(ticks):
    return Frame(b"", 7, ticks & 0xFFFFFFFF, 0.0, 0.0)


def numbers(position, ticks):
    return [found.number for found in position.numbered([frame(tick) for tick in ticks])]


def test_a_stream_of_days_loses_no_frame_and_its_place_does_not_jump():
    """Timestamps wrap around after 13.3 h, and are ambiguous after half of it."""
    position = MoviePosition(rtptime=0, frame_rate=RATE)
    ticks = range(0, 2 * DAY, CLOCK_RATE // 2 * 3600 + STEP)
    assert numbers(position, ticks) == [tick // STEP + 1 for tick in ticks]
    assert position.of(frame(ticks[-1])) == pytest.approx(ticks[-1] / CLOCK_RATE)


def test_no_frame_is_lost_where_timestamps_wrap_around():
    position = MoviePosition(rtptime=0, frame_rate=RATE)
    ticks = [*range(0, 2**32, 2**30), *range(2**32 - 3 * STEP, 2**32 + 3 * STEP, STEP)]
    assert len(numbers(position, ticks)) == len(ticks)


def test_the_window_shows_what_came_before():
    position = MoviePosition(start=5.0, rtptime=1000)
    position.numbered([frame(1000), frame(1000 + 10 * CLOCK_RATE)])
    assert position.of(frame(1000)) == 5.0
    assert position.of(frame(1000 + 2 * CLOCK_RATE)) == 7.0


@pytest.mark.parametrize("lead", [-MAX_LEAD, -1.0, 0.0, MAX_LEAD])
def test_an_rtptime_near_the_first_frame_is_believed(lead):
    position = MoviePosition(start=10.0, rtptime=2**32 - 5)
    assert position.of(frame(2**32 - 5 + round(lead * CLOCK_RATE))) == 10.0 + lead


@pytest.mark.parametrize("lead", [-1000.0, -MAX_LEAD - 0.1, MAX_LEAD + 0.1, 20_000.0])
def test_an_rtptime_far_from_the_first_frame_is_not(lead):
    position = MoviePosition(start=10.0, rtptime=7, frame_rate=RATE)
    first = 7 + round(lead * CLOCK_RATE)
    assert position.of(frame(first)) == 10.0
    assert numbers(position, range(first, first + 3 * STEP, STEP)) == [201, 202, 203]


def test_frames_that_were_under_way_are_left_out_until_the_first_that_was_not():
    position = MoviePosition(rtptime=CLOCK_RATE, frame_rate=RATE)
    early = [CLOCK_RATE - 2 * STEP, CLOCK_RATE - STEP]
    assert numbers(position, [*early, CLOCK_RATE, CLOCK_RATE + STEP]) == [1, 2]
    assert len(numbers(position, early)) == 2


@pytest.mark.parametrize("rtptime", [0, 1, 45_000, 89_999, 2**31])
def test_timestamps_that_stand_still_cost_one_frame_at_most(rtptime):
    assert len(numbers(MoviePosition(rtptime=rtptime), [0] * 10)) >= 9
