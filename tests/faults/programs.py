"""Our server and our player as processes that faults can befall: killed, stopped, kept short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from audience import LIMIT
from processes import ServerProcess, client_command


class Server(ServerProcess):
    """A server that may be sent signals, and is looked into."""

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def log_lines(self, words: str) -> list[str]:
        """The lines of the log that hold these words."""
        return [line for line in self.errors().splitlines() if words in line]

    def cpu_seconds(self) -> float:
        """How much CPU time it has used (Linux only)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Player:
    """`python ClientLauncher.py ARGUMENTS... --headless --json`, for a `with` statement."""

    def __init__(self, *arguments: str | int | Path, prefix: Sequence[str] = ()) -> None:
        self._command = client_command(*arguments, "--headless", "--json", prefix=prefix)

    def __enter__(self) -> Player:
        self._process = subprocess.Popen(
            self._command,
            cwd=tempfile.gettempdir(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def outcome(self, limit: float = LIMIT) -> tuple[dict[str, Any], str, int]:
        """Wait for its end; return its report, what it said on stderr, and its exit status."""
        stdout, stderr = self._process.communicate(timeout=limit)
        report = json.loads(stdout)
        assert isinstance(report, dict)
        assert "Traceback" not in stderr, stderr
        return report, stderr, self._process.returncode


def wait_until(condition: Callable[[], object], what: str, limit: float = LIMIT) -> float:
    """Wait until the condition holds; return how many seconds it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < limit, f"not within {limit} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - started
