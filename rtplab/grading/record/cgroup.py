"""A cgroup for each program of a submission, which bounds how many processes it has.

For a grader that is root and can't give the submission a user of its own: no rlimit bounds the
number of root's processes.
"""

from __future__ import annotations

import itertools
import os
import signal
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PREFIX = "rtplab-grade"
_numbers = itertools.count(1)


class Group:
    """A new cgroup that holds at most so many processes and threads."""

    def __init__(self, parent: Path, most: int) -> None:
        """Raises OSError."""
        self.path = parent / f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
        self.path.mkdir()
        try:
            (self.path / "pids.max").write_text(str(most))
        except OSError:
            self.path.rmdir()
            raise

    @property
    def members(self) -> Path:
        """The file into which a process writes its number to join."""
        return self.path / "cgroup.procs"

    def kill(self) -> None:
        """Let none of them start another, and kill all. They may be there for a moment still."""
        with suppress(OSError):
            (self.path / "pids.max").write_text("0")
            for pid in self.members.read_text().split():
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)

    def remove(self) -> None:
        """When all have ended."""
        with suppress(OSError):
            self.path.rmdir()


def parent() -> Path | None:
    """Where groups can be made; None if nowhere. Both versions of cgroups are looked for."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers not in ("", "pids"):
                continue
            top = ROOT / controllers
            for place in (top / own.lstrip("/"), top):
                with suppress(OSError):
                    Group(place, 1).remove()
                    _clear_up(place)
                    return place
    return None


def _clear_up(place: Path) -> None:
    """Remove the groups of graders that were killed before they could."""
    for group in place.glob(f"{PREFIX}-*-*"):
        if not Path("/proc", group.name.split("-")[2]).exists():
            with suppress(OSError):
                group.rmdir()
