"""One of the submission's programs as a process, from its start to its certain end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from rtplab.grading.record.cgroup import Group
from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.shields import PROCESSES, Shields

KEPT_OUTPUT = 64 << 10
"""Bytes of stdout, and as many of stderr, that a recording keeps of a process."""
READ = 65_536  # bytes at a time
END_LIMIT = 5.0  # seconds for killed processes to be gone
STUBBORN = 0.5  # seconds after which those that are left are starting others
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT")


class Program:
    """A process in a session of its own; what it writes is recorded. For a `with` statement."""

    def __init__(
        self,
        recorder: Recorder,
        role: str,
        command: Sequence[str],
        folder: Path,
        shields: Shields,
        environment: Mapping[str, str] | None = None,
        kept_output: int = KEPT_OUTPUT,
    ) -> None:
        """Keep that many bytes of what it writes, of stdout and of stderr each."""
        self.role = role
        self._kept_output = kept_output
        self._recorder = recorder
        self._has_own_processes = shields.processes
        self._is_ending = False
        self._waited: dict[str, float] = {}  # for a CPU, by thread, those that have ended too
        self._uid = shields.uid
        self._group = Group(shields.groups, PROCESSES) if shields.groups else None
        self._before = _descendants(os.getpid())
        self._process = subprocess.Popen(
            shields.launch(command, self._group),
            cwd=folder,
            env=_environment(folder, environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",
        )
        recorder.add("process.start", role=role, pid=self.pid, argv=list(command))
        streams = (("stdout", self._process.stdout), ("stderr", self._process.stderr))
        self._threads = [
            threading.Thread(target=self._read, args=(name, stream), name=f"grader {role} {name}")
            for name, stream in streams
        ]
        self._threads.append(threading.Thread(target=self._wait, name=f"grader {role} exit"))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _inner_pid(self) -> int:
        """The program's own, where ours is the launcher that waits for it."""
        if self._has_own_processes:
            with suppress(OSError, ValueError, IndexError):
                return _child_of(_child_of(self.pid))
        return self.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self, limit: float) -> bool:
        """Wait for its end; False if it is still running after `limit` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(limit)
        return not self.is_running

    def sample(self) -> None:
        """Note its threads, CPU time and descriptors, where /proc tells them."""
        folder = Path("/proc", str(self._inner_pid()))
        with suppress(OSError, ValueError, IndexError):
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            cpu = (int(after_name[11]) + int(after_name[12])) / _TICKS
            tasks = {task.name: _waits(task) for task in folder.glob("task/*")}
            fds = len(list(folder.glob("fd/*")))
            for task in folder.glob("task/*"):
                so_far = self._waited.get(task.name, 0.0)
                self._waited[task.name] = max(so_far, _waited_for_cpu(task))
            self._recorder.add(
                "sample",
                role=self.role,
                threads=len(tasks),
                cpu=cpu,
                fds=fds,
                tasks=tasks,
                waited=sum(self._waited.values()),
            )

    def end(self) -> None:
        """Kill it with all that it started, and wait until they are gone. May be called twice."""
        if self._is_ending:
            return
        self._is_ending = True
        if self.is_running:
            self._recorder.add("process.killed", role=self.role)
        began = time.monotonic()
        while True:
            _kill_group(self._process)
            if self._group:
                self._group.kill()
            left = _descendants(os.getpid()) - self._before - _OURS
            if left:
                _kill(left)
            _reap(left - {self.pid})
            took = time.monotonic() - began
            if (not left and not self.is_running) or took > END_LIMIT:
                break
            if self._uid is not None and took > STUBBORN:
                _kill_all_of(self._uid)
            time.sleep(0.005)
        if self._group:
            self._group.remove()
        for thread in self._threads:
            thread.join(END_LIMIT)

    def _wait(self) -> None:
        status = self._process.wait()
        if not self._is_ending:
            self._recorder.add("process.exit", role=self.role, status=status)

    def _read(self, name: str, stream: IO[bytes]) -> None:
        kept = 0
        with stream:
            while data := os.read(stream.fileno(), READ):
                if kept < self._kept_output:
                    part = data[: self._kept_output - kept]
                    self._recorder.add(f"process.{name}", role=self.role, data=part)
                kept += len(data)


_OURS: set[int] = set()
"""Processes of the grader's own, such as the screen, which no submission has started."""


def keep_alive(pid: int) -> None:
    """Leave this process of ours alone when a program of a submission is ended."""
    _OURS.add(pid)


def _child_of(pid: int) -> int:
    """Its only one. Raises OSError or IndexError."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def forget(pid: int) -> None:
    """Note that it has ended: another process may get its number now."""
    _OURS.discard(pid)


def _waits(task: Path) -> int:
    """The number of times a thread has waited so far."""
    with suppress(OSError):
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                return int(line.split()[1])
    return 0


def _waited_for_cpu(task: Path) -> float:
    """Seconds that a thread could have run, but others did."""
    with suppress(OSError, ValueError, IndexError):
        return int((task / "schedstat").read_text().split()[1]) / 1e9
    return 0.0


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _kill(pids: set[int]) -> None:
    """Stop all before any ends and makes room for another."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, number)


def _kill_all_of(uid: int) -> None:
    """Kill all that this user may kill, in one call, which nobody can outrun by starting others."""
    code = f"import os; os.setgid({uid}); os.setuid({uid}); os.kill(-1, 9)"
    command = [sys.executable, "-I", "-S", "-c", code]
    subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Only what a program needs of our environment; its home is its own folder.

    The user's own packages are found by PYTHONPATH, as in a terminal.
    """
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {"HOME": str(folder), "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    python = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [more.get("PYTHONPATH", ""), *filter(os.path.isabs, paths)]
    if any(paths):
        python["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return {**kept, **own, **more, **python}


def _descendants(root: int) -> set[int]:
    """All processes below this one, including orphans, since we are their subreaper."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(entry.parent.name))
    found: set[int] = set()
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child)
    return found


def _reap(pids: set[int]) -> None:
    """Collect the exit status of orphans, which would otherwise stay as zombies."""
    for pid in pids:
        with suppress(OSError):
            os.waitpid(pid, os.WNOHANG)
