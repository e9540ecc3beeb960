"""mpv without a window, driven through its JSON IPC socket; its screenshots tell what it shows."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from strip import frame_number

LIMIT = 10.0  # seconds for anything that is asked


class MpvRemote:
    def __init__(self, connection: socket.socket, folder: Path) -> None:
        self._connection = connection
        self._lines = connection.makefile("r")
        self._picture = folder / "shown.png"

    def command(self, *words: Any) -> dict[str, Any]:
        """Have mpv do something; its answer. Events that come in between are skipped."""
        self._connection.sendall(json.dumps({"command": words, "request_id": 1}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if answer.get("request_id") == 1:
                return answer
        raise AssertionError("mpv has ended")

    def frame(self) -> int:
        """The number of the frame that is shown; 0 while there is none."""
        taken = self.command("screenshot-to-file", str(self._picture), "video")
        if taken["error"] != "success":
            return 0
        with Image.open(self._picture) as picture:
            return frame_number(picture)

    def wait_for_frame(self, first: int, last: int, limit: float = LIMIT) -> int:
        """Wait until a frame from `first` to `last` is shown; its number."""
        deadline = time.monotonic() + limit
        while not first <= (number := self.frame()) <= last:
            assert time.monotonic() < deadline, f"frame {number}, not {first} to {last}"
            time.sleep(0.02)
        return number

    def close(self) -> None:
        self._lines.close()
        self._connection.close()


@contextmanager
def mpv_remote(url: str, transport: str, folder: Path) -> Iterator[MpvRemote]:
    """Start mpv on `url`; it must end well when it is told to quit."""
    path = folder / "ipc"
    silent = ["--no-config", "--really-quiet", "--vo=null", "--no-audio"]
    options = [f"--rtsp-transport={transport}", f"--input-ipc-server={path}"]
    process = subprocess.Popen(["mpv", *silent, *options, url], stdin=subprocess.DEVNULL)
    try:
        remote = MpvRemote(_connected(path), folder)
        try:
            yield remote
            remote.command("quit")
        finally:
            remote.close()
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait()


def _connected(path: Path) -> socket.socket:
    deadline = time.monotonic() + LIMIT
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            assert time.monotonic() < deadline, "mpv opens no IPC socket"
            time.sleep(0.02)
