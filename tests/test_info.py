"""What `rtplab info` says of a movie."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from movies import MOVIE, avi_header, avi_of, chunk, jpeg_of_size
from PIL import Image
from systems import needs_links, needs_named_pipes

from rtplab.__main__ import main


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(capsys, *files):
    status = main(["info", *map(str, files)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_info_of_a_movie(capsys):
    status, said, _ = told(capsys, MOVIE)
    assert status == 0
    for fact in ("500", "384x288", "20 frames/s", "--fps", "25.0 s", "12,225", "baseline, 4:2:0"):
        assert fact in said
    assert "every client" in said


def test_info_of_kinds_damage_and_who_can_not_receive_it(capsys):
    Image.new("RGB", (101, 77), "navy").save(
        file := io.BytesIO(), "JPEG", progressive=True, subsampling=0
    )
    chunks = [chunk(b"00dc", one) for one in (file.getvalue(), jpeg_of_size(18_000), b"xxxx")]
    Path("a.avi").write_bytes(avi_of(b"".join(chunks), avi_header(25, 2)))
    status, said, _ = told(capsys, "a.avi")
    assert status == 0
    for fact in ("AVI", "2", "12.5 frames/s", "progressive, 4:4:4", "1 of 2", "101x77", "skipped"):
        assert fact in said
    assert "Java" in said and "converted" in said


def test_info_of_what_is_no_movie(capsys):
    Path("a.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    status, said, errors = told(capsys, "a.mp4", MOVIE, "missing.Mjpeg")
    assert status == 1
    assert "MP4" in errors and "import" in errors and "missing.Mjpeg" in errors
    assert "500" in said


@needs_named_pipes
def test_info_of_a_pipe_waits_for_nobody_to_write(capsys):
    os.mkfifo("pipe.Mjpeg")
    status, _, errors = told(capsys, "pipe.Mjpeg")
    assert status == 1 and "pipe.Mjpeg" in errors and "not a file" in errors


@needs_links
@pytest.mark.parametrize("command", ["info", "import", "grade"])
def test_a_link_to_itself_is_one_sentence(command, capsys):
    os.symlink("loop.Mjpeg", "loop.Mjpeg")
    assert main([command, "loop.Mjpeg"]) != 0
    said = "".join(capsys.readouterr())
    assert "loop.Mjpeg" in said and len(said.splitlines()) == 1
