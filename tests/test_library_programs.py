"""The programs of docs/LIBRARY.md and README.md, run as they stand there but for the ports.

A file stands in for the webcam, and a camera by HTTP is one of ours.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from http_cameras import HttpCamera, stream
from movies import MOVIE, ROOT, frames_of, write_movie
from PIL import Image
from waiting import wait_until

import rtplab

pytestmark = pytest.mark.long

HOST = "127.0.0.1"
LIMIT = 10.0
PROGRAM = re.compile(r"<!-- program: (\w+) -->\n```python\n(.*?)```", re.DOTALL)
PROGRAMS = {
    name: program
    for document in ("README.md", "docs/LIBRARY.md")
    for name, program in PROGRAM.findall((ROOT / document).read_text(encoding="utf-8"))
}


@contextmanager
def started(program: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def publishing(program: str, folder: Path) -> Iterator[int]:
    """Run a program that serves, on ports that are free; yield that of RTSP."""
    told = "as server:\n    print(server.port, flush=True)\n"
    program = program.replace("port=5678", f"port=0, host={HOST!r}").replace("http=8080", "http=0")
    with started(program.replace("as server:\n", told), folder) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def first_picture(port: int, name: str) -> Image.Image:
    with rtplab.play(f"rtsp://{HOST}:{port}/{name}", timeout=LIMIT) as frames:
        return next(frames).image()


@pytest.mark.peers
@pytest.mark.parametrize(("name", "stream"), [("camera", "cam"), ("webcam", "webcam")])
def test_a_webcam_is_shown_in_its_colours(tmp_path, name, stream) -> None:
    pytest.importorskip("cv2")
    Image.new("RGB", (64, 48), "red").save(tmp_path / "film001.png")
    program = PROGRAMS[name].replace("VideoCapture(0)", "VideoCapture('film%03d.png')")
    with publishing(f"{program}    input()\n", tmp_path) as port:
        red, green, blue = first_picture(port, stream).getpixel((32, 24))
    assert red > 200 and green < 50 and blue < 50


def test_the_drawing_shows_something_that_changes(tmp_path) -> None:
    with publishing(PROGRAMS["drawing"], tmp_path) as port:
        with rtplab.play(f"rtsp://{HOST}:{port}/clock", timeout=LIMIT) as frames:
            first = next(frames)
            darkest, brightest = first.image().convert("L").getextrema()
            assert darkest < 100 and brightest > 240, "black letters on white"
            assert next(frame for frame in frames if frame.jpeg != first.jpeg)


def test_slides_of_any_shape_are_shown(tmp_path) -> None:
    (tmp_path / "slides").mkdir()
    Image.new("RGB", (100, 400), "red").save(tmp_path / "slides" / "one.jpg")
    with publishing(PROGRAMS["slides"], tmp_path) as port:
        picture = first_picture(port, "slides")
    assert picture.size == (960, 544)
    assert picture.getpixel((480, 272))[0] > 240 and picture.getpixel((10, 272))[0] < 20


def test_every_tenth_frame_is_saved(tmp_path) -> None:
    frames = frames_of(MOVIE)[:30]
    (tmp_path / "media").mkdir()
    (tmp_path / "saved").mkdir()
    write_movie(tmp_path / "media" / "movie.Mjpeg", frames)
    with rtplab.serve(port=0, media=str(tmp_path / "media"), host=HOST, fps=100) as server:
        program = PROGRAMS["saving"].replace("localhost:5678", f"{HOST}:{server.port}")
        with started(program, tmp_path / "saved") as process:
            assert process.wait(LIMIT) == 0
    saved = {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()}
    assert saved.keys() == {"frame-00010.jpg", "frame-00020.jpg", "frame-00030.jpg"}
    assert all(data.startswith(b"\xff\xd8") for data in saved.values())


def test_motion_is_counted_once_each_time_it_begins(tmp_path) -> None:
    left, right = (Image.new("RGB", (320, 240), "grey") for _ in range(2))
    left.paste("white", (0, 60, 120, 180))
    right.paste("white", (200, 60, 320, 180))
    with rtplab.serve(port=0, host=HOST) as server:
        webcam = server.publish("webcam", fps=25)
        webcam.send(left)
        program = PROGRAMS["motion"].replace("localhost:5678", f"{HOST}:{server.port}")
        with started(program, tmp_path) as process:
            wait_until(lambda: webcam.viewers == 1)
            for pictures in ([left] * 2, [right, left] * 5) * 2:
                for picture in pictures:
                    webcam.send(picture)
                    time.sleep(0.04)
            webcam.close()
            output, _ = process.communicate(timeout=LIMIT)
    assert re.findall(r"motion (\d+)", output) == ["1", "2"]


def test_a_camera_is_relayed_to_many(tmp_path) -> None:
    with HttpCamera(stream) as camera:
        program = PROGRAMS["relay"].replace("http://camera/stream", camera.url())
        with publishing(program, tmp_path) as port:
            with ExitStack() as stack:
                address = f"rtsp://{HOST}:{port}/porch"
                viewers = [
                    stack.enter_context(rtplab.play(address, timeout=LIMIT)) for _ in range(3)
                ]
                for frames in viewers:
                    assert all(next(frames).image().size == (384, 288) for _ in range(5))
            assert len(camera.requests) == 1
