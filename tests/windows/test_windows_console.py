"""Ctrl+C and Ctrl+Break end the server, and the client, in good order."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from movies import ROOT
from raw_rtsp import Peer
from wine import LIMIT

CONSOLE = Path(__file__).parent / "console.py"
END_LIMIT = 2.0
"""Seconds from the key to the end."""


def play(peer: Peer) -> None:
    """Have the movie sent over the connection."""
    url = f"{peer.base}/movie.Mjpeg"
    setup = peer.ask("SETUP", f"{url}/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1")
    session = f"Session: {setup.headers.get('Session').partition(';')[0]}"
    assert peer.ask("PLAY", url, session).status == 200


@pytest.mark.parametrize("key", ["c", "break"])
@pytest.mark.parametrize("clients", [0, 2])
def test_a_key_ends_the_server(windows, films, key, clients):
    serve = (ROOT / "Server.py", "0", "--host", "127.0.0.1", "--media", films)
    with windows.start(CONSOLE, key, *serve) as console:
        port = console.port
        with ExitStack() as stack:
            for _ in range(clients):
                play(stack.enter_context(Peer(port)))
            console.send("")
            _, status, seconds = console.wait_for("ended").split()
        assert console.wait() == 0
    assert int(status) == 0 and float(seconds) < END_LIMIT, console.errors


@pytest.mark.parametrize("key", ["c", "break"])
def test_a_key_ends_the_client_which_says_what_has_come(windows, films, key):
    with windows.serve(films, "--loop") as server:
        url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
        player = (ROOT / "ClientLauncher.py", "--headless", url)
        with windows.start(CONSOLE, key, *player) as console:
            server.wait_for("set up", stream="stderr")
            time.sleep(0.5)
            console.send("")
            _, status, seconds = console.wait_for("ended").split()
            assert console.wait() == 0
    assert int(status) == 0 and float(seconds) < END_LIMIT, (console.output, console.errors)
    assert "packets lost" in console.output


def test_a_client_that_waits_for_an_answer_can_be_ended(windows):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/movie.Mjpeg"
        player = (ROOT / "ClientLauncher.py", "--headless", url)
        with windows.start(CONSOLE, "c", *player) as console:
            silent.settimeout(LIMIT)
            accepted, _ = silent.accept()
            with accepted:
                assert accepted.recv(1)
                time.sleep(0.2)
                console.send("")
                _, status, seconds = console.wait_for("ended").split()
    assert int(status) == 1 and float(seconds) < END_LIMIT, (console.output, console.errors)


COLOURS = """
import ctypes, logging, msvcrt, sys
sys.path.insert(0, sys.argv[1])
from rtplab.console import log_handler
kernel = ctypes.windll.kernel32
kernel.FreeConsole()
kernel.AllocConsole()
console = open("CONOUT$", "w")
logging.basicConfig(handlers=[log_handler(console)])
mode = ctypes.c_uint32()
handle = ctypes.c_void_p(msvcrt.get_osfhandle(console.fileno()))
assert kernel.GetConsoleMode(handle, ctypes.byref(mode))
formatter = logging.root.handlers[0].formatter
record = logging.LogRecord("a", logging.ERROR, "", 0, "", None, None)
with open("NUL", "w") as nowhere:
    other = log_handler(nowhere).formatter.format(record)
print("escapes", mode.value >> 2 & 1, "\\x1b" in formatter.format(record), "\\x1b" in other)
"""


def test_the_console_is_told_to_obey_colours_and_what_is_none_gets_none(windows):
    run = windows.run("-c", COLOURS, ROOT, TERM="", NO_COLOR="")
    assert run.output.split() == ["escapes", "1", "True", "False"], run.output + run.errors
