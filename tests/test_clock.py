"""When the system is asked for finer waits."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from rtplab.clock import FineWaiting
from rtplab.player.ticker import Ticker
from rtplab.serving.rtp.pacer import Pacer


@pytest.fixture
def asked(monkeypatch):
    asked = []
    winmm = SimpleNamespace(
        timeBeginPeriod=lambda period: asked.append(("begin", period)),
        timeEndPeriod=lambda period: asked.append(("end", period)),
    )
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(winmm=winmm), raising=False)
    return asked


def test_windows_is_asked_for_fine_waits_while_something_plays(asked, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    waiting = FineWaiting()
    for is_playing in (False, True, True, False, False, True):
        waiting.use(is_playing)
    assert asked == [("begin", 1), ("end", 1), ("begin", 1)]


def test_a_window_asks_while_it_plays_and_no_more_when_it_is_closed(asked, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    timer = SimpleNamespace(deletetimerhandler=lambda: None)
    tk = SimpleNamespace(createtimerhandler=lambda milliseconds, function: timer)
    states = iter([False, True, True, False, True])
    ticker = Ticker(SimpleNamespace(tk=tk), lambda: 10, lambda: next(states))
    for _ in range(5):
        ticker.start()
    ticker.stop()
    assert asked == [("begin", 1), ("end", 1), ("begin", 1), ("end", 1)]


def test_the_pacer_asks_while_anything_is_due(asked, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    pacer = Pacer()
    sent = threading.Event()
    pacer.add(sent.set, time.monotonic() + 0.05)
    assert sent.wait(10)
    pacer.close()
    assert asked == [("begin", 1), ("end", 1)]


def test_others_are_not_asked(asked, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    FineWaiting().use(True)
    assert asked == []
