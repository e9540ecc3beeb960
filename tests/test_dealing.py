"""The order of the tests, for workers that each get an equal piece of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from dealing import dealt

WORKERS = 3


def made(path: str, count: int, mark: str = "") -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            path=Path("tests", path),
            name=f"{path}::{number}",
            get_closest_marker=lambda name: name == mark,
        )
        for number in range(count)
    ]


ALL = [
    *made("faults/test_weather.py", 4, "peers"),
    *made("test_quick.py", 30),
    *made("test_slow.py", 3, "long"),
    *made("test_quick_too.py", 40),
    *made("windows/test_windows_player.py", 2, "peers"),
    *made("windows/test_windows_serving.py", 5, "peers"),
    *made("windows/test_windows_units.py", 1, "peers"),
]


@pytest.fixture(scope="module")
def pieces() -> list[list[SimpleNamespace]]:
    """What each worker gets."""
    order = dealt(ALL, WORKERS)
    size = len(ALL) // WORKERS
    return [order[:size], order[size : 2 * size], order[2 * size :]]


def test_no_test_is_lost_or_doubled(pieces):
    found = [item.name for piece in pieces for item in piece]
    assert sorted(found) == sorted(item.name for item in ALL)


def test_each_worker_begins_with_whole_slow_files_the_slowest_first(pieces):
    begun = [list(dict.fromkeys(item.path.stem for item in piece)) for piece in pieces]
    assert begun == [
        ["test_windows_player", "test_windows_serving", "test_slow", "test_quick"],
        ["test_windows_units", "test_quick", "test_quick_too"],
        ["test_weather", "test_quick_too"],
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("mark", ["", "long"])
def test_there_may_be_few(count, mark):
    few = made("test_few.py", count, mark)
    assert dealt(few, WORKERS) == few
