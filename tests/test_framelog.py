"""The fates of frames and the table of packets, from packets that never saw a network."""

from __future__ import annotations

import time

import pytest
from test_capture_agreement import FRAMES, PARTS, played

from rtplab.player.model.framelog import (
    MAX_FRAMES,
    MAX_KEPT,
    MAX_UNSETTLED,
    FrameCounts,
    expected_loss,
)
from rtplab.player.model.packettable import MAX_ROWS
from rtplab.player.model.streamlog import StreamLog
from rtplab.player.model.traffic import Seen
from rtplab.protocol.rtp.packet import pack_header
from rtplab.receiving.files.capture import CapturedMessage, CapturedPacket, Endpoints
from rtplab.receiving.files.pcapng import Endpoint
from rtplab.receiving.rtp.impairment import Conditions, Impairment

ENDS = Endpoints(Endpoint("127.0.0.1", 554), Endpoint("127.0.0.1", 40000), 5004)
LATENCY = 0.1


def captured(number: int, stamp: int, when: float, payload: bytes, marker=False, **more):
    header = pack_header(marker, 26, number & 0xFFFF, stamp, 7)
    return CapturedPacket(header + payload, 6000, False, when, ENDS, **more)


def fragments(frame: int, first: int, parts: int, step: float = 0.04) -> list[CapturedPacket]:
    """A frame of RFC 2435 in so many packets; the frames are `step` seconds apart."""
    return [
        captured(
            first + part,
            round(frame * step * 90_000),
            frame * step + part * 0.0001,
            bytes([0, 0, part, 0, 1, 80, 4, 4]) + bytes(20),
            part == parts - 1,
        )
        for part in range(parts)
    ]


def stream(frames: int, parts: int = 3) -> list[CapturedPacket]:
    return [packet for frame in range(frames) for packet in fragments(frame, frame * parts, parts)]


def jpegs(frames: int, stamps=lambda frame: frame * 4500) -> list[CapturedPacket]:
    """A lab server's: a JPEG a packet."""
    data = b"\xff\xd8 picture \xff\xd9"
    return [captured(frame + 1, stamps(frame), frame * 0.05, data) for frame in range(frames)]


def log_of(packets: list[CapturedPacket], is_lab=False, shown=True) -> StreamLog:
    """What the log makes of packets, of which every frame is shown when it is whole."""
    log = StreamLog(is_lab)
    log.take(packets, LATENCY)
    for frame in log.frames.frames:
        if shown and frame.is_whole:
            log.frames.show(frame.timestamp, frame.last_arrival, frame.last_arrival, True)
    log.frames.settle(packets[-1].when + 10, LATENCY)
    return log


def test_frames_that_come_whole_are_shown():
    counts = log_of(stream(10)).frames.counts
    assert counts == FrameCounts(sent=9, shown=9, packets=27)  # the last may go on


def test_a_missing_packet_makes_a_frame_incomplete_wherever_it_is():
    for missing in range(3):
        packets = stream(10)
        del packets[4 * 3 + missing]
        counts = log_of(packets).frames.counts
        assert counts == FrameCounts(sent=9, incomplete=1, shown=8, packets=27, lost=1, bursts=1)


def test_frames_of_which_nothing_came_are_counted_by_their_timestamps():
    packets = stream(20)
    del packets[5 * 3 + 2 : 8 * 3 + 1]  # the end of one, two others, and the beginning of one
    counts = log_of(packets).frames.counts
    assert counts == FrameCounts(sent=19, incomplete=4, shown=15, packets=57, lost=8, bursts=1)


def test_a_lab_servers_lost_frames_are_counted_by_their_numbers():
    """Whatever the timestamps say: here whole seconds, as many lab servers write them."""
    packets = jpegs(40, stamps=lambda frame: frame // 20)
    del packets[7:9], packets[20]
    counts = log_of(packets, is_lab=True).frames.counts
    assert counts == FrameCounts(sent=39, incomplete=3, shown=36, packets=39, lost=3, bursts=2)


def test_a_lab_frame_in_several_packets_is_one_frame():
    packets = []
    for frame in range(10):
        for part, data in enumerate((b"\xff\xd8 a", b" picture ", b" of three \xff\xd9")):
            packets.append(captured(frame * 3 + part, 0, frame * 0.05, data))
    counts = log_of(packets, is_lab=True).frames.counts
    assert counts == FrameCounts(sent=9, shown=9, packets=27)


def test_what_is_whole_and_not_shown_was_late_and_what_is_damaged_was_not_decoded():
    log = StreamLog(False)
    packets = stream(12)
    log.take(packets, LATENCY)
    for frame in log.frames.frames:
        if frame.index != 4:
            log.frames.show(frame.timestamp, frame.last_arrival, 1.0, frame.index != 6)
    log.frames.settle(packets[-1].when + 10, LATENCY)
    counts = log.frames.counts
    assert counts == FrameCounts(sent=11, late=1, undecoded=1, shown=9, packets=33)
    assert counts.whole == counts.late + counts.undecoded + counts.shown


def test_nothing_is_counted_before_its_fate_is_certain():
    log = StreamLog(False)
    log.take(stream(50), LATENCY)
    log.frames.settle(49 * 0.04, LATENCY)
    assert log.frames.counts.sent == pytest.approx(50 - (1.0 + LATENCY) / 0.04, abs=1)


def test_a_seek_makes_nothing_late():
    """What waited to be shown is thrown away, and that is no fault of the network's."""
    log = StreamLog(False)
    log.take(stream(10), LATENCY)
    log.take([CapturedMessage(True, b"PAUSE rtsp://h/m RTSP/1.0\r\n\r\n", 1.0, ENDS)], LATENCY)
    log.take([CapturedMessage(True, b"PLAY rtsp://h/m RTSP/1.0\r\n\r\n", 1.1, ENDS)], LATENCY)
    later = [packet for frame in range(10, 20) for packet in fragments(frame, frame * 3, 3)]
    log.take([captured_later(packet, 5.0) for packet in later], LATENCY)
    for frame in list(log.frames.frames)[10:]:
        log.frames.show(frame.timestamp, frame.last_arrival, frame.last_arrival, True)
    log.frames.settle(100.0, LATENCY)
    assert log.frames.counts.late == 0 and log.frames.counts.shown == 9
    assert {row.status for row in log.table.rows} == {"ok"}  # 5 s later is no delay, either


def captured_later(packet: CapturedPacket, seconds: float) -> CapturedPacket:
    return CapturedPacket(packet.data, 6000, False, packet.when + seconds, ENDS)


def test_another_source_begins_another_log():
    log = StreamLog(False)
    log.take(stream(10), LATENCY)
    header = pack_header(0, 26, 5, 0, 8)
    log.take([CapturedPacket(header + bytes(20), 6000, False, 9.0, ENDS)], LATENCY)
    assert len(log.table.rows) == 1


def test_hostile_packets_are_passed_over():
    log = StreamLog(False)
    log.take([CapturedPacket(b"\x80\x1a", 6000, False, 1.0, ENDS)], LATENCY)
    for number in (0, 40_000, 3, 65_535):
        log.take([captured(number, number * 7919 << 9 & 0xFFFFFFFF, 1.0, b"")], LATENCY)
    log.frames.settle(100.0, LATENCY)
    assert log.frames.counts.sent <= 4


@pytest.mark.parametrize("conditions", [Conditions(loss=0.05, seed=3), Conditions(loss=0.3)])
def test_the_counts_are_those_of_the_reception(conditions):
    """Of 400 frames in 7 packets each: what is whole there is whole here."""
    receiver, traffic = played(conditions)
    log = StreamLog(False)
    entries, _ = traffic.after(Seen())
    log.take(entries, LATENCY)
    log.frames.settle(entries[-1].when + 10, LATENCY)
    counts, statistics = log.frames.counts, receiver.reception.statistics
    assert counts.sent == pytest.approx(FRAMES - 1, abs=1)
    assert counts.whole == pytest.approx(statistics.frames, abs=1)
    assert counts.lost == pytest.approx(statistics.lost, abs=PARTS)
    assert log.table._statistics.jitter == pytest.approx(statistics.jitter, abs=1e-6)


def test_as_many_frames_are_lost_as_the_rule_says_unless_losses_come_in_bursts():
    """At 5 % and 7.4 packets a frame: 31.6 %."""
    assert expected_loss(0.05, 7.4) == pytest.approx(0.316, abs=0.0005)
    for burst, is_expected in ((1, True), (6, False)):
        impairment = Impairment(Conditions(loss=0.05, burst=burst, seed=4))
        packets = [p for p in stream(1500, 7) if impairment.add(p.data, p.when)]
        counts = log_of(packets).frames.counts
        rule = expected_loss(counts.lost / counts.packets, counts.packets / counts.sent)
        measured = counts.incomplete / counts.sent
        assert counts.sent == pytest.approx(1499, abs=2)
        assert (abs(measured - rule) < 0.03) is is_expected, (measured, rule)
        assert (counts.lost / counts.bursts > 3) is not is_expected


def test_the_table_is_as_wireshark_has_it():
    packets = stream(3, 2)
    packets[2:4] = reversed(packets[2:4])
    log = log_of([*packets[:-1], packets[-2]])
    rows = list(log.table.rows)
    assert [row.status for row in rows] == ["ok", "ok", "1 missing", "out of order", "ok"] + [
        "duplicate"
    ]
    assert [row.marker for row in rows] == [False, True, True, False, False, False]
    assert rows[4].delta == pytest.approx(0.04)
    assert rows[0].jitter == rows[0].delta == rows[0].skew == 0.0
    assert rows[1].jitter == pytest.approx(0.0001 / 16)
    assert rows[1].skew == pytest.approx(-0.0001)  # its timestamp is the first one's
    assert rows[1].kbit_per_second == pytest.approx(2 * (12 + 28 + 28) * 8 / 1000)


def test_what_comes_after_its_deadline_is_late():
    packets = stream(50)
    late = captured_later(packets[60], LATENCY + 0.05)
    log = log_of([*packets[:60], *packets[61:70], late])
    assert log.table.rows[-1].status == "late"


@pytest.mark.parametrize("is_lab", [False, True], ids=["standard", "lab"])
def test_a_flood_of_frames_is_bounded_in_bytes_and_in_time(is_lab):
    log = StreamLog(is_lab)
    payload = b"\xff\xd8\xff\xd9" if is_lab else bytes(8)
    packets = [captured(n, n * 9, n * 1e-5, payload, True) for n in range(MAX_ROWS + 5000)]
    began = time.process_time()
    log.take(packets, LATENCY)
    assert time.process_time() - began < 3.0
    assert len(log.table.rows) == MAX_ROWS
    assert len(log.frames.frames) == MAX_FRAMES
    assert len(log.frames._unsettled) == MAX_UNSETTLED
    assert log.frames.counts.sent == pytest.approx(len(packets) - MAX_UNSETTLED, abs=1)


def test_packets_of_huge_frames_are_bounded():
    """The fragments of each have one timestamp, and there is no end of them."""
    log = StreamLog(False)
    for start in range(0, 60_000, 20_000):
        numbers = range(start, start + 20_000)
        log.take([captured(n, start, n * 1e-5, bytes(8)) for n in numbers], LATENCY)
    late = [captured(n, 0, 1.0, bytes(8)) for n in range(60_000, 60_100)]
    log.take([*late, captured(60_100, 90_000, 1.0, bytes(8))], LATENCY)
    kept = [len(frame.numbers) for frame in log.frames.frames]
    assert sum(kept) == log.frames._kept <= MAX_KEPT and kept[-1] == 1
