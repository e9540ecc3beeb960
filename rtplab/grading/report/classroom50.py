"""Classroom 50's result.json (schema classroom50/result/v1): whole numbers, rounded down.

The environment says where the work was handed in; the command puts that into `Grades.extra`.
"""

from __future__ import annotations

import json
import math
from typing import Any

from rtplab.grading.model.checks import Grades, Outcome, Result
from rtplab.grading.report import words

SCHEMA = "classroom50/result/v1"
GIVEN = ("classroom", "assignment", "submission", "commit", "release", "review", "datetime")
"""What names the work that was handed in."""


def write(grades: Grades) -> str:
    result: dict[str, Any] = {"schema": SCHEMA}
    for name in GIVEN:
        result[name] = words.clean(grades.extra.get(name, ""))
    result["submission"] = result["submission"] or words.clean(grades.submission)
    result["score"] = whole(grades.points)
    result["max-score"] = whole(grades.maximum)
    result["tests"] = [_test(one) for one in grades.results]
    return json.dumps(result, indent=2) + "\n"


def whole(points: float) -> int:
    """Round down, but not because of rounding errors in a sum of fractions."""
    return math.floor(points + 1e-6)


def _test(result: Result) -> dict[str, Any]:
    return {
        "test-name": f"{result.check.id}: {result.check.title}",
        "passed": result.verdict.outcome is Outcome.PASSED,
        "score": whole(result.points),
        "max-score": whole(result.maximum),
    }
