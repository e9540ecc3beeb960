"""The servers that are measured, each as a process on the first core."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYSTEM_PYTHON = "/usr/bin/python3"  # GStreamer's bindings are Debian's


@dataclass(frozen=True)
class Movie:
    """A bare JPEG sequence to be served, and the folder of the same JPEGs as files."""

    path: Path
    frames: Path
    fps: int
    width: int
    height: int


@dataclass(frozen=True)
class Running:
    """A server that runs: its process and the addresses of its movie and of the one named slow."""

    pid: int
    url: str
    slow_url: str


def available() -> list[str]:
    """Return the names of the servers that this machine has."""
    names = ["ours"]
    check = [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"]
    if Path(SYSTEM_PYTHON).exists() and subprocess.run(check, capture_output=True).returncode == 0:
        names.append("gst-rtsp-server")
    if shutil.which("live555MediaServer"):
        names.append("live555")
    return names


@contextmanager
def running(name: str, movie: Movie, **environment: str) -> Iterator[Running]:
    """Start a server on the first core and stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "ours": [
                sys.executable, str(HERE.parent / "Server.py"), "0", "--host", "127.0.0.1",
                "--media", str(movie.path.parent), "--fps", str(movie.fps),
                "--log-level", "warning",
            ],
            "gst-rtsp-server": [
                SYSTEM_PYTHON, str(HERE / "gst_server.py"), str(movie.frames),
                str(movie.fps), str(movie.width), str(movie.height),
            ],
            "live555": ["live555MediaServer"],
        }  # fmt: skip
        process = subprocess.Popen(
            commands[name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env={**os.environ, **environment},
            preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        )
        try:
            url = _address(process, movie)
            yield Running(process.pid, url, url.replace("/movie", "/slow"))
        finally:
            process.terminate()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()


def _address(process: subprocess.Popen[str], movie: Movie) -> str:
    """Read the port that the server prints; ours names the movie by its file."""
    assert process.stdout is not None
    for line in process.stdout:
        match = re.search(r"(?::|^)(\d{4,5})(?:/|\s*$)", line)
        if match:
            name = movie.path.name if "Listening" in line else "movie"
            return f"rtsp://127.0.0.1:{match.group(1)}/{name}"
    raise SystemExit(f"a server ended with status {process.wait()} before it listened")
