"""Real RTSP servers that know little: espp's, and two that pass on what ffmpeg publishes."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from peers import HERE
from real_servers import HOST, NODE, START_LIMIT, ended, free_port, wait_until_it_listens

FPS = 20
LISTENS = "0A"  # as /proc/net/tcp has it
RTP_PORTS = 100
OUTSIDE = range(10_000, 32_000, RTP_PORTS)
"""Where no system takes its ports from when asked for any."""


@contextmanager
def espp(frames: Sequence[bytes], folder: Path) -> Iterator[str]:
    """Run espp_server.py on `frames`; give the address of its movie."""
    for number, frame in enumerate(frames, 1):
        (folder / f"{number:05d}.jpg").write_bytes(frame)
    port = free_port()
    command = [sys.executable, str(HERE / "espp_server.py"), str(port), str(folder)]
    with running(command) as process:
        wait_until_it_listens(process, port)
        yield f"rtsp://{HOST}:{port}/mjpeg/1"


def rtsp_streaming_server(publish_port: int, port: int, rtp_port: int) -> list[str]:
    return ["node", str(HERE / "relay_server.js"), *map(str, (publish_port, port, rtp_port))]


def rtsp_server_perl(publish_port: int, port: int, rtp_port: int) -> list[str]:
    ports = {"serverport": publish_port, "clientport": port, "rtp_start_port": rtp_port}
    hosts = {"source_listen_address": HOST, "client_listen_address": HOST}
    options = {**ports, **hosts, "loglevel": 0}
    return ["rtsp-server-perl", *(f"--{name}={value}" for name, value in options.items())]


@contextmanager
def relay(
    server: Callable[[int, int, int], list[str]], frames: Sequence[bytes], folder: Path
) -> Iterator[str]:
    """Run a server and an ffmpeg that publishes `frames` to it for ever; give the address."""
    movie = folder / "movie.mjpeg"
    movie.write_bytes(b"".join(frames))
    publish_port, port = free_port(), free_port()
    with running(server(publish_port, port, free_rtp_ports())) as process:
        wait_until_both_are_open(process, publish_port, port)
        source = ["-re", "-stream_loop", "-1", "-f", "mjpeg", "-framerate", str(FPS)]
        sink = ["-c", "copy", "-f", "rtsp", "-rtsp_transport", "udp"]
        command = ["ffmpeg", "-v", "error", "-nostdin", "-progress", "-", *source]
        command += ["-i", str(movie), *sink, f"rtsp://{HOST}:{publish_port}/movie"]
        with running(command, stdout=subprocess.PIPE) as publisher:
            wait_until_it_publishes(publisher)
            yield f"rtsp://{HOST}:{port}/movie"


@contextmanager
def running(command: list[str], stdout: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        command,
        env={**os.environ, **NODE},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )
    with ended(process):
        yield process


def free_rtp_ports() -> int:
    """The first of RTP_PORTS UDP ports in a row that nobody has at this moment."""
    while True:
        first = random.choice(OUTSIDE)
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + RTP_PORTS):
                probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind(("", port))
            return first


def wait_until_both_are_open(process: subprocess.Popen, *ports: int) -> None:
    """Wait without connecting: rtsp-server-perl forgets its first RTP port when somebody leaves."""
    deadline = time.monotonic() + START_LIMIT
    while not {*ports} <= open_ports():
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        assert time.monotonic() < deadline, f"nothing listens on {ports} after {START_LIMIT} s"
        time.sleep(0.02)


def open_ports() -> set[int]:
    """The TCP ports on which somebody listens (Linux only)."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == LISTENS:
                    found.add(int(local.rpartition(":")[2], 16))
    return found


def wait_until_it_publishes(publisher: subprocess.Popen) -> None:
    assert publisher.stdout is not None
    for line in publisher.stdout:
        name, _, value = line.partition(b"=")
        if name == b"frame" and int(value) > 0:
            return
    raise AssertionError(f"ffmpeg ended with status {publisher.wait()}")
