"""Wrap-safe arithmetic: the edges by hand, the rest by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.protocol.rtp.serial import (
    SequenceUnwrapper,
    seq_delta,
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


@given(seqs, st.integers(-32768, 32767))
def test_seq_delta_undoes_an_addition(a, n):
    assert seq_delta((a + n) % 65536, a) == n


@given(timestamps, st.integers(-(2**31), 2**31 - 1))
def test_timestamp_delta_undoes_an_addition(a, ticks):
    assert timestamp_delta((a + ticks) % 2**32, a) == ticks


@given(seqs, seqs)
def test_of_two_different_numbers_one_is_ahead(a, b):
    """At exactly half the circle, which RFC 1982 leaves open, neither is."""
    ahead = [seq_delta(a, b) > 0, seq_delta(b, a) > 0]
    assert sum(ahead) == (0 if a == b or abs(a - b) == 32768 else 1)


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
