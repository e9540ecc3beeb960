"""Gradescope's results.json.

Its page shows texts of the format "text" as they are, so nothing in them is a tag. No test is
hidden, because that would hide the student's total.
"""

from __future__ import annotations

import json
from typing import Any

from rtplab.grading.model.checks import Grades, Outcome, Result
from rtplab.grading.report import words


def write(grades: Grades) -> str:
    output = [*words.about(grades), *words.diagnosis_lines(grades)]
    if grades.refused:
        output = [words.clean(grades.refused)]
    elif grades.complete:
        output += [
            "",
            f"{words.total(grades)}. {words.next_step(grades)}",
            words.not_graded(grades),
        ]
    else:
        output += ["", "The run was ended before all was judged; what is here was."]
    results: dict[str, Any] = {
        "score": round(grades.points, 2),
        "execution_time": round(grades.seconds),
        "output": "\n".join(output),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "edition": words.clean(grades.edition.name, 40),
            "seed": f"{grades.seed:06x}",
            "version": words.clean(grades.version, 20),
            "complete": grades.complete,
        },
        "tests": [_test(n, result) for n, result in enumerate(grades.results, 1)],
    }
    return json.dumps(results, indent=2) + "\n"


def _test(position: int, result: Result) -> dict[str, Any]:
    lines = [words.sentence(result), *words.details(result)]
    return {
        "name": f"{result.check.id}: {result.check.title}",
        "number": str(position),
        "score": round(result.points, 2),
        "max_score": round(result.maximum, 2),
        "status": "passed" if result.verdict.outcome is Outcome.PASSED else "failed",
        "output": "\n".join(line for line in lines if line),
        "output_format": "text",
        "tags": [words.group_of(result), result.verdict.outcome.value],
        "visibility": "visible",
    }
