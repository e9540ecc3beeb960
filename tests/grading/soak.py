"""Is the grader always right? python tests/grading/soak.py [--help]

All mutants and cheats; our own programs some twenty times; the textbook a hundred times while all
cores are busy with something else; once with half a CPU, where a cgroup can be made; and once by
itself. A line says of each wrong verdict what the grader said, and where its recordings are kept.
It ends with status 1 if any verdict was wrong, or took too long.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / "tests")]

from grading import CORE, grade  # noqa: E402
from mutants import GIVEN, MUTANTS, TEXTBOOK, Mutant, make  # noqa: E402

CORES = os.cpu_count() or 1
LIMIT = 600.0
"""Seconds for one run: whole, at half a CPU, on a busy machine."""
CORE_LIMIT, ALL_LIMIT, HALF_LIMIT = 30.0, 120.0, 240.0
"""Seconds for the checks with points, for everything, and for everything at half a CPU."""
TELL_EVERY = 10  # runs
CGROUPS = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds, of which half a CPU has half


@dataclass
class Part:
    """Some runs, and which of their verdicts were wrong."""

    name: str
    kept: Path
    may_fail: set[str] = field(default_factory=set)
    """Checks that fail through no fault of the grader's."""
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    undecided: int = 0
    """Verdicts that the grader did not give, as the machine was too busy."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def grade(self, run: str, path: Path, *options: str, red: str = "") -> None:
        """Grade once. The check `red` must fail; of the others those of `may_fail` may."""
        folder = self.kept / re.sub(r"\W+", "-", self.name) / re.sub(r"\W+", "-", run)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.monotonic()
        try:
            _, grades, errors = grade(
                path,
                *options,
                *("--keep", str(folder / "kept")),
                report=folder / "report.json",
                limit=LIMIT,
            )
        except subprocess.TimeoutExpired:
            grades, errors = {"checks": []}, f"It took more than {LIMIT:.0f} s."
        wrong = list(self._wrong(grades, errors, red))
        with self._lock:
            self.seconds.append(time.monotonic() - began)
            for check in filter(_is_undecided, grades.get("checks", ())):
                self.undecided += 1
                print(f"  not judged, {run}: {check['id']}: {check['sentence']}", flush=True)
            self.wrong += [f"{run}: {sentence}" for sentence in wrong]
            if len(self.seconds) % TELL_EVERY == 0:
                print(f"  {self.name}: {len(self.seconds)} runs so far", flush=True)
            for sentence in wrong:
                print(f"  WRONG {self.name}, {run}: {sentence}\n    {folder}", flush=True)
        if not wrong:
            shutil.rmtree(folder)

    def _wrong(self, grades: dict[str, Any], errors: str, red: str) -> Iterator[str]:
        if errors:
            yield errors.strip().splitlines()[-1]
        if not grades.get("complete"):
            yield "the report is not complete"
        busy = {check["id"] for check in grades.get("checks", ()) if check["busy"]}
        for check in grades.get("checks", ()):
            name, outcome = check["id"], check["outcome"]
            if name in busy:
                continue
            if name == red:
                if outcome != "failed":
                    yield f"{name} {outcome}, though it should fail"
            elif outcome == "blocked":
                if not red and check["blocked_by"] not in self.may_fail | busy:
                    yield f"{name} blocked by {check['blocked_by']}"
            elif outcome == "not checked" and check["max_score"]:
                yield f"{name} not checked: {check['sentence']}"
            elif outcome == "grader fault" or (outcome == "failed" and name not in self.may_fail):
                yield f"{name} {outcome}: {check['sentence']}"
            elif outcome == "passed" and check["score"] < check["max_score"]:
                yield f"{name} has {check['score']} of {check['max_score']}: {check['sentence']}"

    def all(self, runs: Callable[[Any], None], over: Any, side_by_side: int) -> None:
        with ThreadPoolExecutor(side_by_side) as pool:
            list(pool.map(runs, over))

    def told(self) -> bool:
        """Print what came of it; True if no verdict was wrong."""
        mean = sum(self.seconds) / max(1, len(self.seconds))
        print(
            f"{self.name:24}{len(self.seconds):5} runs   {mean:4.0f} s, at most"
            f" {max(self.seconds, default=0):4.0f} s   {self.undecided:3} not judged  "
            f" {len(self.wrong) or 'none'} wrong",
            flush=True,
        )
        return not self.wrong

    def took_at_most(self, limit: float) -> bool:
        """Whether the last run did; if not, print so."""
        if self.seconds[-1] <= limit:
            return True
        print(f"  TOO SLOW: {self.seconds[-1]:.0f} s, and {limit:.0f} s are the limit")
        return False


def _is_undecided(check: dict[str, Any]) -> bool:
    return check["outcome"] == "not checked"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--textbook", type=int, default=100, metavar="RUNS")
    asked.add_argument("--ours", type=int, default=20, metavar="RUNS")
    asked.add_argument("--side-by-side", type=int, default=CORES, metavar="RUNS")
    asked.add_argument("--kept", type=Path, default=ROOT / "build" / "grade-soak", metavar="DIR")
    asked.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}")
    options = asked.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        asked.error(f"there is no part {min(unknown)}")
    began = time.monotonic()
    results = [PARTS[name](options) for name in options.parts or PARTS]
    took = f"in {(time.monotonic() - began) / 60:.0f} minutes"
    if all(results):
        print(f"No verdict was wrong, {took}.")
        return 0
    print(f"Some verdicts were wrong, {took}: see the lines above.")
    return 1


def _tests(options: argparse.Namespace) -> bool:
    """Each mutant in its scenario, all cheats, and all that is said."""
    command = [sys.executable, "-m", "pytest", "-q", str(HERE)]
    return subprocess.run(command, cwd=ROOT).returncode == 0


def _mutants(options: argparse.Namespace) -> bool:
    """All of each mutant: the check that it is about fails, and no other."""
    part = Part("mutants", options.kept, GIVEN)

    def one(mutant: Mutant) -> None:
        path = make(mutant, part.kept / "made" / re.sub(r"\W+", "-", mutant.name))
        edition = "hd" if mutant.hd else "python"
        part.grade(mutant.name, path, "--edition", edition, red=mutant.check)

    shutil.rmtree(part.kept / "made", ignore_errors=True)
    part.all(one, MUTANTS, options.side_by_side)
    return part.told()


def _ours(options: argparse.Namespace) -> bool:
    part = Part("ours", options.kept)
    for seed in range(1, options.ours + 1):
        part.grade(f"seed {seed:x}", ROOT, "--seed", f"{seed:x}", "--edition", "python")
    return part.told()


def _textbook(options: argparse.Namespace) -> bool:
    part = Part("textbook, cores busy", options.kept, GIVEN)

    def one(seed: int) -> None:
        part.grade(f"seed {seed:x}", TEXTBOOK, "--seed", f"{seed:x}")

    with _all_cores_busy():
        part.all(one, range(1, options.textbook + 1), options.side_by_side)
    return part.told()


@contextmanager
def _all_cores_busy() -> Iterator[None]:
    processes = [
        multiprocessing.Process(target=_spin, args=(os.getpid(),), daemon=True)
        for _ in range(CORES)
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _spin(parent: int) -> None:
    while os.getppid() == parent:  # it may be killed, and then clears up nothing
        for _ in range(1_000_000):
            pass


def _half(options: argparse.Namespace) -> bool:
    """The textbook within a cgroup that has half a CPU; true where none can be made."""
    first, quota = ("cpu", "cpu.cfs_quota_us") if (CGROUPS / "cpu").is_dir() else ("", "cpu.max")
    group = CGROUPS / first / f"grade-soak-{os.getpid()}"
    try:
        group.mkdir()
        (group / quota).write_text(f"{PERIOD // 2}" if first else f"{PERIOD // 2} {PERIOD}")
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        print(f"half a CPU: not tried, for no cgroup can be made ({error.strerror})")
        return True
    part = Part("half a CPU", options.kept, GIVEN)
    try:
        part.grade("textbook", TEXTBOOK)
    finally:
        (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()
    is_in_time = part.took_at_most(HALF_LIMIT)
    return part.told() and is_in_time


def _alone(options: argparse.Namespace) -> bool:
    """The textbook by itself: its points, then everything."""
    part = Part("alone", options.kept, GIVEN)
    part.grade("core", TEXTBOOK, "--only", *CORE)
    is_in_time = part.took_at_most(CORE_LIMIT)
    part.grade("all", TEXTBOOK)
    is_in_time &= part.took_at_most(ALL_LIMIT)
    return part.told() and is_in_time


PARTS = {
    **{"tests": _tests, "mutants": _mutants, "ours": _ours, "textbook": _textbook, "half": _half},
    "alone": _alone,
}


if __name__ == "__main__":
    sys.exit(main())
