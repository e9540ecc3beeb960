"""Which clock media have, and when the system is asked for finer waits."""

from __future__ import annotations

import ast
import ctypes
import sys
import time
from types import SimpleNamespace

import pytest
from movies import ROOT

from rtplab import clock
from rtplab.clock import FineWaiting
from rtplab.player.ticker import Ticker
from rtplab.serving.rtp.pacer import Pacer

MEDIA = ("serving/rtp", "receiving", "player")
"""Where times are those of media."""
OTHER_CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
STEP_OF_OLD_WINDOWS = 0.015625


@pytest.mark.parametrize(
    ("monotonic", "chosen"), [(STEP_OF_OLD_WINDOWS, time.perf_counter), (1e-7, time.monotonic)]
)
def test_media_have_a_clock_of_fine_steps(monkeypatch, monotonic, chosen):
    steps = {"monotonic": monotonic, "perf_counter": 1e-7}
    monkeypatch.setattr(
        time, "get_clock_info", lambda name: SimpleNamespace(resolution=steps[name])
    )
    assert clock.finest_clock() is chosen


def test_media_have_no_other_clock():
    """The times of two clocks can't be compared, and the other one may have coarse steps."""
    paths = [path for folder in MEDIA for path in (ROOT / "rtplab" / folder).rglob("*.py")]
    used = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*paths, ROOT / "Client.py", ROOT / "ServerWorker.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in OTHER_CLOCKS
    }
    assert len(paths) > 50 and not used


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
    ticker = Ticker(SimpleNamespace(tk=tk), lambda: 10, lambda: next(states), print)
    for _ in range(5):
        ticker.start()
    ticker.stop()
    assert asked == [("begin", 1), ("end", 1), ("begin", 1), ("end", 1)]


def test_the_pacer_asks_while_anything_is_due(asked, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    pacer = Pacer()
    pacer.add(lambda: None, clock.steady() + 3600)
    deadline = time.monotonic() + 10
    while not asked and time.monotonic() < deadline:
        time.sleep(0.001)
    assert asked == [("begin", 1)]
    pacer.close()
    assert asked == [("begin", 1), ("end", 1)]


def test_others_are_not_asked(asked, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    FineWaiting().use(True)
    assert asked == []
