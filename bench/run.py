"""Measures our server beside others under the same load, on this machine, in one go.

    python bench/run.py [--rounds N] [--seconds S]

Each server runs on the first core, the load generator (rtspload.c) on the second; servers
alternate, and the median of the rounds counts. Prints the table (and writes it into docs/QUALITY.md
where that has its marks), and draws docs/pictures/viewers.svg. Only ratios within one run mean
anything.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report
from servers import HERE, Movie, available, running

sys.path.insert(0, str(HERE.parent))
from VideoStream import VideoStream  # noqa: E402

Figures = dict[str, Any]

LOSS_LIMIT = 0.1  # per cent of packets
JITTER_LIMIT = 50.0  # ms, 99th percentile of the frames
RATE_LIMIT = 0.985  # of the movie's frame rate, for the slowest viewer
LAB = "in the lab's dialect"
WAYS = {"over UDP": (), "over TCP": ("--transport", "tcp"), LAB: ("--lab",)}
COST = "CPU ms per session-second"
SLOW = 700  # milliseconds that a read from the slow disk takes
BESIDE_SLOW = "frames/s of the slowest of 50 viewers, while a read takes 0.7 s for another"
SETTLING = 2.0  # seconds until a viewer plays
JOINS = 9  # times that viewers join one server
LADDER = (50, 75, 100, 125, 150, 200, 300, 400, 500, 750, 1000, 1250, 1500, 1750, 2000, 2500)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("The benchmark needs two processor cores: one for the server, one for the load.")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.seconds)
        names = available()
        print("measuring", ", ".join(names), flush=True)
        rounds = [bench.round(name) for _ in range(options.rounds) for name in names]
        results = {
            name: _median_figures([figures for owner, figures in rounds if owner == name])
            for name in names
        }
        curve = bench.curve("ours")
        report.write(results, curve, options.rounds)
    return 0


class Bench:
    """The movies, the load generator, and what is measured with them."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._seconds = seconds
        self._load = folder / "rtspload"
        source = HERE / "rtspload.c"
        subprocess.run(["gcc", "-O2", "-o", self._load, source, "-lm"], check=True)
        self._slow_disk = folder / "slow_disk.so"
        source = HERE.parent / "tests" / "faults" / "slow_disk.c"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self._slow_disk, source], check=True)
        self._read_time = folder / "read_time"  # in milliseconds
        self._small = _bare_movie(folder / "small")
        self._large = _large_movie(folder / "large")

    def round(self, name: str) -> tuple[str, Figures]:
        """Measure one server once: all rows of the table that it has."""
        figures: Figures = {}
        for label, options in WAYS.items():
            if name == "ours" or label != LAB:  # only we speak it
                figures[f"viewers {label}"] = self._capacity(name, *options)
        few, more = (self._loaded(name, viewers) for viewers in (50, 125))
        joining = "connect to first frame, ms, p50, 50 viewers joining"
        figures[joining] = self._joining(name, 50)
        figures[f"{joining} over TCP"] = self._joining(name, 50, "--transport", "tcp")
        grown = more["server_rss_kb"] - few["server_rss_kb"]
        figures["memory per viewer, KB, from 50 to 125"] = grown / 75
        figures[f"{COST}, over UDP, 50 viewers"] = few["server_cpu_ms_per_session_s"]
        for viewers in (500, 1500):
            if figures["viewers over UDP"] >= viewers:
                result = self._loaded(name, viewers)
                row = f"{COST}, over UDP, {viewers:,} viewers"
                figures[row] = result["server_cpu_ms_per_session_s"]
        for viewers in (50, 500, 1500):
            if figures["viewers over TCP"] >= viewers:
                result = self._loaded(name, viewers, "--transport", "tcp")
                row = f"{COST}, over TCP, {viewers:,} viewers"
                figures[row] = result["server_cpu_ms_per_session_s"]
        for label, options in (("", ["--own-ports"]), (", over TCP", ["--transport", "tcp"])):
            for viewers in (4, 16):
                with running(name, self._large) as server:
                    result = self.load(server, viewers, *options)
                row = f"CPU seconds per GB delivered, 1080p{label}, {viewers} viewers"
                figures[row] = result["server_cpu_s_per_gb"]
        if name != "live555":  # which serves one movie here
            figures[BESIDE_SLOW] = self._beside_slow_disk(name)
        print(name, json.dumps(figures), flush=True)
        return name, figures

    def _loaded(self, name: str, viewers: int, *options: str) -> Figures:
        """Start a server, and measure it with so many viewers of the small movie."""
        with running(name, self._small) as server:
            return self.load(server, viewers, *options)

    def _beside_slow_disk(self, name: str) -> float:
        """Have a viewer watch from a slow disk; return the lowest frame rate of 50 others."""
        self._read_time.write_text("0")
        environment = {"LD_PRELOAD": str(self._slow_disk), "SLOW_DISK": str(self._read_time)}
        with running(name, self._small, **environment) as server:
            seconds = f"{self._seconds + SETTLING + 10:g}"
            slow = subprocess.Popen(
                [self._load, "-n", "1", "-d", seconds, "--own-ports", server.slow_url],
                stdout=subprocess.DEVNULL,
            )
            try:
                time.sleep(SETTLING)
                self._read_time.write_text(str(SLOW))
                figures = self.load(server, 50, "--own-ports")
            finally:
                slow.kill()
                slow.wait()
                self._read_time.write_text("0")
        lowest: float = figures["fps_min"]
        return lowest

    def _joining(self, name: str, viewers: int, *options: str) -> float:
        """Have so many viewers join, again and again; return the median of what half of them wait.

        From one time to the next it differs by a fifth.
        """
        with running(name, self._small) as server:
            times = [self.load(server, viewers, *options, "-d", "1") for _ in range(JOINS)]
        return statistics.median(figures["ttff_connect_p50_ms"] for figures in times)

    def curve(self, name: str) -> list[tuple[int, float, float]]:
        """Return (viewers, CPU per cent of a core, p99 jitter in ms) from 1 to the limit."""
        points = []
        for viewers in (1, *LADDER[::2]):
            result = self._loaded(name, viewers)
            points.append((viewers, result["server_cpu_pct"], result["jitter_p99_ms"]))
            if not _is_served(result, self._small.fps):
                break
        return points

    def load(self, server: Any, viewers: int, *options: str) -> Figures:
        """Run the load generator on the second core; return what it measured."""
        command: list[Any] = [
            "taskset", "-c", "1", self._load, "-n", str(viewers), "-d", f"{self._seconds:g}",
            "--server-pid", str(server.pid), *options, server.url,
        ]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
        figures: Figures = json.loads(output)
        return figures

    def _capacity(self, name: str, *options: str) -> int:
        """Return the largest number of viewers on the ladder that is served well, by bisection."""
        low, high = -1, len(LADDER)
        while high - low > 1:
            middle = (low + high) // 2
            if _is_served(self._loaded(name, LADDER[middle], *options), self._small.fps):
                low = middle
            else:
                high = middle
        return LADDER[low] if low >= 0 else 0


def _is_served(result: Figures, fps: int) -> bool:
    return (
        result["failed"] == 0
        and result["loss_pct"] < LOSS_LIMIT
        and result["jitter_p99_ms"] < JITTER_LIMIT
        and result["fps_min"] >= RATE_LIMIT * fps
    )


def _median_figures(rounds: list[Figures]) -> Figures:
    """Return the median of each row; a row may be missing in some rounds."""
    rows = dict.fromkeys(row for figures in rounds for row in figures)
    return {
        row: statistics.median([figures[row] for figures in rounds if row in figures])
        for row in rows
    }


def _bare_movie(folder: Path) -> Movie:
    """The demonstration movie as a bare JPEG sequence, which every server can read."""
    folder.mkdir()
    frames = _frames(HERE.parent / "movie.Mjpeg")
    path = folder / "movie.mjpeg"
    path.write_bytes(b"".join(frames))
    (folder / "slow.mjpeg").write_bytes(b"".join(frames))
    return Movie(path, _as_files(frames, folder / "frames"), 20, 384, 288)


def _frames(movie: Path) -> list[bytes]:
    stream = VideoStream(movie)
    return list(iter(stream.nextFrame, b""))


def _as_files(frames: list[bytes], folder: Path) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames, start=1):
        (folder / f"{number:05d}.jpg").write_bytes(frame)
    return folder


def _large_movie(folder: Path) -> Movie:
    """A 1080p movie at 25 frames/s with about 167 KB a frame."""
    folder.mkdir()
    path = folder / "movie.mjpeg"
    if not shutil.which("ffmpeg"):
        sys.exit("The benchmark needs ffmpeg to make its 1080p movie: install it.")
    subprocess.run(
        [
            "ffmpeg", "-loglevel", "error", "-f", "lavfi",
            "-i", "testsrc2=size=1920x1080:rate=25,noise=alls=9:allf=t", "-t", "8",
            "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-huffman", "default", "-q:v", "7",
            "-f", "mjpeg", path,
        ],
        check=True,
    )  # fmt: skip
    return Movie(path, _as_files(_frames(path), folder / "frames"), 25, 1920, 1080)


if __name__ == "__main__":
    sys.exit(main())
