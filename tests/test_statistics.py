"""Reception statistics against RFC 3550 appendix A, computed here in another way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.receiving.rtp.statistics import HISTORY, Statistics

START = 100.0  # seconds


def after(sequences, size=100):
    statistics = Statistics()
    for index, sequence in enumerate(sequences):
        statistics.arrived(sequence, size, START + index * 0.05)
    return statistics


def test_nothing_has_come():
    statistics = Statistics()
    assert (statistics.packets, statistics.lost, statistics.expected) == (0, 0, 0)
    assert (statistics.loss_rate, statistics.seconds, statistics.jitter) == (0.0, 0.0, 0.0)


def test_all_has_come():
    statistics = after(range(100, 150))
    assert (statistics.packets, statistics.bytes) == (50, 5000)
    assert (statistics.expected, statistics.lost, statistics.loss_rate) == (50, 0, 0.0)
    assert statistics.seconds == pytest.approx(49 * 0.05)
    assert (statistics.first_arrival, statistics.highest_sequence) == (START, 149)
    assert (statistics.duplicates, statistics.late, statistics.reordered) == (0, 0, 0)
    assert statistics.frames == 0


def test_one_packet():
    statistics = after([7])
    assert (statistics.expected, statistics.lost, statistics.seconds) == (1, 0, 0.0)


def test_lost_packets():
    statistics = after([1, 2, 5, 6, 10])
    assert (statistics.expected, statistics.lost) == (10, 5)
    assert statistics.loss_rate == 0.5


def test_a_duplicate_makes_up_for_no_lost_packet():
    statistics = after([1, 2, 2, 2, 4])
    assert (statistics.packets, statistics.expected, statistics.lost) == (5, 4, 1)


def test_a_late_packet_is_not_lost():
    statistics = after([1, 2, 4, 5, 6, 3])
    assert (statistics.lost, statistics.reordered) == (0, 1)


def test_a_packet_from_before_the_first_was_expected_too():
    statistics = after([5, 6, 3])
    assert (statistics.expected, statistics.lost, statistics.reordered) == (4, 1, 1)


def test_over_the_wrap():
    statistics = after(range(65530, 65546))
    assert (statistics.expected, statistics.lost) == (16, 0)
    assert statistics.highest_sequence == 65545


def test_a_new_numbering_keeps_what_was_counted():
    statistics = after([1, 2, 4])
    statistics.restarted()
    assert (statistics.expected, statistics.lost) == (4, 1)
    for sequence in (40000, 40001, 40003):
        statistics.arrived(sequence, 100, 1.0)
    assert (statistics.packets, statistics.expected, statistics.lost) == (6, 8, 2)


def test_the_count_is_right_over_many_wraps_of_the_memory():
    statistics = after(range(0, 5 * HISTORY, 2))
    assert statistics.lost == 5 * HISTORY // 2 - 1


@pytest.mark.parametrize("gap", [1, 2, 100, HISTORY - 1, HISTORY, HISTORY + 1, 3 * HISTORY + 5])
@pytest.mark.parametrize("start", [0, HISTORY - 50])
def test_whatever_a_gap_leaves_out_has_not_come(start, gap):
    """Numbers that share a place in the memory with older ones too."""
    statistics = Statistics()
    for number in range(start, start + HISTORY):
        statistics.arrived(number, 100, START)
    highest = start + HISTORY - 1 + gap
    assert statistics.arrived(highest, 100, START)
    assert statistics.lost == gap - 1
    missing = range(max(highest - gap, highest - HISTORY) + 1, highest)
    assert all(statistics.arrived(number, 100, START) for number in missing)
    assert not any(statistics.arrived(number, 100, START) for number in missing)
    assert statistics.lost == max(0, gap - HISTORY)


def test_a_packet_that_is_seconds_late_in_a_fast_stream_is_not_lost():
    """1080p has 4,000 packets a second."""
    missing = 10
    statistics = after(number for number in range(20_000) if number != missing)
    assert statistics.lost == 1
    assert statistics.arrived(missing, 100, START)
    assert statistics.lost == 0


def test_what_is_older_than_memory_is_not_counted_twice():
    statistics = after(range(3 * HISTORY))
    statistics.arrived(5, 100, 1000.0)
    assert statistics.lost == 0
    assert statistics.packets == 3 * HISTORY + 1


def test_what_has_come():
    statistics = after([1, 2, 4])
    first = [statistics.arrived(sequence, 100, START) for sequence in range(6)]
    assert first == [True, False, False, True, False, True]
    statistics.restarted()
    assert statistics.arrived(1, 100, START)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=120))
def test_loss_is_that_of_appendix_a3(sequences):
    statistics = after(sequences)
    expected = max(sequences) - min(sequences) + 1
    assert statistics.expected == expected
    assert statistics.lost == expected - len(set(sequences))
    assert statistics.packets == len(sequences)
    assert statistics.loss_rate == pytest.approx(statistics.lost / expected)


# --- Jitter (appendix A.8) -----------------------------------------------------------------------


FIRST_STAMP = 2**32 - 9000  # which wraps around after a tenth of a second


def jitter_by_the_rfc(times):
    """A.8 as it stands there, in whole ticks of 90 kHz with the jitter scaled by 16."""
    scaled, previous = 0, None
    for media_time, arrival in times:
        transit = round(arrival * 90_000) - round(media_time * 90_000)
        if previous is not None:
            scaled += abs(transit - previous) - ((scaled + 8) >> 4)
        previous = transit
    return (scaled >> 4) / 90_000


def jitter_of(times):
    """The jitter of packets that are due at a media time and come at an arrival time."""
    by_time, by_stamp = Statistics(), Statistics()
    for media_time, arrival in times:
        by_time.timed(media_time, arrival)
        by_stamp.stamped(round(FIRST_STAMP + media_time * 90_000) % 2**32, arrival)
    assert by_stamp.jitter == pytest.approx(by_time.jitter, abs=2 / 90_000)
    return by_time.jitter


def test_no_jitter():
    assert jitter_of([(n * 0.05, 7.0 + n * 0.05) for n in range(50)]) == pytest.approx(0.0)


def test_one_late_frame():
    times = [(0.0, 0.0), (0.05, 0.066)]
    assert jitter_of(times) == pytest.approx(0.001)


def test_every_other_frame_is_late():
    """The difference is always 8 ms, so the jitter comes to it by a sixteenth each time."""
    times = [(n * 0.05, n * 0.05 + (0.008 if n % 2 else 0.0)) for n in range(200)]
    assert jitter_of(times) == pytest.approx(0.008 * (1 - (15 / 16) ** 199))


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=200))
def test_jitter_is_that_of_appendix_a8(delays):
    times = [(n * 0.05, n * 0.05 + delay) for n, delay in enumerate(delays)]
    tick = 1 / 90_000
    assert jitter_of(times) == pytest.approx(jitter_by_the_rfc(times), abs=2 * tick)


def test_a_pause_is_no_jitter():
    statistics = Statistics()
    statistics.timed(0.0, 0.0)
    statistics.timed(0.05, 0.05)
    statistics.paused()
    statistics.timed(0.1, 60.0)
    statistics.timed(0.15, 60.05)
    assert statistics.jitter == pytest.approx(0.0)


def test_wild_timestamps_are_no_jitter_of_hours():
    statistics = Statistics()
    for number, stamp in enumerate((0, 2**31, 5, 2**30, 7)):
        statistics.stamped(stamp, number * 0.05)
    assert statistics.jitter < 0.05


@pytest.mark.parametrize("fps", [0.1, 1, 20, 120])
def test_a_steady_stream_has_no_jitter_at_any_rate(fps):
    statistics = Statistics()
    for number in range(20):
        statistics.stamped(round(number * 90_000 / fps), START + number / fps)
    assert statistics.jitter < 2 / 90_000


def test_a_new_numbering_is_no_jitter():
    statistics = Statistics()
    statistics.timed(0.0, 0.0)
    statistics.restarted()
    statistics.timed(500.0, 0.05)
    assert statistics.jitter == 0.0
