"""Names that the console's encoding has no characters for: escaped, and no reason to end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from movies import ROOT
from processes import HOST

pytestmark = pytest.mark.long

LIMIT = 20.0  # seconds that a program may take
NAME = "\u041a\u0438\u043d\u043e \u7535\u5f71"  # "cinema" in Russian, "movie" in Chinese
# What Python takes for an English Windows, whose output goes into a pipe, and for an old Unix.
CONSOLES = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


@pytest.fixture(params=CONSOLES, ids=lambda console: "-".join(console.values()))
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    return {**os.environ, **request.param}


@pytest.fixture
def movie(small_movie: Path, tmp_path: Path) -> Path:
    """A movie and its folder, both called by a name that is not English."""
    folder = tmp_path / NAME
    folder.mkdir()
    return Path(shutil.copy(small_movie, folder / f"{NAME}.Mjpeg"))


@contextmanager
def serving(
    folder: Path, environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    command = [sys.executable, ROOT / "Server.py", "0", "--host", HOST, "--media", folder]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, bufsize=0) as process:
        assert process.stdout is not None
        try:
            found = re.search(rb":(\d+)", process.stdout.readline())
            assert found, process.communicate()[1]
            yield process, int(found[1])
        finally:
            process.kill()


def play(environment: dict[str, str], *arguments: object) -> tuple[int, str, str]:
    run = subprocess.run(
        [sys.executable, ROOT / "ClientLauncher.py", *map(str, arguments), "--headless"],
        env=environment,
        capture_output=True,
        timeout=LIMIT,
    )
    return (
        run.returncode,
        run.stdout.decode("ascii", "replace"),
        run.stderr.decode(errors="replace"),
    )


def test_such_a_movie_is_listed_played_and_named_in_an_error(
    movie: Path, environment: dict[str, str]
) -> None:
    with serving(movie.parent, environment) as (server, port):
        status, output, errors = play(
            environment, HOST, port, 0, movie.name, "--frames", 3, "--json"
        )
        assert "Traceback" not in errors
        if "PYTHONUTF8" not in environment:  # there the system itself knows ASCII names only
            assert (status, json.loads(output)["frames"]) == (0, 3)
        save = movie / "frames"  # a file is no folder
        arguments = (HOST, port, 0, movie.name, "--frames", 1, "--save", save)
        status, _, errors = play(environment, *arguments)
        assert status == 1
        assert "can't be written" in errors
        assert "Traceback" not in errors
        server.send_signal(signal.SIGTERM)
        listed, logged = server.communicate(timeout=LIMIT)
    assert b"Mjpeg: 40 frames" in listed
    assert b"rror" not in logged
    assert server.returncode == 0


def test_a_folder_without_movies_is_named(movie: Path, environment: dict[str, str]) -> None:
    movie.unlink()
    with serving(movie.parent, environment) as (server, _):
        server.send_signal(signal.SIGTERM)
        listed, errors = server.communicate(timeout=LIMIT)
    assert b"no movie in " in listed
    assert (errors, server.returncode) == (b"", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_reader_that_leaves_does_not_end_the_server(small_movie: Path) -> None:
    """As `Server.py --status 1 | head -1` does: nobody reads what is printed then."""
    command = [sys.executable, ROOT / "Server.py", "0", "--host", HOST, "--status", "0.1"]
    with subprocess.Popen(
        [*command, "--media", small_movie.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None and server.stderr is not None
        try:
            found = re.search(rb":(\d+)", server.stdout.readline())
            assert found
            server.stdout.close()
            assert b"standard output" in server.stderr.readline()
            with socket.create_connection((HOST, int(found[1])), LIMIT) as control:
                control.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                assert b" 200 OK" in control.recv(4096)
            server.send_signal(signal.SIGTERM)
            errors = server.stderr.read()
            assert (server.wait(LIMIT), b"rror" in errors) == (0, False)
        finally:
            server.kill()
