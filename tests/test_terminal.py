"""What is said on a terminal and nowhere else: a line that is renewed, colours, how to end it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from movies import ROOT
from processes import HOST, ServerProcess
from wording import lacks

from rtplab.console import StatusLine, log_handler
from rtplab.receiving.progress import Progress
from rtplab.receiving.rtp.statistics import Statistics
from rtplab.serving.media.listing import MAX_ADDRESSES, addresses_to_play

fcntl, pty, termios = (
    pytest.importorskip(name, reason="POSIX") for name in ("fcntl", "pty", "termios")
)

LIMIT = 20.0
COLUMNS = 60


class Terminal:
    """A pseudoterminal; `slave` is what a program has for its terminal."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self._seen = b""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the program has ended
            while data := os.read(self.master, 4096):
                with self._changed:
                    self._seen += data
                    self._changed.notify()

    def wait_for(self, pattern: bytes) -> bytes:
        """Return all that has been seen as soon as there is this in it."""
        with self._changed:
            assert self._changed.wait_for(lambda: re.search(pattern, self._seen), LIMIT), self._seen
            return self._seen

    def close(self) -> bytes:
        """End it; return all that has been seen."""
        os.close(self.slave)
        self._reader.join(LIMIT)
        os.close(self.master)
        return self._seen


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    if terminal._reader.is_alive():
        terminal.close()


@pytest.fixture
def stream(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOWrapper]:
    """The terminal as a program's stderr."""
    with open(os.dup(terminal.slave), "w", encoding="utf-8") as stream:
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        yield stream


def lines_on_screen(seen: bytes) -> list[str]:
    """What a terminal shows in the end, where each line may have been written several times."""
    lines = []
    for line in seen.decode().replace("\r\n", "\n").split("\n"):
        shown = ""
        for written in line.split("\r"):
            shown = written + shown[len(written) :]
        lines.append(shown.rstrip())
    return lines


# --- The log -------------------------------------------------------------------------------------


def logged(level: int, stream: io.TextIOWrapper) -> None:
    handler = log_handler(stream)
    handler.emit(logging.LogRecord("a", level, "", 0, "a sentence", None, None))


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_levels_are_coloured_on_a_terminal(terminal, stream, level):
    logged(level, stream)
    seen = terminal.wait_for(rb"a sentence")
    assert re.search(rb"\x1b\[[\d;]+m%s\x1b\[0m a" % logging.getLevelName(level).encode(), seen)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(terminal, stream, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    logged(logging.ERROR, stream)
    assert b"\x1b" not in terminal.wait_for(rb"ERROR a sentence")


def test_an_empty_no_color_asks_for_nothing(terminal, stream, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    logged(logging.ERROR, stream)
    assert b"\x1b" in terminal.wait_for(rb"a sentence")


def test_a_file_gets_no_colours(tmp_path):
    with (tmp_path / "log").open("w+") as file:
        logged(logging.ERROR, file)
        file.seek(0)
        assert re.fullmatch(r"[-\d]+ [:,\d]+ ERROR a sentence\n", file.read())


# --- The line that is renewed --------------------------------------------------------------------


def test_a_shorter_line_leaves_nothing_of_a_longer_one(terminal, stream):
    line = StatusLine(stream)
    line.show("a long line")
    line.show("short.")
    assert lines_on_screen(terminal.wait_for(rb"\."))[-1] == "short."


def test_what_is_logged_meanwhile_stands_above_it(terminal, stream):
    line = StatusLine(stream)
    line.show("10 frames, and more")
    line.write("a warning\n")
    line.show("11 frames.")
    assert lines_on_screen(terminal.wait_for(rb"11 frames\.")) == ["a warning", "11 frames."]


def test_a_line_is_never_wider_than_the_terminal(terminal, stream):
    line = StatusLine(stream)
    line.show("a" * 200)
    line.write("b.\n")
    assert lines_on_screen(terminal.wait_for(rb"b\.\r\n")) == ["b.", ""]
    assert b"a" * COLUMNS not in terminal.wait_for(rb"b")


def test_a_terminal_that_is_gone_ends_no_program(terminal, stream):
    line = StatusLine(stream)
    line.show("here")
    stream.close()
    line.show("gone")
    line.clear()


def test_the_rate_is_that_of_the_last_seconds():
    progress, statistics = Progress(now=100.0), Statistics()
    for tick in range(40):  # 20 frames/s, then nothing
        statistics.arrived(tick + 1, 1250, 100 + tick / 20)
        line = progress.line(tick + 1, statistics, 100 + (tick + 1) / 20)
    assert line.startswith("0:02 ")
    assert not lacks(line, "40 frames", "20.0/s", "200 kbit/s", "0 lost", "0.0%")
    for second in range(1, 4):
        line = progress.line(40, statistics, 102.0 + second)
    assert line.startswith("0:05  40 frames, 0.0/s, 0 kbit/s")


def test_loss_is_in_the_line():
    statistics = Statistics()
    for number in (1, 2, 4):
        statistics.arrived(number, 100, 1.0)
    assert "1 lost (25.0%)" in Progress(1.0).line(3, statistics, 2.0)


def test_headless_on_a_terminal_renews_one_line_and_leaves_the_result(terminal, small_movie):
    with ServerProcess(small_movie.parent) as server:
        command = [sys.executable, ROOT / "ClientLauncher.py", HOST, server.port, 0]
        options = ["movie.Mjpeg", "--headless", "--frames", 15, "--json"]
        run = subprocess.run(
            [*map(str, command), *map(str, options)],
            stdin=terminal.slave,
            stdout=subprocess.PIPE,
            stderr=terminal.slave,
            timeout=LIMIT,
        )
    seen = terminal.close()
    assert json.loads(run.stdout)["frames"] == 15
    shown = re.findall(rb"0:00  (\d+) frames, [\d.]+/s, \d+ kbit/s, 0 lost", seen)
    assert len(shown) >= 2 and shown == sorted(shown, key=int)
    assert lines_on_screen(seen) == [""]


# --- The server ----------------------------------------------------------------------------------


def test_a_server_on_a_terminal_says_what_to_copy_and_how_to_end_it(terminal, small_movie):
    command = [sys.executable, ROOT / "Server.py", "0", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*map(str, command), "--media", str(small_movie.parent)],
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        terminal.wait_for(rb"Ctrl\+C")
        os.write(terminal.master, b"\x03")
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait()
    first, *rest = terminal.close().decode().splitlines()
    port = re.fullmatch(r"Listening on 127\.0\.0\.1:(\d+)", first)[1]
    assert f"  rtsp://localhost:{port}/movie.Mjpeg" in rest


def test_names_are_escaped_in_addresses():
    *_, address = addresses_to_play(["my movie #1.Mjpeg"], "rtsps", "[::1]:322")
    assert address.strip() == "rtsps://[::1]:322/my%20movie%20%231.Mjpeg"


def test_of_many_movies_the_first_addresses_are_told():
    names = [f"m{number}.Mjpeg" for number in range(100)]
    told = addresses_to_play(names, "rtsp", "localhost")
    assert sum("rtsp://" in line for line in told) == MAX_ADDRESSES
    assert f"{100 - MAX_ADDRESSES} more" in told[-1]


def test_without_movies_there_is_no_address():
    assert addresses_to_play([], "rtsp", "localhost") == []
