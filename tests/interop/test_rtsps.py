"""Real players play `rtsps://`: RTSP and the media inside TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import make_certificate
from peers import PLAYERS, TCP, need_player, numbers_by_step, output_of
from processes import HOST, ServerProcess

pytestmark = pytest.mark.peers

FRAMES = 40
# ffmpeg, mpv, OpenCV and PyAV verify no certificate of an rtsps:// server. GStreamer does, and by
# default has only the system's authorities to trust, so the tests tell it to do without.
TRUSTING = {"GStreamer": " tls-validation-flags=0"}


@pytest.fixture(scope="module")
def port(small_movie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    files = map(str, make_certificate(tmp_path_factory.mktemp("tls")))
    options = ("--tls", *files, "--user", "ann:secret", "--fps", "40")
    with ServerProcess(small_movie.parent, *options) as server:
        yield server.port


@pytest.mark.parametrize("player", PLAYERS)
def test_plays_inside_tls_to_the_end(player: str, port: int) -> None:
    need_player(player)
    url = f"rtsps://ann:secret@{HOST}:{port}/movie.Mjpeg" + TRUSTING.get(player, "")
    shown = numbers_by_step(output_of(PLAYERS[player](url, TCP)))[0]
    assert shown == list(range(1, FRAMES + 1))


def test_gstreamer_goes_from_udp_to_tcp(port: int) -> None:
    need_player("GStreamer")
    url = f"rtsps://ann:secret@{HOST}:{port}/movie.Mjpeg" + TRUSTING["GStreamer"]
    shown = numbers_by_step(output_of(PLAYERS["GStreamer"](url, "udp+tcp")))[0]
    assert shown == list(range(1, FRAMES + 1))


def test_gstreamer_trusts_no_unknown_certificate(port: int) -> None:
    need_player("GStreamer")
    command = PLAYERS["GStreamer"](f"rtsps://ann:secret@{HOST}:{port}/movie.Mjpeg", TCP)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.stdout, done.returncode == 0) == (b"", False)


@pytest.mark.parametrize("player", ["ffmpeg", "GStreamer"])
def test_a_plain_player_on_the_tls_port_ends_soon(player: str, port: int) -> None:
    need_player(player)
    command = PLAYERS[player](f"rtsp://ann:secret@{HOST}:{port}/movie.Mjpeg", TCP)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.stdout, done.returncode == 0) == (b"", False)
    assert b"400" in done.stderr or b"This Port Speaks TLS" in done.stderr
