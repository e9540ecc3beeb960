"""The order in which workers get the tests that run side by side.

pytest-xdist (worksteal) cuts the list of tests into as many equal pieces as there are workers, one
for each. Who has done with his takes half of the longest rest, from its end. So each piece begins
with slow files, which stay whole, for their fixtures; quick tests, at the end, make the pieces
equal, and are what is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pytest

SLOWEST_FIRST = ("windows", "grading", "interop", "faults", "window")
"""Folders."""
IN_A_WORKER_OF_ITS_OWN = "test_windows_units.py"
"""All others of this folder share a Windows, which takes seconds to start."""


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests, in the order in which they can be cut."""
    files = [list(tests) for _, tests in groupby(items, key=_together)]
    slow = sorted(filter(_is_slow, files), key=_rank)
    quick = [item for file in files if not _is_slow(file) for item in file]
    order: list[pytest.Item] = []
    for number, size in enumerate(_sizes(len(items), workers)):
        piece = [item for file in slow[number::workers] for item in file]
        missing = max(0, size - len(piece))
        order += piece + quick[:missing]
        del quick[:missing]
    return order + quick


def _sizes(count: int, workers: int) -> Iterable[int]:
    for left in range(workers, 0, -1):
        yield count // left
        count -= count // left


def _together(item: pytest.Item) -> Path:
    in_windows = item.path.parent.name == "windows" and item.path.name != IN_A_WORKER_OF_ITS_OWN
    return item.path.parent if in_windows else item.path


def _is_slow(file: list[pytest.Item]) -> bool:
    return any(item.get_closest_marker(mark) for item in file for mark in ("long", "peers"))


def _rank(file: list[pytest.Item]) -> int:
    folder = file[0].path.parent.name
    return SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)
