"""The report for a terminal, or a file of plain text.

packet    + version + flags x sequence ...      25/30

x packet.sequence   Frame 256 went out as number 0 ...
    80 1a [00] 00 69 2a ...
    what to look at

74 of 100. Next: packet.sequence (5 points). ...
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rtplab.grading.model.checks import Grades, Outcome, Result
from rtplab.grading.report import words

FEW_NAMES = 5  # of checks from which on only the first and last are named
WIDTH = 100  # columns
LABEL, WORTH = 10, 8  # columns of a group's name, and of its points


@dataclass(frozen=True)
class Style:
    """How a terminal is written to."""

    color: bool = False
    unicode: bool = True
    width: int = WIDTH

    def symbol(self, outcome: Outcome) -> str:
        plain, pretty, color = SYMBOLS[outcome]
        return self.painted(pretty if self.unicode else plain, color)

    def painted(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self.color else text

    def fitting(self, text: str) -> str:
        """Text that the terminal's encoding has."""
        return text if self.unicode else text.encode("ascii", "backslashreplace").decode("ascii")


GREEN, RED, GREY, YELLOW, BOLD = "32", "31", "90", "33", "1"
SYMBOLS = {
    Outcome.PASSED: ("+", "✔", GREEN),
    Outcome.FAILED: ("x", "✘", RED),
    Outcome.BLOCKED: ("-", "─", GREY),
    Outcome.NOT_CHECKED: ("?", "?", GREY),
    Outcome.FAULT: ("!", "!", YELLOW),
}
"""The mark of each outcome in ASCII and in Unicode, and its colour."""

PLAIN = Style()
PAINT = re.compile(r"\x1b\[\d+m")


def write(grades: Grades, style: Style = PLAIN) -> str:
    """The whole report."""
    head = "\n".join(about(grades, style))
    return (
        body(grades, style)
        if grades.refused
        else style.fitting(f"{head}\n\n") + body(grades, style)
    )


def about(grades: Grades, style: Style = PLAIN) -> list[str]:
    """What was graded, and how, in lines that fit."""
    return [line for told in words.about(grades) for line in _wrapped(told, style, "", "  ")]


def body(grades: Grades, style: Style = PLAIN) -> str:
    """The report without its first lines, which say what was graded and how."""
    if grades.refused:
        return style.fitting(f"{words.clean(grades.refused)}\n")
    blocks = [
        table(grades.results, style),
        *(story(result, grades, style) for result in grades.results if _has_story(result)),
        _advice(grades, style),
        _unjudged(grades, style),
        closing(grades, style),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return style.fitting(f"{text}\n")


def _has_story(result: Result) -> bool:
    return words.is_told(result) and not words.is_advice(result)


def table(results: Sequence[Result], style: Style = PLAIN) -> list[str]:
    """A line or more for each group: its marks, and its points at the end of the first line."""
    lines = []
    for group in words.GROUPS:
        members = [result for result in results if words.group_of(result) == group]
        if not members:
            continue
        points = sum(result.points for result in members)
        maximum = sum(result.maximum for result in members)
        worth = f"{words.number(points)}/{words.number(maximum)}" if maximum else ""
        marks = [(mark(result, style), words.name_of(result)) for result in members]
        lines += rows(group, marks, worth, style)
    return lines


def mark(result: Result, style: Style) -> str:
    return style.symbol(result.verdict.outcome)


def rows(group: str, marks: Sequence[tuple[str, str]], worth: str, style: Style) -> list[str]:
    """A group's marks and names, broken into lines that fit. Each mark takes one column."""
    room = style.width - LABEL - WORTH
    lines: list[tuple[str, int]] = [("", 0)]
    for symbol, name in marks:
        text, used = lines[-1]
        width = len(PAINT.sub("", name)) + 3
        if used and used + width > room:
            lines.append(("", 0))
            text, used = lines[-1]
        lines[-1] = f"{text}{symbol} {name} ", used + width
    (first, used), *others = lines
    end = " " * max(room - used, 0) + worth.rjust(WORTH) if worth else ""
    shown = [f"{group:<{LABEL}}{first}{end}".rstrip()]
    return [*shown, *(" " * LABEL + text.rstrip() for text, _ in others)]


def story(result: Result, grades: Grades, style: Style = PLAIN) -> list[str]:
    """A check that did not simply pass: what was seen, the bytes, where to look, the transcript."""
    head = f"{result.check.id}   {words.sentence(result)}"
    lines = _wrapped(head, style, "  ", "    ")
    symbol = style.symbol(result.verdict.outcome)
    identifier = style.painted(result.check.id, BOLD)
    first = lines[0][2:].replace(result.check.id, identifier, 1)
    told = [f"{symbol} {first}", *lines[1:]]
    for line in words.details(result):
        told += _wrapped(line, style, "    ", "      ")
    for line in words.diagnosis_lines(grades, result.check.id):
        told += _wrapped(line, style, "    ", "      ")
    return told


def _advice(grades: Grades, style: Style) -> list[str]:
    """The advice, in short."""
    found = [
        r for r in grades.results if words.is_advice(r) and r.verdict.outcome is Outcome.FAILED
    ]
    if not found:
        return []
    lines = ["Advice, which costs no points:"]
    for result in found:
        lines += _wrapped(f"{result.check.id}   {words.sentence(result)}", style, "  ", "      ")
    return lines


def _unjudged(grades: Grades, style: Style) -> list[str]:
    """What could not be checked, each reason once."""
    reasons: dict[str, list[str]] = {}
    for result in grades.results:
        if result.verdict.outcome is Outcome.NOT_CHECKED:
            reasons.setdefault(words.sentence(result), []).append(result.check.id)
    lines = []
    for reason, names in reasons.items():
        named = names if len(names) < FEW_NAMES else _ranges(grades, set(names))
        lines += _wrapped(f"{', '.join(named)}   {reason}", style, "? ", "    ")
    return lines


def _ranges(grades: Grades, names: set[str]) -> list[str]:
    """Such as "packet.loads to packet.decode", of checks that stand next to each other."""
    runs: list[list[str]] = [[]]
    for result in grades.results:
        if result.check.id in names:
            runs[-1].append(result.check.id)
        elif runs[-1]:
            runs.append([])
    return [run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs if run]


def closing(grades: Grades, style: Style = PLAIN) -> list[str]:
    """The points, the next step, and what a person must judge."""
    state = "" if grades.complete else " so far"
    first = f"{words.total(grades)}{state}. {words.next_step(grades)}"
    kept = [f"Recordings and captures: {words.clean(grades.kept)}"] if grades.kept else []
    lines = [*_wrapped(first, style, "", ""), *kept]
    return [*lines, *_wrapped(words.not_graded(grades), style, "", "")]


def _wrapped(text: str, style: Style, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text,
        style.width,
        initial_indent=first,
        subsequent_indent=later,
        break_on_hyphens=False,
    ) or [first.rstrip()]
