"""The report for other programs: everything that is known, as one JSON object."""

from __future__ import annotations

import json
from typing import Any

from rtplab.grading.model.checks import Grades, Result
from rtplab.grading.report import words


def write(grades: Grades) -> str:
    return json.dumps(as_object(grades), indent=2) + "\n"


def as_object(grades: Grades) -> dict[str, Any]:
    """Bytes are in hexadecimal; texts of the submission are as they came."""
    return {
        "submission": grades.submission,
        "files": list(grades.files),
        "edition": grades.edition.name,
        "seed": f"{grades.seed:06x}",
        "version": grades.version,
        "complete": grades.complete,
        "refused": grades.refused,
        "seconds": round(grades.seconds, 2),
        "score": round(grades.points, 2),
        "max_score": round(grades.maximum, 2),
        "notes": list(grades.notes),
        "shields": list(grades.shields),
        "checks": [_check(result) for result in grades.results],
        "diagnoses": [
            {"check": d.check, "sentence": d.sentence, "tried": list(d.tried)}
            for d in grades.diagnoses
        ],
        "kept": grades.kept,
        "for_a_person": list(words.FOR_A_PERSON),
    }


def _check(result: Result) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "id": result.check.id,
        "title": result.check.title,
        "outcome": verdict.outcome.value,
        "score": round(result.points, 2),
        "max_score": round(result.maximum, 2),
        "sentence": verdict.sentence,
        "advice": verdict.advice,
        "blocked_by": verdict.blocked_by,
        "busy": verdict.busy,
        "transcript": list(verdict.transcript),
        "evidence": [
            {
                "bytes": one.data.hex(),
                "wrong": [list(span) for span in one.wrong],
                "note": one.note,
            }
            for one in verdict.evidence
        ],
        "kept": list(result.kept),
    }
