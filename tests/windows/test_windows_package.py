"""`rtplab` as pip installs it on Windows: from the wheel, as a command."""

from __future__ import annotations

import shutil
import subprocess
import sys

from movies import ROOT
from wine import on_z

BUILD_LIMIT = 120.0
"""Seconds for pip, which may have to download setuptools."""
FRAMES = 5


def test_one_serves_what_the_other_plays(windows, films, tmp_path):
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(ROOT / "rtplab", clone / "rtplab")
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "wheel")
    command = (*pip, "--no-deps", "--wheel-dir", str(tmp_path), str(clone))
    subprocess.run(command, check=True, capture_output=True, timeout=BUILD_LIMIT)
    (wheel,) = tmp_path.glob("*.whl")

    place = tmp_path / "installed"
    options = ("--no-index", "--no-deps", "--no-compile", "--target", place)
    assert windows.run("-m", "pip", "-q", "install", *options, wheel).status == 0
    rtplab = place / "bin" / "rtplab.exe"
    path = f"{on_z(place)};{windows.environment['PYTHONPATH']}"
    serve = ("serve", "0", "--host", "127.0.0.1", "--media", films)
    with windows.start_program(rtplab, *serve, PYTHONPATH=path) as server:
        url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
        play = ("play", url, "--headless", "--frames", FRAMES, "--json")
        with windows.start_program(rtplab, *play, PYTHONPATH=path) as player:
            assert player.wait() == 0, player.errors
    assert f'"frames": {FRAMES}' in player.output
