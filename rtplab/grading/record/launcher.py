"""Puts limits on itself, then becomes the submission's program.

    python -I launcher.py LIMITS COMMAND...

LIMITS is an object of JSON: rlimits by name, and "uid" to take, or null. It is a program of its
own, since code between fork and exec is not safe in a process with threads, such as the grader.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def main(arguments: list[str]) -> None:
    limits, *command = arguments
    asked = json.loads(limits)
    uid = asked.pop("uid")
    _limit(asked)
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    os.umask(0o077)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user has cleared it
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} can't be run: {error.strerror}")


def _limit(asked: dict[str, int]) -> None:
    import resource

    for name, value in asked.items():
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is None:
            continue
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(which, (value, value))


if __name__ == "__main__":
    main(sys.argv[1:])
