"""Other people's programs publish, and players of all kinds see it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from display import running_display
from movies import ROOT
from peers import need_command, need_player
from processes import HOST, ServerProcess

import rtplab

pytestmark = pytest.mark.peers

LIMIT = 30.0  # a publisher on a busy machine begins late
SECONDS = 20
USER = "ann:secret:publish"


def ffmpeg(address: str, transport: str) -> list[str]:
    source = ("-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-t", str(SECONDS))
    codec = ("-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p")
    way = ("-f", "rtsp", "-rtsp_transport", transport)
    return ["ffmpeg", "-v", "error", "-re", *source, *codec, *way, address]


def gstreamer(address: str, transport: str) -> list[str]:
    source = f"videotestsrc is-live=true num-buffers={25 * SECONDS}"
    size = "video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    sink = f"rtspclientsink location={address} protocols={transport}"
    return ["gst-launch-1.0", "-q", *f"{source} ! {size} ! jpegenc ! {sink}".split()]


@contextmanager
def publishing(command: list[str], folder: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ("--host", HOST, "--publish", "--log-level", "info")
    with ServerProcess(tmp_path_factory.mktemp("media"), *options) as server:
        yield server


def played(address: str, transport: str, count: int) -> list[rtplab.PlayedFrame]:
    with rtplab.play(address, transport=transport, reconnect=True, timeout=LIMIT) as frames:
        return [next(frames) for _ in range(count)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("program", [ffmpeg, gstreamer])
def test_what_a_program_publishes_is_played(server, program, transport) -> None:
    address = f"rtsp://{HOST}:{server.port}/{program.__name__}-{transport}"
    command = program(address, transport)
    need_command(command[0])
    with publishing(command):
        frames = played(address, transport, 30)
    assert frames[0].image().size == (320, 240)
    assert len({frame.jpeg for frame in frames}) > 20, "the picture moves"
    seconds = frames[-1].time - frames[0].time
    assert 29 / 25 * 0.8 < seconds < 29 / 25 * 1.5


COMMANDS = [
    ("docs/PLAYERS.md", "ffmpeg"),
    ("docs/PLAYERS.md", "gst-launch-1.0"),
    ("docs/REFERENCE.md", "ffmpeg"),
]


@pytest.mark.parametrize(("document", "program"), COMMANDS)
def test_the_commands_of_the_documents_publish(server, tmp_path, document, program) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(rf"`({program} [^`]*rtsp://localhost:5678/live)`", text)
    assert found
    need_command(program)
    need_player("ffmpeg")
    source = ("-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-t", str(SECONDS), "film.mp4")
    subprocess.run(["ffmpeg", "-v", "error", *source], cwd=tmp_path, check=True)
    address = f"rtsp://{HOST}:{server.port}/{program}-{document.replace('/', '-')}"
    command = shlex.split(found[1].replace("rtsp://localhost:5678/live", address))
    with publishing(command, tmp_path):
        frames = played(address, "auto", 10)
    assert len({frame.jpeg for frame in frames}) > 5, "the picture moves"
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers))


DEVICES = re.compile(r"^\| .*(?:webcam|screen), (?:Linux|Windows|macOS) \| `(ffmpeg .*)` \|$", re.M)


def device_commands(document: str) -> list[str]:
    return DEVICES.findall((ROOT / document).read_text(encoding="utf-8"))


def test_the_documents_send_a_webcam_and_a_screen_of_every_system() -> None:
    devices = ["v4l2", "dshow", "avfoundation", "x11grab", "gdigrab", "avfoundation"]
    commands = device_commands("docs/PLAYERS.md")
    assert [shlex.split(command)[2] for command in commands] == devices
    assert device_commands("README.md") == commands[:4]


@pytest.mark.parametrize("command", device_commands("docs/PLAYERS.md"))
def test_the_commands_for_devices_publish(server, command) -> None:
    """The screen is a real one; what this system lacks is replaced by a picture larger than it."""
    need_player("ffmpeg")
    address = f"rtsp://{HOST}:{server.port}/device"
    words = shlex.split(command.replace("rtsp://localhost:5678/live", address))
    device, is_screen = words[2], "scale=1280:-8" in words
    with running_display("1920x1082") as display:
        if device == "x11grab":
            words[words.index("$DISPLAY")] = display.name
        else:
            size = "1920x1082" if is_screen else "640x480"
            first, end = words.index("-f"), words.index("-i") + 2
            words[first:end] = ["-re", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=10"]
        with publishing(words):
            frames = played(address, "auto", 3)
    assert frames[0].image().size == ((1280, 720) if is_screen else (640, 480))


def test_a_publisher_logs_in(tmp_path) -> None:
    need_player("ffmpeg")
    with ServerProcess(tmp_path, "--publish", "--user", USER, "--user", "bob:secret") as server:
        address = f"rtsp://ann:secret@{HOST}:{server.port}/cam"
        with publishing(ffmpeg(address, "tcp")):
            assert len(played(f"rtsp://bob:secret@{HOST}:{server.port}/cam", "udp", 5)) == 5
        with publishing(ffmpeg(f"rtsp://bob:secret@{HOST}:{server.port}/cam2", "tcp")) as refused:
            assert "403" in refused.communicate(timeout=LIMIT)[1]


def test_another_codec_is_refused_with_what_to_type(server) -> None:
    need_player("ffmpeg")
    command = ffmpeg(f"rtsp://{HOST}:{server.port}/h263", "tcp")
    at = command.index("mjpeg")
    codec = ["mpeg4", "-pix_fmt", "yuv420p"]
    command[at : command.index("-f", at)] = codec
    with publishing(command) as refused:
        errors = refused.communicate(timeout=LIMIT)[1]
    assert "415" in errors and refused.returncode != 0
    assert "-c:v mjpeg" in server.errors()
