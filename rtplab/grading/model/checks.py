"""Checks, their verdicts, and the resulting grades.

A check is a pure function from recordings to a verdict. The engine decides which ones are judged
and which ones block others; the reports write the grades.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recordings


class Outcome(Enum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    """Another check failed on which it depends."""
    NOT_CHECKED = "not checked"
    """It could not be seen here, or the submission has no such part; the sentence says why."""
    FAULT = "grader fault"
    """Ours, never the submission's."""


@dataclass(frozen=True)
class Evidence:
    """Bytes as they were seen, with the wrong ones marked."""

    data: bytes
    wrong: tuple[tuple[int, int], ...] = ()
    """Ranges of indices in `data`: first, and the one behind the last."""
    note: str = ""
    """What the marked bytes are, and where that is written."""


@dataclass(frozen=True)
class Verdict:
    """A check's verdict on a submission."""

    outcome: Outcome
    share: float = 0.0
    """Of the check's points, 0 to 1."""
    sentence: str = ""
    """What was seen, and what was expected. Text of the submission in it is escaped by reports."""
    advice: str = ""
    """Where to look, and which mistake it looks like."""
    transcript: tuple[str, ...] = ()
    """Numbered by the reports: what was done, what came, and last what was expected."""
    evidence: tuple[Evidence, ...] = ()
    blocked_by: str = ""
    """The id of a check."""
    busy: bool = False
    """Not checked, since the machine was too busy: another run may tell."""


def passed(sentence: str = "", share: float = 1.0) -> Verdict:
    """It is right; with a share below 1, right in another form than the edition's."""
    return Verdict(Outcome.PASSED, share, sentence)


def failed(
    sentence: str,
    advice: str = "",
    transcript: tuple[str, ...] = (),
    evidence: tuple[Evidence, ...] = (),
    share: float = 0.0,
) -> Verdict:
    return Verdict(Outcome.FAILED, share, sentence, advice, transcript, evidence)


def not_checked(why: str, busy: bool = False) -> Verdict:
    return Verdict(Outcome.NOT_CHECKED, 0.0, why, busy=busy)


Judge = Callable[[Recordings, Edition], Verdict]


@dataclass(frozen=True)
class Check:
    """One thing that is right or wrong."""

    id: str
    title: str
    """What the submission does, in the present tense."""
    needs: tuple[str, ...]
    """The ids of checks: if one of them has not passed, this one is blocked."""
    points: float
    judge: Judge
    scenarios: tuple[str, ...] = ()
    """Whose recordings it reads; all are there when it is called, and none has a fault."""
    timing: bool = False
    """A failure is judged once more, on a fresh run."""
    explain: str = ""
    """For --explain: what is asked, where the assignment or an RFC says so, and how it is seen."""

    @property
    def group(self) -> str:
        """packet, server, client, both, extend or robust."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Result:
    """A check with its verdict and points."""

    check: Check
    verdict: Verdict
    points: float
    maximum: float
    """In this edition; 0 for advice."""
    kept: tuple[str, ...] = ()
    """Files that show it: recordings, captures, pictures."""


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found: the one change with which it works."""

    check: str
    sentence: str
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grades:
    """All that a report says. Reports are pure functions of it."""

    submission: str
    """The name of the folder or file."""
    files: tuple[str, ...]
    """Those of the lab's six that are there."""
    edition: Edition
    seed: int
    version: str
    """The grader's."""
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()
    """Sentences on the submission as a whole: what is missing, what was guessed."""
    shields: tuple[str, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    seconds: float = 0.0
    complete: bool = True
    """False while the run goes on, and if it was stopped."""
    command: str = "python -m rtplab grade ."
    """How to grade the same submission again."""
    kept: str = ""
    """The folder of --keep."""
    refused: str = ""
    """A sentence: why no check at all could be run."""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def points(self) -> float:
        return sum(result.points for result in self.results)

    @property
    def maximum(self) -> float:
        return sum(result.maximum for result in self.results)
