"""The unit tests of all that has no socket, run by the Python of Windows."""

from __future__ import annotations

from pathlib import Path

from movies import ROOT

PURE = ("protocol", "movies", "player/model", "receiving/rtp", "receiving/files")
LIMIT = 60.0


def pure_tests() -> list[Path]:
    """The tests of the pure modules: tests/test_<module>.py, as CONTRIBUTING.md has it."""
    modules = (path.stem for part in PURE for path in (ROOT / "rtplab" / part).rglob("*.py"))
    tests = sorted({ROOT / "tests" / f"test_{module}.py" for module in modules})
    return [test for test in tests if test.exists()]


def test_pure_parts(windows):
    tests = pure_tests()
    assert len(tests) > 20
    run = windows.run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ROOT),
        *("-c", ROOT / "pyproject.toml", "-m", "not (peers or alone or long)"),
        *tests,
        limit=300.0,
    )
    assert run.status == 0, run.output[-5000:] + run.errors
