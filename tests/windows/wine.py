"""Programs of Windows: the real CPython for Windows, run by Wine, in a prefix of the test's own.

Their words come by pipes: Wine can't make a Windows handle of every file. A path of Linux is on
the drive Z: there.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import setup_wine
from movies import ROOT
from processes import LISTENING
from setup_wine import Installation

SITE = Path(__file__).parent / "site"
LIMIT = 60.0
"""Seconds that a program gets for anything: Wine starts a Python in two, or in twenty when busy."""


def on_z(path: Path | str) -> str:
    """How a path of Linux is called there."""
    return "Z:" + str(path).replace("/", "\\")


class Windows:
    """A Windows whose registry and user folder are its own; what never changes, all share."""

    def __init__(self, installation: Installation, place: Path, display: str) -> None:
        self._installation = installation
        self.prefix = place
        self._copy(installation.prefix)
        cache = installation.packages.parent / "pycache"
        self.environment = {
            **os.environ,
            **setup_wine.WITHOUT_BROWSERS,
            "WINEPREFIX": str(place),
            "PYTHONPATH": ";".join(map(on_z, (SITE, installation.packages))),
            "PYTHONPYCACHEPREFIX": on_z(cache),
            "WINEPATH": on_z(installation.python),
            "DISPLAY": display,
        }

    def _copy(self, pattern: Path) -> None:
        shutil.copytree(pattern / "dosdevices", self.prefix / "dosdevices", symlinks=True)
        for name in ("system.reg", "user.reg", "userdef.reg", ".update-timestamp"):
            shutil.copy(pattern / name, self.prefix)
        drive = self.prefix / "drive_c"
        drive.mkdir()
        for folder in (pattern / "drive_c").iterdir():
            if folder.name == "users":
                shutil.copytree(folder, drive / "users", symlinks=True)
            else:
                (drive / folder.name).symlink_to(folder)
        for link in (drive / "users").glob("*/*"):
            if link.is_symlink():  # into the home folder of whoever runs the tests
                link.unlink()
                link.mkdir()

    @property
    def home(self) -> Path:
        """The user's folder there."""
        (user,) = (
            each for each in (self.prefix / "drive_c/users").iterdir() if each.name != "Public"
        )
        return user

    def start(self, *arguments: str | int | Path, **environment: str) -> Program:
        """Start `python.exe ARGUMENTS...`."""
        python = self._installation.python / "python.exe"
        return self.start_program(python, *arguments, **environment)

    def start_program(
        self, program: Path, *arguments: str | int | Path, **environment: str
    ) -> Program:
        """Start a program; paths among its arguments become those of there."""
        said = [on_z(each) if isinstance(each, Path) else str(each) for each in arguments]
        command = [str(self._installation.wine), str(program), *said]
        return Program(command, {**self.environment, **environment})

    def run(
        self, *arguments: str | int | Path, limit: float = LIMIT, **environment: str
    ) -> Program:
        """Run a Python program to its end."""
        with self.start(*arguments, **environment) as program:
            program.wait(limit)
        return program

    def serve(self, media: Path, *options: str | int | Path) -> Program:
        """Start the server on a free port, which is `port` of what this returns."""
        return self.start(
            ROOT / "Server.py", "0", "--host", "127.0.0.1", "--media", media, *options
        )


class Program:
    """A process there, for a `with` statement, which ends it by force if it still runs."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=tempfile.gettempdir(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._words = {"stdout": b"", "stderr": b""}
        self._changed = threading.Condition()
        self._has_ended = False
        self._readers = [
            threading.Thread(target=self._read, args=(name,), name=name) for name in self._words
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        pipe = getattr(self._process, name)
        while True:
            has_ended = self._has_ended
            if select.select([pipe], [], [], 0.1)[0]:
                if not (data := os.read(pipe.fileno(), 65536)):
                    return
                with self._changed:
                    self._words[name] += data
                    self._changed.notify_all()
            elif has_ended:  # what it has started may keep the pipe open
                return

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(ProcessLookupError):  # and what it has started
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._has_ended = True
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        if kind is None:
            assert "Traceback" not in self.errors, self.errors

    def wait(self, limit: float = LIMIT) -> int:
        """Wait for its end; return the exit status."""
        try:
            status = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end after {limit} s: {self.output} {self.errors}") from None
        self._has_ended = True
        for reader in self._readers:
            reader.join(limit)
        return status

    def send(self, line: str) -> None:
        """Write a line to its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\r\n")
        self._process.stdin.flush()

    @property
    def status(self) -> int | None:
        return self._process.poll()

    @property
    def output(self) -> str:
        return self._words["stdout"].decode(errors="replace").replace("\r\n", "\n")

    @property
    def errors(self) -> str:
        return self._words["stderr"].decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, word: str, limit: float = LIMIT, stream: str = "stdout") -> str:
        """Wait for a whole line that contains `word`; return the line."""
        deadline = time.monotonic() + limit
        with self._changed:
            while not (found := [line for line in self._lines(stream) if word in line]):
                left = deadline - time.monotonic()
                assert left > 0, f"no word of {word!r}: {self.output} {self.errors}"
                assert self.status is None, f"ended without {word!r}: {self.output} {self.errors}"
                self._changed.wait(min(left, 0.2))
        return found[0]

    def wait_for_after(self, before: str, word: str, limit: float = LIMIT) -> None:
        """Wait for a line that contains `word`, behind the last that contains `before`."""
        deadline = time.monotonic() + limit
        with self._changed:
            while True:
                lines = self._lines("stdout")
                last = max(number for number, line in enumerate(lines) if before in line)
                if any(word in line for line in lines[last:]):
                    return
                left = deadline - time.monotonic()
                assert left > 0, f"no word of {word!r} after {before!r}: {self.output}"
                self._changed.wait(min(left, 0.2))

    def _lines(self, stream: str) -> list[str]:
        text = self.output if stream == "stdout" else self.errors
        return [line[:-1] for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def port(self) -> int:
        """Where a server says that it listens."""
        found = LISTENING.search(self.wait_for("Listening on"))
        assert found is not None
        return int(found[1])


@contextmanager
def running_windows(place: Path, display: str) -> Iterator[Windows]:
    """A Windows for a while, its windows on an X display. Raises NoWindows.

    One program runs all the time: with the last one Wine ends its Windows, and takes three seconds
    to start it again.
    """
    windows = Windows(setup_wine.provide(), place, display)
    try:
        with windows.start("-c", "print('up', flush=True); input()") as idle:
            idle.wait_for("up")
            yield windows
    finally:
        setup_wine.end(place)
