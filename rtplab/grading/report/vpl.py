"""What Moodle's VPL reads from stdout: comments, and the grade in the last line.

    <|--                        Comment :=>> one line
    a block of comments
    --|>                        Grade :=>> 74

A submission's line must not look like one of these, wherever it appears.
"""

from __future__ import annotations

from rtplab.grading.model.checks import Grades, Outcome
from rtplab.grading.report import words

OUT_OF = 100
"""VPL's grade is out of a hundred unless the activity says otherwise."""
_MARKS = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "WRONG",
    Outcome.BLOCKED: "blocked",
    Outcome.NOT_CHECKED: "not checked",
    Outcome.FAULT: "grader fault",
}


def write(grades: Grades) -> str:
    if grades.refused:
        return f"Comment :=>> {harmless(grades.refused)}\n"
    lines = ["<|--", "-rtplab grade"]
    lines += [f" {harmless(line)}" for line in words.about(grades)]
    for result in grades.results:
        worth = f"{words.number(result.points)}/{words.number(result.maximum)}"
        mark = _MARKS[result.verdict.outcome]
        said = f"{result.check.id} {mark} {worth} {words.sentence(result)}"
        lines.append(f" {harmless(said)}".rstrip())
        if words.is_told(result):
            lines += [f"    {harmless(line)}" for line in words.details(result)]
    lines += [f" {harmless(line)}" for line in words.diagnosis_lines(grades)]
    lines += [f" {harmless(words.next_step(grades))}", f" {words.not_graded(grades)}", "--|>"]
    score = OUT_OF * grades.points / grades.maximum if grades.maximum else 0.0
    lines += [f"Comment :=>> {words.total(grades)} points", f"Grade :=>> {words.number(score)}"]
    return "\n".join(lines) + "\n"


def harmless(text: str) -> str:
    """One line without any of VPL's marks."""
    line = words.clean(text)
    for mark in (":=>>", "<|--", "--|>"):
        line = line.replace(mark, " ".join(mark))
    return line
