"""How long the system has kept a process from running: what its own code is not to blame for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NANOSECONDS = 1e9


def kept_waiting(*pids: int) -> float:
    """Seconds for which the threads of these processes stood in line for a CPU so far.

    The host's share, where this machine is a virtual one, is counted, too. Linux tells it.
    """
    waits = sum(_run_delay(task) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
    stolen = int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")
    return waits / NANOSECONDS + stolen


def can_tell() -> bool:
    """Tell if this system keeps such a count."""
    return sys.platform == "linux" and Path("/proc/self/schedstat").exists()


def _run_delay(task: Path) -> int:
    """The second number of schedstat: nanoseconds spent in a run queue."""
    try:
        return int((task / "schedstat").read_text().split()[1])
    except OSError:  # the thread has ended
        return 0
