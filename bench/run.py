"""Measures our server beside others under the same load, on this machine, in one go.

    python bench/run.py [--rounds N] [--seconds S] [--minutes M] [--only GROUP,GROUP...]

Each server runs on the first core, the load generator (rtspload.c) on the second; servers
alternate, and the median of the rounds counts. Prints the table and, unless --only asks for a part
of it, writes it into docs/QUALITY.md where that has its marks, and draws docs/pictures/viewers.svg.
Only ratios within one run mean anything.
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
from servers import HERE, Movie, available, running, running_http, running_live

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
LIVE_VIEWERS = 2000
LIVE_FPS = 20
LATENCY_FPS = 30
HTTP_VIEWERS = 1000
FLOOR = "sendmsg loop"  # no server: what a live stream's system calls cost alone
SETTLING = 2.0  # seconds until a viewer plays
JOINS = 9  # times that viewers join one server
LADDER = (50, 75, 100, 125, 150, 200, 300, 400, 500, 750, 1000, 1250, 1500, 1750, 2000, 2500)

ALL = ("all",)
# Each is a method of Bench, beside the servers that have its rows.
GROUPS: dict[str, tuple[str, ...]] = {
    "viewers": ALL,
    "joins": ALL,
    "memory": ALL,
    "hd": ALL,
    "slow": ("ours", "gst-rtsp-server"),  # live555 serves one movie here
    "live": ("ours", "gst-rtsp-server", FLOOR),
    "latency": ("ours",),
    "http": ("ours",),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="at most")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="no further round begins that would not fit"
    )
    parser.add_argument("--only", help=f"groups of rows, with commas between: {', '.join(GROUPS)}")
    options = parser.parse_args()
    groups = options.only.split(",") if options.only else list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"--only knows no {', '.join(unknown)}: it takes {', '.join(GROUPS)}")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("The benchmark needs two processor cores: one for the server, one for the load.")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.seconds)
        results, rounds = _rounds(bench, groups, options.rounds, options.minutes * 60)
        if options.only:
            print(report.table(results, rounds))
        else:
            report.write(results, bench.curve("ours"), rounds)
    return 0


def _rounds(
    bench: Bench, groups: list[str], most: int, seconds: float
) -> tuple[dict[str, Figures], int]:
    """Measure all servers again and again; return the medians, and how many rounds there were."""
    names = [*available(), FLOOR] if "live" in groups else available()
    print("measuring", ", ".join(names), flush=True)
    found: dict[str, list[Figures]] = {name: [] for name in names}
    began, done = time.monotonic(), 0
    while done < most and (time.monotonic() - began) * (done + 1) <= seconds * max(done, 1):
        for name in names:
            found[name].append(bench.round(name, groups))
        done += 1
    results = {name: _median_figures(figures) for name, figures in found.items()}
    return {name: figures for name, figures in results.items() if figures}, done


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

    def round(self, name: str, groups: list[str]) -> Figures:
        """Measure one server once: the rows of these groups that it has."""
        figures: Figures = {}
        for group in groups:
            if name in GROUPS[group] or GROUPS[group] == ALL and name != FLOOR:
                measure = getattr(self, f"_{group}")
                figures |= measure(name)
        print(name, json.dumps(figures), flush=True)
        return figures

    def _viewers(self, name: str) -> Figures:
        """How many are served well, and what each costs if they are many."""
        figures: Figures = {}
        for label, options in WAYS.items():
            if name == "ours" or label != LAB:  # only we speak it
                figures[f"viewers {label}"] = self._capacity(name, *options)
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
        return figures

    def _joins(self, name: str) -> Figures:
        joining = "connect to first frame, ms, p50, 50 viewers joining"
        return {
            joining: self._joining(name, 50),
            f"{joining} over TCP": self._joining(name, 50, "--transport", "tcp"),
        }

    def _memory(self, name: str) -> Figures:
        few, more = (self._loaded(name, viewers) for viewers in (50, 125))
        grown = more["server_rss_kb"] - few["server_rss_kb"]
        return {
            "memory per viewer, KB, from 50 to 125": grown / 75,
            f"{COST}, over UDP, 50 viewers": few["server_cpu_ms_per_session_s"],
        }

    def _hd(self, name: str) -> Figures:
        figures: Figures = {}
        for label, options in (("", ["--own-ports"]), (", over TCP", ["--transport", "tcp"])):
            for viewers in (4, 16):
                with running(name, self._large) as server:
                    result = self.load(server, viewers, *options)
                row = f"CPU seconds per GB delivered, 1080p{label}, {viewers} viewers"
                figures[row] = result["server_cpu_s_per_gb"]
        return figures

    def _slow(self, name: str) -> Figures:
        return {BESIDE_SLOW: self._beside_slow_disk(name)}

    def _live(self, name: str) -> Figures:
        """One stream for all, over UDP."""
        # A pipeline that all viewers share sends from one port: only theirs tell them apart.
        options = ["--own-ports"] if name == "gst-rtsp-server" else []
        with running_live(name, self._small, LIVE_FPS) as server:
            result = self.load(server, LIVE_VIEWERS, *options)
        row = f"live, over UDP, {LIVE_VIEWERS:,} viewers"
        return {
            f"{row}: {COST}": result["server_cpu_ms_per_session_s"],
            f"{row}: CPU seconds per GB delivered": result["server_cpu_s_per_gb"],
            f"{row}: packets lost, %": result["loss_pct"],
            f"{row}: jitter, ms, p99": result["jitter_p99_ms"],
            f"{row}: frames/s of the slowest": result["fps_min"],
        }

    def _latency(self, name: str) -> Figures:
        """From `send` to the picture in the hands of the viewer who has come last."""
        figures: Figures = {}
        for viewers in (1, 100):
            log = self._load.with_name("sent.log")
            with running_live(name, self._small, LATENCY_FPS, log) as server:
                received = self._received(server.url, viewers - 1)
            times = sorted(_latencies(log.read_text(), received))
            for percent in (50, 99):
                row = f"live: ms from send to the viewer's hands, of {viewers}, p{percent}"
                figures[row] = 1e3 * times[(len(times) - 1) * percent // 100]
        return figures

    def _received(self, url: str, others: int) -> str:
        """Have one watch, after so many others have come; return what it prints."""
        viewer = [sys.executable, str(HERE / "live_viewer.py"), url, f"{self._seconds:g}"]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        load: Any = None
        if others:
            seconds = f"{self._seconds + 10:g}"
            command: list[Any] = [
                "taskset",
                "-c",
                "1",
                self._load,
                "-n",
                str(others),
                "-d",
                seconds,
            ]
            load = subprocess.Popen([*command, url], stdout=subprocess.DEVNULL)
            time.sleep(SETTLING)
        try:
            return subprocess.run(
                ["taskset", "-c", "1", *viewer],
                stdout=subprocess.PIPE, text=True, timeout=120, env=environment,
            ).stdout  # fmt: skip
        finally:
            if load is not None:
                load.kill()
                load.wait()

    def _http(self, name: str) -> Figures:
        """The demonstration movie in browsers."""
        with running_http(self._small) as server:
            result = self.load(server, HTTP_VIEWERS, "--http", "--fps", str(self._small.fps))
        row = f"by HTTP, {HTTP_VIEWERS:,} viewers"
        return {
            f"{row}: {COST}": result["server_cpu_ms_per_session_s"],
            f"{row}: frames/s of the slowest": result["fps_min"],
            f"{row}: frames skipped, %": result["skipped_pct"],
        }

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


def _latencies(sent: str, received: str) -> list[float]:
    """Return the seconds between each frame that was received and when it was last sent before."""
    moments: dict[str, list[float]] = {}
    for line in sent.splitlines():
        key, moment = line.split()
        moments.setdefault(key, []).append(float(moment))
    lines = received.splitlines()[LATENCY_FPS:]  # the first second is that of joining
    return [
        float(now) - max(moment for moment in moments[key] if moment <= float(now))
        for key, now in map(str.split, lines)
    ]


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
