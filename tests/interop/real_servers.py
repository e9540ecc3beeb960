"""Starting and ending the servers of others, and what to do where they are not installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from needs import need
from setup_venv import NODE_MODULES

HOST = "127.0.0.1"
SYSTEM_PYTHON = "/usr/bin/python3"
START_LIMIT = 15.0
NODE = {"NODE_PATH": str(NODE_MODULES)}
"""The environment in which scripts for Node.js find the packages."""
_GST_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
)


def need_gst_server() -> None:
    """Skip or fail unless gst-rtsp-server and its Python bindings are there."""
    probe = [SYSTEM_PYTHON, "-c", _GST_PROBE]
    found = (
        shutil.which(SYSTEM_PYTHON) and not subprocess.run(probe, capture_output=True).returncode
    )
    need(found, "gst-rtsp-server (gir1.2-gst-rtsp-server-1.0, python3-gi)")


def need_vlc() -> None:
    """Skip or fail unless VLC is there."""
    need(shutil.which("cvlc"), "VLC (vlc-bin, vlc-plugin-base)")


def need_npm(package: str) -> None:
    """Skip or fail unless Node.js and a package of package.json are there."""
    need(shutil.which("node") and (NODE_MODULES / package).is_dir(), f"{package} from npm")


@contextmanager
def ended(process: subprocess.Popen) -> Iterator[None]:
    """Kill a server at the end, whatever happens: there is nothing that it should save."""
    try:
        yield
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def free_port() -> int:
    """A TCP port that nobody has at this moment, for a server that can't take any."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until_it_listens(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port} after {START_LIMIT} s")


@contextmanager
def gst_server(
    frames: Sequence[bytes], streams: dict[str, str], folder: Path
) -> Iterator[dict[str, str]]:
    """Run gst_server.py on `frames`; give the address of each of `streams` by its name."""
    for number, frame in enumerate(frames, 1):
        (folder / f"{number:05d}.jpg").write_bytes(frame)
    script = Path(__file__).with_name("gst_server.py")
    arguments = [f"{name}={elements}" for name, elements in streams.items()]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [SYSTEM_PYTHON, str(script), str(folder), str(folder / "movie.avi"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with ended(process):
            assert process.stdout is not None
            line = process.stdout.readline()
            errors.seek(0)
            assert line.strip().isdigit(), errors.read()[-2000:]
            yield {name: f"rtsp://{HOST}:{int(line)}/{name}" for name in streams}
