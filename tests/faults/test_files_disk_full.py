"""A disk that becomes full while frames and captures are written to it, without a window."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from audience import HOST
from disks import SmallDisk, small_disk
from movies import MOVIE, frames_of, write_movie
from programs import Player, Server
from wording import lacks

from rtplab.receiving.files.recording import Recording
from VideoStream import VideoStream

FRAMES = 60
FPS = 40
TSHARK = ("tshark", "-n", "-d", "udp.port==1024-65535,rtp", "-T", "fields", "-e", "rtp.seq")
VIDEO = ("-Y", "rtp.p_type == 26", "-r")  # not what the player opens its way with


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:FRAMES]


@pytest.fixture
def server(tmp_path: Path, frames: list[bytes]) -> Iterator[Server]:
    media = write_movie(tmp_path / "media" / "movie.Mjpeg", frames).parent
    with Server(media, "--fps", str(FPS)) as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


def test_frames_that_are_saved(server: Server, disk: SmallDisk, frames: list[bytes]) -> None:
    """`--headless --save` on a disk that becomes full.

    Pass: one plain sentence that names folder and reason; all frames are received and counted to
    the end of the movie; each file is a whole frame.
    """
    folder = disk.folder / "frames"
    options = (HOST, server.port, 0, "movie.Mjpeg", "--frames", FRAMES, "--save", folder)
    if disk.prefix:  # which limits a file, not the folder
        pytest.skip("may not mount a file system here")
    with Player(*options) as player:
        report, stderr, _ = player.outcome()
    assert len(stderr.splitlines()) == 1 and not lacks(stderr, str(folder), disk.words)
    assert report["error"] == stderr.strip()
    assert (report["frames"], report["lost"]) == (FRAMES, 0)
    saved = [path.read_bytes() for path in sorted(folder.iterdir())]
    assert 1 < len(saved) < FRAMES
    assert saved == frames[: len(saved)]


def test_a_capture(server: Server, disk: SmallDisk) -> None:
    """`--headless --pcap` on a disk that becomes full.

    Pass: one plain sentence; all frames are received; the capture ends with a whole packet, and
    tshark reads it without a complaint.
    """
    path = disk.folder / "file.pcap"
    options = (f"rtsp://{HOST}:{server.port}/movie.Mjpeg", "--frames", FRAMES, "--pcap", path)
    with Player(*options, prefix=disk.prefix) as player:
        report, stderr, status = player.outcome()
    assert len(stderr.splitlines()) == 1 and not lacks(stderr, "capture", disk.words)
    assert (status, report["frames"], report["lost"], report["error"]) == (0, FRAMES, 0, None)
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark")
    done = subprocess.run([*TSHARK, *VIDEO, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # which it isn't for a packet that is cut short
    numbers = [int(line) for line in done.stdout.split()]
    assert len(numbers) > 20
    steps = zip(numbers, numbers[1:], strict=False)
    assert {(later - earlier) % 65536 for earlier, later in steps} == {1}


def test_a_recording(disk: SmallDisk, frames: list[bytes]) -> None:
    """Pass: what fitted before the disk was full is a movie without damage; later frames that fit
    again, after room was made, are appended to it as if nothing had been."""
    if disk.prefix:
        pytest.skip("may not mount a file system here")
    filler = disk.folder / "filler"
    filler.write_bytes(bytes(40_000))
    path = disk.folder / "taken.Mjpeg"
    recording = Recording(path)
    with pytest.raises(OSError, match="No space left"):
        for frame in frames:
            recording.add(frame)
    taken = recording.frames
    assert path.stat().st_size == sum(map(len, frames[:taken])) + 5 * taken
    filler.unlink()
    recording.add(frames[taken])
    recording.close()
    stream = VideoStream(path)
    assert stream.movie.damage == ""
    shown = [stream.nextFrame() for _ in range(len(stream.movie.frames))]
    assert shown == frames[: taken + 1]
