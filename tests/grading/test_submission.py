"""What was handed in is found without running any of it, and its faults are said in sentences."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import mutants
import pytest
from movies import ROOT

from rtplab.grading import submission
from rtplab.grading.submission import Unusable

TEXTBOOK = Path(__file__).parent / "textbook"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEXTBOOK, tmp_path / "hw"))


@pytest.mark.parametrize("depth", range(4))
def test_the_files_are_found_three_folders_deep(folder: Path, tmp_path: Path, depth: int) -> None:
    inner = tmp_path.joinpath("top", *"abc"[:depth])
    inner.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, inner)

    found = submission.find(tmp_path / "top", tmp_path / "unpacked")

    assert found.folder == inner and set(found.files) == set(submission.SIX)


def test_a_zip_is_as_good_as_its_folder(folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "hw"), "zip", tmp_path, "hw")

    found = submission.find(Path(archive), tmp_path / "unpacked")

    assert set(found.files) == set(submission.SIX)
    assert found.seed == submission.find(folder, tmp_path).seed


def test_a_zip_writes_nothing_beside_its_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../RtpPacket.py", "class RtpPacket: pass")
        archive.writestr("Client.py", "")

    submission.find(tmp_path / "bad.zip", tmp_path / "in" / "unpacked")

    assert not (tmp_path / "in" / "RtpPacket.py").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no zip"])
def test_what_is_no_zip_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hw.zip").write_bytes(content)
    with pytest.raises(Unusable, match=r"hw\.zip"):
        submission.find(tmp_path / "hw.zip", tmp_path / "unpacked")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").touch()
    with pytest.raises(Unusable, match=r"RtpPacket\.py"):
        submission.find(tmp_path, tmp_path)


def test_java_is_said(tmp_path: Path) -> None:
    (tmp_path / "Client.java").touch()
    with pytest.raises(Unusable, match="--client-cmd"):
        submission.find(tmp_path, tmp_path)


def test_only_a_packet_is_enough(tmp_path: Path) -> None:
    (tmp_path / "RtpPacket.py").write_text("class RtpPacket: pass")

    found = submission.find(tmp_path, tmp_path)

    assert not found.missing("RtpPacket.py")
    assert "Server.py" in found.missing("RtpPacket.py", "Server.py")


def test_python_2_is_said_with_its_line(folder: Path, tmp_path: Path) -> None:
    with (folder / "Client.py").open("a") as file:
        file.write('\nprint "Data Sent"\n')

    found = submission.find(folder, tmp_path)

    assert "Python 2" in found.missing("Client.py") and found.missing("Client.py") in found.notes
    assert not found.missing("RtpPacket.py")


def test_a_syntax_error_is_said_with_its_line(folder: Path, tmp_path: Path) -> None:
    (folder / "ServerWorker.py").write_text("x = 1\ndef f(:\n")
    assert "line 2" in submission.find(folder, tmp_path).missing("ServerWorker.py")


def test_other_names_are_found_by_their_class(folder: Path, tmp_path: Path) -> None:
    (folder / "RtpPacket.py").rename(folder / "packet_final2.py")

    found = submission.find(folder, tmp_path)

    assert found.files["RtpPacket.py"] == "packet_final2.py"
    assert any("packet_final2.py" in note for note in found.notes)


@pytest.mark.parametrize("name", ["run_me.py", "Client.py"])
def test_a_launcher_of_another_name_is_found(folder: Path, tmp_path: Path, name: str) -> None:
    launcher = (folder / "ClientLauncher.py").read_text()
    (folder / "ClientLauncher.py").unlink()
    (folder / "helpers.py").write_text('if __name__ == "__main__":\n    print("Client")\n')
    with (folder / name).open("a") as file:
        file.write(launcher)

    found = submission.find(folder, tmp_path)

    assert found.files["ClientLauncher.py"] == name
    assert any(name in note and "starts the client" in note for note in found.notes)


def test_packages_that_are_not_here_are_named(folder: Path, tmp_path: Path) -> None:
    with (folder / "Client.py").open("a") as file:
        file.write("\nimport no_such_package.part\nimport json, tkinter\nfrom PIL import Image\n")

    (note,) = submission.find(folder, tmp_path).notes

    assert "no_such_package" in note and "Client.py" in note


def test_the_seed_is_the_sources_hash(folder: Path, tmp_path: Path) -> None:
    before = submission.find(folder, tmp_path).seed
    (folder / "report.txt").write_text("of no matter")
    assert submission.find(folder, tmp_path).seed == before
    (folder / "Client.py").write_text("# mended")
    assert submission.find(folder, tmp_path).seed != before


def test_links_are_left_out(folder: Path, tmp_path: Path) -> None:
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "all").symlink_to("/etc", target_is_directory=True)

    submission.copy(submission.find(folder, tmp_path), tmp_path / "copy")

    assert sorted(p.name for p in (tmp_path / "copy").iterdir()) == sorted(submission.SIX)


@pytest.mark.parametrize(("hd", "edition"), [(False, "python"), (True, "hd")])
def test_the_edition_is_guessed_by_what_both_programs_speak_of(
    hd: bool, edition: str, tmp_path: Path
) -> None:
    folder = mutants.copy_textbook(tmp_path / "submission", hd)
    name, why = submission.guessed_edition(submission.find(folder, tmp_path / "unpacked"))
    assert name == edition and ("fragments" in why) is hd


def test_our_own_programs_are_of_the_python_edition(tmp_path: Path) -> None:
    assert submission.guessed_edition(submission.find(ROOT, tmp_path / "unpacked")) == (
        "python",
        "",
    )


def test_only_what_a_program_may_need_is_copied(folder: Path, tmp_path: Path) -> None:
    for name in ("videos", "tests", ".git", "__pycache__"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "file").touch()

    submission.copy(submission.find(folder, tmp_path), tmp_path / "copy")

    copied = {path.name for path in (tmp_path / "copy").iterdir()}
    assert copied == {*submission.SIX, "videos"}
