"""Puts limits on itself, then becomes the submission's program.

    python -I launcher.py LIMITS COMMAND...

LIMITS is an object of JSON: rlimits by name; "parent", the process with which to end; "uid" to
take, or null; "group", the file of the cgroup to join, or ""; and "own" with what is to be the
program's own: "processes" (it sees no others, and all of its own end with it) and "files" (it can
write into the current folder alone). It is a program of its own, since code between fork and exec
is not safe in a process with threads, such as the grader.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Iterable

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MOUNT_FLAGS = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "relatime": 1 << 21}


def main(arguments: list[str]) -> None:
    limits, *command = arguments
    asked = json.loads(limits)
    parent, uid, own = asked.pop("parent"), asked.pop("uid", None), asked.pop("own", [])
    libc = ctypes.CDLL(None, use_errno=True)
    _end_with(libc, parent)  # of a grader that is killed nothing stays
    if group := asked.pop("group", ""):
        with open(group, "w") as file:
            file.write(str(os.getpid()))
    if own:
        _unshare(libc, own)
        parent = os.getppid() if "processes" in own else parent
    _limit(asked)
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    os.umask(0o077)
    if sys.platform == "linux":
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _end_with(libc, parent)  # a change of user has cleared it
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} can't be run: {error.strerror}")


def _end_with(libc: ctypes.CDLL, parent: int) -> None:
    """End when this parent does, or at once if it did before it could be asked for."""
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _unshare(libc: ctypes.CDLL, own: Iterable[str]) -> None:
    """Enter namespaces of our own. The one for processes needs a child, its first process."""
    uid, gid = os.geteuid(), os.getegid()
    flags = 0 if uid == 0 else CLONE_NEWUSER
    flags |= CLONE_NEWPID if "processes" in own else 0
    flags |= CLONE_NEWNS if "files" in own else 0
    if libc.unshare(flags) != 0:
        sys.exit(f"namespaces can't be had: {os.strerror(ctypes.get_errno())}")
    if uid != 0:
        maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
        for name, line in maps.items():
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
    if "files" in own:
        _write_here_alone(libc)
    if "processes" in own:
        _become_second(libc)


def _write_here_alone(libc: ctypes.CDLL) -> None:
    """Make everything that is mounted read-only, except the current folder."""
    here = os.getcwd()
    libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    libc.mount(here.encode(), here.encode(), None, MS_BIND, None)
    with open("/proc/self/mounts") as file:
        mounts = [line.split() for line in file]
    for _, place, _, options, *_ in mounts:
        where = place.encode().decode("unicode_escape")
        if where == here:
            continue
        flags = sum(bit for name, bit in MOUNT_FLAGS.items() if name in options.split(","))
        libc.mount(None, where.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, None)
    os.chdir(here)  # by way of the mount that can be written


def _become_second(libc: ctypes.CDLL) -> None:
    """Continue as the second process of the new namespace.

    The first one can't be killed from within, must take the status of orphans, and all others end
    with it; it tells us, who are outside, how the second one has ended.
    """
    reader, writer = os.pipe()
    first = os.fork()
    if first:
        os.close(writer)
        with os.fdopen(reader) as answer:
            status = int(answer.read() or signal.SIGKILL)
        os.waitpid(first, 0)  # otherwise it would remain as a zombie
        _end_as(status)
    os.close(reader)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if _is_unread(writer):  # the parent, whose number can't be seen from here, had ended before
        os._exit(1)
    second = os.fork()
    if second:
        while True:
            pid, status = os.wait()
            if pid == second:
                os.write(writer, str(status).encode())
                os._exit(0)


def _is_unread(writer: int) -> bool:
    """Whether nobody has the other end of a pipe any more."""
    poll = select.poll()
    poll.register(writer, 0)
    return bool(poll.poll(0))


def _end_as(status: int) -> None:
    """End as the child did: with its exit status, or by the same signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


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
