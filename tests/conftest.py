"""What all tests share: small movies, and a check that no test leaves anything running or open."""

from __future__ import annotations

import gc
import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dealing import dealt
from display import Display, running_display
from hypothesis import settings
from movies import MOVIE, frames_of, write_movie

# A busy machine may stop any test for longer than an example may take by default. `make fuzz`
# looks thoroughly; what others wait for has a few new examples each time; and on Wine, where each
# costs more, it is enough to see that the same code does the same.
settings.register_profile("brief", deadline=None, max_examples=4, database=None)
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("quick")

# Tests start hundreds of Pythons, all with the same modules: what is compiled once is kept, even if
# the environment says otherwise (as those of containers do).
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What a script starts in the background ignores Ctrl+C, and so does all that it starts itself:
# our programs would not end when a test tells them to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SMALL_MOVIE_FRAMES = 40
LEAK_WAIT = 3.0
"""Seconds that a test's threads and sockets get to end after it."""

FD_DIRECTORY = Path("/proc/self/fd")


@pytest.fixture(scope="session")
def small_movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie of the first 40 frames of the demonstration movie, in a directory of its own."""
    frames = frames_of(MOVIE)[:SMALL_MOVIE_FRAMES]
    return write_movie(tmp_path_factory.mktemp("small") / "movie.Mjpeg", frames)


@pytest.fixture(scope="session")
def tk_display() -> Iterator[Display]:
    """The one screen of all windows that tests open in this process.

    Tk never lets go of an X server that it has talked to, and ends the process when that ends.
    """
    with running_display() as display:
        yield display


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail the test that leaves a thread, a socket or a file behind."""
    threads_before = set(threading.enumerate())
    files_before = _open_files()
    yield
    deadline = time.monotonic() + LEAK_WAIT
    threads = _leaked_threads(threads_before, deadline)
    assert not threads, f"threads left running: {threads}"
    files = _leaked_files(files_before, deadline)
    assert not files, f"left open: {files}"


def _leaked_threads(before: set[threading.Thread], deadline: float) -> list[threading.Thread]:
    for thread in _begun_since(before):
        thread.join(max(0.0, deadline - time.monotonic()))
    return sorted(_begun_since(before), key=lambda thread: thread.name)


def _begun_since(before: set[threading.Thread]) -> list[threading.Thread]:
    """The library's own threads stay from its first use to the end of the program."""
    return [one for one in set(threading.enumerate()) - before if one.name != "closer"]


def _leaked_files(before: set[str], deadline: float) -> set[str]:
    if not _open_files() - before:
        return set()
    gc.collect()  # what is only unreachable reports itself as a ResourceWarning here
    while (leaked := _open_files() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return leaked


def _open_files() -> set[str]:
    """The files and sockets this process has open; empty where there is no /proc.

    A Python of Windows sees that of Linux under Wine, but its own descriptors are none of these.
    """
    if sys.platform == "win32" or not FD_DIRECTORY.is_dir():
        return set()
    found = set()
    for number in os.listdir(FD_DIRECTORY):
        try:
            if _counts(int(number)):
                found.add(f"{number} -> {os.readlink(FD_DIRECTORY / number)}")
        except OSError:
            continue  # closed since the directory was read
    return found


def _counts(number: int) -> bool:
    """Whether a descriptor is one that our code answers for.

    Pipes, devices and the connection to the X server stay with Tcl for the life of the process.
    """
    mode = os.fstat(number).st_mode
    return stat.S_ISREG(mode) or (stat.S_ISSOCK(mode) and not _leads_to_x_server(number))


def _leads_to_x_server(number: int) -> bool:
    with socket.socket(fileno=os.dup(number)) as probe:
        if probe.family != socket.AF_UNIX:
            return False
        try:
            peer = probe.getpeername()
        except OSError:
            return False
    return b".X11-unix" in (peer if isinstance(peer, bytes) else peer.encode())


@pytest.hookimpl(trylast=True)  # when those that are not to run have been taken out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
        items[:] = dealt(items, int(workers))


_last_file = Path()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Collect the last window before a test of another file has threads that might do it.

    Tcl aborts the process when another thread collects an interpreter, and pytest has held it
    until now.
    """
    global _last_file
    if "window" in str(_last_file) and item.path != _last_file:
        gc.collect()
    _last_file = item.path


def pytest_collection_finish() -> None:
    """Spare the collector the thousands of tests: it looks at what they make, a hundred times."""
    gc.freeze()


def _fails_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI everything is there: what would be skipped elsewhere has failed."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"must not be skipped in CI: {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    outcome = yield
    _fails_in_ci(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    outcome = yield
    _fails_in_ci(outcome.get_result())
