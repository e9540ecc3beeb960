"""Is the grader always right? python tests/grading/soak.py [RUNS OF THE TEXTBOOK] [RUNS OF OURS]

All mutants and cheats; our own programs some twenty times; the textbook a hundred times while all
cores are busy with something else; and once with half a CPU, where a cgroup can be made. It ends
with a table, and with status 1 if any verdict was wrong.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / "tests")]

from grading import grade, outcomes  # noqa: E402
from mutants import GIVEN, MUTANTS, TEXTBOOK, Mutant, make  # noqa: E402

CORES = os.cpu_count() or 1
HALF_LIMIT = 240.0
"""Seconds for everything at half a CPU."""
CGROUPS = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds, of which half a CPU has half


def main(textbooks: str = "100", ours: str = "20") -> int:
    is_right = subprocess.run([sys.executable, "-m", "pytest", "-q", str(HERE)]).returncode == 0
    is_right &= _mutants_whole()
    is_right &= _repeat("ours", ROOT, int(ours), set(), side_by_side=1)
    with _all_cores_busy():
        is_right &= _repeat("textbook, cores busy", TEXTBOOK, int(textbooks), GIVEN, CORES)
    is_right &= _at_half_a_cpu()
    print("Every verdict was right." if is_right else "Some verdicts were wrong: see above.")
    return 0 if is_right else 1


def _mutants_whole() -> bool:
    """Grade all of each mutant: the check that it is about fails, and no other."""
    wrong: list[str] = []

    def one(mutant: Mutant) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = make(mutant, Path(folder, "submission"))
            options = ("--edition", "hd" if mutant.hd else "python")
            _, grades, errors = grade(path, *options, report=Path(folder, "r.json"), limit=600)
        said = outcomes(grades)
        red = {name for name, outcome in said.items() if outcome == "failed"} - GIVEN
        if red | ({mutant.check} & GIVEN) != {mutant.check} or said[mutant.check] != "failed":
            wrong.append(f"{mutant.name}: {sorted(red)} {errors}".strip())

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(one, MUTANTS))
    print(f"mutants, whole: {len(MUTANTS)}; wrong: {wrong or 'none'}", flush=True)
    return not wrong


def _repeat(what: str, path: Path, runs: int, expected: set[str], side_by_side: int) -> bool:
    """Grade it so often, with another seed each time."""
    wrong: Counter[str] = Counter()
    seconds: list[float] = []

    def one(seed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            _, grades, errors = grade(
                path, "--seed", f"{seed:x}", report=Path(folder, "r.json"), limit=600
            )
            seconds.append(time.monotonic() - began)
        said = outcomes(grades)
        red = {name for name, outcome in said.items() if outcome != "passed"}
        for name in red - expected:
            wrong[f"{name} {said[name]}"] += 1
        if errors:
            wrong[errors.strip().splitlines()[-1]] += 1

    with ThreadPoolExecutor(side_by_side) as pool:
        list(pool.map(one, range(1, runs + 1)))
    slowest = max(seconds, default=0.0)
    print(
        f"{what}: {runs} runs, at most {slowest:.0f} s; wrong: {dict(wrong) or 'none'}", flush=True
    )
    return not wrong


@contextmanager
def _all_cores_busy() -> Iterator[None]:
    processes = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(CORES)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _spin() -> None:
    while True:
        pass


def _at_half_a_cpu() -> bool:
    """Grade the textbook within a cgroup that has half a CPU; true where none can be made."""
    first, quota = ("cpu", "cpu.cfs_quota_us") if (CGROUPS / "cpu").is_dir() else ("", "cpu.max")
    group = CGROUPS / first / f"grade-soak-{os.getpid()}"
    try:
        group.mkdir()
        (group / quota).write_text(f"{PERIOD // 2}" if first else f"{PERIOD // 2} {PERIOD}")
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        print(f"half a CPU: not tried, for no cgroup can be made ({error.strerror})")
        return True
    try:
        began = time.monotonic()
        is_right = _repeat("half a CPU", TEXTBOOK, 1, GIVEN, 1)
        seconds = time.monotonic() - began
    finally:
        (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()
    return is_right and seconds < HALF_LIMIT


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
