"""What tests of the grader share: the textbook, graded once for all that test side by side."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from grading import CORE, Graded, grade
from mutants import TEXTBOOK


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all that test side by side, new with each run of the tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def graded_textbook(shared_folder: Path) -> Graded:
    """The textbook, on a screen."""
    from runs import locked  # which needs POSIX

    folder = shared_folder / "textbook"
    result = folder / "result.json"
    with locked(shared_folder / "textbook.lock"):
        if not result.exists():
            folder.mkdir()
            options = ("--only", *CORE, "--keep", str(folder / "kept"))
            status, grades, errors = grade(TEXTBOOK, *options, report=folder / "report.json")
            result.write_text(json.dumps([status, grades, errors]))
    status, grades, errors = json.loads(result.read_text())
    return Graded(status, grades, errors, folder / "kept")
