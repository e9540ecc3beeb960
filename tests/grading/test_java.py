"""A completion of the lab's older generation, in Java, is graded by its commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import runs
from grading import grade, outcomes

TEXTBOOK = Path(__file__).parent / "textbook_java"
COMMANDS = (
    *("--server-cmd", "java Server {port}"),
    *("--client-cmd", "java Client {host} {port} {movie}"),
)
CHECKS = (
    *("server.reply", "server.session", "server.header", "server.pause", "server.teardown"),
    *("client.transport", "client.cseq", "client.shows", "client.resume", "client.teardown"),
    *("client.states", "client.error", "both.movie"),
)

pytestmark = [
    pytest.mark.peers,
    pytest.mark.long,
    pytest.mark.skipif(not runs.has_screen(), reason="needs Xvfb, on Linux"),
    pytest.mark.skipif(shutil.which("javac") is None, reason="not installed: a JDK"),
]


def test_a_textbook_in_java_plays_and_is_played(tmp_path: Path) -> None:
    submission = tmp_path / "submission"
    sources = sorted(TEXTBOOK.glob("*.java"))
    subprocess.run(["javac", "-d", submission, *sources], check=True, timeout=60)
    options = ("--edition", "java", *COMMANDS, "--only", *CHECKS)
    _, grades, errors = grade(submission, *options, report=tmp_path / "report.json")
    assert outcomes(grades) == dict.fromkeys(CHECKS, "passed"), (grades, errors)
