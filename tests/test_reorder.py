"""The reorder buffer: order, patience, duplicates, and how much it may hold."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.protocol.rtp.packet import ReceivedPacket
from rtplab.protocol.rtp.reorder import (
    MAX_HELD,
    MAX_REMEMBERED,
    PACKET_OVERHEAD,
    Arrival,
    ReorderBuffer,
)

PATIENCE = 0.1
ACCEPTED, DUPLICATE, LATE = Arrival.ACCEPTED, Arrival.DUPLICATE, Arrival.LATE


def packet(payload):
    data = payload if isinstance(payload, bytes) else b"%d" % payload
    return ReceivedPacket(data, 0, 0, 0, 26, False, 2)


class Line:
    """A reorder buffer whose packets say their own number, so that a test can name them by it."""

    def __init__(self):
        self.buffer = ReorderBuffer(PATIENCE)

    def add(self, sequence, now=0.0, payload=None):
        """Add a packet; return the verdict and the payloads that are released then."""
        verdict = self.buffer.add(sequence, packet(sequence if payload is None else payload), now)
        return verdict, self.release(now)

    def release(self, now):
        return [
            int(released.payload) if released.payload.strip(b"-").isdigit() else released.payload
            for _, released in self.buffer.release(now)
        ]


def test_in_order_nothing_waits():
    line = Line()
    for sequence in range(65530, 65545):
        assert line.add(sequence) == (ACCEPTED, [sequence])
        assert line.buffer.deadline() is None


def test_swapped_packets_are_put_in_order():
    line = Line()
    assert line.add(1) == (ACCEPTED, [1])
    assert line.add(3, 0.01) == (ACCEPTED, [])
    assert line.buffer.deadline() == pytest.approx(0.01 + PATIENCE)
    assert line.add(2, 0.02) == (ACCEPTED, [2, 3])
    assert line.buffer.deadline() is None


def test_what_does_not_come_is_given_up_after_a_while():
    line = Line()
    line.add(1)
    line.add(3, 1.0)
    line.add(4, 1.05)
    assert line.release(1.0 + 0.99 * PATIENCE) == []
    assert line.release(1.0 + PATIENCE) == [3, 4]
    assert line.buffer.deadline() is None
    assert line.add(5, 2.0) == (ACCEPTED, [5])


def test_each_gap_has_its_own_patience():
    line = Line()
    line.add(1)
    line.add(3, 1.00)
    line.add(5, 1.05)
    assert line.release(1.00 + PATIENCE) == [3]
    assert line.buffer.deadline() == pytest.approx(1.05 + PATIENCE)
    assert line.release(1.05 + PATIENCE) == [5]


def test_what_was_given_up_comes_late():
    line = Line()
    line.add(1)
    line.add(4, 1.0)
    line.release(2.0)
    assert line.add(2, 2.0) == (LATE, [])
    assert line.add(3, 2.0) == (LATE, [])
    assert line.add(5, 2.0) == (ACCEPTED, [5])


def test_a_packet_from_before_the_first_comes_late():
    line = Line()
    line.add(10)
    assert line.add(9) == (LATE, [])
    assert line.add(3) == (LATE, [])
    assert line.add(-5) == (LATE, [])
    assert line.add(11) == (ACCEPTED, [11])


def test_a_packet_from_before_the_first_that_is_still_held():
    buffer = ReorderBuffer(PATIENCE)
    assert buffer.add(10, packet(10), 0.0) is ACCEPTED
    assert buffer.add(9, packet(9), 0.0) is LATE
    assert [sequence for sequence, _ in buffer.release(0.0)] == [10]


def test_duplicates():
    line = Line()
    line.add(1)
    assert line.add(1) == (DUPLICATE, [])
    line.add(3)
    assert line.add(3) == (DUPLICATE, [])
    assert line.add(2) == (ACCEPTED, [2, 3])
    assert line.add(3) == (DUPLICATE, [])
    assert line.add(1) == (LATE, []), "longer ago than anything is remembered of"


def test_fragments_under_one_number():
    line = Line()
    assert line.add(1, payload=b"a") == (ACCEPTED, [b"a"])
    assert line.add(1, payload=b"b") == (ACCEPTED, [b"b"])
    assert line.add(1, payload=b"a") == (DUPLICATE, [])
    assert line.add(1, payload=b"b") == (DUPLICATE, [])
    assert line.add(1, payload=b"c") == (ACCEPTED, [b"c"])
    assert line.add(2, payload=b"a") == (ACCEPTED, [b"a"])
    assert line.add(2, payload=b"a") == (DUPLICATE, [])


def test_fragments_under_one_number_behind_a_gap():
    line = Line()
    line.add(1)
    for payload in (b"a", b"b", b"b", b"c"):
        line.add(3, payload=payload)
    assert line.add(2) == (ACCEPTED, [2, b"a", b"b", b"c"])


def test_sequence_numbers_are_given_back():
    buffer = ReorderBuffer(PATIENCE)
    for sequence in (7, 9, 8):
        buffer.add(sequence, packet(sequence), 0.0)
    assert [sequence for sequence, _ in buffer.release(0.0)] == [7, 8, 9]


def test_packets_that_come_together_are_released_together():
    buffer = ReorderBuffer(PATIENCE)
    for sequence, payload in ((7, b"a"), (9, b"d"), (7, b"b"), (8, b"c"), (9, b"e"), (8, b"c")):
        buffer.add(sequence, packet(payload), 0.0)
    released = [(sequence, one.payload) for sequence, one in buffer.release(0.0)]
    assert released == [(7, b"a"), (7, b"b"), (8, b"c"), (9, b"d"), (9, b"e")]
    assert buffer.release(1.0) == []


@pytest.mark.parametrize("size", [0, 1400, 60_000], ids=["empty", "ordinary", "a lab frame"])
def test_so_many_bytes_are_held_and_no_more(size):
    """Whatever the packets' size: empty ones take memory as well."""
    buffer, held = ReorderBuffer(PATIENCE), MAX_HELD // (size + PACKET_OVERHEAD)
    buffer.add(0, packet(bytes(size)), 0.0)
    buffer.release(0.0)
    for sequence in range(2, 2 + held):
        assert buffer.add(sequence, packet(bytes(size)), 0.0) is ACCEPTED
        assert buffer.release(0.0) == []
    buffer.add(2 + held, packet(bytes(size)), 0.0)
    assert [sequence for sequence, _ in buffer.release(0.0)][0] == 2


def test_a_large_picture_waits_for_its_first_packet_whatever_their_number():
    """1080p has 140 packets a frame, 4K several hundred: a bound in packets gave up too early."""
    buffer = ReorderBuffer(PATIENCE)
    for sequence in (0, *range(2, 3000), 1):
        assert buffer.add(sequence, packet(bytes(1400)), 0.0) is ACCEPTED
        released = buffer.release(0.0)
    assert [sequence for sequence, _ in released] == list(range(1, 3000))
    assert buffer.deadline() is None


class Payload:
    """A payload like no other, which tells when nobody keeps it any more."""

    def __len__(self):
        return 60_000


@pytest.mark.parametrize(("gap", "most"), [(False, MAX_REMEMBERED), (True, MAX_HELD)])
def test_so_many_bytes_of_one_number_are_held_and_no_more(gap, most):
    """A server that numbers all its packets alike must not fill the memory."""
    line, alive, size = Line(), [], len(Payload())
    line.add(0)
    for number in range(2 * most // size):
        payload = Payload()
        alive.append(weakref.ref(payload))
        line.buffer.add(2 if gap else 0, packet(number)._replace(payload=payload), 0.0)
        del payload
        line.buffer.release(0.0)
    gc.collect()
    assert sum(one() is not None for one in alive) * size <= most + MAX_REMEMBERED


def test_the_first_of_what_was_held_is_given_up_first():
    """Whatever came and went in between."""
    line = Line()
    line.add(0)
    for sequence, now in ((5, 1.0), (3, 1.01), (9, 1.02), (4, 1.03)):
        line.add(sequence, now)
    assert line.buffer.deadline() == pytest.approx(1.0 + PATIENCE)
    assert line.release(1.0 + PATIENCE) == [3, 4, 5]
    assert line.buffer.deadline() == pytest.approx(1.02 + PATIENCE)
    assert line.release(1.02 + PATIENCE) == [9]
    line.add(12, 2.0)
    assert line.buffer.deadline() == pytest.approx(2.0 + PATIENCE)


@given(st.permutations(range(1, 40)))
def test_whatever_comes_in_time_goes_out_in_order(order):
    line = Line()
    released = line.add(0)[1]
    for sequence in order:
        verdict, more = line.add(sequence)
        assert verdict is ACCEPTED
        released += more
    assert released == list(range(40))
    assert line.buffer.deadline() is None


arrivals = st.lists(st.tuples(st.integers(-3, 60), st.floats(0, 0.2)), max_size=80)


@given(arrivals)
def test_any_arrivals(packets):
    """Out in order and once each, never held longer than the patience, each with a verdict."""
    line, now, released, arrived = Line(), 0.0, [], {}
    for sequence, pause in packets:
        now += pause
        while (due := line.buffer.deadline()) is not None and due <= now:
            released += line.release(due)
        following = released[-1] + 1 if released else sequence
        verdict, more = line.add(sequence, now)
        if sequence >= following - 1 and sequence in arrived:
            assert verdict is DUPLICATE
        else:
            assert verdict is (ACCEPTED if sequence >= following else LATE)
        if verdict is ACCEPTED:
            arrived[sequence] = now
        released += more
        deadline = line.buffer.deadline()
        assert deadline is None or now < deadline <= now + PATIENCE
        held = set(arrived) - set(released)
        assert all(now <= arrived[one] + PATIENCE for one in held)
    released += line.release(now + PATIENCE)
    assert released == sorted(arrived)
