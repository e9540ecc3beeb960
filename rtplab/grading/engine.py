"""Runs the scenarios that the checks need, judges them in order, and notes what blocks what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rtplab.grading.capture import write_capture
from rtplab.grading.judge.seen import too_busy, transcript
from rtplab.grading.model.checks import Check, Diagnosis, Outcome, Result, Verdict, not_checked
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recording, read, write

_STOPS = (Outcome.FAILED, Outcome.BLOCKED, Outcome.FAULT)
SUFFIX = ".jsonl"
LATE = "The run has taken too long already to look for more advice."
ADVICE = "robust"
"""The group of checks whose scenarios may run side by side: no points depend on them."""
CALLS = "packet"
"""The group of checks whose scenario calls methods: no machine is too busy for their answers."""
RUNS = 4
"""Of a scenario at most, if the machine was too busy in all of them."""


class Source:
    """Where recordings come from."""

    def record(self, scenario: str) -> Recording:
        """Run it, once more if it has been run before."""
        raise NotImplementedError

    def begin(self, scenarios: Sequence[str]) -> None:
        """They will be wanted: now is the time if they can be recorded side by side."""

    def close(self) -> None:
        """End what is still being recorded."""

    can_record_again = True

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the report on how a submission is run."""
        return ()


STAND_IN = (
    "The client's window was not on a screen; a stand-in for tkinter took its place. So the"
    " pictures are those that its own process reported, and nobody saw what the window looks like."
)


class Kept(Source):
    """Recordings kept in a folder: nothing is run."""

    can_record_again = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def notes(self) -> tuple[str, ...]:
        displays = {
            self.record(path.stem).facts.get("display")
            for path in sorted(self._folder.glob(f"client.*{SUFFIX}"))
        }
        return (STAND_IN,) if "stub" in displays else ()

    def record(self, scenario: str) -> Recording:
        path = self._folder / f"{scenario}{SUFFIX}"
        try:
            return read(path)
        except FileNotFoundError:
            return Recording(scenario, "", {"unable": f"No recording {path.name} was kept."})
        except (OSError, ValueError) as error:
            return Recording(scenario, "", {"unable": f"{path.name} can't be read: {error}."})


def with_needed(wanted: Iterable[str], checks: Sequence[Check]) -> set[str]:
    """These checks and all on which they depend."""
    by_id = {check.id: check for check in checks}
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        check = waiting.pop()
        if check not in found:
            found.add(check)
            waiting.extend(by_id[check].needs)
    return found


def points_of(check: Check, edition: Edition) -> float:
    """What it is worth in this edition."""
    return float(edition.points.get(check.id, check.points))


@dataclass
class Engine:
    """One grading of one submission."""

    source: Source
    edition: Edition
    checks: Sequence[Check]
    """In the order in which they are judged; a check comes after those that it needs."""
    kept: Path | None = None
    missing: Callable[[Check], str] = lambda check: ""
    """A sentence on why the submission has no such part, or ""."""
    diagnose: Callable[[Mapping[str, Result]], Sequence[Diagnosis]] = lambda results: ()
    is_late: Callable[[], bool] = lambda: False
    """Whether the run has taken so long that only what has points is recorded, and only once."""
    on_start: Callable[[str], None] = lambda scenario: None
    on_result: Callable[[Result], None] = lambda result: None
    recordings: dict[str, Recording] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    diagnoses: tuple[Diagnosis, ...] = ()
    _again: dict[str, list[Recording]] = field(default_factory=dict)
    """The runs after the first, by scenario."""
    _has_begun: bool = False

    def run(self) -> tuple[Result, ...]:
        """Judge all of them. A failure of ours is a verdict, too."""
        for check in self.checks:
            if check.group == ADVICE and not self._has_begun:
                self._has_begun = True
                self.source.begin(self._scenarios_of(ADVICE))
            result = self._result(check, self._verdict(check))
            self.results[check.id] = result
            self.on_result(result)
        self.diagnoses = tuple(self.diagnose(self.results))
        return tuple(self.results.values())

    def _verdict(self, check: Check) -> Verdict:
        if why := self.missing(check):
            return not_checked(why)
        if cause := self._in_the_way(check):
            return Verdict(Outcome.BLOCKED, blocked_by=cause)
        waiting = [name for name in check.scenarios if name not in self.recordings]
        if waiting and check.group == ADVICE and self.is_late():
            return not_checked(LATE)
        for scenario in waiting:
            self._record(scenario)
        verdict = self._judged(check)
        if self.source.can_record_again and self._is_doubtful(check, verdict):
            return self._try_again(check, verdict)
        return verdict

    def _in_the_way(self, check: Check) -> str:
        """The id of the check that blocks this one, or ""."""
        for needed in check.needs:
            other = self.results.get(needed)
            if other is not None and (other.verdict.outcome in _STOPS or other.verdict.busy):
                return other.verdict.blocked_by or needed
        return ""

    def _is_doubtful(self, check: Check, verdict: Verdict) -> bool:
        """Whether it may be the machine's doing: wrong, or blocked by what was right before."""
        if not check.timing:
            return verdict.busy
        cause = self.results.get(verdict.blocked_by)
        was_right = cause is not None and cause.verdict.outcome is Outcome.PASSED
        return verdict.outcome is Outcome.FAILED or was_right or verdict.busy

    def _scenarios_of(self, group: str) -> list[str]:
        """Those that are not recorded yet, of the checks that nothing stands in the way of."""
        checks = [check for check in self.checks if check.group == group]
        judged = [one for one in checks if not self.missing(one) and not self._in_the_way(one)]
        wanted = dict.fromkeys(name for check in judged for name in check.scenarios)
        return [scenario for scenario in wanted if scenario not in self.recordings]

    def _record(self, scenario: str) -> None:
        self.on_start(scenario)
        recording = self.source.record(scenario)
        if recording.fault and self.source.can_record_again:
            recording = self.source.record(scenario)
        self._keep(recording)

    def _keep(self, recording: Recording) -> None:
        self.recordings[recording.scenario] = recording
        if self.kept:
            write(recording, self.kept / f"{recording.scenario}{SUFFIX}")

    def _judged(self, check: Check) -> Verdict:
        for scenario in check.scenarios:
            recording = self.recordings[scenario]
            if recording.unable:
                return not_checked(recording.unable)
            if recording.fault:
                return Verdict(Outcome.FAULT, sentence=f"The grader failed: {recording.fault}.")
        try:
            verdict = check.judge(self.recordings, self.edition)
        except Exception as error:  # a crashed judge says nothing about anybody's work
            text = f"The grader failed to judge this: {type(error).__name__}: {error}."
            return Verdict(Outcome.FAULT, sentence=text)
        # Advice measures by itself what a program would have used: one that spins waits for a CPU.
        if verdict.outcome is not Outcome.PASSED and check.group != ADVICE:
            for recording in (self.recordings[scenario] for scenario in check.scenarios):
                is_answered = check.group == CALLS and not recording.of("sample")
                why = "" if is_answered else too_busy(recording, self.edition.interval)
                if why:
                    return not_checked(why, busy=True)
        return verdict

    def _try_again(self, check: Check, first: Verdict) -> Verdict:
        """Judge another run with fresh processes, because a machine may be busy once.

        More of them only if the machine was too busy again.
        """
        tried = [(first, {name: self.recordings[name] for name in check.scenarios})]
        for number in range(RUNS - 1):
            made = self._run_again(check.scenarios, number)
            if made is None:
                break
            self.recordings.update(made)
            tried.append((self._judged(check), made))
            is_certain = [not verdict.busy for verdict, _ in tried]
            if tried[-1][0].outcome is Outcome.PASSED or sum(is_certain) > 1:
                break
        if len(tried) == 1 and check.group == ADVICE:
            return not_checked(LATE)
        right = [one for one in tried if one[0].outcome is Outcome.PASSED]
        certain = [one for one in tried if not one[0].busy]
        verdict, adopted = [*right, *certain, *tried][0]
        self.recordings.update(adopted)
        for recording in adopted.values():
            self._keep(recording)
        return verdict

    def _run_again(self, scenarios: Sequence[str], number: int) -> dict[str, Recording] | None:
        """The runs of this number after the first; None if it is too late for them."""
        runs = {name: self._again.setdefault(name, []) for name in scenarios}
        if self.is_late() and any(len(made) <= number for made in runs.values()):
            return None
        for name, made in runs.items():
            if len(made) <= number:
                self.on_start(name)
                made.append(self.source.record(name))
        return {name: made[number] for name, made in runs.items()}

    def _result(self, check: Check, verdict: Verdict) -> Result:
        maximum = points_of(check, self.edition)
        share = min(1.0, max(0.0, verdict.share))
        if verdict.outcome is Outcome.FAILED and check.id in self.edition.advice:
            verdict = replace(verdict, advice=self.edition.advice[check.id])
        if verdict.outcome is Outcome.FAILED and not verdict.transcript:
            verdict = replace(verdict, transcript=self._transcript(check))
        points = round(maximum * share, 2)
        result = Result(check, verdict, points, maximum)
        if self.kept and verdict.outcome is Outcome.FAILED:
            result = replace(result, kept=self._evidence(check, self.kept))
        return result

    def _transcript(self, check: Check) -> tuple[str, ...]:
        """All that happened, of a check that has not said up to where it matters."""
        recordings = [self.recordings[name] for name in check.scenarios]
        return next(filter(None, map(transcript, recordings)), ())

    def _evidence(self, check: Check, folder: Path) -> tuple[str, ...]:
        """Files that show why a check failed."""
        files = []
        for scenario in check.scenarios:
            capture = folder / f"{check.id}.pcapng"
            if write_capture(self.recordings[scenario], capture):
                files.append(str(capture))
            picture = folder / f"{scenario}.png"
            if picture.exists():
                files.append(str(picture))
        return tuple(files)
