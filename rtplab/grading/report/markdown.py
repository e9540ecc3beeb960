"""Markdown, for the summary of a GitHub Action or an issue.

Special characters are escaped in texts; bytes and transcripts are in indented blocks, which nothing
in a line can end.
"""

from __future__ import annotations

import re

from rtplab.grading.model.checks import Grades, Outcome, Result
from rtplab.grading.report import words

MARKS = {
    Outcome.PASSED: "✔",
    Outcome.FAILED: "✘",
    Outcome.BLOCKED: "─",
    Outcome.NOT_CHECKED: "?",
    Outcome.FAULT: "!",
}
# All that CommonMark and GitHub give a meaning to, @ for mentions and : for bare addresses.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~@:$^=&\"'])")


def write(grades: Grades) -> str:
    if grades.refused:
        return f"# Not graded\n\n{escaped(grades.refused)}\n"
    lines = [f"# {escaped(words.total(grades))} points", ""]
    lines += [f"{escaped(line)}  " for line in words.about(grades)]
    lines += ["", "| check | | points | |", "|---|---|---|---|"]
    lines += [_row(result) for result in grades.results]
    for result in grades.results:
        if words.is_told(result):
            lines += _story(result, grades)
    lines += ["", escaped(words.next_step(grades)), "", escaped(words.not_graded(grades))]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """One line that is shown as it is."""
    return _SPECIAL.sub(r"\\\1", words.clean(text))


def _row(result: Result) -> str:
    worth = (
        f"{words.number(result.points)}/{words.number(result.maximum)}" if result.maximum else ""
    )
    mark = MARKS[result.verdict.outcome]
    return f"| `{result.check.id}` | {mark} | {worth} | {escaped(result.check.title)} |"


def _story(result: Result, grades: Grades) -> list[str]:
    mark = MARKS[result.verdict.outcome]
    lines = ["", f"**`{result.check.id}`** {mark} {escaped(words.sentence(result))}", ""]
    lines += [f"    {line}" for line in words.details(result)]
    for line in words.diagnosis_lines(grades, result.check.id):
        lines += ["", escaped(line)]
    return lines
