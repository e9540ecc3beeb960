"""The programs of docs/LIBRARY.md, run as they stand there but for the port."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from movies import MOVIE, ROOT, frames_of, write_movie
from PIL import Image

import rtplab

pytestmark = pytest.mark.long

HOST = "127.0.0.1"
LIMIT = 10.0
DOCUMENT = (ROOT / "docs" / "LIBRARY.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"<!-- program: (\w+) -->\n```python\n(.*?)```", DOCUMENT, re.DOTALL))


@contextmanager
def started(program: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def publishing(name: str, folder: Path) -> Iterator[int]:
    """Run a program that serves, on a port that is free; yield that port."""
    told = "as server:\n    print(server.port, flush=True)\n"
    program = PROGRAMS[name].replace("port=5678", f"port=0, host={HOST!r}")
    with started(program.replace("as server:\n", told), folder) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def first_picture(port: int, name: str) -> Image.Image:
    with rtplab.play(f"rtsp://{HOST}:{port}/{name}", timeout=LIMIT) as frames:
        return next(frames).image()


def test_the_drawing_shows_something_that_changes(tmp_path) -> None:
    with publishing("drawing", tmp_path) as port:
        with rtplab.play(f"rtsp://{HOST}:{port}/clock", timeout=LIMIT) as frames:
            first = next(frames)
            darkest, brightest = first.image().convert("L").getextrema()
            assert darkest < 100 and brightest > 240, "black letters on white"
            assert next(frame for frame in frames if frame.jpeg != first.jpeg)


def test_slides_of_any_shape_are_shown(tmp_path) -> None:
    (tmp_path / "slides").mkdir()
    Image.new("RGB", (100, 400), "red").save(tmp_path / "slides" / "one.jpg")
    with publishing("slides", tmp_path) as port:
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
