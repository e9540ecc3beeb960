"""A table for a class: a line per submission, a column per check."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from rtplab.grading.model.checks import Grades, Outcome
from rtplab.grading.report import words

FIRST = ("submission", "points", "maximum", "edition", "complete", "next")


def write(grades: Grades) -> str:
    return write_all([grades])


def write_all(graded: Sequence[Grades]) -> str:
    """All submissions; a check that is not a submission's has an empty cell."""
    names = list(dict.fromkeys(r.check.id for grades in graded for r in grades.results))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*FIRST, *names])
    for grades in graded:
        wrong = words.failed(grades)
        cells = {r.check.id: _cell(r.points, r.verdict.outcome) for r in grades.results}
        writer.writerow(
            [
                plain(grades.submission),
                words.number(grades.points),
                words.number(grades.maximum),
                plain(grades.edition.name),
                "yes" if grades.complete and not words.undecided(grades) else "no",
                plain(grades.refused) or (wrong[0].check.id if wrong else ""),
                *(cells.get(name, "") for name in names),
            ]
        )
    return file.getvalue()


def _cell(points: float, outcome: Outcome) -> str:
    return (
        outcome.value if outcome in (Outcome.NOT_CHECKED, Outcome.FAULT) else words.number(points)
    )


def plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    line = words.clean(text)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
