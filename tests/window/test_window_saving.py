"""What a window saves: snapshots, recordings, captures."""

from __future__ import annotations

import resource
import time

import pytest
from display import pump
from movies import frames_of
from PIL import Image
from processes import HOST
from strip import frame_number, frame_number_of_jpeg
from windows import focus, tshark, words

from VideoStream import VideoStream

pytestmark = pytest.mark.peers


def test_the_capture_is_saved_from_the_panel(watch, root, display, tmp_path, monkeypatch):
    player = watch()
    path = tmp_path / "session.pcap"
    monkeypatch.setattr("tkinter.filedialog.asksaveasfilename", lambda **options: str(path))
    player.window.panel.toggle()
    assert pump(root, lambda: len(player.window.traffic.packets) > 20)
    focus(root, display)
    display.key("c")
    assert pump(root, path.exists)
    assert path.stat().st_size > 20_000
    ends = player.endpoints
    fields = ("ip.src", "ip.dst", "udp.dstport")
    (datagram, *_) = tshark(path, ends.server.port, "rtp", *fields)
    assert datagram == [HOST, HOST, str(player.rtpPort)]
    rows = tshark(
        path, ends.server.port, "rtsp.method", "rtsp.method", "tcp.srcport", "tcp.dstport"
    )
    assert rows[0] == ["DESCRIBE", str(ends.client.port), str(ends.server.port)]
    times = [float(row[0]) for row in tshark(path, ends.server.port, "frame", "frame.time_epoch")]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 60


@pytest.mark.parametrize(("key", "suffix"), [("r", ".Mjpeg"), ("shift+r", ".mjpeg")])
def test_a_snapshot_and_a_recording_are_saved(watch, root, display, home, key, suffix):
    player = watch()
    focus(root, display)
    display.key(key)
    assert pump(root, lambda: player.window.situation.recording)
    first = player.frameNbr
    assert pump(root, lambda: player.frameNbr > first + 10)
    display.key(key)
    assert pump(root, lambda: not player.window.situation.recording)
    display.key("space", "s")
    assert pump(root, lambda: any((home / "Pictures").iterdir()))
    (png,) = (home / "Pictures").iterdir()
    with Image.open(png) as image:
        assert image.size == (384, 288)
        assert frame_number(image.convert("RGB")) == player.window.viewing.frame.number
    (movie,) = home.glob(f"*{suffix}")
    stream = VideoStream(movie)  # as our server serves it
    numbers = [frame_number_of_jpeg(jpeg) for jpeg in iter(stream.nextFrame, b"")]
    assert len(numbers) >= 9
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.fixture
def full_disk():
    """No file can grow beyond 30,000 bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_the_recording_in_words_and_the_picture_goes_on(
    watch, root, display, home, full_disk
):
    player = watch()
    focus(root, display)
    display.key("r")
    assert pump(root, lambda: "The recording has failed (File too large)" in words(player))
    assert pump(root, lambda: not player.window.situation.recording)
    (movie,) = home.glob("*.Mjpeg")
    numbers = [frame_number_of_jpeg(jpeg) for jpeg in frames_of(movie)]
    assert numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert f"{len(numbers)} frames saved in {movie}" in words(player)
    display.key("s")
    assert pump(root, lambda: "No snapshot could be saved (File too large)." in words(player))
    assert not list((home / "Pictures").iterdir())
    number = player.window.viewing.frame.number
    assert pump(root, lambda: player.window.viewing.frame.number != number)
