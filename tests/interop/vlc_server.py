"""A real RTSP server: VLC's, which sends one movie to all its viewers at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from raw_rtsp import Peer
from real_servers import HOST, START_LIMIT, ended, free_port, wait_until_it_listens

from rtplab.protocol.rtsp.messages import Response

OTHER_USER = {"user": "nobody", "group": "nogroup", "extra_groups": ()}  # VLC refuses root

_DQT, _SOS = 0xDB, 0xDA


def with_one_table_segment(jpeg: bytes) -> bytes:
    """The same picture with all quantization tables in one segment: VLC reads no second one."""
    others, tables, offset = [], b"", 2
    while True:
        marker = jpeg[offset + 1]
        end = offset + 2 + int.from_bytes(jpeg[offset + 2 : offset + 4], "big")
        if marker == _SOS:
            break
        if marker == _DQT:
            tables += jpeg[offset + 4 : end]
        else:
            others.append(jpeg[offset:end])
        offset = end
    segment = bytes([0xFF, _DQT]) + (len(tables) + 2).to_bytes(2, "big") + tables
    return jpeg[:2] + segment + b"".join(others) + jpeg[offset:]


@contextmanager
def vlc_server(frames: Sequence[bytes]) -> Iterator[str]:
    """Run VLC as an ordinary user on `frames`, 20 a second; give the address of its movie."""
    with tempfile.TemporaryDirectory(prefix="vlc") as home:  # pytest's own are root's alone
        movie = Path(home) / "movie.mjpeg"
        movie.write_bytes(b"".join(map(with_one_table_segment, frames)))
        if os.geteuid() == 0:
            os.chmod(home, 0o755)
            shutil.chown(home, OTHER_USER["user"])
        port = free_port()
        process = subprocess.Popen(
            ["cvlc", "--no-dbus", "--demux=mjpeg", "--mjpeg-fps=20", movie.name]
            + ["--sout", f"#rtp{{sdp=rtsp://{HOST}:{port}/movie}}"],
            cwd=home,
            env={**os.environ, "HOME": home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **(OTHER_USER if os.geteuid() == 0 else {}),
        )
        with ended(process):
            wait_until_it_listens(process, port)
            address = f"rtsp://{HOST}:{port}/movie"
            wait_until_it_has_the_movie(port, address)
            yield address


def wait_until_it_has_the_movie(port: int, address: str) -> None:
    """VLC answers before it has opened the file, with 404 or 500."""
    deadline = time.monotonic() + START_LIMIT
    while (answer := ask(port, "DESCRIBE", address)) is None or answer.status != 200:
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)


def ask(port: int, method: str, address: str) -> Response | None:
    """The answer to one request over a connection of its own; None if VLC hangs up instead."""
    with Peer(port) as peer:
        peer.send(method, address)
        return peer.answer()


def server_name(address: str) -> str:
    """What the server calls itself."""
    answer = ask(int(address.split(":")[2].partition("/")[0]), "OPTIONS", address)
    return "" if answer is None else answer.headers.get("Server")
