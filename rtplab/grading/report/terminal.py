"""The report in progress: on a terminal a table that fills up, elsewhere a line per check."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TextIO

from rtplab.grading.model.checks import Grades, Result
from rtplab.grading.report import text, words

UP = "\x1b[{}A\x1b[J"
"""Moves up that many lines, and erases everything below."""


def has_marks(stream: TextIO) -> bool:
    """Whether the stream's encoding has the marks of a report."""
    try:
        "".join(pretty for _, pretty, _ in text.SYMBOLS.values()).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Live:
    """Writes to a stream. On a terminal, each result renews the table in its place."""

    def __init__(self, stream: TextIO, color: bool, unicode: bool, width: int = text.WIDTH) -> None:
        self._stream = stream
        self._redraws = stream.isatty()
        self._style = text.Style(color, unicode, width)
        self._results: dict[str, Result] = {}
        self._known: set[str] = set()
        self._lines = 0
        """Of the table as it stands on the terminal."""

    @classmethod
    def on(cls, stream: TextIO, environment: Mapping[str, str]) -> Live:
        """Fit the stream: colours on a terminal, unless the user has declined them."""
        color = stream.isatty() and not environment.get("NO_COLOR")
        color = color and environment.get("TERM", "") != "dumb"
        width = shutil.get_terminal_size().columns if stream.isatty() else text.WIDTH
        return cls(stream, color, has_marks(stream), max(40, min(width, text.WIDTH)))

    def started(self, grades: Grades) -> None:
        """Say what is graded; the verdicts of these results are not known yet."""
        self._write([*text.about(grades, self._style), ""])
        self._results = {result.check.id: result for result in grades.results}
        self._known = set()
        if self._redraws:
            self._draw()

    def result(self, result: Result) -> None:
        """A check has been judged."""
        self._results[result.check.id] = result
        self._known.add(result.check.id)
        if self._redraws:
            self._draw()
            return
        self._write([f"{text.mark(result, self._style)} {result.check.id}"])

    def finished(self, grades: Grades) -> None:
        """The report, in the table's place."""
        self._erase()
        if self._known and not self._redraws:
            self._write([""])
        self._stream.write(text.body(grades, self._style))
        self._stream.flush()

    def _draw(self) -> None:
        self._erase()
        lines = []
        for group in words.GROUPS:
            members = [r for r in self._results.values() if words.group_of(r) == group]
            marks = [self._mark(result) for result in members]
            if marks:
                lines += text.rows(group, marks, "", self._style)
        self._write(lines)
        self._lines = len(lines)

    def _mark(self, result: Result) -> tuple[str, str]:
        name = words.name_of(result)
        if result.check.id in self._known:
            return text.mark(result, self._style), name
        return " ", self._style.painted(name, text.GREY)

    def _erase(self) -> None:
        if self._lines:
            self._stream.write(UP.format(self._lines))
            self._lines = 0

    def _write(self, lines: list[str]) -> None:
        self._stream.write("".join(f"{self._style.fitting(line)}\n" for line in lines))
        self._stream.flush()
