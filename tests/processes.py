"""Our server and our client as their users start them: in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from movies import ROOT

HOST = "127.0.0.1"
START_LIMIT = 15.0
STOP_LIMIT = 10.0
PYTHON = (sys.executable, "-W", "error::ResourceWarning")
if sys.platform == "win32":  # where Popen's terminate() leaves no time for a last word
    END, NEW_GROUP = signal.CTRL_BREAK_EVENT, subprocess.CREATE_NEW_PROCESS_GROUP
else:
    END, NEW_GROUP = signal.SIGTERM, 0
"""How an operator ends a server, and what it must be started with for that."""
LISTENING = re.compile(r":(\d+)")


class ServerProcess:
    """`python Server.py PORT --host 127.0.0.1 --media DIR OPTIONS...`, for a `with` statement.

    It must say where it listens within START_LIMIT seconds. At the end it must obey SIGTERM, or
    Ctrl+Break on Windows, with exit status 0 within STOP_LIMIT seconds, and must never have printed
    a traceback. `prefix` is a command that runs another, in the same process.
    """

    def __init__(
        self,
        media: Path,
        *options: str,
        port: int = 0,
        host: str = HOST,
        prefix: Sequence[str] = (),
        program: Sequence[str | Path] = (ROOT / "Server.py",),
    ) -> None:
        self._command = [*prefix, *PYTHON, *map(str, program), str(port), "--host", host]
        self._command += ["--media", str(media), *options]
        self._is_killed = False
        self.port = 0

    def __enter__(self) -> ServerProcess:
        self._words = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._stdout, self._stderr = (Path(self._words.name, name) for name in ("out", "err"))
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command,
                cwd=tempfile.gettempdir(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                creationflags=NEW_GROUP,
            )
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.port

    def open_files(self) -> int:
        """How many descriptors the server has open (Linux only)."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def threads(self) -> int:
        """How many threads the server runs (Linux only)."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def kill(self) -> None:
        """End it by SIGKILL: it has no time for a last word."""
        self._is_killed = True
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the server as an operator does, and check that it goes in good order."""
        if self._is_killed or self._process.returncode == 0:
            return
        assert self._process.poll() is None, f"the server died: {self.errors()}"
        try:
            self._process.send_signal(END)
        except OSError:  # a console without Ctrl+Break, as Wine's
            self.kill()
        try:
            status = self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {END!r}: {self.errors()}") from None
        assert self._is_killed or status == 0, f"status {status} after {END!r}: {self.errors()}"
        assert "Traceback" not in self.errors(), self.errors()
        assert "Warning" not in self.errors(), self.errors()

    def errors(self) -> str:
        """All that the server has written to stderr."""
        return _content(self._stderr)

    def output(self) -> str:
        """All that the server has written to stdout."""
        return _content(self._stdout)

    def _wait_for_port(self) -> int:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            for line in _content(self._stdout).splitlines(keepends=True):
                if line.endswith("\n") and (found := LISTENING.search(line)):
                    return int(found[1])
            assert self._process.poll() is None, f"the server ended at once: {self.errors()}"
            time.sleep(0.01)
        raise AssertionError(f"no word of where the server listens: {self.errors()}")

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._words.cleanup()


def _content(file: Path) -> str:
    return file.read_bytes().decode(errors="replace").replace(os.linesep, "\n")


@dataclass(frozen=True)
class ClientRun:
    """What came of one run of the headless client."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def told(self) -> str:
        """What stderr says, but for what was forgiven."""
        lines = self.stderr.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("Forgiven: "))

    @property
    def report(self) -> dict[str, Any]:
        """The object that `--json` prints, which is all there is on stdout."""
        report = json.loads(self.stdout)
        assert isinstance(report, dict)
        return report


def client_command(*arguments: str | int | Path, prefix: Sequence[str] = ()) -> list[str]:
    """`python ClientLauncher.py ARGUMENTS...`, run by the command `prefix`."""
    return [*prefix, *PYTHON, str(ROOT / "ClientLauncher.py"), *map(str, arguments)]


def run_client(
    *arguments: str | int | Path, limit: float = 15.0, prefix: Sequence[str] = ()
) -> ClientRun:
    """Run `python ClientLauncher.py ARGUMENTS...`; longer than `limit` seconds is a failure."""
    command = client_command(*arguments, prefix=prefix)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as elsewhere:
        process = subprocess.Popen(
            command,
            cwd=elsewhere,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(f"no end after {limit} s; stderr: {stderr}") from None
        left = os.listdir(elsewhere)
    assert not left, f"the client wrote {left} into its working directory"
    return ClientRun(process.returncode, stdout, stderr, time.monotonic() - started)


def free_udp_port() -> int:
    """A UDP port of the loopback interface that nobody has at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
