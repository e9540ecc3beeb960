"""Many submissions at once: each in a process of its own, and one table."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from movies import ROOT

from rtplab.grading.cli import main

pytestmark = pytest.mark.long
PACKET = Path(__file__).parent / "textbook" / "RtpPacket.py"


def test_a_class_is_graded_into_one_table(tmp_path: Path) -> None:
    for name in ("right", "wrong", "nothing"):
        (tmp_path / name).mkdir()
    shutil.copy(PACKET, tmp_path / "right")
    wrong = PACKET.read_text().replace("26", "27").replace("<< 6", "<< 5")
    (tmp_path / "wrong" / "RtpPacket.py").write_text(wrong)
    table = tmp_path / "class.csv"

    done = subprocess.run(
        [
            *(sys.executable, "-m", "rtplab", "grade"),
            *(str(tmp_path / name) for name in ("right", "wrong", "nothing")),
            *("--only", "packet.version", "packet.ssrc", "--report", f"csv:{table}"),
            *("--report", f"json:{tmp_path}/{{name}}.json"),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 3 and not done.stderr
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["submission"], row["points"]) for row in rows] == [
        ("right", "7"),
        ("wrong", "3"),
        ("nothing", "0"),
    ]
    assert rows[1]["packet.version"] == "0" and "RtpPacket.py" in rows[2]["next"]
    assert (tmp_path / "wrong.json").exists()
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("more", [["--watch"], ["--report", "json:all.json"]])
def test_what_is_for_one_submission_alone_is_usage(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["a", "b", *more]) == 2
    assert capsys.readouterr().err
