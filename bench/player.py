"""What a frame on the screen costs: our player, the floor below it, ffplay and mpv.

`python bench/player.py [SECONDS]` plays the same two streams (384x288 at 20 frames/s, 1920x1080 at
25) on the same screen, one player after the other and all of them five times over, SECONDS each. It
prints the medians of CPU milliseconds per frame shown, and of the ratios within each round, since
other users of a machine make it faster and slower. The floor is Pillow's decoding and `paste` of
the same frames at the same pace, with nothing else. Our player also has the C library keep freed
memory; the second floor does so too.

`python bench/player.py panel [SECONDS]` measures what an open panel costs instead: cores used, and
frames that came too late to be shown, with the panel closed, with its ladder and with its timeline
open, at 1920x1080 and a packet loss of 5 %. The window is as large for all, so that the picture is,
too. SECONDS are 60 unless given.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from VideoStream import VideoStream  # noqa: E402

SCREEN = "2560x1440"
SETTLING = 4.0  # seconds from the start of a player to the measurement
ROUNDS = 5
PANEL_ROUNDS = 3
LOSS = 0.05
PROBE = ROOT / "bench" / "player_probe.py"


Figures = dict[str, float]  # CPU milliseconds per frame, by player


class Case(NamedTuple):
    """One stream: its name, its size in pixels, frames a second."""

    movie: str
    width: int
    height: int
    fps: int


CASES = (Case("small.mjpeg", 384, 288, 20), Case("hd.mjpeg", 1920, 1080, 25))
OTHERS = {
    "ffplay": ["ffplay", "-loglevel", "error", "-an"],
    "mpv": ["mpv", "--no-config", "--really-quiet", "--vo=x11"],
}


def make_movie(folder: Path, case: Case) -> None:
    """Write the demonstration movie in the size of the case."""
    stream = VideoStream(ROOT / "movie.Mjpeg")
    with open(folder / case.movie, "wb") as file:
        while jpeg := stream.nextFrame():
            image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
            if image.size == (case.width, case.height):
                file.write(jpeg)
            elif stream.frameNbr() % 2:  # 250 frames are enough, and 30 MB
                big = image.resize((case.width, case.height), Image.Resampling.BICUBIC)
                big.save(file, "JPEG", quality=80)


@contextmanager
def display() -> Iterator[None]:
    reader, writer = os.pipe()
    # -noreset: a program that connects while Xvfb resets itself, as the last one has left, hangs.
    options = ["-screen", "0", f"{SCREEN}x24", "-nolisten", "tcp", "-noreset"]
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *options],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with open(reader) as answer:
            os.environ["DISPLAY"] = f":{answer.readline().strip()}"
        yield
    finally:
        screen.terminate()
        screen.wait()


@contextmanager
def server(folder: Path, case: Case) -> Iterator[str]:
    """Serve the movie over and over; yield its address."""
    command = [sys.executable, str(ROOT / "Server.py"), "0", "--host", "127.0.0.1", "--loop"]
    command += ["--log-level", "warning"]
    command += ["--media", str(folder), "--fps", str(case.fps)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if "127.0.0.1:" in line)
        port = line.partition("127.0.0.1:")[2].split()[0].rstrip("/.,")
        yield f"rtsp://127.0.0.1:{port}/{case.movie}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def probe(*arguments: object) -> float:
    """Run our player or the floor; return CPU milliseconds per frame."""
    command = [sys.executable, str(PROBE), *map(str, arguments)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(output.split()[-1])


def other(command: list[str], url: str, case: Case, seconds: float) -> float:
    """Run another player; return CPU milliseconds per frame that was to be shown."""
    process = subprocess.Popen(
        [*command, url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(SETTLING)
        before, began = _cpu(process.pid), time.monotonic()
        time.sleep(seconds)
        used, lasted = _cpu(process.pid) - before, time.monotonic() - began
    finally:
        process.kill()
        process.wait()
    return 1000 * used / (lasted * case.fps)


def _cpu(pid: int) -> float:
    """CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def measure(folder: Path, case: Case, seconds: float) -> list[Figures]:
    """What each round has measured."""
    make_movie(folder, case)
    with server(folder, case) as url:
        return [one_round(folder / case.movie, url, case, seconds) for _ in range(ROUNDS)]


def one_round(movie: Path, url: str, case: Case, seconds: float) -> Figures:
    """Measure the players one after the other."""
    figures = {
        "floor": probe("floor", movie, case.fps, seconds),
        "ours": probe("player", url, case.width, case.height, seconds),
        "kept": probe("floor-keeping-memory", movie, case.fps, seconds),
    }
    for name, command in OTHERS.items():
        if shutil.which(command[0]):
            figures[name] = other(command, url, case, seconds)
    return figures


def table(results: dict[Case, list[Figures]]) -> str:
    """The figures as a Markdown table."""
    lines = ["| CPU ms per frame shown | floor | floor, memory kept | ours | ffplay | mpv |"]
    lines[0] += " ours to floor | to floor, memory kept | to ffplay |"
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for case, rounds in results.items():
        cells = [_figure(rounds, name) for name in ("floor", "kept", "ours", "ffplay", "mpv")]
        cells += [_ratio(rounds, name) for name in ("floor", "kept", "ffplay")]
        name = f"{case.width}x{case.height} at {case.fps}/s"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(rounds: list[Figures], name: str) -> str:
    if name not in rounds[0]:
        return "-"
    return f"{median(figures[name] for figures in rounds):.2f}"


def _ratio(rounds: list[Figures], name: str) -> str:
    if name not in rounds[0]:
        return "-"
    return f"{median(figures['ours'] / figures[name] for figures in rounds):.2f}"


class PanelCost(NamedTuple):
    """What a player has cost that played for a while."""

    cores: float  # CPU seconds a second
    shown: int  # frames
    late: int  # whole frames that were not shown, as a later one was due


def measure_panel(folder: Path, case: Case, seconds: float) -> dict[str, list[PanelCost]]:
    """What each round has measured with the panel closed, and with each of two pages open."""
    make_movie(folder, case)
    results: dict[str, list[PanelCost]] = {"closed": [], "Ladder": [], "Timeline": []}
    with server(folder, case) as url:
        for number in range(PANEL_ROUNDS):
            for page, costs in results.items():
                command = [sys.executable, str(PROBE), "panel", url, page, str(seconds)]
                command += [str(LOSS), str(number + 1)]
                output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                cores, shown, late = output.stdout.split()[-3:]
                costs.append(PanelCost(float(cores), int(shown), int(late)))
    return results


def panel_table(results: dict[str, list[PanelCost]]) -> str:
    """The medians as a Markdown table; cores more than closed are those within a round."""
    lines = [
        "| panel | cores | more than closed | frames shown | frames late |",
        "|---|---|---|---|---|",
    ]
    for page, costs in results.items():
        more = median(
            cost.cores - closed.cores for cost, closed in zip(costs, results["closed"], strict=True)
        )
        cells = [f"{median(cost.cores for cost in costs):.3f}", f"{more:+.3f}"]
        cells += [f"{median(cost.shown for cost in costs):g}"]
        cells += [f"{median(cost.late for cost in costs):g}"]
        lines.append(f"| {page} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    is_panel = arguments[:1] == ["panel"]
    given = arguments[1:] if is_panel else arguments
    seconds = float(given[0]) if given else 60.0 if is_panel else 5.0
    with tempfile.TemporaryDirectory() as folder, display():
        os.environ["HOME"] = os.environ["XDG_STATE_HOME"] = folder
        if is_panel:
            print(panel_table(measure_panel(Path(folder), CASES[-1], seconds)))
        else:
            print(table({case: measure(Path(folder), case, seconds) for case in CASES}))


if __name__ == "__main__":
    main(sys.argv[1:])
