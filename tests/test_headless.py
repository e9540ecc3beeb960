"""`ClientLauncher.py --headless` as scripts call it: options, report, exit status, no window."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from lab_servers import PythonLabServer
from movies import MOVIE, ROOT, frames_of
from processes import HOST, PYTHON, ServerProcess, run_client
from standard_servers import StandardServer, jpeg_payloads
from strip import frame_number_of_jpeg
from wording import lacks

import ClientLauncher
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.headless import FOR_EVER, HeadlessOptions, HeadlessRun
from rtplab.receiving.rtp.frames import Frame, LabAssembler
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.watch import TimeLimits

pytestmark = pytest.mark.long

FPS = 100
LIMIT = 15.0  # seconds that anything may take
WITHOUT_DISPLAY = {
    name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")
}
FIELDS = {
    "frames": int,
    "packets": int,
    "lost": int,
    "late": int,
    "duplicates": int,
    "bytes": int,
    "seconds": float,
    "fps": float,
    "kbit_per_s": float,
    "jitter_ms": float,
    "loss_rate": float,
    "first_frame_ms": float,
    "state": str,
    "forgiven": list,
    "error": type(None),
}


@pytest.fixture(scope="module")
def server(small_movie):
    with ServerProcess(small_movie.parent, "--fps", str(FPS)) as process:
        yield process


@pytest.fixture(scope="module")
def frames(small_movie):
    return frames_of(small_movie)


def receive(server, *options, movie="movie.Mjpeg"):
    return run_client(HOST, server.port, 0, movie, "--headless", *options, limit=LIMIT)


# --- What comes out ------------------------------------------------------------------------------


@pytest.mark.timed
def test_report(server, frames):
    run = receive(server, "--json", "--frames", 25)
    assert (run.status, run.stderr) == (0, "")
    report = run.report
    assert {name: type(value) for name, value in report.items()} == FIELDS
    assert report["frames"] == 25
    assert report["packets"] >= 25
    counts = [report[name] for name in ("lost", "late", "duplicates", "loss_rate")]
    assert counts == [0, 0, 0, 0.0]
    assert report["bytes"] >= sum(len(frame) + 12 for frame in frames[:25])
    assert report["seconds"] == pytest.approx(24 / FPS, abs=0.1)
    assert report["fps"] == pytest.approx(FPS, rel=0.3)
    assert report["kbit_per_s"] == pytest.approx(
        report["bytes"] * 8 / 1000 / report["seconds"], rel=0.01
    )
    assert 0 <= report["jitter_ms"] < 20
    assert 0 < report["first_frame_ms"] < 2000
    assert report["state"] == "PLAYING"


def test_the_report_is_the_only_line_on_stdout(server):
    stdout = receive(server, "--json", "--frames", 3).stdout
    assert stdout.endswith("}\n")
    assert stdout.count("\n") == 1


def test_without_json_it_is_a_sentence(server):
    run = receive(server, "--frames", 5)
    assert (run.status, run.stderr) == (0, "")
    (line,) = run.stdout.splitlines()
    figures = r"5 frames.* s\b.* frames/s.* kbit/s.*0 of \d+ packets lost.*jitter [\d.]+ ms"
    assert re.fullmatch(figures, line)


def test_frames_are_saved_in_order_to_the_byte(server, frames, tmp_path):
    folder = tmp_path / "new" / "folder"
    run = receive(server, "--frames", 12, "--save", folder)
    assert run.status == 0
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [f"frame-{n:05d}.jpg" for n in range(1, 13)]
    assert [path.read_bytes() for path in files] == frames[:12]
    assert [frame_number_of_jpeg(path.read_bytes()) for path in files] == list(range(1, 13))


def test_duration(server):
    run = receive(server, "--duration", 0.2, "--json")
    assert (run.status, run.stderr) == (0, "")
    assert run.report["frames"] == pytest.approx(0.2 * FPS, abs=10)


def test_frames_or_duration_whichever_comes_first(server):
    assert receive(server, "--frames", 2, "--duration", 10, "--json").report["frames"] == 2
    assert receive(server, "--frames", 9999, "--duration", 0.1, "--json").report["frames"] < 40


def test_an_rtsp_address_is_received_too(server):
    address = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
    run = run_client(address, "--headless", "--frames", 5, "--json", limit=LIMIT)
    assert (run.status, run.stderr) == (0, "")
    assert run.report["frames"] == 5


# --- Exit status 1 -------------------------------------------------------------------------------


def failed(run):
    """Check that a run has failed as it should; return its sentence."""
    assert run.status == 1
    assert re.fullmatch(r"[A-Z/][^\n]{10,250}\.\n", run.stderr), run.stderr
    return run.stderr.rstrip("\n")


def test_a_missing_movie(server):
    run = receive(server, "--json", movie="missing.Mjpeg")
    sentence = failed(run)
    assert not lacks(sentence, "no movie", "missing.Mjpeg")
    report = run.report
    assert (report["error"], report["state"]) == (sentence, "INIT")
    assert set(report) == set(FIELDS)
    numbers = {name: value for name, value in report.items() if name not in ("state", "error")}
    assert numbers.pop("first_frame_ms") is None
    assert numbers.pop("forgiven") == []
    assert set(numbers.values()) == {0}


def test_a_name_cannot_play_tricks_on_the_terminal(server):
    sentence = failed(receive(server, movie="\x1b[31mred.Mjpeg"))
    assert "\\x1b[31mred.Mjpeg" in sentence


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").touch()
    run = receive(server, "--save", tmp_path / "file", "--json")
    assert str(tmp_path / "file") in failed(run)
    assert run.report["frames"] == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_becomes_full(server, tmp_path):
    (tmp_path / "frame-00003.jpg").symlink_to("/dev/full")
    run = receive(server, "--save", tmp_path, "--json")
    assert not lacks(run.report["error"], str(tmp_path), "No space left on device")
    assert run.report["error"] in run.stderr


class SlowClient:
    """Its server takes all the time that it may for each of five replies."""

    state = State.INIT
    error = notice = ""
    ended = False
    first_frame_delay = on_frame = None
    forgiven = ()
    seconds_left = None
    set_up_after = 5 * TimeLimits().reply

    def __init__(self):
        self.reception = Reception(LabAssembler())

    def set_up(self):
        pass

    def play_movie(self):
        self.on_frame(Frame(b"", 1, 0, 0.0, 0.0))

    def tear_down(self):
        self.notice = ""

    def wait_for(self, condition, timeout):
        if timeout >= self.set_up_after:
            self.state = State.READY
        return condition()


def test_set_up_may_take_as_long_as_its_replies_together(capsys):
    """With a login, a redirection and a transport that is refused, there are five."""
    assert HeadlessRun(SlowClient(), HeadlessOptions(json=True, frames=1)).run() == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["frames"], report["error"]) == (1, None)


def test_no_picture_is_never_without_a_sentence(capsys):
    client = SlowClient()
    client.play_movie = lambda: None
    assert HeadlessRun(client, HeadlessOptions(json=True, duration=0.1)).run() == 1
    stdout, stderr = capsys.readouterr()
    assert json.loads(stdout)["error"] == stderr.strip() != ""


@pytest.mark.parametrize(("options", "asks"), [({}, True), ({"duration": 0.1}, False)])
def test_a_stream_that_may_be_slow_asks_how_long_to_wait(options, asks, capsys):
    client = SlowClient()
    client.notice = "No packet for 5 s."
    assert HeadlessRun(client, HeadlessOptions(json=True, **options)).run() == 0
    stdout, stderr = capsys.readouterr()
    assert ("--frames" in stderr and "--duration" in stderr) is asks
    assert (json.loads(stdout)["error"] is None) is asks


def test_ctrl_c_before_a_picture_is_told(capsys):
    def interrupt():
        raise KeyboardInterrupt

    client = SlowClient()
    client.play_movie = interrupt
    assert HeadlessRun(client, HeadlessOptions(json=True)).run() == 1
    assert "Interrupted" in json.loads(capsys.readouterr().out)["error"]


def test_the_end_of_the_movie_is_told(small_movie):
    """Although the reply to TEARDOWN takes the notice away."""
    pictures = [jpeg_payloads(frame) for frame in frames_of(small_movie)[:3]]
    with StandardServer(pictures) as server:
        run = run_client(server.url, "--headless", "--json", limit=LIMIT)
    assert "TEARDOWN" in server.methods()
    assert (run.status, run.report["frames"], run.report["error"]) == (0, 3, None)
    assert "ended" in run.stderr


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
def test_the_request_that_is_not_answered_is_named(method, monkeypatch, capsys):
    with StandardServer() as server:
        monkeypatch.setattr(server, f"do_{method}", lambda *_: None, raising=False)
        client = RtspClient(MovieSource("", 0, server.url), limits=TimeLimits(reply=0.3))
        assert HeadlessRun(client, HeadlessOptions(json=True)).run() == 1
    assert f"not answered {method} " in json.loads(capsys.readouterr().out)["error"]


# --- Exit status 2 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--frames", "5"),
        ("--json",),
        ("--save", "folder"),
        ("--duration", "5"),
        ("--headless", "--frames", "0"),
        ("--headless", "--frames", "-1"),
        ("--headless", "--frames", "1.5"),
        ("--headless", "--frames", "1" * 30),
        ("--headless", "--duration", "0"),
        ("--headless", "--duration", "nan"),
        ("--headless", "--duration", "inf"),
        ("--headless", "--duration", "-3"),
        ("--headless", "--save"),
        ("--headless", HOST, "5678"),
        ("--headless", "rtsp://"),
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        ClientLauncher.main(list(arguments))
    assert ended.value.code == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert re.fullmatch(r"ClientLauncher\.py: error: [^\n]{5,250}\n", stderr)


def test_no_wait_is_longer_than_every_system_can():
    """On Windows, a wait of more than 4,294,967 seconds is an OverflowError."""
    assert FOR_EVER <= 4_294_967


# --- By itself -----------------------------------------------------------------------------------


def test_without_arguments_it_is_the_demonstration():
    run = run_client("--headless", "--frames", 10, "--json", limit=LIMIT)
    assert (run.status, run.stderr) == (0, "")
    assert run.report["frames"] == 10


def test_ctrl_c_ends_it_with_a_report(tmp_path):
    with ServerProcess(MOVIE.parent) as server:
        process = launch(
            *(HOST, server.port, 0, "movie.Mjpeg", "--headless", "--json", "--save", tmp_path)
        )
        deadline = time.monotonic() + LIMIT
        while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=LIMIT)
    assert (process.returncode, stderr) == (0, "")
    assert json.loads(stdout)["frames"] >= 3


# --- Without a window ----------------------------------------------------------------------------


def launch(*arguments, environment=WITHOUT_DISPLAY):
    return subprocess.Popen(
        [*PYTHON, str(ROOT / "ClientLauncher.py"), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def no_tkinter(tmp_path):
    """An environment in which `import tkinter` fails, as where Debian's python3-tk is missing."""
    (tmp_path / "tkinter.py").write_text("raise ImportError('No module named _tkinter')\n")
    return {**WITHOUT_DISPLAY, "PYTHONPATH": str(tmp_path)}


def test_headless_needs_neither_tkinter_nor_a_display(server, no_tkinter):
    process = launch(
        *(HOST, server.port, 0, "movie.Mjpeg", "--headless", "--frames", 3, "--json"),
        environment=no_tkinter,
    )
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert (process.returncode, stderr) == (0, "")
    assert json.loads(stdout)["frames"] == 3


@pytest.mark.parametrize("demonstration", [False, True])
def test_without_tkinter_a_window_is_one_line_that_names_headless(
    server, no_tkinter, demonstration
):
    arguments = () if demonstration else (HOST, server.port, 0, "movie.Mjpeg")
    process = launch(*arguments, environment=no_tkinter)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert (process.returncode, stdout) == (1, "")
    assert len(stderr.splitlines()) == 1 and not lacks(stderr, "no tkinter", "--headless")


@pytest.mark.parametrize("missing", ["PIL", "PIL.ImageTk"])
@pytest.mark.parametrize("demonstration", [False, True])
def test_without_pillow_a_window_is_one_line_that_names_the_package(
    server, tmp_path, demonstration, missing
):
    """Debian has `ImageTk` in a package of its own."""
    pytest.importorskip("tkinter")
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{missing!r}] = None\n")
    environment = {**WITHOUT_DISPLAY, "PYTHONPATH": str(tmp_path)}
    address = (HOST, server.port, 0, "movie.Mjpeg")
    window = launch(*(() if demonstration else address), environment=environment)
    headless = launch(*address, "--headless", "--frames", 3, environment=environment)
    stdout, stderr = window.communicate(timeout=LIMIT)
    assert (window.returncode, stdout, len(stderr.splitlines())) == (1, "", 1)
    package = {"PIL": "pip install Pillow", "PIL.ImageTk": "apt install python3-pil.imagetk"}
    assert package[missing] in stderr and "--headless" in stderr
    headless.communicate(timeout=LIMIT)
    assert headless.returncode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a display")
def test_without_a_display_a_window_is_one_line_that_names_headless(server):
    pytest.importorskip("tkinter")
    process = launch(HOST, server.port, 0, "movie.Mjpeg")
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert (process.returncode, stdout) == (1, "")
    assert len(stderr.splitlines()) == 1 and not lacks(stderr, "no display", "--headless")


@pytest.mark.parametrize("damaged", [(0, 1, 2), (0, 2), (0, 1)])
def test_pictures_that_can_not_be_decoded_are_told(damaged):
    frames = frames_of(MOVIE)[:3]
    for number in damaged:  # its tables are gone, its beginning and its end are there
        frames[number] = frames[number][:30] + frames[number][-500:]
    with PythonLabServer(frames) as server:
        run = run_client(
            *("--headless", "--json", "--frames", "3"), HOST, str(server.port), "0", "movie.Mjpeg"
        )
    assert (run.status, run.report["frames"]) == (0, 3)
    if {0, 2} <= {*damaged}:
        assert "decoded" in run.report["error"] and run.report["error"] in run.stderr
    else:
        assert run.report["error"] is None
