"""Which frames belong to a PLAY, and where in the movie, by what the server said of it."""

from __future__ import annotations

import pytest

from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.timeline import CLOCK_RATE
from rtplab.receiving.rtsp.playepoch import (
    MAX_LEAD,
    PlayEpoch,
    PlayStart,
)

RATE = 20
STEP = CLOCK_RATE // RATE
DAY = 86_400 * CLOCK_RATE


def frame(ticks):
    return Frame(b"", 7, ticks & 0xFFFFFFFF, 0.0, 0.0)


def numbers(epoch, ticks):
    return [found.number for found in epoch.admit([frame(tick) for tick in ticks])]


def test_a_stream_of_days_loses_no_frame_and_its_place_does_not_jump():
    """Timestamps wrap around after 13.3 h, and are ambiguous after half of it."""
    epoch = PlayEpoch(PlayStart(rtptime=0), frame_rate=RATE)
    ticks = range(0, 2 * DAY, CLOCK_RATE // 2 * 3600 + STEP)
    assert numbers(epoch, ticks) == [tick // STEP + 1 for tick in ticks]
    assert epoch.position_of(frame(ticks[-1])) == pytest.approx(ticks[-1] / CLOCK_RATE)


def test_no_frame_is_lost_where_timestamps_wrap_around():
    epoch = PlayEpoch(PlayStart(rtptime=0), frame_rate=RATE)
    ticks = [*range(0, 2**32, 2**30), *range(2**32 - 3 * STEP, 2**32 + 3 * STEP, STEP)]
    assert len(numbers(epoch, ticks)) == len(ticks)


def test_no_two_live_pictures_have_one_number():
    """They come when they are made, not when their rate says: here a fifth is much too early."""
    epoch = PlayEpoch(PlayStart(rtptime=0), frame_rate=RATE)
    ticks = [number * STEP - (number % 5 == 4) * STEP * 3 // 4 for number in range(40)]
    found = numbers(epoch, ticks)
    assert found == [*range(1, 41)]


def test_the_window_shows_what_came_before():
    epoch = PlayEpoch(PlayStart(start=5.0, rtptime=1000))
    epoch.admit([frame(1000), frame(1000 + 10 * CLOCK_RATE)])
    assert epoch.position_of(frame(1000)) == 5.0
    assert epoch.position_of(frame(1000 + 2 * CLOCK_RATE)) == 7.0


@pytest.mark.parametrize("lead", [-MAX_LEAD, -1.0, 0.0, MAX_LEAD])
def test_an_rtptime_near_the_first_frame_is_believed(lead):
    epoch = PlayEpoch(PlayStart(start=10.0, rtptime=2**32 - 5))
    assert epoch.position_of(frame(2**32 - 5 + round(lead * CLOCK_RATE))) == 10.0 + lead


@pytest.mark.parametrize("lead", [-1000.0, -MAX_LEAD - 0.1, MAX_LEAD + 0.1, 20_000.0])
def test_an_rtptime_far_from_the_first_frame_is_not(lead):
    epoch = PlayEpoch(PlayStart(start=10.0, rtptime=7), frame_rate=RATE)
    first = 7 + round(lead * CLOCK_RATE)
    assert epoch.position_of(frame(first)) == 10.0
    assert numbers(epoch, range(first, first + 3 * STEP, STEP)) == [201, 202, 203]


def test_frames_that_were_under_way_are_left_out_until_the_first_that_was_not():
    epoch = PlayEpoch(PlayStart(rtptime=CLOCK_RATE), frame_rate=RATE)
    early = [CLOCK_RATE - 2 * STEP, CLOCK_RATE - STEP]
    assert numbers(epoch, [*early, CLOCK_RATE, CLOCK_RATE + STEP]) == [1, 2]
    assert len(numbers(epoch, early)) == 2


@pytest.mark.parametrize("rtptime", [0, 1, 45_000, 89_999, 2**31])
def test_timestamps_that_stand_still_cost_one_frame_at_most(rtptime):
    assert len(numbers(PlayEpoch(PlayStart(rtptime=rtptime)), [0] * 10)) >= 9


# --- Before the reply, and without one -----------------------------------------------------------


def test_the_reply_says_where_the_first_frame_is():
    epoch = PlayEpoch(PlayStart(), frame_rate=RATE)
    epoch.begin(PlayStart(start=5.0, rtptime=CLOCK_RATE))
    ticks = (CLOCK_RATE - STEP, CLOCK_RATE, CLOCK_RATE + STEP)
    assert numbers(epoch, ticks) == [5 * RATE + 1, 5 * RATE + 2]


def test_of_a_lab_server_all_frames_are_wanted_as_they_are():
    epoch = PlayEpoch()
    epoch.begin(None)
    later = [frame(7), frame(7), frame(3)._replace(media_time=2.5)]
    assert epoch.admit(later) == later
    assert epoch.position_of(later[-1]) == 2.5


def test_the_first_frame_tells_how_long_it_took():
    epoch = PlayEpoch(PlayStart(), frame_rate=RATE, asked_at=100.0)
    epoch.begin(PlayStart())
    assert epoch.first_frame_delay is None
    epoch.arrived(frame(0)._replace(arrival=100.5))
    assert epoch.first_frame_delay == 0.5


def test_what_was_left_out_is_known_until_a_frame_is_not():
    epoch = PlayEpoch(PlayStart(rtptime=CLOCK_RATE))
    epoch.admit([frame(CLOCK_RATE - STEP)])
    assert epoch.misplaced
    epoch.admit([frame(CLOCK_RATE)])
    assert not epoch.misplaced


def test_frames_that_are_still_shown_after_the_end_keep_their_places():
    epoch = PlayEpoch(PlayStart(start=3.0, rtptime=0))
    epoch.admit([frame(10 * CLOCK_RATE)])
    epoch.end()
    assert epoch.first_frame_delay is None
    assert epoch.position_of(frame(9 * CLOCK_RATE)) == pytest.approx(3.0 - 1.0)
