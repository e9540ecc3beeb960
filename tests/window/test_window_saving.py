"""What a window saves: snapshots, recordings, captures."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from display import pump
from movies import ROOT, frames_of
from PIL import Image
from processes import HOST, ServerProcess
from strip import frame_number, frame_number_of_jpeg
from windows import answer, asked, dialogs_of, focus, tshark, window_named, words
from wording import lacks

from VideoStream import VideoStream

pytestmark = pytest.mark.peers


def test_the_capture_is_saved_from_the_panel(watch, root, display, tmp_path, home):
    player = watch()
    path = tmp_path / "session.pcapng"
    path.write_bytes(b"")
    player.window.panel.toggle()
    assert pump(root, lambda: len(player.window.traffic.packets) > 20)
    focus(root, display)
    display.key("c")
    assert pump(root, lambda: asked(root, str(home)))  # there is no folder for documents
    answer(root, display, "ctrl+slash", str(path), "Return")
    assert pump(root, lambda: asked(root, "Save again"))
    assert path.stat().st_size == 0
    answer(root, display, "Return")
    assert pump(root, lambda: path.stat().st_size > 20_000)
    ends = player.endpoints
    fields = ("ip.src", "ip.dst", "udp.dstport")
    (datagram, *_) = tshark(path, ends.server.port, "rtp.p_type == 26", *fields)
    assert datagram == [HOST, HOST, str(player.rtpPort)]
    rows = tshark(
        path, ends.server.port, "rtsp.method", "rtsp.method", "tcp.srcport", "tcp.dstport"
    )
    assert rows[0] == ["OPTIONS", str(ends.client.port), str(ends.server.port)]
    times = [float(row[0]) for row in tshark(path, ends.server.port, "frame", "frame.time_epoch")]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 60


def test_one_capture_holds_all_that_a_window_plays(display, tmp_path):
    """After Teardown and Setup, when it has reconnected, and of another address opened in it."""
    path = tmp_path / "all.pcap"
    command = [sys.executable, str(ROOT / "ClientLauncher.py"), "--pcap", str(path)]
    with ServerProcess(ROOT) as other, ServerProcess(ROOT) as server, ExitStack() as after:
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        errors = after.enter_context(open(tmp_path / "errors", "w+"))
        launched = subprocess.Popen([*command, url], stderr=errors)
        after.callback(launched.wait)
        after.callback(launched.kill)
        assert has_played(path, 1)
        display.move(100, 100)
        display.key("F8")
        assert has_played(path, 2, lambda: display.key("F5", "F6"))  # when they are enabled again
        server.kill()
        after.enter_context(ServerProcess(ROOT, port=server.port))
        assert has_played(path, 3)
        display.key("o")
        window_named(display, "Open")
        display.move_into("Open")
        display.key("ctrl+slash")
        display.type(f"rtsp://{HOST}:{other.port}/movie.Mjpeg")
        display.key("Return")
        assert has_played(path, 4)
        launched.send_signal(signal.SIGTERM)
        assert launched.wait(10) == 0
        errors.seek(0)
        assert errors.read() == ""
    ports = f"{min(other.port, server.port)}-{max(other.port, server.port)}"
    rows = tshark(path, ports, "rtsp.method || rtp.p_type == 26", "rtsp.method", "rtp.ssrc")
    begin = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    methods = [method for method, _ in rows if method]
    assert methods == [*begin, "TEARDOWN", *begin, *begin, "TEARDOWN", *begin, "TEARDOWN"]
    packets = Counter(ssrc for _, ssrc in rows if ssrc)
    assert len(packets) == 4 and min(packets.values()) > 20, packets


def has_played(path, count: int, meanwhile: Callable[[], object] = lambda: None) -> bool:
    """Wait until a capture holds so many requests to play, and 40 kB after the last."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        parts = path.read_bytes().split(b"PLAY rtsp://") if path.exists() else []
        if len(parts) == count + 1 and len(parts[count]) > 40_000:
            return True
        if len(parts) <= count:
            meanwhile()
        time.sleep(0.05)
    return False


def test_a_snapshot_and_a_recording_are_saved(watch, root, display, home):
    player = watch()
    focus(root, display)
    display.key("r")
    assert pump(root, lambda: player.window.state.recording)
    first = player.frameNbr
    assert pump(root, lambda: player.frameNbr > first + 10)
    display.key("r")
    assert pump(root, lambda: not player.window.state.recording)
    display.key("space", "s")
    assert pump(root, lambda: any((home / "Pictures").iterdir()))
    (png,) = (home / "Pictures").iterdir()
    with Image.open(png) as image:
        assert image.size == (384, 288)
        assert frame_number(image.convert("RGB")) == player.window.controller.frame.number
    (movie,) = home.glob("*.Mjpeg")
    stream = VideoStream(movie)  # as our server serves it
    numbers = [frame_number_of_jpeg(jpeg) for jpeg in iter(stream.nextFrame, b"")]
    assert len(numbers) >= 9
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_recording_while_paused_leaves_no_empty_file(watch, root, display, home):
    player = watch()
    focus(root, display)
    display.key("space")
    assert pump(root, lambda: not player.window.state.wants_to_play and not player.is_waiting())
    display.key("r", "r")
    assert pump(root, lambda: "Nothing was recorded" in words(player))
    assert not list(home.glob("*.Mjpeg"))


def test_the_dialog_to_save_walks_through_folders(watch, root, display, home):
    watch()
    (home / "lab").mkdir()
    (home / "lab" / "old.pcapng").write_bytes(b"")
    (home / "lab" / "notes.txt").write_bytes(b"")
    focus(root, display)
    display.key("c")
    assert pump(root, lambda: bool(dialogs_of(root)) and asked(root, str(home)))
    display.move_into("Save capture")
    display.key("shift+Tab", "Down", "Down", "Return")
    assert pump(root, lambda: lines_of(root) == ["‹ up", "old.pcapng"]), lines_of(root)


def lines_of(widget) -> list[str]:
    """What the lists in a widget show."""
    if widget.winfo_class() == "Treeview":
        return [widget.item(row, "text") for row in widget.get_children()]
    return [line for child in widget.winfo_children() for line in lines_of(child)]


@pytest.fixture
def full_disk():
    """No file can grow beyond 30,000 bytes: writing fails as it does on a full disk."""
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
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
    assert pump(root, lambda: not lacks(words(player), "recording", "File too large"))
    assert pump(root, lambda: not player.window.state.recording)
    (movie,) = home.glob("*.Mjpeg")
    numbers = [frame_number_of_jpeg(jpeg) for jpeg in frames_of(movie)]
    assert numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert f"{len(numbers)} frames saved in {movie}" in words(player)
    display.key("s")
    assert pump(root, lambda: not lacks(words(player), "snapshot", "File too large"))
    assert not list((home / "Pictures").iterdir())
    number = player.window.controller.frame.number
    assert pump(root, lambda: player.window.controller.frame.number != number)
