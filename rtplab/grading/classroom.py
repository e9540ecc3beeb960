"""Many submissions, each graded in a process of its own: a crash never affects another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rtplab.grading.judge.registry import BY_ID
from rtplab.grading.model.checks import Grades, Outcome, Result, Verdict
from rtplab.grading.model.editions import Edition
from rtplab.grading.submission import name_of

LIMIT = 600.0  # seconds for one submission, twice what any takes
_HOME = Path(__file__).parent.parent.parent
_ASKS_FOR_NETWORK = (
    "import sys; from rtplab.grading.record.shields import raise_shields;"
    " sys.exit(not raise_shields(sys.executable, True).network)"
)


def grade_all(
    paths: Sequence[Path],
    options: Sequence[str],
    edition: Edition,
    each: Callable[[Path], Iterable[str]],
    on_graded: Callable[[Grades], None],
) -> list[Grades]:
    """Grade these with the same options, and each with its own from `each`; keep the order.

    In parallel if each has a network of its own, else one after another.
    """

    def one(path: Path) -> Grades:
        grades = _grade(path, [*options, *each(path)], edition)
        on_graded(grades)
        return grades

    workers = (os.cpu_count() or 1) if _can_have_networks() else 1
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, paths))


def _can_have_networks() -> bool:
    done = subprocess.run(
        [sys.executable, "-c", _ASKS_FOR_NETWORK],
        cwd=_HOME,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    return done.returncode == 0


def _grade(path: Path, options: Sequence[str], edition: Edition) -> Grades:
    with tempfile.TemporaryDirectory(prefix="grade-one-") as folder:
        report = Path(folder, "grades.json")
        command = [sys.executable, "-m", "rtplab", "grade", os.path.realpath(path), *options]
        try:
            done = subprocess.run(
                [*command, "--report", f"json:{report}"],
                cwd=_HOME,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT,
            )
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            why = f"The grader ended with status {done.returncode}: {said}"
        except subprocess.TimeoutExpired:
            why = f"The grading took more than {LIMIT:.0f} s."
        try:
            return read_grades(json.loads(report.read_text(encoding="utf-8")), edition)
        except (OSError, ValueError, KeyError):
            return Grades(name_of(path), (), edition, 0, "", (), complete=False, refused=why)


def read_grades(said: dict[str, Any], edition: Edition) -> Grades:
    """Read from a JSON report what a table needs. Raises KeyError and ValueError."""
    results = tuple(
        Result(
            BY_ID[check["id"]],
            Verdict(
                Outcome(check["outcome"]),
                sentence=check["sentence"],
                blocked_by=check["blocked_by"],
                busy=check["busy"],
            ),
            float(check["score"]),
            float(check["max_score"]),
        )
        for check in said["checks"]
    )
    return Grades(
        said["submission"],
        tuple(said["files"]),
        edition,
        int(said["seed"], 16),
        said["version"],
        results,
        complete=bool(said["complete"]),
        refused=said["refused"],
    )
