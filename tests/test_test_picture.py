"""The stream that the server makes itself, for trying things out."""

from __future__ import annotations

import io
import subprocess

from movies import ROOT
from PIL import Image
from processes import HOST, PYTHON, ServerProcess

import rtplab
from rtplab.serving.media.testpicture import draw


def test_it_is_played_at_its_rate(tmp_path) -> None:
    with ServerProcess(tmp_path, "--test-picture") as server:
        with rtplab.play(f"rtsp://{HOST}:{server.port}/test", transport="tcp") as played:
            frames = [next(played) for _ in range(26)]
        assert frames[0].image().size == (640, 480)
        assert len({frame.jpeg for frame in frames}) == 26
        assert 0.8 < frames[-1].time - frames[0].time < 1.6
        with rtplab.play(HOST, server.port, "test") as lab:
            assert next(lab).image().size == (640, 480)


def test_a_picture_differs_by_its_number_and_time() -> None:
    pictures = {draw(number, moment) for number in (1, 2) for moment in (0.0, 1.0)}
    assert len(pictures) == 4
    assert all(Image.open(io.BytesIO(picture)).size == (640, 480) for picture in pictures)


def test_it_needs_one_process() -> None:
    done = subprocess.run(
        [*PYTHON, "Server.py", "0", "--test-picture", "--workers", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "--workers" in done.stderr.splitlines()[-1]
