"""Wrap-safe arithmetic: the edges by hand, the rest by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.protocol.rtp.serial import (
    SequenceUnwrapper,
    seq_add,
    seq_delta,
    seq_greater,
    timestamp_add,
    timestamp_delta,
)

seqs = st.integers(0, 0xFFFF)
timestamps = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("a", "b", "delta"),
    [
        (5, 3, 2),
        (3, 5, -2),
        (7, 7, 0),
        (0, 65535, 1),
        (65535, 0, -1),
        (32767, 0, 32767),
        (32768, 0, -32768),
        (0, 32768, -32768),
        (10, 65530, 16),
    ],
)
def test_seq_delta(a, b, delta):
    assert seq_delta(a, b) == delta
    assert seq_greater(a, b) == (delta > 0)


@pytest.mark.parametrize(
    ("a", "b", "delta"),
    [
        (4500, 0, 4500),
        (0, 0xFFFFFFFF, 1),
        (0xFFFFFFFF, 0, -1),
        (0x7FFFFFFF, 0, 0x7FFFFFFF),
        (0x80000000, 0, -0x80000000),
    ],
)
def test_timestamp_delta(a, b, delta):
    assert timestamp_delta(a, b) == delta


def test_addition_wraps_both_ways():
    assert seq_add(65535, 1) == 0
    assert seq_add(0, -1) == 65535
    assert timestamp_add(0xFFFFFFFF, 4500) == 4499
    assert timestamp_add(0, -1) == 0xFFFFFFFF


@given(seqs, st.integers(-32768, 32767))
def test_seq_delta_undoes_seq_add(a, n):
    assert seq_delta(seq_add(a, n), a) == n


@given(timestamps, st.integers(-(2**31), 2**31 - 1))
def test_timestamp_delta_undoes_timestamp_add(a, ticks):
    assert timestamp_delta(timestamp_add(a, ticks), a) == ticks


@given(seqs, seqs)
def test_of_two_different_numbers_at_most_one_is_greater(a, b):
    assert not (seq_greater(a, b) and seq_greater(b, a))
    assert seq_greater(a, b) or seq_greater(b, a) or a == b or abs(a - b) == 32768


def test_unwrapper_counts_over_the_wrap_and_back():
    unwrap = SequenceUnwrapper().unwrap
    assert [unwrap(seq) for seq in (65534, 65535, 1, 0, 65533, 2)] == [
        65534,
        65535,
        65537,
        65536,
        65533,
        65538,
    ]


def test_unwrapper_may_go_below_the_first():
    unwrap = SequenceUnwrapper().unwrap
    assert unwrap(0) == 0
    assert unwrap(65535) == -1
    assert unwrap(1) == 1


@given(seqs, st.lists(st.integers(-16384, 16383), max_size=40))
def test_unwrapper_finds_the_true_number_of_a_jittering_stream(first, jitters):
    unwrapper = SequenceUnwrapper()
    unwrapper.unwrap(first)
    for jitter in jitters:
        true = unwrapper.highest + jitter
        assert unwrapper.unwrap(true % 65536) == true
