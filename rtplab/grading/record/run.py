"""One scenario with one submission, from its fresh copy to its recording."""

from __future__ import annotations

import random
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recording
from rtplab.grading.record.movie import SecretMovie
from rtplab.grading.record.process import KEPT_OUTPUT, Program
from rtplab.grading.record.recorder import Recorder, noise_measured
from rtplab.grading.record.screen import Screen
from rtplab.grading.record.stage import Stage

HOST = "127.0.0.1"


@dataclass
class Run:
    """The means of a scenario; `cleanup` closes what it has opened."""

    name: str
    """The scenario's."""
    stage: Stage
    edition: Edition
    seed: int
    recorder: Recorder
    dice: random.Random
    movie: SecretMovie
    cleanup: ExitStack = field(default_factory=ExitStack)
    programs: list[Program] = field(default_factory=list)
    """In the order in which they were started."""
    screen: Screen | None = None

    def use(self, movie: SecretMovie) -> None:
        """Use this movie from now on."""
        self.movie = movie
        self.recorder.facts.update(movie=movie.name, frames=movie.facts)

    def folder(self) -> Path:
        """A fresh copy of the submission."""
        return self.cleanup.enter_context(self.stage.fresh(self.movie))

    def program(
        self,
        role: str,
        command: Sequence[str],
        folder: Path,
        environment: dict[str, str] | None = None,
        kept_output: int = KEPT_OUTPUT,
    ) -> Program:
        program = Program(
            self.recorder, role, command, folder, self.stage.shields, environment, kept_output
        )
        self.programs.append(program)
        return self.cleanup.enter_context(program)

    def session(self) -> str:
        """A session id of six to nine digits, never that of the handout's examples."""
        return str(self.dice.randint(200_000, 999_999_999))


Scenario = Callable[[Run], None]


class UnableError(Exception):
    """A sentence: why a scenario can't be run here."""


def record(
    name: str,
    scenario: Scenario,
    stage: Stage,
    edition: Edition,
    seed: int,
    facts: Mapping[str, Any] | None = None,
) -> Recording:
    """Run a scenario with these facts. A failure of ours is an event, never an exception."""
    recorder = Recorder()
    dice = random.Random(f"{name} {seed}")
    run = Run(name, stage, edition, seed, recorder, dice, stage.movie)
    recorder.facts.update(
        seed=seed,
        wall=time.time(),
        shields=list(stage.shields.names),
        python=sys.version.split()[0],
    )
    recorder.facts.update(facts or {})
    run.use(stage.movie)
    try:
        with noise_measured(recorder), run.cleanup:
            scenario(run)
    except UnableError as error:
        recorder.facts["unable"] = str(error)
    except Exception as error:  # a crashed grader says nothing about anybody's work
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({Path(where.filename).name} line {where.lineno})"
        recorder.add("fault", text=text)
    return recorder.recording(name, edition.name)


def free_port(kind: socket.SocketKind) -> int:
    """A port of the loopback interface that nobody has at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
