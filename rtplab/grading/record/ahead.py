"""Records scenarios side by side: each worker is a process with a network of its own.

Most of a scenario is waiting. Only where nothing of a submission can reach beyond its own processes
and files: what another scenario does, and the grader's reports, must be out of reach.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rtplab.grading.model.recording import Recording, read, write
from rtplab.grading.record.shields import Shields, stand_apart

WORKERS = 2
"""More would share a core, and half of one is what some platforms give."""
LOOK = 0.02  # seconds between two looks for a recording
STOP_LIMIT = 20.0  # seconds for a worker to end its programs: each is given five, a screen ten


def can_be(shields: Shields) -> bool:
    """Whether scenarios can be recorded side by side behind these."""
    is_held_in = shields.files or shields.uid is not None
    return shields.network and shields.processes and is_held_in


class Ahead:
    """Scenarios that others are recording. Until `finish` this process must start no program."""

    def __init__(
        self, scenarios: Sequence[str], attempt: Callable[[str], Recording], folder: Path
    ) -> None:
        """Fork the workers, each of which records its share into the folder and ends."""
        self._folder = folder
        self._workers: dict[str, int] = {}
        """By scenario that has not been taken."""
        self._running: set[int] = set()
        parent = os.getpid()
        for number in range(min(WORKERS, len(scenarios))):
            share = scenarios[number::WORKERS]
            pid = os.fork()
            if pid == 0:
                self._work(parent, share, attempt)
            self._running.add(pid)
            self._workers.update(dict.fromkeys(share, pid))

    def take(self, scenario: str) -> Recording | None:
        """Wait for a recording; None if nobody has made it, or it has been taken."""
        pid = self._workers.pop(scenario, 0)
        path = self._path(scenario)
        while self._is_running(pid) and not path.exists():
            time.sleep(LOOK)
        with suppress(OSError, ValueError):
            recording = read(path)
            path.unlink()
            return recording
        return None

    def finish(self) -> None:
        """Wait until all have been recorded."""
        while self._is_any_running():
            time.sleep(LOOK)

    def stop(self) -> None:
        """End the workers, with what they run. May be called twice."""
        for number in (signal.SIGINT, signal.SIGKILL):
            for pid in self._running:
                os.kill(pid, number)
            deadline = time.monotonic() + STOP_LIMIT
            while self._is_any_running() and time.monotonic() < deadline:
                time.sleep(LOOK)

    def _is_any_running(self) -> bool:
        return any([self._is_running(pid) for pid in tuple(self._running)])

    def _is_running(self, pid: int) -> bool:
        if pid in self._running and os.waitpid(pid, os.WNOHANG)[0] == pid:
            self._running.remove(pid)
        return pid in self._running

    def _path(self, scenario: str) -> Path:
        return self._folder / f"{scenario}.jsonl"

    def _work(self, parent: int, share: Sequence[str], attempt: Callable[[str], Recording]) -> None:
        """What a worker does; it never returns."""
        status = 1
        signal.signal(signal.SIGINT, _interrupt_once)
        with suppress(BaseException):
            if stand_apart(parent):
                for scenario in share:
                    made = self._folder / f"{scenario}.part"
                    write(attempt(scenario), made)
                    os.replace(made, self._path(scenario))
                status = 0
        os._exit(status)


def _interrupt_once(_number: int, _frame: object) -> None:
    """Ctrl+C is for all of us, and the grader says so again: that must not stop the clearing up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
