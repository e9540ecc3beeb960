"""The commands of README.md and docs/PLAYERS.md, run as they stand there.

Only the address is changed, and for GStreamer and OpenCV the window into something that can be
read. The windows of ffplay and mpv are looked at on a display of our own.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import make_certificate
from display import running_display
from movies import MOVIE, ROOT, frames_of, write_movie
from peers import TCP, UDP, need_command, need_player, numbers_by_step, output_of, pictures
from PIL import Image
from processes import ServerProcess
from strip import frame_number

pytestmark = pytest.mark.peers

README, PLAYERS_DOCUMENT = ROOT / "README.md", ROOT / "docs" / "PLAYERS.md"
ADDRESS = "rtsp://localhost:5678/movie.Mjpeg"
FRAMES = 40
LONG_FRAMES = 400
SIZE = (384, 288)
LIMIT = 20.0  # seconds for anything


def table(path: Path, title: str) -> dict[str, list[str]]:
    """The cells in `code` of each row of the first table behind a title, by the row's name."""
    rows = {}
    text = path.read_text().partition(f"# {title}\n")[2]
    for line in re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()[2:]:
        name, *cells = (cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|")))
        codes = [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]
        rows[name] = [code.replace(r"\|", "|") for code in codes]
    return rows


IN_README = table(README, "Other players")
IN_DOCUMENT = table(PLAYERS_DOCUMENT, "Players")
CERTIFICATES = table(PLAYERS_DOCUMENT, "Which certificate they trust")
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", PLAYERS_DOCUMENT.read_text(), re.DOTALL)


def commands(player):
    """(transport or None where the player chooses, command) wherever one stands."""
    udp, tcp = IN_DOCUMENT[player]
    cases = {"over UDP": (UDP, udp), "over TCP": (TCP, tcp), "README": (None, IN_README[player][0])}
    return pytest.mark.parametrize(("transport", "command"), cases.values(), ids=cases.keys())


def test_the_tables_have_what_is_run_here():
    assert {"ffplay", "mpv", "GStreamer", "OpenCV", "VLC"} <= {*IN_README}
    assert {*IN_DOCUMENT} == {"ffplay", "mpv", "GStreamer", "VLC"}
    every_command = [
        code for rows in (IN_README, IN_DOCUMENT) for row in rows.values() for code in row
    ]
    assert all(ADDRESS in code for code in every_command if "rtsp://" in code)
    assert len(PYTHON_BLOCKS) == 2


@pytest.fixture(scope="module")
def originals():
    return frames_of(MOVIE)[:LONG_FRAMES]


@pytest.fixture
def serve(tmp_path, originals):
    """Start a server of a movie of so many frames."""

    def start(frames):
        write_movie(tmp_path / "media" / "movie.Mjpeg", originals[:frames])
        return ServerProcess(tmp_path / "media", "--log-level", "debug")

    return start


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls_server(small_movie, certificate):
    with ServerProcess(small_movie.parent, "--tls", *map(str, certificate)) as server:
        yield server


def address_of(server, scheme="rtsp"):
    return f"{scheme}://127.0.0.1:{server.port}/movie.Mjpeg"


@pytest.fixture(scope="module")
def display():
    with running_display("800x600") as display:
        yield display


@contextmanager
def running(command, display, home):
    process = subprocess.Popen(
        command,
        env={**display.environment, "HOME": str(home), "MPV_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT)
    finally:
        process.kill()
        process.wait()


class Window:
    """The window of a player, in which the movie fills everything."""

    def __init__(self, display, name):
        self.display = display
        self._search = ["xdotool", "search", "--onlyvisible", "--class", name]

    def frame(self):
        """The number of the frame that is shown; 0 while there is none."""
        done = subprocess.run(
            [*self._search, "getwindowgeometry", "--shell"],
            env=self.display.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        place = dict(line.split("=") for line in done.stdout.splitlines())
        if (place.get("WIDTH"), place.get("HEIGHT")) != tuple(map(str, SIZE)):
            return 0
        left, top = int(place["X"]), int(place["Y"])
        picture = self.display.screenshot().crop((left, top, left + SIZE[0], top + SIZE[1]))
        try:
            return frame_number(picture)
        except ValueError:
            return 0

    def wait_for_frame(self, first):
        """Wait until a frame from `first` on is shown; its number."""
        deadline = time.monotonic() + LIMIT
        while (number := self.frame()) < first:
            assert time.monotonic() < deadline, f"frame {number}, not {first} and more"
        return number


def wait_for_log(server, words):
    deadline = time.monotonic() + LIMIT
    while words not in server.errors():
        assert time.monotonic() < deadline, f"no {words!r}: {server.errors()}"
        time.sleep(0.02)


def target(link):
    """What a descriptor is, or nothing when the server has just closed it."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def check_transport(server, expected):
    """Once it plays: whether the server has opened UDP ports."""
    wait_for_log(server, "< PLAY")
    inodes = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    links = {target(link) for link in Path(f"/proc/{server.pid}/fd").iterdir()}
    has_udp = not links.isdisjoint(f"socket:[{inode}]" for inode in inodes)
    assert expected in (None, UDP if has_udp else TCP)


@commands("ffplay")
def test_ffplay_shows_the_movie_and_pauses(serve, display, tmp_path, transport, command):
    need_command("ffplay")
    with serve(LONG_FRAMES) as server:
        line = shlex.split(command.replace(ADDRESS, address_of(server)))
        with running(line, display, tmp_path):
            check_transport(server, transport)
            window = Window(display, "ffplay")
            window.wait_for_frame(window.wait_for_frame(5) + 5)
            display.key("p")
            wait_for_log(server, "< PAUSE")
            time.sleep(0.3)  # what is on its way is still shown
            stopped_at = window.frame()
            time.sleep(0.5)
            assert window.frame() == stopped_at
            display.key("p")
            window.wait_for_frame(stopped_at + 3)


@commands("mpv")
def test_mpv_shows_the_movie(serve, display, tmp_path, transport, command):
    need_command("mpv")
    # The display has no graphics card, for which mpv would look for seconds.
    (tmp_path / "mpv.conf").write_text("vo=x11\n")
    with serve(LONG_FRAMES) as server:
        line = shlex.split(command.replace(ADDRESS, address_of(server)))
        with running(line, display, tmp_path):
            check_transport(server, transport)
            window = Window(display, "mpv")
            window.wait_for_frame(window.wait_for_frame(5) + 20)


@commands("GStreamer")
def test_gstreamer_shows_every_frame(serve, tmp_path, transport, command):
    need_player("GStreamer")
    need_command("gst-launch-1.0")
    shown = tmp_path / "shown"
    readable = f"video/x-raw,format=RGB ! filesink location={shown}"
    assert command.endswith(" autovideosink")
    with serve(FRAMES) as server:
        line = command.replace(ADDRESS, address_of(server)).replace("autovideosink", readable)
        process = subprocess.Popen(
            shlex.split(line), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            check_transport(server, transport)
            errors = process.communicate(timeout=LIMIT)[1]
        finally:
            process.kill()
            process.wait()
        assert re.search(r"< TEARDOWN .* > 200", server.errors())
    # At the end GStreamer sends PAUSE and TEARDOWN. Its second thread, which reads the connection
    # over UDP too, now and then stops the first one's PAUSE before a byte of it is sent, and then
    # rtspsrc calls that an error, although its TEARDOWN comes by the same connection.
    assert process.returncode == 0 or "GstRTSPSrc" in errors, errors
    data, length = shown.read_bytes(), SIZE[0] * SIZE[1] * 3
    images = [
        Image.frombytes("RGB", SIZE, data[at : at + length]) for at in range(0, len(data), length)
    ]
    assert [frame_number(image) for image in images] == list(range(1, FRAMES + 1))


# In place of OpenCV's window.
SHOW_AS_PPM = """
import cv2, sys
def imshow(title, picture):
    height, width, _ = picture.shape
    sys.stdout.buffer.write(f"P6\\n{width} {height}\\n255\\n".encode())
    sys.stdout.buffer.write(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes())
cv2.imshow, cv2.waitKey = imshow, lambda milliseconds: -1
"""
SHOW_CAPTURE = """
movie = {capture}
while (picture := movie.read()[1]) is not None:
    cv2.imshow("movie", picture)
"""


@pytest.mark.parametrize("transport", ["as it is", UDP])
def test_opencv_shows_every_frame(serve, transport):
    need_player("OpenCV")
    options = {} if transport != UDP else {"OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;udp"}
    (capture,) = IN_README["OpenCV"]
    for code in (PYTHON_BLOCKS[0], SHOW_CAPTURE.format(capture=capture)):
        with serve(FRAMES) as server:
            run = SHOW_AS_PPM + code.replace(ADDRESS, address_of(server))
            shown = output_of([sys.executable, "-c", run], environment=options)
        assert numbers_by_step(shown) == {0: list(range(1, FRAMES + 1))}
        assert {image.size for _, image in pictures(shown)} == {SIZE}


def test_pyav_gives_every_frame(serve):
    need_player("PyAV")
    with serve(FRAMES) as server:
        run = PYTHON_BLOCKS[1].replace(ADDRESS, address_of(server))
        lines = output_of([sys.executable, "-c", run]).decode().splitlines()
    expected = [(frame / 20, *SIZE) for frame in range(FRAMES)]
    given = [(round(float(time), 6), int(x), int(y)) for time, x, y in map(str.split, lines)]
    assert given == expected


@pytest.mark.parametrize("option", [0, 1], ids=["this one", "any"])
def test_opencv_and_pyav_play_with_a_certificate_of_our_own(tls_server, certificate, option):
    settings, options = (
        CERTIFICATES[name][option].replace("cert.pem", str(certificate.certificate))
        for name in ("OpenCV", "PyAV")
    )
    opencv, pyav = (
        code.replace(ADDRESS, address_of(tls_server, "rtsps")) for code in PYTHON_BLOCKS
    )
    need_player("OpenCV")
    name, _, value = settings.partition("=")
    shown = output_of(
        [sys.executable, "-c", SHOW_AS_PPM + opencv], environment={name: shlex.split(value)[0]}
    )
    assert numbers_by_step(shown) == {0: list(range(1, FRAMES + 1))}
    need_player("PyAV")
    pyav, found = re.subn("options={.*?}", lambda _: options, pyav)
    lines = output_of([sys.executable, "-c", pyav]).splitlines()
    assert (found, len(lines)) == (1, FRAMES)
