"""Videos that ffmpeg has made become movies, by ffmpeg itself and by PyAV alone."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from movies import ROOT, frames_of
from peers import ffmpeg_has, need_command, need_import
from PIL import Image
from processes import ServerProcess, run_client
from wording import lacks

from rtplab.movies.movie import Movie
from rtplab.protocol.rtp import jpeg, rtpjpeg

pytestmark = pytest.mark.peers

LIMIT = 60.0


def video(path: Path, *options: str, source: str = "testsrc2=size=320x240:rate=25:duration=2"):
    need_command("ffmpeg", "ffprobe")
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *options, str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(params=["ffmpeg", "PyAV"])
def imported(request, tmp_path):
    """Run `rtplab import` with one of the two alone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if request.param == "PyAV":
        need_import(sys.executable, "import av", "PyAV")
        environment["PATH"] = str(tmp_path / "nothing")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rtplab", "import", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=LIMIT,
        )

    return run


@pytest.mark.parametrize(
    ("name", "rate", "options"),
    [
        ("film.mp4", "25", ()),
        ("film.mkv", "30000/1001", ("-c:v", "mpeg4")),
        ("film.avi", "25", ("-c:v", "mpeg4")),
        ("film.ts", "25", ("-c:v", "mpeg2video")),
        ("film.webm", "25", ("-c:v", "libvpx", "-b:v", "1M")),
    ],
)
def test_a_video_becomes_a_movie(tmp_path, imported, name, rate, options):
    source = f"testsrc2=size=326x246:rate={rate}:duration=2"
    film = video(tmp_path / name, *options, source=source)
    run = imported(film.name)
    assert (run.returncode, run.stderr) == (0, "")
    movie = Movie(tmp_path / "film.Mjpeg")
    assert movie.frame_rate == Fraction(rate)
    assert abs(len(movie.frames) - 2 * Fraction(rate)) <= 1
    assert (movie.width, movie.height) == (320, 240)
    for number in range(1, len(movie.frames) + 1):
        frame = movie.frame(number)
        assert len(frame) <= 14_500
        assert rtpjpeg.unsupported_reason(jpeg.parse(frame)) is None


def test_the_pictures_are_those_of_the_video(tmp_path, imported):
    """Each second of it has another brightness."""
    source = "color=black:size=64x48:rate=10:duration=3,geq=lum='80*floor(T)+20':cb=128:cr=128"
    film = video(tmp_path / "film.mp4", source=source)
    assert imported(film.name, "--start", "1", "--duration", "1.5").returncode == 0
    assert imported(film.name, "-o", "fast.Mjpeg", "--fps", "20").returncode == 0

    def brightness(name: str) -> list[int]:
        movie, levels = Movie(tmp_path / name), []
        for number in range(1, len(movie.frames) + 1):
            with Image.open(io.BytesIO(movie.frame(number))) as image:
                levels.append(round((image.convert("L").getpixel((32, 24)) - 20) / 93))
        return levels

    assert brightness("film.Mjpeg") == [1] * 10 + [2] * 5
    assert brightness("fast.Mjpeg") == [0] * 20 + [1] * 20 + [2] * 20


def test_pixels_are_made_square_and_pictures_turned_upright(tmp_path, imported):
    video(tmp_path / "wide.mp4", "-vf", "setsar=2")
    assert imported("wide.mp4").returncode == 0
    assert Movie(tmp_path / "wide.Mjpeg").width == 640
    need_command("ffmpeg")
    turn = ["-display_rotation", "90"] if ffmpeg_has("-display_rotation") else []
    older = [] if turn else ["-metadata:s:v:0", "rotate=90"]
    command = ["ffmpeg", "-v", "error", *turn, "-i", "wide.mp4", "-c", "copy", *older, "turned.mp4"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert imported("turned.mp4").returncode == 0
    movie = Movie(tmp_path / "turned.Mjpeg")
    assert movie.height > movie.width


@pytest.mark.parametrize("content", [b"hello, world\n" * 100, bytes(5000), b"\0\0\0\x20ftypisom"])
def test_what_is_no_video_is_a_sentence(tmp_path, imported, content):
    (tmp_path / "film.mp4").write_bytes(content)
    run = imported("film.mp4")
    assert run.returncode == 1
    assert run.stderr.startswith("film.mp4: ") and run.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["film.mp4"]


@pytest.mark.parametrize("name", ["film.bin", "film.adf", "film.txt"])
def test_characters_are_not_drawn(tmp_path, imported, name):
    (tmp_path / name).write_bytes(b"\x11=v\x95" * 5000)
    run = imported(name)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert os.listdir(tmp_path) == [name]


def test_an_empty_file_is_a_sentence(tmp_path, imported):
    (tmp_path / "film.mp4").write_bytes(b"")
    (line,) = imported("film.mp4").stderr.splitlines()
    assert not lacks(line, "film.mp4", "empty")


def test_sound_alone_is_a_sentence(tmp_path, imported):
    video(tmp_path / "song.mka", source="sine=duration=1")
    run = imported("song.mka")
    assert (run.returncode, len(run.stderr.splitlines())) == (1, 1)
    assert not lacks(run.stderr, "song.mka", "no pictures")


def test_a_video_that_breaks_off_is_taken_as_far_as_it_goes(tmp_path, imported):
    film = video(tmp_path / "film.ts", "-c:v", "mpeg2video")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    run = imported(film.name)
    assert run.returncode == 0
    assert 10 < len(Movie(tmp_path / "film.Mjpeg").frames) < 50


def test_a_name_is_no_option_and_no_address(tmp_path, imported):
    film = video(tmp_path / "film.mp4")
    for name in ("-i.mp4", "http:film.mp4", "50%.mp4"):
        film.rename(film := film.with_name(name))
        assert imported("--force", "-o", "a.Mjpeg", "--", name).returncode == 0


def test_ctrl_c_ends_ffmpeg_and_leaves_no_half_file(tmp_path):
    video(
        tmp_path / "film.mp4", "-preset", "ultrafast", source="testsrc2=size=1280x720:duration=60"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "rtplab", "import", "film.mp4", "--max-frame", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + LIMIT
    while not list(tmp_path.glob(".film*")):
        assert time.monotonic() < deadline, "ffmpeg has not begun"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    # Python itself ends by SIGINT if that has come while a module was being made.
    assert process.returncode in (1, -signal.SIGINT) and said.startswith(b"Stopped"), said
    assert os.listdir(tmp_path) == ["film.mp4"]


def test_the_server_plays_it_at_its_rate(tmp_path, imported):
    video(tmp_path / "film.mp4", source="testsrc2=size=320x240:rate=50:duration=1")
    assert imported("film.mp4").returncode == 0
    with ServerProcess(tmp_path) as server:
        run = run_client(*server.address, 0, "film.Mjpeg", "--headless", "--json")
    assert run.report["frames"] == len(frames_of(tmp_path / "film.Mjpeg")) == 50
    assert run.report["seconds"] < 2
