"""The command `rtplab grade`: finds a submission, grades it, and writes the reports."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rtplab.grading import doctor
from rtplab.grading import submission as submissions
from rtplab.grading.bundle import PLATFORMS, write_bundle
from rtplab.grading.classroom import grade_all
from rtplab.grading.engine import ADVICE, STAND_IN, Engine, Kept, Source, points_of, with_needed
from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.model.checks import Check, Grades, Outcome, Result, not_checked
from rtplab.grading.model.editions import EDITIONS, Edition, read_edition
from rtplab.grading.model.recording import SCENARIOS, Recording
from rtplab.grading.options import parser
from rtplab.grading.record.ahead import Ahead, can_be
from rtplab.grading.record.movie import draw_movie
from rtplab.grading.record.run import Scenario, record
from rtplab.grading.record.scenarios import RUNNERS
from rtplab.grading.record.screen import has_xvfb
from rtplab.grading.record.shields import Shields, raise_shields
from rtplab.grading.record.stage import Stage
from rtplab.grading.report import WRITERS, csv, words
from rtplab.grading.report.terminal import Live
from rtplab.grading.submission import Submission, Unusable
from rtplab.grading.watch import Watched
from rtplab.version import __version__

ALL_POINTS, SOME_MISSING, USAGE, NOTHING_RAN = range(4)
SERVER_FILES = ("Server.py", "ServerWorker.py", "VideoStream.py", "RtpPacket.py")
CLIENT_FILES = ("ClientLauncher.py", "Client.py", "RtpPacket.py")
DECOY_FRAMES = 30
ENOUGH = 200.0
"""Seconds; with what must be recorded then, no run takes more than five minutes."""
UNBOUNDED = (
    "Nothing bounds how many processes it starts: grade strangers' code in a container that does."
)
_ROLES = {
    "packet": ("packet",),
    "server": ("packet", "server"),
    "client": ("packet", "client"),
    "both": ("packet", "server", "client", "both"),
    "auto": ("packet", "server", "client", "both"),
}


class UsageError(Exception):
    """A sentence about a mistake on the command line."""


def main(arguments: list[str] | None = None, prog: str = "rtplab grade") -> int:
    """Carry out the arguments; return the exit status."""
    asked = parser(prog, tuple(EDITIONS), tuple(WRITERS), tuple(PLATFORMS))
    options = asked.parse_args(arguments)
    try:
        edition = _edition(options.edition)
        if options.list:
            print(_listed(edition))
            return 0
        if options.explain:
            print(_explained(options.explain, edition))
            return 0
        if options.bundle:
            platform, target = options.bundle
            return _bundle(platform, Path(target), options.edition)
        if not options.path:
            raise UsageError("Name the folder or zip to grade.")
        if len(options.path) > 1:
            return _grade_class(options, edition)
        return _grade_and_watch(options, edition)
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"The grading can't go on: {error}.", file=sys.stderr)
        return NOTHING_RAN


def _bundle(platform: str, target: Path, edition: str) -> int:
    if platform not in PLATFORMS:
        raise UsageError(f"There is no bundle for {platform}: {', '.join(PLATFORMS)} have one.")
    write_bundle(platform, target, edition)
    print(f"{target} is what you upload to {platform}; docs/GRADING.md says where.")
    return 0


# --- What is asked for ----------------------------------------------------------------------------


def _edition(name: str) -> Edition:
    if not name:
        return EDITIONS["python"]
    if name in EDITIONS:
        return EDITIONS[name]
    try:
        edition = read_edition(Path(name))
    except (OSError, ValueError) as error:
        names = ", ".join(EDITIONS)
        raise UsageError(f"{name} is neither an edition ({names}) nor a file: {error}.") from None
    for check in {*edition.points, *edition.advice} - {check.id for check in CHECKS}:
        raise UsageError(f"{name} names an unknown check, {check}: see --list.")
    return edition


def _check(name: str) -> Check:
    for check in CHECKS:
        if check.id == name:
            return check
    raise UsageError(f"There is no check {name}: --list shows all of them.")


def _listed(edition: Edition) -> str:
    lines = []
    for check in CHECKS:
        points = points_of(check, edition)
        lines.append(f"{check.id:24}{points or '':>4}  {check.title}")
    return "\n".join(lines)


def _explained(name: str, edition: Edition) -> str:
    check = _check(name)
    points = points_of(check, edition)
    worth = f"It is worth {points:g} points." if points else "It is worth no points."
    lines = [f"{check.id}: {check.title}.", check.explain, worth]
    if check.needs:
        lines.append(f"It is judged if these have passed: {', '.join(check.needs)}.")
    return "\n".join(line for line in lines if line)


def _wanted(options: argparse.Namespace, edition: Edition) -> tuple[list[Check], set[str]]:
    """Return the checks to judge, and the ids of those to show."""
    if options.only:
        shown = {_check(name).id for name in options.only}
    else:
        shown = {
            check.id
            for check in CHECKS
            if _role(check) in _ROLES[options.role]
            and (check.group != "extend" or points_of(check, edition))
        }
    needed = with_needed(shown, CHECKS)
    return [check for check in CHECKS if check.id in needed], shown


def _role(check: Check) -> str:
    return SCENARIOS[check.scenarios[0]].role


@dataclass(frozen=True)
class Output:
    """A report that is to be written: to a file, or "" for stdout."""

    form: str
    file: str

    def write(self, grades: Grades) -> None:
        """Write this report. Raises OSError."""
        self.put(WRITERS[self.form](grades))

    def put(self, text: str) -> None:
        """Replace the whole file. Raises OSError."""
        if not self.file:
            sys.stdout.write(text)
            return
        target = Path(self.file)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent or ".", prefix=".grade-", delete=False
        ) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, target)


def _outputs(reports: Iterable[str]) -> list[Output]:
    outputs = []
    for report in reports:
        form, _, file = report.partition(":")
        if form not in WRITERS:
            raise UsageError(
                f"{form} is not a format of reports: choose from {', '.join(WRITERS)}."
            )
        outputs.append(Output(form, file))
    return outputs


def _grade_class(options: argparse.Namespace, edition: Edition) -> int:
    """Grade several submissions; the exit status is the worst of them, as of one."""
    if options.watch or options.kept:
        raise UsageError("--watch and --from are for one submission at a time.")
    outputs = _outputs(options.report)
    tables = [output for output in outputs if output.form == "csv"]
    others = [output for output in outputs if output.form != "csv"]
    if any("{name}" not in output.file for output in others):
        raise UsageError("For several submissions, have {name} in the name of each report's file.")

    def each(path: Path) -> list[str]:
        name = submissions.name_of(path)
        files = [(o.form, os.path.abspath(o.file.replace("{name}", name))) for o in others]
        more = [word for form, file in files for word in ("--report", f"{form}:{file}")]
        return [
            *more,
            *(["--keep", str(Path(os.path.realpath(options.keep)) / name)] if options.keep else []),
        ]

    passed_on = ["--role", options.role, "--display", options.display, "--python", options.python]
    passed_on += ["--edition", options.edition] if options.edition else []
    passed_on += ["--only", *options.only] if options.only else []
    for name in ("server_cmd", "client_cmd"):
        if given := getattr(options, name):
            passed_on += [f"--{name.replace('_', '-')}", given]
    graded = grade_all(options.path, passed_on, edition, each, _say_line)
    for output in tables:
        output.put(csv.write_all(graded))
    return max(map(_status, graded))


def _say_line(grades: Grades) -> None:
    wrong = words.failed(grades)
    what = words.clean(grades.refused) or words.undecided(grades)
    what = what or (wrong[0].check.id if wrong else "")
    points = f"{words.number(grades.points)} of {words.number(grades.maximum)}"
    print(f"{words.clean(grades.submission):32}{points:>12}   {what}", flush=True)


# --- The grading ----------------------------------------------------------------------------------


def _grade_and_watch(options: argparse.Namespace, edition: Edition) -> int:
    shields = Shields() if options.kept else raise_shields(options.python, own_network=True)
    asked = options.only
    if not options.watch:
        return _grade(options, edition, shields)[0]
    ours = [Path(output.file) for output in _outputs(options.report) if output.file]
    ours += [options.keep] if options.keep else []
    watched = Watched(
        options.path[0], ours, only_python=not (options.server_cmd or options.client_cmd)
    )
    while True:
        _, to_mend = _grade(options, edition, shields)
        if not to_mend and options.only != asked:
            options.only = asked  # these are right now: and the others?
            continue
        print("Waiting for a file to be saved. Press Ctrl+C to stop.", flush=True)
        watched.wait()
        options.only = to_mend or asked


def _grade(
    options: argparse.Namespace, edition: Edition, shields: Shields
) -> tuple[int, list[str]]:
    """Grade once; return the exit status and the ids of the checks to run again after a change."""
    started = time.monotonic()
    outputs = _outputs(options.report)
    live = Live.on(sys.stdout, os.environ) if all(output.file for output in outputs) else None
    path, by_command = options.path[0], bool(options.server_cmd or options.client_cmd)
    with ExitStack() as cleanup:
        work = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="grade-work-")))
        try:
            submission = submissions.find(path, work / "unpacked", by_command)
            if not options.edition:
                name, why = submissions.guessed_edition(submission)
                edition = EDITIONS[name]
                submission = replace(submission, notes=(*submission.notes, *([why] if why else ())))
            checks, shown = _wanted(options, edition)
            grades = _first_grades(options, edition, shields, submission)
            source = _source(options, edition, shields, submission, work)
            cleanup.callback(source.close)
            grades = replace(grades, notes=(*grades.notes, *source.notes))
        except Unusable as error:
            grades = Grades(
                submissions.name_of(path), (), edition, 0, __version__, (), refused=str(error)
            )
            _report(grades, outputs, live)
            return NOTHING_RAN, options.only or []
        if live:
            unknown = [
                Result(check, not_checked(""), 0.0, points_of(check, edition))
                for check in checks
                if check.id in shown
            ]
            live.started(replace(grades, results=tuple(unknown)))

        def is_shown(result: Result) -> bool:
            """A check that was not requested is shown if it blocks one that was."""
            return result.check.id in shown or result.verdict.outcome is Outcome.FAILED

        def took(result: Result) -> None:
            if is_shown(result) and live:
                live.result(result)

        def begin(scenario: str) -> None:
            _report(now(False), [output for output in outputs if output.file], None)

        def now(complete: bool) -> Grades:
            results = tuple(filter(is_shown, engine.results.values()))
            seconds = round(time.monotonic() - started, 1)
            return replace(
                grades,
                results=results,
                diagnoses=engine.diagnoses,
                seconds=seconds,
                complete=complete,
            )

        engine = Engine(source, edition, checks, options.keep)
        engine.missing = lambda check: _missing(check, options, submission)
        engine.is_late = lambda: time.monotonic() - started > ENOUGH
        engine.on_result, engine.on_start = took, begin
        if isinstance(source, Recorded):
            engine.diagnose = lambda results: doctor.diagnoses(results, source.attempt, edition)
        engine.run()
        grades = now(True)
    _report(grades, outputs, live)
    status = _status(grades)
    return status, (options.only or []) if status == NOTHING_RAN else _to_mend(grades)


def _to_mend(grades: Grades) -> list[str]:
    """What is not right yet; of that, advice comes when there is nothing else."""
    outcomes = (Outcome.FAILED, Outcome.BLOCKED)
    wrong = [r.check for r in grades.results if r.verdict.outcome in outcomes or r.verdict.busy]
    counted = [check for check in wrong if check.group != ADVICE]
    return [check.id for check in counted or wrong]


def _report(grades: Grades, outputs: Iterable[Output], live: Live | None) -> None:
    for output in outputs:
        output.write(grades)
    if live:
        live.finished(grades)


def _status(grades: Grades) -> int:
    judged = (Outcome.PASSED, Outcome.FAILED)
    if not any(result.verdict.outcome in judged for result in grades.results):
        return NOTHING_RAN
    is_right = grades.points >= grades.maximum and not words.failed(grades)
    return ALL_POINTS if is_right else SOME_MISSING


def _first_grades(
    options: argparse.Namespace, edition: Edition, shields: Shields, submission: Submission
) -> Grades:
    command = "python -m rtplab grade " + shlex.quote(str(options.path[0]))
    if options.edition:
        command += f" --edition {shlex.quote(options.edition)}"
    return Grades(
        submission.name,
        tuple(submission.files.values()),
        edition,
        submission.seed if options.seed is None else options.seed,
        __version__,
        (),
        notes=submission.notes,
        shields=shields.names,
        complete=False,
        command=command,
        kept=str(options.keep or ""),
    )


def _missing(check: Check, options: argparse.Namespace, submission: Submission) -> str:
    role = _role(check)
    needed: list[str] = ["RtpPacket.py"] if role == "packet" else []
    if role in ("server", "both") and not options.server_cmd:
        needed += SERVER_FILES
    if role in ("client", "both") and not options.client_cmd:
        needed += CLIENT_FILES
    return submission.missing(*needed)


class Recorded(Source):
    """Recordings that are made now."""

    def __init__(self, stage: Stage, edition: Edition, seed: int, folder: Path) -> None:
        """Recordings that others make are put into the folder."""
        self._stage = stage
        self._folder = folder
        self._ahead: Ahead | None = None
        self._edition = edition
        self._seed = seed
        self._forms: doctor.Facts = {}
        """The forms that the submission understands, if they are not the edition's."""

    @property
    def notes(self) -> tuple[str, ...]:
        shows = self._stage.client and not self._stage.no_client and not self._stage.has_screen
        is_bounded = self._stage.shields.are_processes_bounded
        return (*((STAND_IN,) if shows else ()), *(() if is_bounded else (UNBOUNDED,)))

    def begin(self, scenarios: Sequence[str]) -> None:
        if len(scenarios) > 1 and can_be(self._stage.shields) and threading.active_count() == 1:
            sys.stdout.flush()
            self._ahead = Ahead(
                scenarios, lambda name: self.attempt(name, RUNNERS[name], {}), self._folder
            )

    def close(self) -> None:
        """End what is still being recorded."""
        if self._ahead:
            self._ahead.stop()

    def record(self, scenario: str) -> Recording:
        if self._ahead:
            if recording := self._ahead.take(scenario):
                return recording
            self._ahead.finish()
        if scenario not in RUNNERS:
            why = "The grader does not have this scenario yet."
            return Recording(scenario, self._edition.name, {"unable": why})
        recording = self.attempt(scenario, RUNNERS[scenario], {})
        found = doctor.ladder(scenario, recording, self.attempt)
        if found is not None:
            self._forms = {**self._forms, **found}
            recording = self.attempt(scenario, RUNNERS[scenario], {})
        return recording

    def attempt(self, name: str, scenario: Scenario, facts: doctor.Facts) -> Recording:
        """Run a scenario in the submission's forms, and with these facts."""
        facts = {**self._forms, **facts}
        return record(name, scenario, self._stage, self._edition, self._seed, facts)


def _source(
    options: argparse.Namespace,
    edition: Edition,
    shields: Shields,
    submission: Submission,
    work: Path,
) -> Source:
    if options.kept:
        return Kept(options.kept)
    seed = submission.seed if options.seed is None else options.seed
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    submissions.copy(submission, work / "source")
    if shutil.which(options.python) is None:
        raise UsageError(f"{options.python} is not a program that can be run.")
    if options.display == "xvfb" and not has_xvfb():
        raise UsageError("There is no Xvfb: install it, or use --display stub.")
    has_screen = options.display != "stub" and has_xvfb()
    if options.display == "auto" and not _can_import(options.python, "tkinter"):
        has_screen = False
    no_client = ""
    if not options.client_cmd and not _can_import(options.python, "PIL"):
        no_client = f"Pillow is not installed for {options.python}: no client can show pictures."
    client = ("{host}", "{port}", "{rtp_port}", "{movie}")
    stage = Stage(
        work / "source",
        draw_movie(seed),
        shields,
        _command(options.server_cmd, options.python, submission, "Server.py", ("{port}",)),
        _command(options.client_cmd, options.python, submission, "ClientLauncher.py", client),
        options.python,
        submission.files.get("RtpPacket.py", ""),
        has_screen,
        options.keep,
        no_client,
        draw_movie(seed + 1, DECOY_FRAMES),
    )
    return Recorded(stage, edition, seed, work)


def _can_import(python: str, name: str) -> bool:
    """Whether this Python has a module."""
    command = [python, "-c", f"import {name}"]
    done = subprocess.run(command, cwd=sys.prefix, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode == 0


def _command(
    given: str | None, python: str, submission: Submission, name: str, arguments: Sequence[str]
) -> tuple[str, ...]:
    """The command that starts a program; () if there is none."""
    if given:
        return tuple(shlex.split(given))
    if name not in submission.files:
        return ()
    return (python, submission.files[name], *arguments)
