"""Runs of scenarios with a submission of ours, as the command does them."""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtplab.grading.model.editions import PYTHON, Edition
from rtplab.grading.model.recording import Recording
from rtplab.grading.record.movie import SecretMovie, draw_movie
from rtplab.grading.record.run import record
from rtplab.grading.record.scenarios import RUNNERS
from rtplab.grading.record.screen import has_xvfb
from rtplab.grading.record.shields import Shields, raise_shields
from rtplab.grading.record.stage import Stage

fcntl = pytest.importorskip("fcntl", reason="a submission is run as POSIX runs programs")

SEED = 5


@functools.cache
def shields() -> Shields:
    """Those of this machine, but for the network: this process would move into another."""
    return raise_shields(sys.executable, own_network=False)


@functools.cache
def movie() -> SecretMovie:
    return draw_movie(SEED)


@functools.cache
def decoy() -> SecretMovie:
    return draw_movie(SEED + 1, 40)


def staged(folder: Path) -> Stage:
    """A submission with the lab's six files."""
    client = ("ClientLauncher.py", "{host}", "{port}", "{rtp_port}", "{movie}")
    return Stage(
        source=folder,
        movie=movie(),
        decoy=decoy(),
        shields=shields(),
        server=(sys.executable, "Server.py", "{port}"),
        client=(sys.executable, *client),
        python=sys.executable,
        packet="RtpPacket.py",
        has_screen=has_xvfb(),
    )


def recorded(
    folder: Path, scenarios: Iterable[str], edition: Edition = PYTHON
) -> dict[str, Recording]:
    """Run these scenarios; a fault of the grader's is an AssertionError.

    Each folder has ports of its own, as each submission has.
    """
    stage, seed = staged(folder), zlib.crc32(bytes(folder))
    found = {name: record(name, RUNNERS[name], stage, edition, seed) for name in scenarios}
    for name, recording in found.items():
        assert not recording.fault, f"{name}: {recording.fault}"
        assert not recording.unable, f"{name}: {recording.unable}"
    return found


def has_screen() -> bool:
    return has_xvfb()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among the tests that run side by side."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
