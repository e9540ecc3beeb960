"""Real players play `rtsps://`: RTSP and the media inside TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Certificate, make_certificate
from peers import (
    PLAYERS,
    TCP,
    bundled_ffmpeg,
    ffmpeg_has,
    need_player,
    numbers_by_step,
    output_of,
)
from processes import HOST, ServerProcess

pytestmark = pytest.mark.peers

FRAMES = 40
ITS_FAULT = "assertion failed: (bytes_written == bytes_to_write || res != GST_RTSP_OK)"
"""An assertion about writing a request, by which GStreamer 1.22 aborts once in hundreds of runs."""
VERIFYING = ["OpenCV", "PyAV"]
"""The players that take `tls_verify` and `ca_file` for an RTSP server."""
FFMPEGS = {"ffmpeg": "ffmpeg", "imageio-ffmpeg": bundled_ffmpeg()}
VERIFYING += [  # version 7 has not, 9 has
    name for name, program in FFMPEGS.items() if ffmpeg_has("-tls_verify", "demuxer=rtsp", program)
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def port(small_movie: Path, certificate: Certificate) -> Iterator[int]:
    options = ("--tls", *map(str, certificate), "--user", "ann:secret", "--fps", "40")
    with ServerProcess(small_movie.parent, *options) as server:
        yield server.port


def address(port: int) -> str:
    return f"rtsps://ann:secret@{HOST}:{port}/movie.Mjpeg"


def with_options(player: str, url: str, **options: str) -> list[str]:
    """The command of one of VERIFYING with options of FFmpeg's library."""
    if player not in FFMPEGS:
        return PLAYERS[player](url, TCP, **options)
    listed = [part for name, value in options.items() for part in (f"-{name}", value)]
    return PLAYERS[player](url, TCP, *listed)


def trusting(player: str, url: str, transport: str = TCP) -> list[str]:
    """The command that plays whatever the certificate: by default some versions verify it."""
    if player == "GStreamer":
        return PLAYERS[player](f"{url} tls-validation-flags=0", transport)
    if player in VERIFYING:
        return with_options(player, url, tls_verify="0")
    return PLAYERS[player](url, transport)


def output_inside_tls(player: str, url: str, transport: str = TCP) -> bytes:
    """What a player writes to stdout. GStreamer that has aborted by ITS_FAULT runs once more."""
    command = trusting(player, url, transport)
    try:
        return output_of(command)
    except AssertionError as error:
        if player != "GStreamer" or ITS_FAULT not in str(error):
            raise
    return output_of(command)


def refused(command: list[str]) -> bool:
    """Whether a player shows nothing and says so by its exit status."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.stdout == b"") == (done.returncode != 0), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("player", PLAYERS)
def test_plays_inside_tls_to_the_end(player: str, port: int) -> None:
    need_player(player)
    shown = numbers_by_step(output_inside_tls(player, address(port)))[0]
    assert shown == list(range(1, FRAMES + 1))


def test_gstreamer_goes_from_udp_to_tcp(port: int) -> None:
    need_player("GStreamer")
    shown = numbers_by_step(output_inside_tls("GStreamer", address(port), "udp+tcp"))[0]
    assert shown == list(range(1, FRAMES + 1))


def test_gstreamer_trusts_no_unknown_certificate(port: int) -> None:
    need_player("GStreamer")
    assert refused(PLAYERS["GStreamer"](address(port), TCP))


@pytest.mark.parametrize("player", VERIFYING)
def test_a_player_trusts_the_certificate_that_it_is_given(
    player: str, port: int, certificate: Certificate, tmp_path: Path
) -> None:
    need_player(player)

    def command(trusted: Certificate) -> list[str]:
        files = {"tls_verify": "1", "ca_file": str(trusted.certificate)}
        return with_options(player, address(port), **files)

    assert refused(command(make_certificate(tmp_path)))
    assert numbers_by_step(output_of(command(certificate)))[0] == list(range(1, FRAMES + 1))


@pytest.mark.parametrize("player", ["ffmpeg", "GStreamer"])
def test_a_plain_player_on_the_tls_port_ends_soon(player: str, port: int) -> None:
    need_player(player)
    command = PLAYERS[player](f"rtsp://ann:secret@{HOST}:{port}/movie.Mjpeg", TCP)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.stdout, done.returncode == 0) == (b"", False)
    assert b"400" in done.stderr or b"TLS" in done.stderr
