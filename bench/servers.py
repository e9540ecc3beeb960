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
    commands = {
        "ours": _our_server(movie),
        "gst-rtsp-server": _gst_server(movie),
        "live555": ["live555MediaServer"],
    }
    with _on_first_core(commands[name], environment) as process:
        url = _address(process, movie)
        yield Running(process.pid, url, url.replace("/movie", "/slow"))


@contextmanager
def running_live(name: str, movie: Movie, fps: int, log: Path | None = None) -> Iterator[Running]:
    """Start a live stream of a movie's frames; ours writes a log of when it sent which."""
    arguments = [str(movie.path), str(fps)]
    ours = [sys.executable, str(HERE / "live_server.py"), *arguments]
    commands = {
        "ours": [*ours, str(log)] if log is not None else ours,
        "sendmsg loop": [sys.executable, str(HERE / "sendmsg_loop.py"), *arguments],
        "gst-rtsp-server": [*_gst_server(movie), "shared"],
    }  # fmt: skip
    with _on_first_core(commands[name], {}) as process:
        url = _address(process, movie)
        yield Running(process.pid, url, url)


@contextmanager
def running_http(movie: Movie) -> Iterator[Running]:
    """Start ours with a port for browsers; its address is that of the moving picture."""
    with _on_first_core([*_our_server(movie), "--http", "0"], {}) as process:
        port = _find(process, r"In a browser: http://[^:]+:(\d+)/")[1]
        url = f"http://127.0.0.1:{port}/{movie.path.name}.mjpeg"
        yield Running(process.pid, url, url)


def _our_server(movie: Movie) -> list[str]:
    return [
        sys.executable, str(HERE.parent / "Server.py"), "0", "--host", "127.0.0.1",
        "--media", str(movie.path.parent), "--fps", str(movie.fps), "--log-level", "warning",
    ]  # fmt: skip


def _gst_server(movie: Movie) -> list[str]:
    numbers = (movie.fps, movie.width, movie.height)
    return [SYSTEM_PYTHON, str(HERE / "gst_server.py"), str(movie.frames), *map(str, numbers)]


@contextmanager
def _on_first_core(
    command: list[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env={**os.environ, **environment},
            preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()


def _address(process: subprocess.Popen[str], movie: Movie) -> str:
    """Return the address that the server prints, or make it of the port; ours names the file."""
    match = _find(process, r"(rtsp://\S+)|.*?(?::|^)(\d{4,5})(?:/|\s*$)")
    if match[1]:
        return str(match[1])
    name = movie.path.name if "Listening" in match[0] else "movie"
    return f"rtsp://127.0.0.1:{match[2]}/{name}"


def _find(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Return the first match at the beginning of a line that the server prints."""
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.match(pattern, line):
            return match
    raise SystemExit(f"a server ended with status {process.wait()} before it listened")
