"""The unit tests of all that has no socket, run by the Python of Windows."""

from __future__ import annotations

import re
from pathlib import Path

from movies import ROOT

PURE = ("protocol", "movies", "player/model", "receiving/rtp", "receiving/files")
COSTS = "junk or so_many_bytes or memory or costs_no_time or together_count or loss_is_within"
"""Tests of what input may cost, which no system changes, and of which each takes seconds there."""
OUTSIDE = re.compile(r"^(import|from) (socket|subprocess|processes|raw_rtsp)\b", re.MULTILINE)
"""What a test has that goes beyond memory and files."""
LIMIT = 300.0


def pure_tests() -> list[Path]:
    """The tests of the pure modules: tests/test_<module>.py, as CONTRIBUTING.md has it."""
    modules = (path.stem for part in PURE for path in (ROOT / "rtplab" / part).rglob("*.py"))
    tests = sorted({ROOT / "tests" / f"test_{module}.py" for module in modules})
    return [test for test in tests if test.exists() and not OUTSIDE.search(test.read_text("utf-8"))]


def test_pure_parts(windows):
    tests = pure_tests()
    assert len(tests) >= 16
    run = windows.run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ROOT),
        *("-c", ROOT / "pyproject.toml", "-m", "not (peers or alone or timed or long)"),
        *("--hypothesis-profile=brief", "--assert=plain", "--capture=sys", "-k", f"not ({COSTS})"),
        *tests,
        limit=LIMIT,
        CI="",  # what skips there has a reason: this is about Windows, not about what is installed
    )
    assert run.status == 0, run.output[-5000:] + run.errors
