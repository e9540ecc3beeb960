"""What is uploaded to a platform grades in the folders that the platform has, by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from systems import needs_shell

from rtplab.grading.bundle import PLATFORMS, modules_needed, write_bundle
from rtplab.grading.cli import main

pytestmark = pytest.mark.long
TEXTBOOK = Path(__file__).parent / "textbook"
LIMIT = 120.0
PACKET_POINTS = 30


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """Nothing but a RtpPacket.py, which takes a second."""
    folder = tmp_path / "handed-in"
    folder.mkdir()
    shutil.copy(TEXTBOOK / "RtpPacket.py", folder)
    return folder


def run(command: list[str], folder: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


@needs_shell
def test_gradescope(submission: Path, tmp_path: Path) -> None:
    base = tmp_path / "autograder"
    assert main(["--bundle", "gradescope", str(tmp_path / "upload.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "upload.zip") as archive:
        archive.extractall(base / "source")
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111, "executable"
    shutil.copytree(submission, base / "submission")

    run(["bash", str(base / "source" / "run_autograder")], base, AUTOGRADER_BASE=str(base))

    results = json.loads((base / "results" / "results.json").read_text())
    assert results["score"] == PACKET_POINTS
    assert results["tests"][0]["name"].startswith("packet.")


def test_classroom50(submission: Path, tmp_path: Path) -> None:
    write_bundle("classroom50", tmp_path / "grading", "python")

    run([sys.executable, str(tmp_path / "grading" / "autograder.py")], submission)

    result = json.loads((submission / "result.json").read_text())
    assert (result["schema"], result["score"]) == ("classroom50/result/v1", PACKET_POINTS)


@needs_shell
def test_prairielearn(submission: Path, tmp_path: Path) -> None:
    write_bundle("prairielearn", tmp_path / "question", "")
    base = tmp_path / "grade"
    shutil.copytree(tmp_path / "question" / "tests", base / "tests")
    shutil.copytree(submission, base / "student")

    run([str(base / "tests" / "run.sh")], base, GRADE_BASE=str(base))

    results = json.loads((base / "results" / "results.json").read_text())
    assert results["gradable"] and 0 < results["score"] < 1
    assert json.loads((tmp_path / "question" / "info.json").read_text())["gradingMethod"]


@needs_shell
def test_vpl(submission: Path, tmp_path: Path) -> None:
    write_bundle("vpl", submission, "")
    run([str(submission / "vpl_evaluate.sh")], submission)

    said = run(["./vpl_execution"], submission)

    assert said.strip().splitlines()[-1] == f"Grade :=>> {PACKET_POINTS}"


def test_an_edition_of_one_s_own_comes_along(submission: Path, tmp_path: Path) -> None:
    edition = tmp_path / "mine.json"
    edition.write_text(json.dumps({"name": "mine", "points": {"packet.version": 41}}))
    write_bundle("classroom50", tmp_path / "grading", str(edition))

    run([sys.executable, str(tmp_path / "grading" / "autograder.py")], submission)

    result = json.loads((submission / "result.json").read_text())
    assert result["score"] == PACKET_POINTS + 41 - 4


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_bundle_holds_a_client_or_a_server(platform: str, tmp_path: Path) -> None:
    write_bundle(platform, tmp_path / "bundle.zip", "")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        names = "\n".join(archive.namelist())
    for word in ("serving", "player", "receiving/rtsp", "RtpPacket", "textbook"):
        assert word not in names


def test_the_grader_needs_neither_player_nor_server() -> None:
    assert not [name for name in modules_needed() if name.startswith(("rtplab.player", "rtplab.s"))]
