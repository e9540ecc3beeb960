"""A screen of our own to test windows on: Xvfb, with xdotool for a hand and `import` for an eye."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

NEEDED = ("Xvfb", "xdotool", "import")
LIMIT = 10.0  # seconds that a window gets for anything
AT_ONCE = 0.1  # seconds for which events are handled between two looks at a window
DONT_WAIT = 2  # TCL_DONT_WAIT


class Display:
    """One running X server, a process `pid`. Coordinates are pixels of its screen."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.environment = {**os.environ, "DISPLAY": name}

    def click(self, x: int, y: int, button: int = 1, times: int = 1) -> None:
        """Move the mouse there and click."""
        self._xdotool("mousemove", x, y, "click", "--repeat", times, "--delay", 60, button)

    def move(self, x: int, y: int) -> None:
        """Move the mouse there."""
        self._xdotool("mousemove", x, y)

    def move_into(self, title: str) -> None:
        """Move the mouse into the window of this title."""
        self._xdotool(*_window(title), "mousemove", "--window", "%1", 20, 20)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        self._xdotool("mousemove", *start, "mousedown", 1, "mousemove", *end, "mouseup", 1)

    def move_window(self, title: str, places: list[tuple[int, int]]) -> None:
        """Move the window of this title to one place after the other, for 30 ms each."""
        rest = ("sleep", "0.03")
        moves = [part for x, y in places for part in ("windowmove", "--sync", x, y, *rest)]
        self._xdotool(*_window(title), *moves)

    def key(self, *keys: str) -> None:
        """Press keys, by their X names, one after the other."""
        self._xdotool("key", "--delay", 40, *keys)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", 20, text)

    def screenshot(self) -> Image.Image:
        """The whole screen."""
        png = subprocess.run(
            ["import", "-silent", "-window", "root", "png:-"],
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
            timeout=LIMIT,
        ).stdout
        return Image.open(io.BytesIO(png)).convert("RGB")

    def _xdotool(self, *arguments: str | int) -> None:
        command = ["xdotool", *map(str, arguments)]
        subprocess.run(command, env=self.environment, check=True, timeout=LIMIT)


def _window(title: str) -> tuple[str, ...]:
    """How xdotool finds a window."""
    return "search", "--onlyvisible", "--name", f"^{title}$"


@contextlib.contextmanager
def running_display(size: str = "1600x1200", dpi: int = 96) -> Iterator[Display]:
    """Run an X server on a free display; a machine that can't is skipped, but not in CI."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if not _has_tkinter():
        missing.append("tkinter")
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        pytest.skip(reason)
    reader, writer = os.pipe()
    # -noreset: a program that connects while Xvfb resets itself, as the last one has left, hangs.
    screen = ("-screen", "0", f"{size}x24", "-dpi", str(dpi), "-nolisten", "tcp", "-noreset")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *screen],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with open(reader) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb has not started"
        yield Display(f":{number}", server.pid)
    finally:
        server.terminate()
        server.wait(LIMIT)


def _has_tkinter() -> bool:
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return False
    return True


def pump(widget: object, until: Callable[[], bool], limit: float = LIMIT) -> bool:
    """Run the Tk main loop until the condition holds; return whether it does."""
    deadline = time.monotonic() + limit
    while not until():
        if time.monotonic() > deadline:
            return False
        handle_events(widget)
    return True


def handle_events(widget: object) -> None:
    """Handle the events that wait, for AT_ONCE at most.

    `update` does so until there are none: on a busy machine those of a playing window never end,
    and what it shows for a moment is over before anybody can look.
    """
    deadline = time.monotonic() + AT_ONCE
    while widget.tk.dooneevent(DONT_WAIT):  # type: ignore[attr-defined]
        if time.monotonic() > deadline:
            return
    time.sleep(0.002)
