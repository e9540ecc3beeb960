"""--watch: what counts as saved, and which checks are run again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from movies import ROOT

from rtplab.grading.watch import LOOK, Watched

TEXTBOOK = Path(__file__).parent / "textbook"
LIMIT = 60.0


def by_rename(file: Path, text: str) -> None:
    """As editors save."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            new.replace(file)
            return
        except PermissionError:  # on Windows, while the grader reads it
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_was_saved_before_the_wait_is_seen(tmp_path: Path) -> None:
    """A run takes a minute, in which a student goes on to write."""
    file = tmp_path / "Client.py"
    file.write_text("one")
    watched = Watched(tmp_path, [], only_python=True)
    by_rename(file, "two")
    assert watched.wait(LIMIT)
    by_rename(file, "owt")
    assert watched.wait(LIMIT)


def test_a_file_that_is_gone_for_a_moment_is_one_change(tmp_path: Path) -> None:
    file = tmp_path / "Client.py"
    file.write_text("one")
    watched = Watched(tmp_path, [], only_python=True)
    file.unlink()
    back = threading.Timer(LOOK / 2, lambda: file.write_text("two"))
    back.start()
    assert watched.wait(LIMIT)
    back.join()
    assert file.exists()
    assert not watched.wait(2 * LOOK)


@pytest.mark.parametrize(
    ("name", "only_python", "counts"),
    [
        ("deep/er/Client.py", True, True),
        ("Client.class", False, True),
        ("notes.txt", True, False),
        ("cache-123456.jpg", False, False),
        (".git/index", False, False),
        ("__pycache__/Client.cpython-313.pyc", False, False),
        ("kept/robust.early.jsonl", False, False),
        ("report.json", False, False),
        ("venv/lib/python3/site-packages/a.py", True, False),
    ],
)
def test_only_what_a_student_writes_counts(
    name: str, only_python: bool, counts: bool, tmp_path: Path
) -> None:
    ours = [tmp_path / "kept", tmp_path / "report.json"]
    watched = Watched(tmp_path, ours, only_python)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")
    assert watched.wait(LIMIT if counts else 2 * LOOK) == counts


class Watching:
    """`rtplab grade --watch`, and the reports that it writes."""

    def __init__(self, folder: Path, report: Path, *checks: str) -> None:
        self._report = report
        command = [sys.executable, "-m", "rtplab", "grade", str(folder), "--watch"]
        more = ("--display", "stub", "--report", f"json:{report}", "--only", *checks)
        self.process = subprocess.Popen(
            [*command, *more],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def report(self) -> dict[str, Any]:
        """The one that stands when it waits again; the outcomes by check."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("Waiting"):
                break
        else:
            raise AssertionError("it has ended")
        grades = json.loads(self._report.read_text())
        return {check["id"]: check["outcome"] for check in grades["checks"]}


@pytest.fixture
def submission(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "submission"
    shutil.copytree(TEXTBOOK, folder)
    yield folder


@pytest.mark.long
def test_what_failed_runs_again_on_each_save_and_then_all_that_was_asked_for(
    submission: Path, tmp_path: Path
) -> None:
    file = submission / "RtpPacket.py"
    right = file.read_text()
    wrong = right.replace("seqnum >> 8", "seqnum >> 9")
    assert wrong != right
    file.write_text(wrong)
    watching = Watching(submission, tmp_path / "r.json", "packet.sequence", "packet.type")
    killer = threading.Timer(5 * LIMIT, watching.process.kill)
    killer.start()
    try:
        assert watching.report() == {"packet.type": "passed", "packet.sequence": "failed"}
        by_rename(file, "def (:\n" + wrong)
        assert watching.report() == {"packet.sequence": "not checked"}
        by_rename(file, wrong + "\n")
        assert watching.report() == {"packet.sequence": "failed"}
        by_rename(file, right)
        assert watching.report() == {"packet.type": "passed", "packet.sequence": "passed"}
        watching.process.send_signal(signal.SIGINT)
        assert watching.process.wait() == 130
        assert watching.process.stdout and "Traceback" not in watching.process.stdout.read()
    finally:
        killer.cancel()
        watching.process.kill()
        watching.process.communicate()


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_in_the_middle_of_the_advice_leaves_nothing(
    submission: Path, tmp_path: Path
) -> None:
    """Then several processes of the grader are at work."""
    made, report = tmp_path / "made", tmp_path / "r.json"
    made.mkdir()
    checks = ("robust.early", "robust.window", "robust.vanish", "robust.hangup")
    command = [sys.executable, "-m", "rtplab", "grade", str(submission), "--only", *checks]
    with subprocess.Popen(
        [*command, "--report", f"json:{report}"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(made)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 2 * LIMIT
        while time.monotonic() < deadline and "robust.early" not in _judged(report):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and "Traceback" not in said
    assert not list(made.iterdir())
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and _belongs_to(pid, made)]
    assert not left


def _judged(report: Path) -> set[str]:
    if not report.exists():
        return set()
    return {check["id"] for check in json.loads(report.read_text())["checks"]}


def _belongs_to(pid: str, folder: Path) -> bool:
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
