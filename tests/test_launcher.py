"""How a run without a window is ended by signals."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from movies import ROOT
from processes import HOST, ServerProcess

from rtplab import launcher
from rtplab.serving.process.signals import ending_signals

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("signals", "pause"),
    [([signal.SIGTERM], 0), ([signal.SIGINT] * 2, 0), ([signal.SIGINT] * 3, 0.005)],
)
def test_a_signal_ends_a_run_with_teardown_and_json(signals, pause, tmp_path):
    with ServerProcess(ROOT, "--log-level", "debug") as server:
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        command = [sys.executable, str(ROOT / "ClientLauncher.py"), "--headless", "--json"]
        saved = tmp_path / "frames"
        run = subprocess.Popen(
            [*command, "--save", str(saved), url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 10
        while not list(saved.glob("*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.02)
        for number in signals:
            run.send_signal(number)
            time.sleep(pause)
        out, errors = run.communicate(timeout=10)
        assert errors == b"" and run.returncode == 0
        report = json.loads(out)
        assert report["frames"] >= 1 and report["error"] is None
        assert "TEARDOWN rtsp://" in server.errors()


def test_a_signal_while_the_server_says_nothing_is_a_sentence():
    command = [sys.executable, str(ROOT / "ClientLauncher.py"), "--headless", "--json"]
    with socket.create_server((HOST, 0)) as silent:
        port = str(silent.getsockname()[1])
        run = subprocess.Popen(
            [*command, HOST, port, "0", "m"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with silent.accept()[0] as connection:
            connection.recv(100)
            run.send_signal(signal.SIGTERM)
            out, errors = run.communicate(timeout=10)
    assert run.returncode == 1
    assert b"Interrupted" in errors and b"Traceback" not in errors
    assert "Interrupted" in json.loads(out)["error"]


def test_a_signal_while_it_connects_is_a_sentence(capsys):
    def connect(*arguments: object):
        signal.raise_signal(signal.SIGINT)

    before = {number: signal.getsignal(number) for number in ending_signals()}
    try:
        assert launcher.main(["--headless", HOST, "1", "0", "m"], make_client=connect) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "Interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["nothing.Mjpeg"], ["localhost"], ["h", "1"], ["h", "1", "0"]]
)
def test_a_file_that_is_not_there_and_half_an_address_are_a_matter_of_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        launcher.main(arguments)
    assert ended.value.code == 2
    assert "Server_name, Server_port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["rtsp:/host/x"], "rtsp://host/x?"),
        (["http:/host/x"], "http://host/x?"),
        (["localhost:5678/movie.Mjpeg"], "rtsp://localhost:5678/movie.Mjpeg?"),
        (["a.Mjpeg"], "rtsp://localhost:5678/a.Mjpeg?"),
        (["movei.mjpeg"], "movie.Mjpeg?"),
        (["rtsp://host", "5678", "6666", "movie.Mjpeg"], "host 5678 6666 movie.Mjpeg?"),
    ],
)
def test_what_is_nearly_right_is_asked_for(arguments, meant, tmp_path, monkeypatch, capsys):
    (tmp_path / "movie.Mjpeg").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        launcher.main(arguments)
    assert ended.value.code == 2
    assert f"did you mean {meant}\n" in capsys.readouterr().err


def test_a_movie_file_is_played_by_a_server_inside(tmp_path, capsys):
    movie = tmp_path / "ein Film.Mjpeg"
    movie.write_bytes((ROOT / "movie.Mjpeg").read_bytes()[:100_000])
    assert launcher.main(["--headless", "--json", "--frames", "3", str(movie)]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("film.mp4", b"\0\0\0\x20ftypisom" + bytes(100), "rtplab import"),
        ("empty.Mjpeg", b"", "empty"),
    ],
)
def test_a_file_that_is_no_movie_says_what_it_is(name, content, words, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    assert launcher.main(["--headless", str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert name in said and words in said


def test_a_movie_file_may_have_any_name(tmp_path, capsys):
    movie = tmp_path / ".film"
    movie.write_bytes((ROOT / "movie.Mjpeg").read_bytes()[:100_000])
    assert launcher.main(["--headless", "--json", "--frames", "3", str(movie)]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 3
