"""PrairieLearn's results.json: the score is from 0 to 1.

A submission that can't be graded costs no attempt, nor does one that was not judged fully through
our fault: `gradable` is then false, and the reason is a format error.
"""

from __future__ import annotations

import json
from typing import Any

from rtplab.grading.model.checks import Grades, Result
from rtplab.grading.report import words

MOST = 1 << 20
"""Bytes: a larger file is refused by PrairieLearn."""
IMAGE = "image "
"""Keys of `Grades.extra` that begin so have a picture, as a data: URL."""


def write(grades: Grades) -> str:
    if grades.refused:
        refused = {"gradable": False, "format_errors": [words.clean(grades.refused)]}
        return json.dumps(refused, indent=2) + "\n"
    text = json.dumps(_results(grades, with_images=True), indent=2) + "\n"
    if len(text) > MOST:
        text = json.dumps(_results(grades, with_images=False), indent=2) + "\n"
    return text


def _results(grades: Grades, with_images: bool) -> dict[str, Any]:
    score = grades.points / grades.maximum if grades.maximum else 0.0
    images = [
        {"label": words.clean(key.removeprefix(IMAGE), 80), "url": url}
        for key, url in grades.extra.items()
        if key.startswith(IMAGE) and with_images
    ]
    undecided = words.undecided(grades)
    return {
        "gradable": not undecided,
        **({"format_errors": [undecided]} if undecided else {}),
        "score": round(score, 4),
        "message": f"{words.total(grades)}. {words.next_step(grades)}",
        "output": "\n".join(
            [*words.about(grades), *words.diagnosis_lines(grades), words.not_graded(grades)]
        ),
        "images": images,
        "tests": [_test(result) for result in grades.results],
    }


def _test(result: Result) -> dict[str, Any]:
    return {
        "name": result.check.id,
        "description": result.check.title,
        "points": round(result.points, 2),
        "max_points": round(result.maximum, 2),
        "message": words.sentence(result),
        "output": "\n".join(words.details(result)),
    }
