"""From datagrams to frames, with every kind of sender and every kind of network, by pattern."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab_servers import IMPAIRED, RTP_KINDS, fragment_lost, frames_lost, rtp

from rtplab.receiving.rtp.frames import LabAssembler
from rtplab.receiving.rtp.reception import (
    MAX_DROPOUT,
    MAX_MISORDER,
    REORDER_PATIENCE,
    Reception,
)
from rtplab.receiving.rtp.source import SOURCE_SILENCE, SourceChoice
from rtplab.receiving.rtp.statistics import HISTORY

INTERVAL = 0.02  # seconds between frames
TICKS = 1800  # of 90 kHz


def jpeg(number, size=3000):
    return b"\xff\xd8" + b"%06d" % number + bytes(size) + b"\xff\xd9"


def packet(number, timestamp=None):
    """A frame in a packet of its own, numbered as given."""
    stamp = number * TICKS if timestamp is None else timestamp
    return rtp(jpeg(number), number, stamp)


class Receiver:
    """A reception with a clock: what is due between two datagrams happens then."""

    def __init__(self, **options):
        self.reception = Reception(LabAssembler(), **options)
        self.statistics = self.reception.statistics
        self.frames = []

    def receive(self, datagram, now):
        self.wait(now)
        frames = self.reception.receive([datagram], now)
        self.frames += frames
        deadline = self.reception.deadline()
        assert deadline is None or deadline > now, "who waits for the deadline must not spin"
        return [frame.data for frame in frames]

    def wait(self, until):
        """Let time pass."""
        while (deadline := self.reception.deadline()) is not None and deadline <= until:
            self.frames += self.reception.receive([], deadline)

    def receive_all(self, numbers, now=0.0):
        """Packets of these numbers, one each interval; return the numbers of the frames."""
        for index, number in enumerate(numbers):
            self.receive(packet(number), now + index * INTERVAL)
        self.wait(now + len(numbers) * INTERVAL + 1.0)
        return self.numbers

    @property
    def numbers(self):
        return [int(frame.data[2:8]) for frame in self.frames]

    @property
    def counts(self):
        statistics = self.statistics
        return statistics.lost, statistics.late, statistics.duplicates, statistics.reordered


# --- Every sender, every network -----------------------------------------------------------------

FRAMES = [jpeg(number) for number in range(30)]
SENDERS = {**RTP_KINDS, **IMPAIRED}


@pytest.mark.parametrize("kind", SENDERS)
def test_every_kind_of_sender_gives_every_frame(kind):
    receiver = Receiver()
    for index, datagrams in enumerate(SENDERS[kind](FRAMES)):
        for datagram in datagrams:
            receiver.receive(datagram, index * INTERVAL)
    receiver.wait(100.0)
    assert [frame.data for frame in receiver.frames] == FRAMES
    assert (receiver.statistics.lost, receiver.statistics.late) == (0, 0)
    assert receiver.statistics.frames == len(FRAMES)
    assert (receiver.statistics.duplicates > 0) == ("twice" in kind)
    assert (receiver.statistics.reordered > 0) == ("swapped" in kind)
    assert receiver.reception.malformed == 0


@settings(max_examples=2 * settings.default.max_examples)
@given(
    st.lists(st.lists(st.integers(1, 12) | st.integers(40_000, 40_012), max_size=12), max_size=8)
)
def test_packets_that_come_together_count_as_those_that_come_one_by_one(batches):
    """Above all where the sender begins to count anew in the midst of a batch."""
    together, singly = (Reception(LabAssembler()) for _ in range(2))
    frames, expected = [], []
    for index, numbers in enumerate(batches):
        packets, now = [packet(number) for number in numbers], index * INTERVAL
        frames += together.receive([], now) + together.receive(packets, now)
        for pieces in ([], *([each] for each in packets)):
            expected += singly.receive(pieces, now)
    frames += together.receive([], 100.0)
    expected += singly.receive([], 100.0)
    assert [(frame.data, frame.number) for frame in frames] == [
        (frame.data, frame.number) for frame in expected
    ]
    assert together.statistics.lost == singly.statistics.lost
    assert together.statistics.duplicates == singly.statistics.duplicates


def test_what_came_before_a_new_beginning_in_one_batch_is_not_lost():
    numbers = [10, 11, 12, 40_000, 40_001]  # the first of the jump is not yet believed
    frames = Reception(LabAssembler()).receive([packet(number) for number in numbers], 0.0)
    assert [frame.data for frame in frames] == [jpeg(number) for number in (10, 11, 12, 40_001)]


def test_what_was_waited_for_before_a_new_beginning_is_waited_for_no_more():
    reception = Reception(LabAssembler())
    reception.receive([packet(1), packet(3)], 0.0)
    reception.receive([packet(40_000), packet(40_001)], 0.01)
    assert reception.deadline() is None
    reception.receive([packet(40_003)], 0.05)
    assert reception.deadline() == pytest.approx(0.05 + REORDER_PATIENCE)


@pytest.mark.parametrize("packets", [frames_lost(4, 7), fragment_lost(4, 2)])
def test_only_what_is_lost_is_missing(packets):
    receiver = Receiver()
    for index, datagrams in enumerate(packets(FRAMES)):
        for datagram in datagrams:
            receiver.receive(datagram, index * INTERVAL)
    receiver.wait(100.0)
    shown = [frame.data for frame in receiver.frames]
    missing = [index for index, frame in enumerate(FRAMES, 1) if frame not in shown]
    assert missing in ([4, 7], [4])
    assert receiver.statistics.lost == len(missing)
    assert shown == [frame for frame in FRAMES if frame in shown]


# --- Patterns ------------------------------------------------------------------------------------


def test_in_order_frames_come_at_once():
    receiver = Receiver()
    for number in range(1, 20):
        assert receiver.receive(packet(number), number * INTERVAL) == [jpeg(number)]
        assert receiver.reception.deadline() is None


def test_loss():
    receiver = Receiver()
    assert receiver.receive_all([1, 2, 5, 6, 8]) == [1, 2, 5, 6, 8]
    assert receiver.counts == (3, 0, 0, 0)
    assert receiver.statistics.loss_rate == pytest.approx(3 / 8)


def test_a_lost_packet_holds_the_next_ones_no_longer_than_the_patience():
    receiver = Receiver()
    receiver.receive(packet(1), 0.0)
    assert receiver.receive(packet(3), 0.05) == []
    assert receiver.reception.deadline() == pytest.approx(0.05 + REORDER_PATIENCE)
    receiver.wait(0.05 + REORDER_PATIENCE)
    assert receiver.numbers == [1, 3]
    assert receiver.frames[1].arrival == pytest.approx(0.05 + REORDER_PATIENCE)


def test_swap_and_duplicate():
    receiver = Receiver()
    assert receiver.receive_all([1, 3, 2, 2, 4, 4, 6, 5]) == [1, 2, 3, 4, 5, 6]
    assert receiver.counts == (0, 0, 2, 2)


def test_late():
    receiver = Receiver()
    late = [1, 3, 4, 5, 6, 7, 8, 9, 10, 2, 11]
    assert receiver.receive_all(late) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert receiver.counts == (0, 1, 0, 1)


def test_patience_is_a_choice():
    receiver = Receiver(patience=1.0)
    assert receiver.receive_all([1, 3, 4, 5, 6, 7, 8, 9, 10, 2, 11]) == list(range(1, 12))


def test_over_the_wrap():
    receiver = Receiver()
    numbers = [number % 65536 for number in range(65500, 65600)]
    in_order = list(numbers)
    numbers[35], numbers[36] = numbers[36], numbers[35]
    assert numbers[34:38] == [65534, 0, 65535, 1]
    assert receiver.receive_all(numbers) == in_order
    assert receiver.statistics.lost == 0
    assert receiver.statistics.highest_sequence == 65599


def test_a_new_numbering_is_believed_at_its_second_packet():
    receiver = Receiver()
    numbers = [*range(1, 11), *range(40000, 40010)]
    assert receiver.receive_all(numbers) == [*range(1, 11), *range(40001, 40010)]
    assert receiver.counts == (0, 0, 0, 0)


def test_one_wild_packet_is_ignored():
    receiver = Receiver()
    assert receiver.receive_all([1, 2, 40000, 3, 20000, 4]) == [1, 2, 3, 4]
    assert receiver.counts == (0, 0, 0, 0)
    assert receiver.statistics.packets == 4


@pytest.mark.parametrize(
    ("jump", "believed"),
    [
        (MAX_DROPOUT - 1, True),
        (MAX_DROPOUT, False),
        (-MAX_MISORDER + 1, True),
        (-MAX_MISORDER, False),
    ],
)
def test_how_far_a_jump_is_believed(jump, believed):
    """In a slow stream, as far as RFC 3550 A.1 says."""
    receiver = Receiver()
    for number in range(300):
        receiver.receive(packet(10_000 + number), number * 0.05)
    packets = receiver.statistics.packets
    receiver.receive(packet(10_299 + jump), 300 * 0.05)
    assert receiver.statistics.packets == packets + believed


def fast_stream(seconds, start=0, now=0.0):
    """Numbers and arrivals of 4,000 packets a second, as 1080p at 25 frames a second has."""
    return [((start + n) % 65536, now + n / 4000) for n in range(int(seconds * 4000))]


def after(arrivals, *late):
    """The counts after these packets, and then those that come at once with the last."""
    receiver = Receiver()
    for number, now in arrivals:
        receiver.reception.receive([rtp(b"", number, 0)], now)
    for number in late:
        receiver.receive(packet(number), now)
    return receiver


def test_a_fast_stream_may_be_as_far_off_as_a_slow_one_in_time():
    arrivals = fast_stream(6.0, start=60_000)
    highest = arrivals[-1][0]
    assert after(arrivals, highest - 7000).statistics.packets == len(arrivals) + 1
    assert after(arrivals, (highest - 16_000) % 65536).statistics.packets == len(arrivals)


def test_two_late_packets_in_a_row_of_a_fast_stream_are_no_new_numbering():
    arrivals = fast_stream(6.0)
    receiver = after(arrivals, 23_500, 23_501, 24_000)
    assert receiver.numbers[-1] == 24_000
    assert receiver.statistics.lost == 0


def test_what_is_late_at_the_very_beginning_of_a_fast_stream_is_no_new_numbering():
    receiver = Receiver()
    for number in (400, 100, 101, 102, 401, 402):
        receiver.receive(packet(number), 0.0)
    assert receiver.numbers == [400, 401, 402]
    assert receiver.statistics.late == 3


@pytest.mark.parametrize("outage", [0.5, 1.0, 3.0])
def test_an_outage_of_a_fast_stream_is_lost_packets(outage):
    before, skipped = fast_stream(6.0), int(outage * 4000)
    again = fast_stream(1.0, start=len(before) + skipped, now=6.0 + outage)
    receiver = after(before + again)
    assert receiver.statistics.lost == skipped
    assert receiver.statistics.packets == len(before) + len(again)


def test_how_long_a_pause_lasted_makes_no_jump_believed():
    receiver = after(fast_stream(6.0))
    receiver.reception.paused()
    for number in (31_000, 31_001):
        receiver.receive(packet(number), 60.0)
    assert receiver.numbers == [31_001]
    assert receiver.statistics.lost == 0


def test_a_server_that_numbers_anew_after_a_pause_is_believed_at_once():
    receiver = after(fast_stream(6.0))
    receiver.reception.paused()
    for number in (1, 2, 3):
        receiver.receive(packet(number), 60.0)
    assert receiver.numbers == [2, 3]


def test_a_new_numbering_in_the_middle_of_a_gap():
    """What waited for a packet of the old numbering is not waited for any more."""
    receiver = Receiver()
    assert receiver.receive_all([1, 3, 30001, 30002, 30003])[-2:] == [30002, 30003]
    assert receiver.reception.deadline() is None


def test_what_is_no_packet_is_counted():
    receiver = Receiver()
    for datagram in (b"", b"short", bytes(11), b"\xbf" + bytes(11), b"\xa0" + bytes(11)):
        assert receiver.receive(datagram, 0.0) == []
    assert receiver.reception.malformed == 5
    assert receiver.statistics.packets == 0
    assert receiver.receive(packet(1), 0.0) == [jpeg(1)]


def sent_by(ssrc, number, timestamp=None):
    """A frame in one packet, of a source."""
    whole = packet(number, timestamp)
    return whole[:8] + ssrc.to_bytes(4, "big") + whole[12:]


def test_the_first_source_is_followed_and_no_other():
    receiver = Receiver(choice=SourceChoice())
    for number in range(10):
        assert receiver.receive(sent_by(7, number), number * INTERVAL) == [jpeg(number)]
        assert receiver.receive(sent_by(8, 500 + number), number * INTERVAL) == []
    assert receiver.reception.ssrc == 7
    assert receiver.reception.malformed == 10
    assert receiver.statistics.packets == 10


def test_the_source_that_was_named_goes_before_the_first():
    receiver = Receiver(choice=SourceChoice(7))
    assert receiver.receive(sent_by(8, 100), 0.0) == []
    assert receiver.receive(sent_by(7, 1), 0.0) == [jpeg(1)]
    assert receiver.reception.malformed == 1


def test_a_wrong_name_costs_no_picture():
    receiver = Receiver(choice=SourceChoice(7))
    assert receiver.receive_all(range(1, 10)) == list(range(1, 10))
    assert receiver.reception.malformed == 0


@pytest.mark.parametrize("silence", [0.0, SOURCE_SILENCE - 0.1])
def test_another_source_is_not_followed_while_the_first_may_go_on(silence):
    receiver = Receiver(choice=SourceChoice())
    receiver.receive(sent_by(7, 1), 0.0)
    for number in range(100, 110):
        assert receiver.receive(sent_by(8, number), silence) == []
    assert receiver.receive(sent_by(7, 2), silence) == [jpeg(2)]


@pytest.mark.parametrize("way", ["silence", "left", "paused"])
def test_another_source_is_followed_after_three_in_a_row(way):
    receiver = Receiver(choice=SourceChoice())
    receiver.receive(sent_by(7, 40_000), 0.0)
    now = SOURCE_SILENCE if way == "silence" else 0.1
    if way == "left":
        receiver.reception.source_left()
    elif way == "paused":
        receiver.reception.paused()
    for number in (100, 101, 101, 103, 104):  # 101 is doubled, 102 is lost
        assert receiver.receive(sent_by(8, number), now) == []
    assert receiver.receive(sent_by(8, 105), now) == [jpeg(103), jpeg(104), jpeg(105)]
    assert receiver.reception.ssrc == 8
    assert receiver.statistics.lost == 0
    assert receiver.receive(sent_by(7, 40_001), now) == []


def test_a_source_that_is_followed_at_once():
    receiver = Receiver(choice=SourceChoice(at_once=True))
    assert receiver.receive(sent_by(7, 40_000), 0.0) == [jpeg(40_000)]
    assert receiver.receive(sent_by(8, 5), 0.1) == [jpeg(5)]
    assert receiver.receive(sent_by(7, 40_001), 0.2) == [jpeg(40_001)]
    assert receiver.statistics.lost == 0


def test_a_picture_that_two_sources_have_sent_is_of_neither():
    receiver = Receiver(choice=SourceChoice(at_once=True))
    assert receiver.receive(sent_by(7, 1, 90), 0.0) == [jpeg(1)]
    assert receiver.receive(sent_by(8, 50, 90), 0.0) == []
    assert receiver.receive(sent_by(8, 51, 180), 0.0) == [jpeg(51)]


@given(
    st.lists(st.tuples(st.integers(6, 9), st.integers(0, 6), st.floats(0, 2)), max_size=40),
    st.sampled_from([None, 0, 7]),
    st.booleans(),
)
def test_whoever_sends_what_the_counts_make_sense(packets, hint, at_once):
    receiver, now = Receiver(choice=SourceChoice(hint, at_once)), 0.0
    for ssrc, number, pause in packets:
        now += pause
        receiver.receive(sent_by(ssrc, number), now)
        assert receiver.reception.malformed >= 0
    assert receiver.statistics.packets + receiver.reception.malformed <= len(packets)


def test_what_a_frame_knows():
    receiver = Receiver()
    receiver.receive_all(range(1, 6), now=50.0)
    third = receiver.frames[2]
    assert (third.number, third.timestamp) == (3, 3 * TICKS)
    assert third.media_time == pytest.approx(2 * INTERVAL)
    assert third.arrival == pytest.approx(50.0 + 2 * INTERVAL)
    assert receiver.statistics.bytes == 5 * len(packet(1))
    assert receiver.statistics.jitter == pytest.approx(0.0)


def test_jitter_is_that_of_the_packets():
    """RFC 3550 A.8 looks at arrivals, not at when the frames are released."""
    receiver = Receiver()
    for number in range(1, 60):
        late = 0.008 if number % 2 else 0.0
        receiver.receive(packet(number), number * INTERVAL + late)
    assert receiver.statistics.jitter == pytest.approx(0.008 * (1 - (15 / 16) ** 58), rel=0.01)


def test_a_packet_that_waits_for_another_is_no_jitter():
    receiver = Receiver()
    for number in (1, 2, 4, 3, 5, 6):
        receiver.receive(packet(number), number * INTERVAL)
    assert receiver.numbers == [1, 2, 3, 4, 5, 6]
    assert receiver.statistics.jitter == pytest.approx(0.0)


def test_a_pause_is_neither_loss_nor_jitter():
    receiver = Receiver()
    receiver.receive_all(range(1, 6))
    receiver.reception.paused()
    receiver.receive_all(range(6, 11), now=60.0)
    assert receiver.numbers == list(range(1, 11))
    media_times = [frame.media_time for frame in receiver.frames]
    assert media_times == pytest.approx([n * INTERVAL for n in range(10)], abs=0.05)
    assert receiver.statistics.lost == 0
    assert receiver.statistics.jitter == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("stamp", [0, 1_700_000_000], ids=["zero", "whole seconds"])
def test_timestamps_of_the_lab_are_no_jitter(stamp):
    receiver = Receiver()
    for number in range(1, 150):
        now = number * INTERVAL
        receiver.receive(packet(number, stamp + int(now) * (stamp > 0)), now)
    assert receiver.statistics.jitter == pytest.approx(0.0, abs=0.0005)
    last = receiver.frames[-11].media_time, receiver.frames[-1].media_time
    assert last[1] - last[0] == pytest.approx(10 * INTERVAL, rel=0.02)


# --- Why nothing comes -------------------------------------------------------------------------


def test_nothing_is_wrong_as_long_as_frames_come():
    receiver = Receiver()
    receiver.receive(b"no RTP", 0.0)
    receiver.receive(packet(1), 0.1)
    assert (receiver.reception.problem, receiver.reception.unshown) == ("", 0)
    assert receiver.reception.last_arrival == 0.1


@pytest.mark.parametrize(
    ("datagrams", "words"),
    [
        ([b"no RTP"], "not RTP"),
        ([rtp(b"", 1, 0, first_byte=0x40)], "not RTP (version 1"),
        ([rtp(jpeg(n), n * 10_007 % 65_536, 0) for n in range(2, 9)], "in no order"),
        ([rtp(b"no JPEG", n, 0) for n in range(5)], "FFD8"),
        ([b"one that is no RTP"] + [rtp(b"no JPEG", n, 0) for n in range(5)], "FFD8"),
    ],
)
def test_most_of_what_came_since_the_last_frame_says_why_there_is_none(datagrams, words):
    receiver = Receiver()
    receiver.receive(packet(1), 0.0)
    receiver.reception.expected_version = 2
    for datagram in datagrams:
        receiver.receive(datagram, 0.1)
    assert len(receiver.frames) == 1
    assert words in receiver.reception.problem
    assert receiver.reception.unshown == len(datagrams)
    receiver.reception.begin()
    assert receiver.reception.unshown == 0


def test_the_longest_gap_is_none_over_a_pause():
    receiver = Receiver()
    for number, now in enumerate([0.0, 0.5, 3.5, 4.0], 1):
        receiver.receive(packet(number), now)
    assert receiver.reception.longest_gap == 3.0
    receiver.reception.paused()
    receiver.receive(packet(5), 60.0)
    receiver.receive(packet(6), 60.2)
    assert receiver.reception.longest_gap == pytest.approx(0.2)


# --- Any network ---------------------------------------------------------------------------------

# Per packet: lost; copies; delay in intervals, of which four are less than the patience.
fates = st.lists(
    st.tuples(st.booleans(), st.integers(1, 3), st.floats(0, 4.5)), min_size=1, max_size=60
)


@settings(deadline=None)
@given(fates, st.sampled_from([1, 40000, 65510]))
def test_what_is_neither_lost_nor_too_late_comes_out_in_order_and_once(packets, start):
    sent = [(start + index) % 65536 for index in range(len(packets) + 1)]
    arrivals, arrived = [(0.0, sent[0])], [sent[0]]
    for index, (is_lost, copies, delay) in enumerate(packets, 1):
        if not is_lost or index == len(packets):
            arrivals += [((index + delay) * INTERVAL, sent[index])] * copies
            arrived.append(sent[index])
    receiver = Receiver()
    for now, number in sorted(arrivals, key=lambda arrival: arrival[0]):
        receiver.receive(packet(number), now)
    receiver.wait(1000.0)
    assert receiver.numbers == arrived
    assert receiver.statistics.late == 0
    assert receiver.statistics.lost == len(sent) - len(arrived)
    assert receiver.statistics.duplicates == len(arrivals) - len(arrived)


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=40), st.floats(0, 1)), max_size=60))
def test_any_datagrams(datagrams):
    receiver, now = Receiver(), 0.0
    for data, pause in datagrams:
        now += pause
        receiver.receive(b"\x80\x1a" + data, now)
    receiver.wait(now + REORDER_PATIENCE)
    assert receiver.reception.deadline() is None


def test_memory_is_bounded():
    """An hour of packets, of which every 97th is lost and every 89th comes twice."""
    receiver = Receiver()
    for number in range(1, 72_000):
        for _ in range(0 if number % 97 == 0 else 2 if number % 89 == 0 else 1):
            receiver.receive(rtp(b"\xff\xd8\xff\xd9", number, number * TICKS), number * INTERVAL)
        receiver.frames.clear()
    reception = receiver.reception
    assert receiver.statistics.lost == 72_000 // 97
    assert len(reception.statistics._received) == HISTORY
    assert reception._reorder._held_bytes == len(reception._reorder._held) == 0
