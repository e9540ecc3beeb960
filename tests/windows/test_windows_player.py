"""The player's window on Windows: its buttons, its keys, and where it puts what it saves."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from movies import ROOT
from processes import ServerProcess
from wine import LIMIT

MANY_COLOURS = 1000
"""More than the controls have: a picture of the movie is shown."""
PLAYER = Path(__file__).parent / "player.py"


@pytest.fixture(scope="module")
def server(films):
    with ServerProcess(films, "--loop") as running:
        yield running


@contextmanager
def player(windows, server):
    """The player, its window under the mouse, and the places of its buttons."""
    url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
    with windows.start(PLAYER, url) as running:
        buttons = json.loads(running.wait_for("{"))
        running.wait_for("INIT can setup ")
        yield running, buttons


def test_the_four_buttons(windows, server, screen):
    with player(windows, server) as (running, buttons):
        screen.click(*buttons["setup"])
        running.wait_for("READY can start teardown ")
        screen.click(*buttons["start"])
        running.wait_for("PLAYING can pause teardown ")
        screen.click(*buttons["pause"])
        running.wait_for_after("PLAYING", "READY can start teardown ")
        screen.click(*buttons["teardown"])
        running.wait_for_after("READY", "INIT can setup ")


@pytest.mark.parametrize("locked", [False, True], ids=["", "num-lock"])
def test_keys_and_what_they_save(windows, server, screen, locked):
    for folder in ("Pictures", "Videos"):
        shutil.rmtree(windows.home / folder)
        (windows.home / folder).mkdir()
    with player(windows, server) as (running, buttons):
        screen.click(200, 100)
        if locked:  # which it is not on a new display
            screen.key("Num_Lock")
        screen.key("F5")
        running.wait_for(f"key F5 {'0x8' if locked else '0x0'}")
        running.wait_for("READY can start teardown ")
        screen.key("F6")
        running.wait_for("PLAYING can pause teardown says nothing")  # but shows a picture
        screen.key("s")
        running.wait_for("Saved C:\\")
        screen.key("r")
        running.wait_for("Recording to C:\\")
        time.sleep(0.5)
        screen.key("r")
        running.wait_for(" frames saved in C:\\")
        screen.key("space")
        running.wait_for_after("PLAYING", "READY can start teardown ")
        screen.key("Alt_R+q", "alt+q", "ctrl+alt+q")  # the last is AltGr
        screen.key("F8")
        running.wait_for_after("READY", "INIT can setup ")
        screen.key("q")
        assert running.wait() == 0
    (picture,) = (windows.home / "Pictures").iterdir()
    (video,) = (windows.home / "Videos").iterdir()
    assert picture.suffix == ".png" and video.suffix == ".Mjpeg" and video.stat().st_size > 9000


def test_the_demonstration_shows_its_movie(windows, screen):
    with windows.start(ROOT / "ClientLauncher.py") as running:
        pictures = set()
        deadline = time.monotonic() + LIMIT
        while len(pictures) < 3:
            assert time.monotonic() < deadline and running.status is None, running.errors
            shot = screen.screenshot()
            if len(shot.getcolors(1 << 24)) > MANY_COLOURS:
                pictures.add(shot.tobytes())
