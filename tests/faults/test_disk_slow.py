"""A movie on a disk that is slow, or that answers no more; all others are on one that is not.

The server sees it by a library that holds up its reads: no disk of the machine has to be slow.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audience import KINDS, LAB, TCP, UDP, Audience
from movies import MOVIE, frames_of, write_movie
from programs import Server, wait_until
from raw_rtsp import Peer

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(sys.platform != "linux", reason="needs LD_PRELOAD as Linux has it"),
]

FPS = 20
SLOW = 700
"""Milliseconds that a read takes."""
NEVER = -1


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    path = tmp_path_factory.mktemp("shim") / "slow_disk.so"
    source = Path(__file__).with_name("slow_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, source], check=True)
    return path


class Disk:
    """What a server reads that is started with `prefix`, in the folder `media`."""

    def __init__(self, shim: Path, folder: Path) -> None:
        self.media = folder / "media"
        self._file = folder / "setting"
        self.take(0)
        self.prefix = ("env", f"LD_PRELOAD={shim}", f"SLOW_DISK={self._file}")

    def take(self, milliseconds: int) -> None:
        """Take so long for each read from now on; NEVER: do not return from it."""
        self._file.write_text(str(milliseconds))


@pytest.fixture
def disk(shim: Path, tmp_path: Path) -> Disk:
    disk = Disk(shim, tmp_path)
    frames = frames_of(MOVIE)
    write_movie(disk.media / "movie.Mjpeg", frames)
    # Too large to be read ahead as a whole, even by all who watch it.
    (disk.media / "slow.mjpeg").write_bytes(b"".join(frames))
    return disk


def stop_in_time(server: Server) -> None:
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5


@pytest.mark.timed
@pytest.mark.parametrize("delay", [SLOW, NEVER])
def test_one_viewer_of_a_slow_disk_holds_up_nobody(disk: Disk, delay: int) -> None:
    """Somebody watches a movie whose reads take 0.7 s, or never return; three watch another.

    Pass: these lose nothing and see 20 frames/s without a gap; a new viewer comes in as fast as
    ever; SIGTERM ends the server within five seconds, and the log says whose read it leaves behind.
    """
    with Server(disk.media, "--fps", str(FPS), prefix=disk.prefix) as server:
        with Audience(server.port, KINDS) as others, Audience(server.port, [UDP], "slow.mjpeg"):
            disk.take(delay)
            began = time.monotonic()
            time.sleep(3)
            for viewer in others.viewers:
                assert viewer.lost == 0
                assert viewer.frames_within(began, 3) >= 3 * FPS - 3
                assert viewer.longest_gap(began) < 0.4
            began = time.monotonic()
            with Audience(server.port, [LAB]):
                assert time.monotonic() - began < 1
            stop_in_time(server)
        left_behind = server.log_lines("slow.mjpeg: gave up")
        assert bool(left_behind) is (delay == NEVER)


@pytest.mark.timed
def test_a_slow_disk_shows_what_it_can(disk: Disk) -> None:
    """Reads of 0.7 s bring many frames each.

    Pass: whoever watches them sees nearly all frames, whole and in order.
    """
    with Server(disk.media, "--fps", str(FPS), prefix=disk.prefix) as server:
        with Audience(server.port, [UDP, TCP, LAB], "slow.mjpeg") as audience:
            disk.take(SLOW)
            began = time.monotonic()
            time.sleep(3)
            for viewer in audience.viewers:
                assert viewer.frames_within(began, 3) > 0.7 * 3 * FPS
                assert viewer.lost == 0


def test_a_movie_that_can_not_be_opened_holds_up_nobody(disk: Disk) -> None:
    """Two ask for a movie that is to be indexed first, and its reads do not return.

    Pass: another movie is described, set up and played at once; SIGTERM ends the server within five
    seconds, and the log says whom it leaves behind.
    """
    disk.take(NEVER)
    # Not yet there when the server lists its movies, for which it would wait.
    disk.media.joinpath("slow.mjpeg").rename(disk.media / "slow.bin")
    with Server(disk.media, prefix=disk.prefix) as server:
        disk.media.joinpath("slow.bin").rename(disk.media / "slow.mjpeg")
        with Peer(server.port) as first, Peer(server.port) as second:
            for peer in (first, second):
                peer.send("DESCRIBE", f"{peer.base}/slow.mjpeg")
            with Peer(server.port) as other:
                assert other.ask("DESCRIBE", f"{other.base}/movie.Mjpeg").status == 200
            with Audience(server.port) as others:
                others.play_on(3)
            stop_in_time(server)
        wait_until(lambda: len(server.log_lines("gave up on")) == 2, "both are named")
