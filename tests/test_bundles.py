"""RTP packets put together to the frames of the ladder."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from movies import MOVIE, frames_of

from rtplab.player.model.bundles import MAX_JUMP, Bundler, Fate
from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtp.rtpjpeg import packetize
from rtplab.receiving.files.capture import CapturedPacket, Endpoints
from rtplab.receiving.files.pcapng import Endpoint
from rtplab.receiving.rtp.reception import REORDER_PATIENCE

ENDS = Endpoints(Endpoint("127.0.0.1", 554), Endpoint("127.0.0.1", 40000), 5000)
FRAMES = frames_of(MOVIE)[:6]


def captured(data: bytes, when: float = 0.0) -> CapturedPacket:
    return CapturedPacket(data, 6970, False, when, ENDS)


def standard(first: int = 65530, ssrc: int = 7) -> list[list[bytes]]:
    """The packets of each frame, as RFC 2435 has them, with numbers that wrap."""
    frames, number = [], first
    for index, jpeg in enumerate(FRAMES):
        payloads = packetize(jpeg, 1400)
        packets = []
        for place, payload in enumerate(payloads):
            marker = place == len(payloads) - 1
            packets.append(pack_header(marker, 26, number & 0xFFFF, index * 4500, ssrc) + payload)
            number += 1
        frames.append(packets)
    return frames


def lab(timestamp: int = 5) -> list[bytes]:
    """A datagram for each frame, with no marker and always the same timestamp."""
    return [
        pack_header(0, 26, number, timestamp, 0) + jpeg
        for number, jpeg in enumerate(FRAMES, start=1)
    ]


def bundled(packets, first: int | None = None):
    """The frames, as a letter for each packet: a came, r out of order, L late, x lost."""
    bundler, bundles = Bundler(), []
    if first is not None:
        bundler.restart(first)
    for packet in packets:
        bundles += bundler.take(captured(packet))
    return [written(bundle) for bundle in bundles]


def written(bundle) -> str:
    letters = {Fate.ARRIVED: "a", Fate.REORDERED: "r", Fate.LATE: "L", Fate.LOST: "x"}
    return "".join(letters[tick.fate] for tick in bundle.ticks)


def test_packets_of_a_frame_are_together_and_the_last_has_the_marker():
    frames = standard()
    bundler, bundles = Bundler(), []
    for packets in frames:
        for packet in packets:
            bundles += bundler.take(captured(packet))
    assert [len(bundle.ticks) for bundle in bundles] == [len(packets) for packets in frames]
    for bundle, packets in zip(bundles, frames, strict=True):
        assert [tick.marker for tick in bundle.ticks] == [False] * (len(packets) - 1) + [True]
        assert [tick.packet.data for tick in bundle.ticks] == packets
        assert bundle.is_whole
    sequences = [tick.sequence for bundle in bundles for tick in bundle.ticks]
    assert sequences[0] == 65530 and 0 in sequences and max(sequences) == 65535


def test_each_lab_datagram_is_a_frame_whatever_its_timestamp_says():
    assert bundled(lab()) == ["a"] * 6
    packets = lab()
    del packets[2:4]
    assert bundled(packets) == ["a", "a", "x", "x", "a", "a"]


@pytest.mark.parametrize("lost", range(1, 12))
def test_a_packet_that_is_missing_is_missed_in_its_own_frame(lost):
    frames = standard()
    flat = [packet for packets in frames for packet in packets]
    del flat[lost]
    expected, place = [], 0
    for packets in frames:
        letters = ["x" if place + index == lost else "a" for index in range(len(packets))]
        expected.append("".join(letters))
        place += len(packets)
    assert bundled(flat) == expected


def test_a_frame_that_is_missing_is_one_frame():
    frames = standard()
    flat = [packet for packets in frames[:2] + frames[3:] for packet in packets]
    lengths = [len(packets) for packets in frames]
    expected = ["a" * length for length in lengths]
    expected[2] = "x" * lengths[2]
    assert bundled(flat) == expected


def test_the_end_of_a_frame_and_the_beginning_of_the_next_are_told_apart():
    frames = standard()
    flat = frames[0][:-2] + frames[1][1:]
    first, second = bundled(flat)
    assert first == "a" * (len(frames[0]) - 2) + "xx"
    assert second == "x" + "a" * (len(frames[1]) - 1)


def test_what_nobody_waits_for_any_more_is_late():
    packets = standard()[0]
    bundler, bundles = Bundler(), []
    for packet, when in ((0, 1.0), (3, 1.0), (1, 1.0 + REORDER_PATIENCE / 2), (2, 1.5)):
        bundles += bundler.take(captured(packets[packet], when))
    assert [written(bundle) for bundle in bundles] == ["arLa"]


def test_a_packet_that_was_overtaken_is_so_called_and_one_that_comes_again_is_counted():
    packets = [packet for packets in standard()[:2] for packet in packets]
    packets[1], packets[2] = packets[2], packets[1]
    packets.append(packets[3])
    bundler, bundles = Bundler(), []
    for packet in packets:
        bundles += bundler.take(captured(packet))
    assert written(bundles[0]).startswith("ara") and bundles[0].is_whole
    assert [tick.repeats for tick in bundles[0].ticks[:4]] == [0, 0, 0, 1]


def test_what_came_before_the_first_packet_is_missed_where_the_reply_to_play_names_it():
    frames = standard(first=100)
    flat = [packet for packets in frames[:2] for packet in packets]
    assert bundled(flat[2:], first=100)[0].startswith("xxa")
    assert bundled(flat[2:])[0].startswith("aaa")
    assert bundled([flat[1], flat[0], *flat[2:]])[0].startswith("raa")


def test_fragments_that_share_a_number_are_packets_of_one_frame():
    """Some lab servers send so."""
    packets = []
    for number, jpeg in enumerate(FRAMES[:3], start=1):
        header = pack_header(0, 26, number, 5, 0)
        packets += [header + jpeg[:2000], header + jpeg[2000:4000], header + jpeg[4000:]]
    bundler, bundles = Bundler(), []
    for packet in [*packets[:2], packets[1], *packets[2:]]:
        bundles += bundler.take(captured(packet))
    assert [written(bundle) for bundle in bundles] == ["aaa"] * 3
    assert [tick.repeats for tick in bundles[0].ticks] == [0, 1, 0]


def test_another_source_or_a_jump_begins_a_numbering_of_its_own():
    ones, others = standard()[:2], standard(first=9000, ssrc=8)[:2]
    flat = [packet for packets in ones + others for packet in packets]
    assert "x" not in "".join(bundled(flat))
    far = standard(first=65530 + MAX_JUMP + 1000)[:2]
    flat = [packet for packets in ones + far for packet in packets]
    assert "x" not in "".join(bundled(flat))


@given(st.lists(st.binary(max_size=40), max_size=60))
def test_any_bytes_are_taken(datagrams):
    bundler = Bundler()
    for data in datagrams:
        bundler.take(captured(b"\x80" + data))


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_every_packet_that_came_is_in_one_frame_once(chance: random.Random):
    flat = [packet for packets in standard() for packet in packets]
    kept = [packet for packet in flat if chance.random() > 0.2]
    chance.shuffle(kept)
    bundler, bundles = Bundler(), []
    for packet in kept:
        bundles += bundler.take(captured(packet))
    came = [
        tick.packet.data for bundle in bundles for tick in bundle.ticks if tick.packet is not None
    ]
    assert sorted(came) == sorted(kept)
    numbers = [tick.number for bundle in bundles for tick in bundle.ticks]
    assert len(numbers) == len({*numbers})
