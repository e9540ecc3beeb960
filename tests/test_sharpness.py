"""What Windows is told before the first window."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest

from rtplab import launcher
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


def test_windows_is_told_before_tk_asks_for_the_resolution(monkeypatch, capsys):
    """A process that says it later has been told 96 dpi, and its window is blurred."""
    tkinter = pytest.importorskip("tkinter")
    calls = []
    shcore = SimpleNamespace(SetProcessDpiAwareness=lambda aware: calls.append("told"))
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(shcore=shcore), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")

    def no_window():
        calls.append("Tk")
        raise tkinter.TclError("no display")

    monkeypatch.setattr(tkinter, "Tk", no_window)
    options = launcher.parse_arguments(["rtsp://127.0.0.1/movie.Mjpeg"], "rtplab play")
    assert launcher._play_in_window(options, launcher.package_client, launcher.PROGRAM) == 1
    assert calls == ["told", "Tk"]
    assert "--headless" in capsys.readouterr().err
