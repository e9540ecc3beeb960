"""The server on Windows: our client of Linux and ffmpeg play from it, as from any other."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest
from movies import ROOT, frames_of
from processes import run_client

FRAMES = 30


@pytest.fixture(scope="module")
def server(windows, films):
    with windows.serve(films) as running:
        assert running.port
        yield running


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_our_client_plays_by_the_standard(server, transport):
    url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
    run = run_client("--headless", "--json", "--frames", FRAMES, "--transport", transport, url)
    assert run.status == 0, run.stderr
    assert run.report["frames"] >= FRAMES and run.report["error"] is None


def test_our_client_plays_as_the_lab_does(server):
    options = ("--headless", "--json", "--frames", FRAMES)
    run = run_client(*options, "127.0.0.1", server.port, 0, "movie.Mjpeg")
    assert run.status == 0, run.stderr
    assert run.report["frames"] >= FRAMES and run.report["error"] is None


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ffmpeg_plays(server, transport):
    if shutil.which("ffmpeg") is None:
        pytest.skip("not installed: ffmpeg")
    url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
    options = ("-rtsp_transport", transport, "-i", url, "-frames:v", str(FRAMES))
    command = ["ffmpeg", "-v", "error", "-nostdin", *options, "-c:v", "copy", "-f", "mjpeg", "-"]
    played = subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
    assert played.count(b"\xff\xd8\xff") == FRAMES


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_client_there_plays_from_us(windows, films, transport):
    from processes import ServerProcess

    with ServerProcess(films) as server:
        url = f"rtsp://127.0.0.1:{server.port}/movie.Mjpeg"
        launcher = (ROOT / "ClientLauncher.py", "--headless", "--frames", FRAMES)
        run = windows.run(*launcher, "--transport", transport, url)
    assert run.status == 0, run.errors


def test_the_demonstration_plays_without_a_window(windows):
    run = windows.run(ROOT / "ClientLauncher.py", "--headless", "--json", "--frames", FRAMES)
    assert run.status == 0, run.errors
    import json

    assert json.loads(run.output)["frames"] >= FRAMES


def test_every_frame_of_a_movie_to_be_converted_is_sent(windows, tmp_path):
    """All its pictures are progressive, which RFC 2435 can't carry."""
    import io

    from movies import MOVIE, write_movie
    from PIL import Image

    frames = []
    for jpeg in frames_of(MOVIE)[:50]:
        with Image.open(io.BytesIO(jpeg)) as image:
            image.save(output := io.BytesIO(), "JPEG", progressive=True)
        frames.append(output.getvalue())
    write_movie(tmp_path / "slow.Mjpeg", frames)
    with windows.serve(tmp_path) as server:
        url = f"rtsp://127.0.0.1:{server.port}/slow.Mjpeg"
        run = run_client("--headless", "--json", "--transport", "tcp", url, limit=30)
        assert run.report["frames"] == len(frames), (run.report, server.errors)


@pytest.mark.parametrize("name", ["кино.Mjpeg", "电影.Mjpeg"])
def test_a_movie_of_any_name_is_listed_and_played(windows, tmp_path, name):
    from movies import MOVIE

    shutil.copy(MOVIE, tmp_path / name)
    with windows.serve(tmp_path) as server:
        run = run_client(
            "--headless", "--json", "--frames", FRAMES, f"rtsp://127.0.0.1:{server.port}/{name}"
        )
        assert run.status == 0, (run.stderr, server.errors)
        stem = name.partition(".")[0]
        escaped = stem.encode("ascii", "backslashreplace").decode()
        assert stem in server.output or escaped in server.output


def test_a_port_that_another_program_has_is_named(windows, films, server):
    run = windows.run(ROOT / "Server.py", server.port, "--host", "127.0.0.1", "--media", films)
    assert run.status == 1
    assert str(server.port) in run.errors and "in use" in run.errors


def test_without_a_host_both_families_are_served(windows, films):
    with windows.start(ROOT / "Server.py", "0", "--media", films) as server:
        port = server.port
        server.wait_for(f"Listening on [::]:{port}")
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), 10) as client:
                client.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                assert client.recv(12) == b"RTSP/1.0 200"
