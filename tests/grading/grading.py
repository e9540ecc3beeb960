"""The grader as people start it: `rtplab grade` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from movies import ROOT

from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.model.recording import Recording, read

LIMIT = 200.0
"""Seconds: all checks of a hopeless submission on a busy machine."""

CORE = [check.id for check in CHECKS if check.group not in ("extend", "robust")]
"""All checks but advice and extensions."""


@dataclass(frozen=True)
class Graded:
    """What came of `rtplab grade --keep`."""

    status: int
    grades: dict[str, Any]
    errors: str
    kept: Path

    def recordings(self) -> dict[str, Recording]:
        """By scenario, what was kept."""
        found = [read(path) for path in sorted(self.kept.glob("*.jsonl"))]
        return {recording.scenario: recording for recording in found}


def grade(
    path: Path, *options: str, report: Path, limit: float = LIMIT, **environment: str
) -> tuple[int, dict[str, Any], str]:
    """The exit status, the report as JSON, and what it wrote to stderr."""
    command = [sys.executable, "-m", "rtplab", "grade", str(path), *options]
    done = subprocess.run(
        [*command, "--report", f"json:{report}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
    )
    grades = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return done.returncode, grades, done.stderr


def outcomes(grades: dict[str, Any]) -> dict[str, str]:
    """By check, what came of it."""
    return {check["id"]: check["outcome"] for check in grades["checks"]}
