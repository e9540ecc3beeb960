"""The system's clock is set an hour forward, two back, and right again, while everybody plays.

The processes see it by a library that shifts their time of day: the machine's clock stays.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from audience import HOST, LAB, TCP, UDP, Audience, Viewer
from movies import MOVIE, frames_of, write_movie
from programs import Player, Server
from raw_rtsp import Peer

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(sys.platform != "linux", reason="needs LD_PRELOAD as Linux has it"),
]

HOUR = 3600
STEPS = (HOUR, -HOUR, 0)  # seconds off the right time
BETWEEN = 1.5  # seconds from one to the next
FPS = 20
DURATION = 6.0
QUIET = 2.0
"""Seconds for which a viewer may see nothing: none does notice, but the machine may be busy."""
USER, PASSWORD = "viewer", "secret"
NONCE = re.compile(rb'nonce="([^"]*)"')


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    path = tmp_path_factory.mktemp("shim") / "shifted_clock.so"
    source = Path(__file__).with_name("shifted_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True)
    return path


class Clock:
    """The time of day as the processes see it that are started with `prefix`."""

    def __init__(self, shim: Path, folder: Path) -> None:
        self._file = folder / "shift"
        self.step(0)
        self.prefix = ("env", f"LD_PRELOAD={shim}", f"CLOCK_SHIFT={self._file}")

    def step(self, seconds: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


def media_of(folder: Path) -> Path:
    return write_movie(folder / "media" / "movie.Mjpeg", frames_of(MOVIE)).parent


def logged_in(port: int) -> Callable[[Peer], int]:
    """A function that asks with the same nonce every time, counting nc, and returns the status."""
    count, nonce = 0, ""

    def ask(peer: Peer) -> int:
        nonlocal count, nonce
        uri = f"{peer.base}/movie.Mjpeg"
        if not nonce:
            challenge = peer.ask("DESCRIBE", uri)
            assert challenge.status == 401
            nonce = NONCE.search(challenge.raw)[1].decode()
        count += 1
        known = hashlib.md5(f"{USER}:rtplab:{PASSWORD}".encode()).hexdigest()
        asked = hashlib.md5(f"DESCRIBE:{uri}".encode()).hexdigest()
        proof = hashlib.md5(f"{known}:{nonce}:{count:08x}:c:auth:{asked}".encode()).hexdigest()
        return peer.ask(
            "DESCRIBE",
            uri,
            f'Authorization: Digest username="{USER}", realm="rtplab", nonce="{nonce}", uri="{uri}"'
            f', qop=auth, nc={count:08x}, cnonce="c", algorithm=MD5, response="{proof}"',
        ).status

    return ask


def assert_reports_go_on_evenly(viewer: Viewer) -> None:
    """The clock of sender reports (RFC 3550 section 4) must not jump, or players lose the time.

    Compared with when the reports came: what the machine holds up comes later, never sooner.
    """
    first, last = viewer.sender_reports[0], viewer.sender_reports[-1]
    assert len(viewer.sender_reports) >= 2
    assert last[1] - first[1] == pytest.approx(last[0] - first[0], abs=QUIET)
    assert abs(first[1] - 2_208_988_800 - time.time()) < 60, "it begins with the time of day"


def test_the_servers_clock_is_stepped(shim: Path, tmp_path: Path) -> None:
    """The server's time of day is set an hour forward, two back, and right again.

    Pass: viewers of all kinds lose no packet, see no gap of 2 s, and get no burst after a step; no
    session ends; sender reports go on evenly; a Digest nonce stays good.
    """
    clock = Clock(shim, tmp_path)
    options = (media_of(tmp_path), "--fps", str(FPS))
    user = ("--user", f"{USER}:{PASSWORD}")
    with Server(*options, prefix=clock.prefix) as server:
        with (
            Server(*options, *user, prefix=clock.prefix) as private,
            Audience(server.port, (LAB, UDP, TCP)) as audience,
            Peer(private.port) as peer,
        ):
            ask = logged_in(private.port)
            assert ask(peer) == 200
            started = time.monotonic()
            for seconds in STEPS:
                clock.step(seconds)
                stepped = time.monotonic()
                time.sleep(BETWEEN)
                assert ask(peer) == 200
                for viewer in audience.viewers:
                    assert viewer.longest_gap(started) < QUIET
                    assert viewer.frames_within(stepped, 1.0) <= 2 * FPS
            clock.step(HOUR)
            for viewer in audience.viewers:
                assert viewer.ask("TEARDOWN") == 200
                assert viewer.lost == 0
                if viewer.kind != LAB:
                    assert_reports_go_on_evenly(viewer)
        lines = server.errors().splitlines()
    hours = {line.split()[1].partition(":")[0] for line in lines}
    assert len(hours) >= 2, "the server has not seen its clock stepped"


def test_the_players_clock_is_stepped(shim: Path, tmp_path: Path) -> None:
    """The player's time of day is set an hour forward, two back, and right again.

    Pass: in both dialects and over both transports it plays at the movie's pace to the end that was
    asked for; no packet is lost or late, and the jitter stays that of this machine.
    """
    clock = Clock(shim, tmp_path)
    with Server(media_of(tmp_path), "--fps", str(FPS)) as server:
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        options = ("--duration", DURATION)
        with (
            Player(HOST, server.port, 0, "movie.Mjpeg", *options, prefix=clock.prefix) as lab,
            Player(url, "--transport", "udp", *options, prefix=clock.prefix) as udp,
            Player(url, "--transport", "tcp", *options, prefix=clock.prefix) as tcp,
        ):
            for seconds in STEPS:
                time.sleep(BETWEEN)
                clock.step(seconds)
            for player in (lab, udp, tcp):
                report, stderr, status = player.outcome()
                print(report)
                assert (status, stderr) == (0, "")
                assert report["seconds"] == pytest.approx(DURATION, abs=QUIET)
                assert report["fps"] == pytest.approx(FPS, rel=0.2)
                assert report["jitter_ms"] < 200
                counts = [report[name] for name in ("lost", "late", "duplicates", "error")]
                assert counts == [0, 0, 0, None]
