"""No submission gains a point by tricks, or harms the next one; see cheats.py."""

from __future__ import annotations

import os
from pathlib import Path

import cheats
import pytest
from grading import grade, outcomes

from rtplab.grading.record.screen import has_xvfb

pytestmark = pytest.mark.long

CHECKS = ("--only", "packet.version", "packet.sequence", "packet.type", "--display", "stub")


@pytest.mark.parametrize("name", cheats.WHEN_IMPORTED)
def test_no_trick_gains_a_point(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results" / "results.json"
    results.parent.mkdir()
    cheats.write(name, tmp_path / "submission", results)
    before = _processes()

    status, grades, errors = grade(
        tmp_path / "submission",
        *CHECKS,
        report=results,
        TMPDIR=str(tmp_path),  # so that its processes can be told from others'
    )

    assert not errors
    assert grades["score"] == 0
    if "own processes" in grades["shields"]:  # else it can kill the grader, and has no more of it
        assert grades["complete"] and status in (1, 3)
    if {"own user", "own folder"} & {*grades["shields"]}:  # else it may write what the grader may
        assert os.listdir(results.parent) == ["results.json"], "it wrote beside the results"
    left = [pid for pid in _processes() - before if _belongs_to(pid, tmp_path)]
    assert not left, "it left processes behind"
    if "own folder" in grades["shields"]:
        assert not Path("/var/tmp/cheat-was-here").exists()

    _, grades, errors = grade(cheats.TEXTBOOK, *CHECKS, report=results)
    assert not errors and grades["score"] == grades["max_score"] > 0, "the next one is as always"


@pytest.mark.peers
@pytest.mark.skipif(not has_xvfb(), reason="needs Xvfb, on Linux")
@pytest.mark.parametrize(("display", "outcome"), [("stub", "passed"), ("xvfb", "failed")])
def test_what_its_process_reports_is_not_what_the_screen_shows(
    display: str, outcome: str, tmp_path: Path
) -> None:
    """Without a screen there is nothing else, which the report says."""
    cheats.forge_reports(tmp_path / "submission")
    options = ("--only", "client.shows", "--display", display)
    _, grades, _ = grade(tmp_path / "submission", *options, report=tmp_path / "results.json")
    assert outcomes(grades) == {"client.shows": outcome}
    assert any("stand-in" in note for note in grades["notes"]) == (display == "stub")


def test_a_link_to_somebody_s_solution_is_no_file(tmp_path: Path) -> None:
    cheats.link(tmp_path / "submission", cheats.TEXTBOOK / "RtpPacket.py")

    status, grades, _ = grade(
        tmp_path / "submission", "--only", "packet.version", report=tmp_path / "results.json"
    )

    assert status == 3
    assert outcomes(grades) == {"packet.version": "not checked"}


def test_what_is_always_the_same_is_not_what_was_asked_for(tmp_path: Path) -> None:
    cheats.always_the_same(tmp_path / "submission")

    _, grades, _ = grade(
        tmp_path / "submission",
        *("--only", "server.frames", "server.session"),
        report=tmp_path / "results.json",
    )

    assert outcomes(grades) == {"server.frames": "failed", "server.session": "failed"}


def _processes() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def _belongs_to(pid: int, folder: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return str(folder).encode() in command
    except OSError:
        return False
