"""The grader on Windows: packets, the server, and the client with the stand-in for tkinter."""

from __future__ import annotations

import json
from pathlib import Path

from movies import ROOT
from wine import on_z

TEXTBOOK = ROOT / "tests" / "grading" / "textbook"
CHECKS = ("packet.sequence", "server.frames", "server.teardown", "client.shows", "client.teardown")


def test_the_textbook_is_graded(windows, tmp_path: Path) -> None:
    report = tmp_path / "grades.json"
    run = windows.run(
        *(ROOT / "rtplab" / "__main__.py", "grade", TEXTBOOK, "--only", *CHECKS),
        *("--report", f"json:{on_z(report)}", "--display", "stub"),
        limit=180.0,
    )
    grades = json.loads(report.read_text())
    assert {check["id"]: check["outcome"] for check in grades["checks"]} == dict.fromkeys(
        CHECKS, "passed"
    )
    assert run.status == 0, run.errors
