"""The bad network: the same for everybody who has the same seed, and as bad as asked."""

from __future__ import annotations

import random
import statistics

import pytest

from rtplab.protocol.rtp.packet import pack_header
from rtplab.receiving.rtp import impairment as impairment_module
from rtplab.receiving.rtp.frames import LabAssembler
from rtplab.receiving.rtp.impairment import (
    MAX_QUEUED,
    PACKET_OVERHEAD,
    Conditions,
    Impairment,
    parse_conditions,
)
from rtplab.receiving.rtp.reception import Reception

PACKETS = 20_000
INTERVAL = 0.005  # seconds


def through(
    conditions: Conditions, count: int = PACKETS, interval: float = INTERVAL, size: int = 100
) -> list[tuple[float, int]]:
    """Send packets through; return when each came, and which it was."""
    impairment = Impairment(conditions)
    came: list[tuple[float, int]] = []
    for number in range(count):
        now = number * interval
        _collect(impairment, now, came)
        impairment.add(number.to_bytes(4, "big") + bytes(size - 4), now)
    _collect(impairment, count * interval + 100.0, came)
    return came


def _collect(impairment: Impairment, until: float, came: list[tuple[float, int]]) -> None:
    while (deadline := impairment.deadline()) is not None and deadline <= until:
        came += [(deadline, int.from_bytes(data[:4], "big")) for data in impairment.due(deadline)]


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05, 0.3])
def test_loss_is_within_a_point_of_what_was_asked(loss):
    came = through(Conditions(loss=loss))
    assert 1 - len(came) / PACKETS == pytest.approx(loss, abs=0.01)


def lengths_of_bursts(came: list[tuple[float, int]]) -> list[int]:
    """How many packets were lost in each row."""
    steps = zip(came, came[1:], strict=False)
    return [after[1] - before[1] - 1 for before, after in steps if after[1] - before[1] > 1]


@pytest.mark.parametrize("burst", [1, 2, 4, 1000])
@pytest.mark.parametrize("loss", [0.02, 0.05, 0.3, 0.9])
def test_bursts_change_no_loss(loss, burst):
    """The stationary state of the Gilbert-Elliott model, and how long its bad state lasts."""
    conditions = Conditions(loss=loss, burst=burst)
    after_loss, after_arrival = conditions.loss_after(True), conditions.loss_after(False)
    assert loss * after_loss + (1 - loss) * after_arrival == pytest.approx(loss)
    assert 1 / (1 - after_loss) == pytest.approx(max(burst, 1 / (1 - loss)))


def test_packets_are_lost_in_bursts():
    came = through(Conditions(loss=0.3, burst=4, seed=2))
    assert 1 - len(came) / PACKETS == pytest.approx(0.3, abs=0.02)
    assert statistics.mean(lengths_of_bursts(came)) == pytest.approx(4, rel=0.1)


def test_single_losses_are_what_they_were_before_there_were_bursts():
    """So that the same seed goes on doing the same."""
    fates = [random.Random((7 << 32) + number).random() for number in range(1, 501)]
    expected = [number for number, fate in enumerate(fates) if fate >= 0.1]
    assert [number for _, number in through(Conditions(loss=0.1, seed=7), 500)] == expected


def test_all_packets_are_lost_whatever_the_burst():
    assert through(Conditions(loss=1.0, burst=4), 100) == []
    assert len(through(Conditions(loss=0.0, burst=4), 100)) == 100


def test_delay_and_jitter_are_those_asked_for():
    came = through(Conditions(delay=0.2, jitter=0.02))
    delays = [when - number * INTERVAL for when, number in came]
    assert statistics.mean(delays) == pytest.approx(0.2, rel=0.05)
    assert statistics.stdev(delays) == pytest.approx(0.02, rel=0.1)


def test_some_packets_are_overtaken_and_none_without_being_asked():
    def overtaken(came):
        numbers = [number for _, number in came]
        return sum(later < earlier for earlier, later in zip(numbers, numbers[1:], strict=False))

    assert overtaken(through(Conditions(delay=0.05), 2000)) == 0
    assert overtaken(through(Conditions(reorder=0.05), 2000)) / 2000 == pytest.approx(
        0.05, abs=0.02
    )


def test_doubles_come_as_often_as_asked():
    assert len(through(Conditions(duplicate=0.1))) / PACKETS == pytest.approx(1.1, abs=0.01)


def test_the_rate_is_a_limit():
    came = through(Conditions(rate=100_000), 2000, interval=0.001, size=100)
    moments = [when for when, _ in came]
    assert len(came) * 800 / (moments[-1] - moments[0]) == pytest.approx(100_000, rel=0.02)
    assert moments[-1] <= 2.0 + 1.1  # what can't be sent within a second is lost


def test_the_same_seed_does_the_same_and_another_something_else():
    bad = Conditions(loss=0.1, jitter=0.01, duplicate=0.1, reorder=0.1, seed=7)
    assert through(bad, 500) == through(bad, 500)
    other = Conditions(loss=0.1, jitter=0.01, duplicate=0.1, reorder=0.1, seed=8)
    assert through(bad, 500) != through(other, 500)


def test_one_condition_does_not_change_which_packets_another_hits():
    def lost(conditions):
        return set(range(500)) - {number for _, number in through(conditions, 500)}

    assert lost(Conditions(loss=0.1)) == lost(Conditions(loss=0.1, jitter=0.02, duplicate=0.2))


def test_what_is_harmless_lets_packets_go_past():
    impairment = Impairment(Conditions())
    assert impairment.idle
    assert Impairment(Conditions(burst=4)).idle  # of what? nothing is lost
    impairment.conditions = Conditions(delay=1.0)
    assert not impairment.idle
    impairment.add(b"x", 0.0)
    impairment.conditions = Conditions()
    assert not impairment.idle  # one is still under way, and nothing may overtake it
    assert impairment.due(1.0) == [b"x"]
    assert impairment.idle


@pytest.mark.parametrize("size", [0, 1400, 60_000])
def test_so_many_bytes_are_under_way_and_no_more(size, monkeypatch):
    """Whatever the packets' size. What has come through makes room."""
    monkeypatch.setattr(impairment_module, "MAX_QUEUED", MAX_QUEUED // 16)
    impairment = Impairment(Conditions(delay=1.0))
    most = MAX_QUEUED // 16 // (size + PACKET_OVERHEAD)
    packet = bytes(size)
    for _ in range(most):
        impairment.add(packet, 0.0)
    assert impairment.lost == 0
    impairment.add(packet, 0.0)
    assert impairment.lost == 1
    assert len(impairment.due(1.0)) == most
    impairment.add(packet, 1.0)
    assert impairment.lost == 1


def test_the_receiver_measures_the_jitter_that_was_made():
    """Against RFC 3550 A.8, computed here from the arrivals alone."""
    reception = Reception(LabAssembler())
    impairment = Impairment(Conditions(delay=0.1, jitter=0.01, seed=3))
    arrivals: list[tuple[float, int]] = []
    for number in range(1, 3000):
        sent = number * 0.05
        packet = pack_header(0, 26, number, number * 4500, 1) + b"\xff\xd8%d\xff\xd9" % number
        impairment.add(packet, sent)
    while (now := impairment.deadline()) is not None:
        for packet in impairment.due(now):
            arrivals.append((now, int.from_bytes(packet[4:8], "big")))
            reception.receive([packet], now)
    jitter = 0.0
    for (before, stamp_before), (after, stamp) in zip(arrivals, arrivals[1:], strict=False):
        difference = (after - before) - (stamp - stamp_before) / 90_000
        jitter += (abs(difference) - jitter) / 16
    assert reception.statistics.jitter == pytest.approx(jitter, rel=0.1)
    assert jitter > 0.005


def test_conditions_are_read():
    text = "loss=5%,burst=2.5,delay=30ms,jitter=10ms,reorder=1%,duplicate=0.02,rate=2M,seed=9"
    assert parse_conditions(text) == Conditions(0.05, 2.5, 0.03, 0.01, 0.01, 0.02, 2e6, 9)
    assert parse_conditions("delay=0.5s, rate=500k") == Conditions(delay=0.5, rate=500_000)
    assert parse_conditions("") == Conditions()


@pytest.mark.parametrize(
    "text",
    [
        "los=5%",
        "loss=101%",
        "loss=-1%",
        "loss",
        "delay=11s",
        "delay=nan",
        "rate=2G",
        "seed=x",
        "burst=0.5",
        "burst=1001",
        "burst=nan",
        "burst=x",
        "jitter=",
        "reorder=%",
        "duplicate=two",
        "rate=M",
    ],
)
def test_nonsense_is_a_sentence(text):
    with pytest.raises(ValueError, match="give .|is not one of") as found:
        parse_conditions(text)
    assert text.partition("=")[0] in str(found.value)
