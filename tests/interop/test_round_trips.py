"""The round trip that the server computes from the receiver reports of real players."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from movies import ROOT
from peers import ffmpeg, gstreamer, need_player
from processes import ServerProcess, _content

pytestmark = [pytest.mark.peers, pytest.mark.long]

LIMIT = 30.0  # seconds: two intervals of reports, and a busy machine
LOOPBACK = 250.0  # milliseconds that a round trip takes at the most here


def ours(url: str, transport: str) -> list[str]:
    return [sys.executable, "-m", "rtplab", "play", url, "--headless", "--transport", transport]


PLAYERS = {
    "rtplab by UDP": (ours, "udp"),
    "rtplab by TCP": (ours, "tcp"),
    "GStreamer by UDP": (gstreamer, "udp"),
    "GStreamer by TCP": (gstreamer, "tcp"),
    "ffmpeg by UDP": (ffmpeg, "udp"),  # by TCP it sends no reports
}


@contextmanager
def playing(command: list[str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    player = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=ROOT)
    try:
        yield
    finally:
        player.kill()
        player.wait()


def test_every_player_that_reports_has_a_round_trip() -> None:
    """All at once, each on a server of its own: most of the time goes into waiting."""
    need_player("GStreamer")
    need_player("ffmpeg")
    with ExitStack() as stack:
        servers = {}
        for name, (command, transport) in PLAYERS.items():
            server = stack.enter_context(ServerProcess(ROOT, "--loop", "--status", "0.5"))
            servers[name] = server
            url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
            stack.enter_context(playing(command(url, transport)))
        deadline = time.monotonic() + LIMIT
        waiting = dict(servers)
        while waiting and time.monotonic() < deadline:
            for name, server in list(waiting.items()):
                told = re.findall(r"round trip ([\d.]+) ms", _content(server._stdout))
                if told:
                    assert float(told[-1]) < LOOPBACK, name
                    del waiting[name]
            time.sleep(0.2)
        assert not waiting, [_content(server._stdout)[-300:] for server in waiting.values()]
