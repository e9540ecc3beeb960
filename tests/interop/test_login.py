"""Real players log in: ffmpeg, mpv, GStreamer, and what else reads RTSP here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import PLAYERS, TCP, TRANSPORTS, UDP, need_player, numbers_by_step, output_of
from processes import HOST, ServerProcess

pytestmark = pytest.mark.peers

FRAMES = 40
USERS = ("--user", "ann:secret", "--user", "bob:a b:c/d")
LOGINS = {"plain": "ann:secret", "escaped": "bob:a%20b%3Ac%2Fd"}


@pytest.fixture(scope="module")
def port(small_movie: Path) -> Iterator[int]:
    with ServerProcess(small_movie.parent, *USERS, "--fps", "40") as server:
        yield server.port


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("player", PLAYERS)
def test_logs_in_and_plays_to_the_end(player: str, transport: str, port: int) -> None:
    need_player(player)
    url = f"rtsp://{LOGINS['plain']}@{HOST}:{port}/movie.Mjpeg"
    shown = numbers_by_step(output_of(PLAYERS[player](url, transport)))[0]
    if transport == TCP:
        assert shown == list(range(1, FRAMES + 1))
    else:  # a busy machine may lose datagrams: who is let in is the question here
        assert len(shown) > FRAMES // 2 and shown == sorted(set(shown))


@pytest.mark.parametrize("player", ["ffmpeg", "GStreamer"])
def test_passwords_with_any_character(player: str, port: int) -> None:
    need_player(player)
    url = f"rtsp://{LOGINS['escaped']}@{HOST}:{port}/movie.Mjpeg"
    assert len(numbers_by_step(output_of(PLAYERS[player](url, TCP)))[0]) == FRAMES


@pytest.mark.parametrize("who", ["", "ann:wrong@"])
@pytest.mark.parametrize("player", ["ffmpeg", "mpv", "GStreamer"])
def test_without_the_right_password_nothing_plays(player: str, who: str, port: int) -> None:
    need_player(player)
    command = PLAYERS[player](f"rtsp://{who}{HOST}:{port}/movie.Mjpeg", UDP)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.stdout, done.returncode == 0) == (b"", False)
