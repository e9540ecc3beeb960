"""The confinement of a submission, as far as this machine allows: user, network, limits."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtplab.grading.record import cgroup

LAUNCHER = Path(__file__).with_name("launcher.py")
OWN_UIDS = range(61_184, 65_520)
"""Those that systemd gives to users made for one service: nobody's. Each grading takes one at
random, as a user's processes are counted in all containers together."""
LIMITS = {
    "CPU": 60,  # seconds
    "FSIZE": 64 << 20,  # bytes of a file: more than any cache of pictures
    "NOFILE": 512,
    "CORE": 0,
    "AS": 4 << 30,  # bytes; Tk and Pillow map a few hundred megabytes
}
PROCESSES = 256
"""And threads, of one program: Java's take some thirty."""
TRIAL = 10.0  # seconds for a Python to start

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40


@dataclass(frozen=True)
class Shields:
    """The active shields."""

    limits: bool = False
    uid: int | None = None
    network: bool = False
    processes: bool = False
    files: bool = False
    groups: Path | None = None
    """Where a cgroup is made for each program: for root, whose processes no rlimit bounds."""

    @property
    def are_processes_bounded(self) -> bool:
        """Whether a submission that starts ever more of them is stopped."""
        return self.groups is not None or "NPROC" in self.limited()

    @property
    def names(self) -> tuple[str, ...]:
        """For the report."""
        names = []
        if self.limits:
            names += ["limits", "no new privileges"]
        if self.uid is not None:
            names.append("own user")
        if self.processes:
            names.append("own processes")
        if self.files:
            names.append("own folder")
        if self.network:
            names.append("own network")
        return tuple(names)

    def launch(self, command: Sequence[str], group: cgroup.Group | None = None) -> list[str]:
        """The command that runs another behind these shields, in this group and as our child."""
        if not self.limits:
            return list(command)
        members = str(group.members) if group else ""
        limits = json.dumps({**self.limited(), "group": members})
        return [sys.executable, "-I", "-S", str(LAUNCHER), limits, *command]

    def limited(self) -> dict[str, Any]:
        """What the launcher is to do."""
        most = self._most_processes()
        processes = {"NPROC": most} if most else {}
        asked = {"processes": self.processes, "files": self.files}
        own = [name for name, is_own in asked.items() if is_own]
        return {**LIMITS, **processes, "parent": os.getpid(), "uid": self.uid, "own": own}

    def _most_processes(self) -> int:
        """The limit for its user; 0 if none holds."""
        if not self.limits or (self.uid is None and os.geteuid() == 0):
            return 0
        if self.uid is not None or self.processes:  # a user namespace counts its own
            return PROCESSES
        others = _tasks_of(os.geteuid())
        return others + PROCESSES if others else 0


def raise_shields(python: str, own_network: bool) -> Shields:
    """Find out which shields work. With `own_network` this process moves into its own network.

    Only a program without threads may do that; a test in the same process would move, too.
    """
    if os.name != "posix":
        return Shields()
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0 if os.geteuid() == 0 else 1)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    own_uid = random.choice(OWN_UIDS)
    uid = own_uid if os.geteuid() == 0 and _can_run_as(own_uid, python) else None
    if sys.platform != "linux":
        return Shields(True, uid)
    groups = cgroup.parent() if os.geteuid() == 0 and uid is None else None
    network = own_network and _leave_network()
    shields = Shields(True, uid, network, processes=True, files=True, groups=groups)
    if _holds(shields, python):
        return shields
    shields = replace(shields, files=False)
    return shields if _holds(shields, python) else replace(shields, processes=False)


def stand_apart(parent: int) -> bool:
    """Of a process that a grader has forked: be one like it in another network, and end with it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent and _leave_network()


_TRIAL = """
import os, sys
outside, inside, files, processes = sys.argv[1:]
open(inside, "w").close()
try:
    open(outside, "w").close()
except OSError:
    files = ""
sys.exit(bool(files) or bool(processes) and os.getpid() != 2)
"""


def _holds(shields: Shields, python: str) -> bool:
    """Whether a program runs with these, and they confine it."""
    with tempfile.TemporaryDirectory(prefix="grade-trial-") as top:
        folder = Path(top, "inside")
        folder.mkdir()
        if shields.uid is not None:
            os.chown(top, shields.uid, shields.uid)
            os.chown(folder, shields.uid, shields.uid)
        command = shields.launch(
            [
                python,
                "-I",
                "-c",
                _TRIAL,
                str(Path(top, "outside")),
                str(folder / "inside"),
                "files" if shields.files else "",
                "processes" if shields.processes else "",
            ]
        )
        try:
            trial = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL
            )
        except (OSError, subprocess.SubprocessError):
            return False
    return trial.returncode == 0


def _tasks_of(uid: int) -> int:
    """How many processes and threads a user has now; 0 where /proc doesn't tell."""
    found = 0
    for tasks in Path("/proc").glob("[0-9]*/task"):
        with suppress(OSError):
            status = tasks.stat()
            found += status.st_nlink - 2 if status.st_uid == uid else 0
    return found


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _can_run_as(uid: int, python: str) -> bool:
    """Whether that user can read and run this Python, with all that a submission imports."""
    command = [python, "-I", "-c", "import os, socket, threading"]
    try:
        trial = subprocess.run(
            command,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return trial.returncode == 0


def _leave_network() -> bool:
    """Move this process into a network of its own, with nothing but a loopback interface."""
    if threading.active_count() > 1:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        if libc.unshare(_CLONE_NEWNET) != 0:
            return False
    else:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            return False
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1")):
            Path(f"/proc/self/{name}").write_text(line)
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return _raise_loopback()


def _raise_loopback() -> bool:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", _IFF_UP | _IFF_RUNNING)
        try:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
        except OSError:
            return False
    return True
