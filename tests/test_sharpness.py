"""What Windows is told before the first window."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest

from rtplab.player.look.sharpness import SYSTEM_AWARE, ask_for_sharpness


@pytest.mark.parametrize(("platform", "told"), [("win32", [SYSTEM_AWARE]), ("linux", [])])
def test_windows_is_told_that_we_scale(monkeypatch, platform, told):
    calls = []
    shcore = SimpleNamespace(SetProcessDpiAwareness=calls.append)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(shcore=shcore), raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    ask_for_sharpness()
    assert calls == told


def test_an_old_windows_knows_nothing_of_it(monkeypatch):
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    ask_for_sharpness()
