"""The pacer: one thread that calls what is due."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from waiting import settles

from rtplab.serving.rtp.pacer import Pacer

pytestmark = pytest.mark.timed

LIMIT = 5.0  # seconds that anything may take


@pytest.fixture
def pacer():
    pacer = Pacer()
    yield pacer
    pacer.close()


class Stream:
    """Something to be called: notes when, and asks to be called `count` times in all."""

    def __init__(self, count=1, interval=0.0, log=None, name=""):
        self.times = []
        self.done = threading.Event()
        self._count, self._interval = count, interval
        self._log, self._name = log, name

    def send(self):
        self.times.append(time.monotonic())
        if self._log is not None:
            self._log.append(self._name)
        if len(self.times) == self._count:
            self.done.set()
            return None
        return self.times[0] + len(self.times) * self._interval


def test_calls_as_often_as_it_is_asked_to(pacer):
    stream = Stream(count=5, interval=0.01)
    pacer.add(stream.send, time.monotonic())
    assert stream.done.wait(LIMIT)
    last = Stream()
    pacer.add(last.send, time.monotonic() + 0.03)
    assert last.done.wait(LIMIT)
    assert len(stream.times) == 5


def test_calls_when_it_is_due_and_not_much_before(pacer):
    stream, start = Stream(count=6, interval=0.03), time.monotonic()
    pacer.add(stream.send, start)
    assert stream.done.wait(LIMIT)
    for number, moment in enumerate(stream.times[1:], 1):
        assert moment >= stream.times[0] + number * 0.03 - 0.006


def test_order_is_that_of_the_deadlines(pacer):
    log, start = [], time.monotonic() + 0.05
    streams = [Stream(log=log, name=name) for name in "cab"]
    for stream, delay in zip(streams, (0.04, 0.0, 0.02), strict=True):
        pacer.add(stream.send, start + delay)
    assert streams[0].done.wait(LIMIT)
    assert log == ["a", "b", "c"]


def test_equal_deadlines_keep_their_order(pacer):
    log, start = [], time.monotonic() + 0.05
    streams = [Stream(log=log, name=number) for number in range(20)]
    for stream in streams:
        pacer.add(stream.send, start)
    assert streams[-1].done.wait(LIMIT)
    assert log == list(range(20))


def test_one_that_is_due_sooner_wakes_the_pacer(pacer):
    later, sooner = Stream(), Stream()
    pacer.add(later.send, time.monotonic() + 3600)
    pacer.add(sooner.send, time.monotonic())
    assert sooner.done.wait(LIMIT)
    assert not later.times


def test_one_that_is_due_when_the_pacer_wakes_anyway_does_not_wake_it(pacer):
    waits = []
    pacer._changed = CountedCondition(waits)
    sooner, later = Stream(), Stream()
    pacer.add(sooner.send, time.monotonic() + 0.3)
    assert settles(lambda: waits and waits[-1] is not None)
    before = len(waits)
    pacer.add(later.send, time.monotonic() + 0.35)
    time.sleep(0.1)
    assert len(waits) == before
    assert later.done.wait(LIMIT)
    assert later.times[0] > sooner.times[0]


class StretchedCondition(threading.Condition):
    """Waits for too long, as timed waits do on some systems when the clock is set back."""

    def wait(self, timeout=None):
        return super().wait(None if timeout is None else timeout + 2 * LIMIT)


def test_a_pacer_that_sleeps_too_long_is_woken_by_the_next_stream(pacer):
    pacer._changed = StretchedCondition()
    first, second = Stream(), Stream()
    pacer.add(first.send, time.monotonic() + 0.05)
    time.sleep(0.1)
    pacer.add(second.send, time.monotonic() + 0.005)
    assert first.done.wait(LIMIT)
    assert second.done.wait(LIMIT)


class CountedCondition(threading.Condition):
    """Notes every wait in a list."""

    def __init__(self, waits):
        super().__init__()
        self._waits = waits

    def wait(self, timeout=None):
        self._waits.append(timeout)
        return super().wait(timeout)


def test_cancelled_streams_are_not_called(pacer):
    cancelled, following = Stream(), Stream()
    pacer.add(cancelled.send, time.monotonic() + 0.03).cancel()
    pacer.add(following.send, time.monotonic() + 0.04)
    assert following.done.wait(LIMIT)
    assert not cancelled.times


def test_a_stream_may_cancel_itself(pacer):
    calls, tickets = [], []
    called = threading.Event()

    def send():
        calls.append(1)
        tickets[0].cancel()
        called.set()
        return time.monotonic()

    tickets.append(pacer.add(send, time.monotonic() + 0.02))
    assert called.wait(LIMIT)
    following = Stream()
    pacer.add(following.send, time.monotonic() + 0.03)
    assert following.done.wait(LIMIT)
    assert len(calls) == 1


def test_a_fault_in_one_stream_stops_no_other(pacer, caplog):
    def fail():
        raise ZeroDivisionError("of a test")

    healthy = Stream(count=3, interval=0.01)
    with caplog.at_level(logging.ERROR, "rtplab.pacer"):
        pacer.add(fail, time.monotonic())
        pacer.add(healthy.send, time.monotonic())
        assert healthy.done.wait(LIMIT)
    (record,) = caplog.records
    assert "dropped" in record.message and record.exc_info


def test_all_streams_share_one_thread(pacer):
    threads = set()
    done = [Stream() for _ in range(30)]

    def send(stream):
        threads.add(threading.current_thread().name)
        return stream.send()

    for stream in done:
        pacer.add(lambda stream=stream: send(stream), time.monotonic())
    assert all(stream.done.wait(LIMIT) for stream in done)
    assert threads == {"pacer"}


def test_there_is_no_thread_before_there_is_a_stream():
    before = threading.active_count()
    pacer = Pacer()
    assert threading.active_count() == before
    pacer.close()


def test_close_waits_for_the_call_under_way_and_begins_no_other():
    pacer, started, finished = Pacer(), threading.Event(), []

    def send():
        started.set()
        time.sleep(0.05)
        finished.append(1)
        return time.monotonic()

    pacer.add(send, time.monotonic())
    assert started.wait(LIMIT)
    pacer.close()
    assert finished == [1]
    assert "pacer" not in {thread.name for thread in threading.enumerate()}
    pacer.close()


def test_after_close_nothing_is_called():
    pacer, late = Pacer(), Stream()
    pacer.close()
    pacer.add(late.send, time.monotonic())
    time.sleep(0.05)
    assert not late.times


def test_waiting_costs_no_time(pacer):
    pacer.add(Stream().send, time.monotonic() + 3600)
    started = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - started < 0.05


def test_what_is_skipped_is_logged_once_a_second(pacer, caplog):
    with caplog.at_level(logging.WARNING, "rtplab.pacer"):
        for frames in (3, 4, 5):
            pacer.log_skipped(frames)
        time.sleep(1.05)
        pacer.log_skipped(6)
    said = [record.getMessage() for record in caplog.records]
    assert [line.split()[:3] for line in said] == [[n, "frames", "skipped:"] for n in ("3", "15")]
    assert pacer.skipped == 18
