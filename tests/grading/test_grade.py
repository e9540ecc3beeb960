"""The grader as a whole, with real programs: ours, and the textbook."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from grading import CORE, Graded, grade, outcomes
from movies import ROOT

from rtplab.grading.cli import main
from rtplab.grading.judge.registry import CHECKS

pytestmark = pytest.mark.long
TEXTBOOK = Path(__file__).parent / "textbook"


@pytest.mark.peers
def test_the_textbook_gets_all_points(graded_textbook: Graded, tmp_path: Path) -> None:
    assert_all_points(TEXTBOOK, CORE, graded_textbook, tmp_path / "again.json")


@pytest.mark.peers
def test_ours_gets_all_points(tmp_path: Path) -> None:
    checks, kept = [*CORE, "robust.window"], tmp_path / "kept"
    done = grade(ROOT, "--only", *checks, "--keep", str(kept), report=tmp_path / "r.json")
    assert_all_points(ROOT, checks, Graded(*done, kept), tmp_path / "again.json")


def assert_all_points(path: Path, checks: list[str], graded: Graded, again: Path) -> None:
    """The recordings that were kept are judged alike."""
    grades = graded.grades
    wrong = {name: said for name, said in outcomes(grades).items() if said != "passed"}
    assert not wrong and not graded.errors
    assert (graded.status, grades["score"], grades["max_score"]) == (0, 100, 100)
    assert (graded.kept / "client.session.png").read_bytes().startswith(b"\x89PNG")

    status, regraded, _ = grade(path, "--from", str(graded.kept), "--only", *checks, report=again)
    assert status == 0 and outcomes(regraded) == outcomes(grades)


def test_without_a_screen_a_client_is_seen_by_a_stand_in(tmp_path: Path) -> None:
    status, grades, _ = grade(
        TEXTBOOK,
        *("--only", "client.shows", "client.teardown", "--display", "stub"),
        report=tmp_path / "r.json",
    )
    assert status == 0 and grades["score"] == grades["max_score"] > 0
    assert any("tkinter" in note for note in grades["notes"])


def test_a_failed_check_has_a_transcript_and_a_capture(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    _, grades, _ = grade(
        TEXTBOOK, "--only", "robust.early", "--keep", str(kept), report=tmp_path / "r.json"
    )
    (check,) = grades["checks"]
    assert check["outcome"] == "failed" and check["transcript"]
    assert (kept / "robust.early.jsonl").exists()
    capture = (kept / "robust.early.pcapng").read_bytes()
    assert b"TEARDOWN" in capture
    if tshark := shutil.which("tshark"):
        read = subprocess.run(
            [tshark, "-r", str(kept / "robust.early.pcapng"), "-Y", "tcp.payload"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert read.returncode == 0 and len(read.stdout.splitlines()) >= 3


def test_killed_in_mid_run_it_leaves_what_is_known(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    command = [sys.executable, "-m", "rtplab", "grade", str(TEXTBOOK), "--report", f"json:{report}"]
    process = subprocess.Popen(
        [*command, "--display", "stub"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if report.exists() and len(json.loads(report.read_text())["checks"]) >= 11:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()

    grades = json.loads(report.read_text())
    assert not grades["complete"] and grades["score"] == 30


def test_only_a_packet_is_graded_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = tmp_path / "hw"
    folder.mkdir()
    shutil.copy(TEXTBOOK / "RtpPacket.py", folder)
    status, grades, _ = grade(folder, report=tmp_path / "r.json")
    said = outcomes(grades)
    assert status == 1 and grades["score"] == 30
    assert said["packet.sequence"] == "passed" and said["server.reply"] == "not checked"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "folder"),
        (["--only", "packet.colour", "--", "."], 2, "packet.colour"),
        (["--explain", "nothing"], 2, "nothing"),
        (["--edition", "nowhere.json", "."], 2, "nowhere.json"),
        (["--report", "pdf", "."], 2, "pdf"),
    ],
)
def test_usage_is_said_in_a_sentence(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status
    said = capsys.readouterr()
    assert words in said.err and "Traceback" not in said.err and not said.out


def test_a_gate_that_is_worth_nothing_is_not_right_either(tmp_path: Path) -> None:
    (tmp_path / "RtpPacket.py").write_text("import nowhere\n")
    report = tmp_path / "r.json"
    status, grades, _ = grade(tmp_path, "--only", "packet.loads", report=report)
    assert outcomes(grades) == {"packet.loads": "failed"} and grades["max_score"] == 0
    assert status == 1


def test_what_is_no_submission_is_said_with_status_3(tmp_path: Path) -> None:
    status, grades, errors = grade(tmp_path, report=tmp_path / "r.json")
    assert status == 3 and "RtpPacket.py" in grades["refused"] and not errors


def test_the_list_has_all_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(check.id in listed for check in CHECKS)


@pytest.mark.parametrize("name", [CHECKS[3].id, CHECKS[-1].id])
def test_each_check_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain", name]) == 0
    assert name in capsys.readouterr().out
