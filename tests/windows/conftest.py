"""The Windows of these tests; a machine that can't have it is skipped, but not in CI."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from display import Display, running_display
from movies import MOVIE
from setup_wine import NoWindows
from wine import Windows, running_windows

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.peers)


@pytest.fixture(scope="session")
def screen() -> Iterator[Display]:
    """A display of its own, of which Wine's programs may take every key."""
    with running_display() as display:
        yield display


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory, screen: Display) -> Iterator[Windows]:
    try:
        with running_windows(tmp_path_factory.mktemp("windows"), screen.name) as running:
            yield running
    except NoWindows as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demonstration movie alone."""
    folder = tmp_path_factory.mktemp("films")
    shutil.copy(MOVIE, folder)
    return folder
