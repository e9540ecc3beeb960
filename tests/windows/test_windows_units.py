"""The unit tests of all that has no socket, run by the Python of Windows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from movies import ROOT

PURE = ("protocol", "movies", "player/model", "receiving/rtp", "receiving/files")
OUTSIDE = re.compile(r"^(import|from) (socket|subprocess|processes|raw_rtsp)\b", re.MULTILINE)
"""What a test has that goes beyond memory and files."""
LIMIT = 300.0
PARTS = 2
"""That run side by side."""


def pure_tests() -> list[Path]:
    """The tests of the pure modules: tests/test_<module>.py, as CONTRIBUTING.md has it."""
    modules = (path.stem for part in PURE for path in (ROOT / "rtplab" / part).rglob("*.py"))
    tests = sorted({ROOT / "tests" / f"test_{module}.py" for module in modules})
    return [test for test in tests if test.exists() and not OUTSIDE.search(test.read_text("utf-8"))]


@pytest.mark.parametrize("part", range(PARTS))
def test_pure_parts(windows, part):
    tests = pure_tests()[part::PARTS]
    assert len(tests) >= 8
    run = windows.run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ROOT),
        *("-c", ROOT / "pyproject.toml", "-m", "not (peers or alone or long)"),
        *tests,
        limit=LIMIT,
        CI="",  # what skips there has a reason: this is about Windows, not about what is installed
    )
    assert run.status == 0, run.output[-5000:] + run.errors
