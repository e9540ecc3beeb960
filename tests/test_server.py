"""The server as its users start it: what it says, how it ends, and what it costs to leave it on."""

from __future__ import annotations

import errno
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from lab_clients import JAVA, USUAL, JavaLabClient, PythonLabClient, connection
from movies import MOVIE, ROOT, frames_of, write_movie
from processes import HOST, PYTHON, ServerProcess
from wording import lacks

import Server as module
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.process import server as server_module
from rtplab.serving.process.server import RtspServer
from rtplab.serving.process.signals import ending_signals
from rtplab.serving.rtsp.service import Service
from rtplab.version import __version__
from Server import Server

pytestmark = pytest.mark.long

LIMIT = 10.0  # seconds that anything may take
NEEDS_PROC = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")


def run(*arguments, cwd=None, python=(sys.executable,)):
    """Run the server with arguments that make it end by itself."""
    return subprocess.run(
        [*python, str(ROOT / "Server.py"), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


@contextmanager
def started(*arguments, cwd=None, program=(str(ROOT / "Server.py"),)):
    """A server process and its first line; killed at the end if it still runs."""
    with tempfile.TemporaryFile("w+") as stderr:
        process = subprocess.Popen(
            [*PYTHON, *program, *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        process.errors = stderr
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def end(process, signal_number=signal.SIGTERM):
    """End the server in good order; return what it has said since its first line."""
    process.send_signal(signal_number)
    stdout = process.stdout.read()
    status = process.wait(LIMIT)
    process.errors.seek(0)
    stderr = process.errors.read()
    assert "Traceback" not in stderr, stderr
    assert "Warning" not in stderr, stderr
    assert status == 0, stderr
    return stdout, stderr


def address_of(first_line):
    host, port = re.fullmatch(r"Listening on (.+):(\d+)\n", first_line).groups()
    return host.strip("[]"), int(port)


def playing(address, movie="movie.Mjpeg"):
    """A client in the middle of a movie."""
    client = PythonLabClient(address, movie=movie)
    try:
        client.setup()
        client.play()
        client.rtp.wait_for_frames(2)
    except BaseException:
        client.close()
        raise
    return client


# --- What it says --------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only there all of 127.0.0.0/8 is loopback")
@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "localhost"), ("127.0.0.2", "127.0.0.2")]
)
def test_the_page_that_it_names_can_be_opened(tmp_path, host, shown):
    with started(0, "--host", host, "--http", 0, cwd=tmp_path) as (process, _):
        process.stdout.readline()  # what movies there are
        line = process.stdout.readline().strip()
        assert re.fullmatch(rf".*: http://{shown}:\d+/", line)
        with urlopen(line.partition(": ")[2], timeout=LIMIT) as page:
            assert page.status == 200
        end(process)


def test_says_where_it_listens_and_what_it_has(tmp_path):
    frames = frames_of(MOVIE)[:30]
    write_movie(tmp_path / "movie.Mjpeg", frames)
    (tmp_path / "cut.Mjpeg").write_bytes((tmp_path / "movie.Mjpeg").read_bytes()[:-5])
    (tmp_path / "broken.mjpeg").write_text("no movie")
    (tmp_path / "notes.txt").write_text("no movie either")
    with started(0, "--host", HOST, "--media", tmp_path, "--fps", 10) as (process, line):
        host, port = address_of(line)
        assert host == HOST
        stdout, _ = end(process)
    lines = stdout.splitlines()
    assert not lacks(lines[0], "broken.mjpeg", "can't be played", "byte 0")
    assert not lacks(lines[1], "cut.Mjpeg", "29 frames", "384x288", "2.9 s")
    assert not lacks(lines[2], "cut off", "frame 30")
    assert not lacks(lines[3], "movie.Mjpeg", "30 frames", "384x288", "3.0 s")
    address = f"  rtsp://localhost:{port}"
    assert lines[5:] == [f"{address}/cut.Mjpeg", f"{address}/movie.Mjpeg"], "what can be played"


def test_the_folder_is_the_current_one_and_the_rate_20(small_movie):
    with started(0, "--host", HOST, cwd=small_movie.parent) as (process, _):
        assert not lacks(end(process)[0].splitlines()[0], "movie.Mjpeg", "40 frames", "2.0 s")


def test_all_addresses_are_the_default(small_movie):
    with started(0, cwd=small_movie.parent) as (process, line):
        assert address_of(line)[0] == "0.0.0.0"
        end(process)


def test_ipv6(small_movie):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as rtp:
        try:
            rtp.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
        rtp.settimeout(LIMIT)
        with started(0, "--host", "::1", "--media", small_movie.parent) as (process, line):
            assert line.startswith("Listening on [::1]:")
            with connection(address_of(line)) as control:
                control.sendall(USUAL.request("SETUP", 1, rtp_port=rtp.getsockname()[1]))
                session = control.recv(1024).decode().split()[-1]
                control.sendall(USUAL.request("PLAY", 2, session=session))
                assert rtp.recv(65_535)[12:] == frames_of(small_movie)[0]
            end(process)


def test_without_a_port_it_is_5678(monkeypatch):
    wanted = []

    def note(options):
        wanted.append((options.port, options.host, options.media, options.fps))
        raise ValueError("that is all this test wants to know")

    monkeypatch.setattr(server_module, "service_from", note)
    assert Server().main([]) == 1
    assert wanted == [(5678, None, ".", None)]


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"Server.py {__version__}\n")


# --- What can't be ------------------------------------------------------------------------------


def one_sentence(stderr):
    return re.fullmatch(r"[A-Z][^\n]{10,200}[.]\n", stderr) is not None


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use(small_movie, workers):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        done = run(port, "--host", HOST, "--media", small_movie.parent, "--workers", workers)
    assert done.returncode == 1
    assert one_sentence(done.stderr), done.stderr
    assert f"Port {port} is in use" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("media", ["missing", "movie.Mjpeg"])
def test_a_folder_that_can_not_be_read(small_movie, media):
    done = run(0, "--media", media, cwd=small_movie.parent)
    assert done.returncode == 1
    assert one_sentence(done.stderr), done.stderr
    assert f"The folder {media} can't be read" in done.stderr


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "not a host"])
def test_an_address_that_is_not_ours(small_movie, host):
    done = run(0, "--host", host, "--media", small_movie.parent)
    assert done.returncode == 1
    assert one_sentence(done.stderr), done.stderr
    assert "--host" in done.stderr and "bind" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("port",),
        ("65536",),
        ("-1",),
        ("١",),
        ("0", "1"),
        ("0", "--fps", "0"),
        ("0", "--fps", "fast"),
        ("0", "--fps", "nan"),
        ("0", "--fps", "1e9"),
        ("0", "--log-level", "loud"),
        (".",),
        ("0", "--limit", "mtu=10"),
        ("0", "--media"),
        ("0", "--no-such-option"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        Server().main(list(arguments))
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert re.fullmatch(r"Server\.py: error: [^\n]{5,250}\n", said.err)


def test_wrong_usage_leaves_nothing_open():
    done = run("65536", python=PYTHON)
    assert done.returncode == 2
    assert "ResourceWarning" not in done.stderr


# --- How it ends ---------------------------------------------------------------------------------


@pytest.mark.timed
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_sessions_and_frees_the_port_at_once(small_movie, signal_number):
    with ExitStack() as stack:
        process, line = stack.enter_context(
            started(0, "--host", HOST, "--media", small_movie.parent)
        )
        address = address_of(line)
        clients = [stack.enter_context(playing(address)) for _ in range(5)]
        paused = stack.enter_context(playing(address))
        paused.pause()
        half = stack.enter_context(connection(address))
        half.sendall(b"SETUP mov")
        begun = time.monotonic()
        end(process, signal_number)
        assert time.monotonic() - begun < 2.0
        for client in (*clients, paused):
            assert client.control.recv(1024) == b""
        assert half.recv(1024) == b""

        again, line = stack.enter_context(
            started(address[1], "--host", HOST, "--media", small_movie.parent)
        )
        assert address_of(line) == address
        with playing(address):
            pass
        end(again)


def test_a_signal_ends_a_server_that_nobody_has_used(small_movie):
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        with started(0, "--host", HOST, "--media", small_movie.parent) as (process, _):
            assert end(process, signal_number)[1] == ""


def test_a_signal_that_comes_as_soon_as_it_listens(small_movie):
    """Who waits for the first line and then thinks better of it gets status 0 too."""
    for _ in range(5):
        with started(0, "--host", HOST, "--media", small_movie.parent) as (process, line):
            assert line
            end(process)


UNINTERRUPTED = f"""
import signal, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from Server import Server
threading.Thread(target=threading.Event().wait, name="signals", daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
sys.exit(Server().main())
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="POSIX")
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_whose_main_thread_it_does_not_interrupt(small_movie, signal_number):
    """On Windows none does: it is noted, and whoever sleeps in select sleeps on."""
    options = (0, "--host", HOST, "--media", small_movie.parent)
    with started(*options, program=("-c", UNINTERRUPTED)) as (process, line):
        assert line.startswith("Listening")
        time.sleep(0.2)  # it sleeps
        process.send_signal(signal_number)
        assert process.wait(LIMIT) == 0


def test_ctrl_break_ends_it_where_there_is_such_a_key(monkeypatch):
    monkeypatch.delattr(signal, "SIGBREAK", raising=False)
    assert ending_signals() == (signal.SIGINT, signal.SIGTERM)
    monkeypatch.setattr(signal, "SIGBREAK", 21, raising=False)
    assert ending_signals()[2:] == (21,)


# --- What it costs to leave it on ----------------------------------------------------------------


def cpu_seconds(pid):
    """What the threads that are there now have used, to the nanosecond.

    /proc/PID/stat rounds the user's time and the system's each to 10 ms.
    """
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


HALF_REQUESTS = (
    b"",
    b"SETUP movie.Mjpeg RT",
    b"$\0\xff\xff",
    b"SETUP m\nContent-Length: 9",
    b"PLAY m RTSP/1.0\nCSeq: 1\nSession: 1\nContent-Length: 9",
    b"PLAY m RTSP/1.0\nCSeq: 1\nSession: 1\nContent-Length: 9\n\n",
)


@pytest.mark.timed
@NEEDS_PROC
def test_an_idle_server_takes_no_time(small_movie):
    """One that nobody has used, and one with every kind of client that waits or has gone."""
    unused = ServerProcess(small_movie.parent)
    used = ServerProcess(small_movie.parent, "--fps", "200")
    with unused, used, ExitStack() as stack:
        for _ in range(5):
            playing(used.address).close()
        for generation, form in ((PythonLabClient, USUAL), (JavaLabClient, JAVA)) * 3:
            client = stack.enter_context(generation(used.address, form))
            client.setup()
            client.play()
            client.rtp.wait_for_frames(2)
            client.pause()
        for half in HALF_REQUESTS:
            stack.enter_context(connection(used.address)).sendall(half)
        with connection(used.address) as control:
            control.sendall(USUAL.request("SETUP", 1, rtp_port=25_000))
            control.shutdown(socket.SHUT_WR)
            control.recv(1024)
        at_the_end = stack.enter_context(playing(used.address))
        at_the_end.rtp.wait_for_packets(40)
        time.sleep(0.3)
        before = [cpu_seconds(server.pid) for server in (unused, used)]
        time.sleep(2.0)
        after = [cpu_seconds(server.pid) for server in (unused, used)]
    seconds = [late - early for early, late in zip(before, after, strict=True)]
    assert max(seconds) <= 0.01, f"{seconds} seconds of CPU in two seconds"


# --- Out of descriptors --------------------------------------------------------------------------

FEW = 40  # descriptors that the server may have
FEW_DESCRIPTORS = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {FEW}))
sys.argv[0] = {str(ROOT / "Server.py")!r}
sys.path.insert(0, {str(ROOT)!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.timed
@NEEDS_PROC
def test_without_descriptors_it_waits_and_those_who_are_in_see_nothing_of_it(tmp_path):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(MOVIE)[:200])
    options = (0, "--host", HOST, "--media", tmp_path, "--fps", 50)
    with ExitStack() as stack:
        process, line = stack.enter_context(started(*options, program=("-c", FEW_DESCRIPTORS)))
        address = address_of(line)
        watcher = stack.enter_context(playing(address))
        crowd = [stack.enter_context(connection(address)) for _ in range(2 * FEW)]
        time.sleep(0.5)
        before = cpu_seconds(process.pid)
        time.sleep(1.0)
        assert cpu_seconds(process.pid) - before <= 0.1, "it must not spin on the full queue"
        for control in crowd:
            control.close()
        with playing(address) as newcomer:
            newcomer.teardown()
        packets = watcher.rtp.wait_for_packets(200, limit=LIMIT)
        assert [packet[12:] for packet in packets] == frames_of(MOVIE)[:200]
        _, stderr = end(process)
    assert not lacks(stderr, "client is refused", "full")


# --- The class -----------------------------------------------------------------------------------


@contextmanager
def serving(service, make_server=Server):
    server = make_server(service)
    address = server.listen()
    thread = threading.Thread(target=server.serve, name="server")
    thread.start()
    try:
        yield server, address
    finally:
        server.stop()
        thread.join()


@pytest.mark.parametrize("make_server", [Server, RtspServer])
def test_in_a_thread_on_a_free_port(small_movie, make_server):
    with serving(Service(MovieLibrary(small_movie.parent)), make_server) as (_, address):
        assert address[0] == HOST
        with playing(address) as client:
            assert client.rtp.wait_for_frames(3) == frames_of(small_movie)[:3]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, LIMIT)


def test_in_the_main_thread_it_gives_back_what_signals_woke_before(small_movie):
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        try:
            server = Server(Service(MovieLibrary(small_movie.parent)))
            server.listen()
            stopping = threading.Timer(0.05, server.stop)
            stopping.start()
            server.serve()
            stopping.join()
            assert signal.set_wakeup_fd(before) == writer.fileno()
        finally:
            signal.set_wakeup_fd(before)


def test_stop_ends_sessions(small_movie):
    with serving(Service(MovieLibrary(small_movie.parent))) as (server, address):
        with playing(address) as client:
            server.stop()
            assert client.control.recv(1024) == b""


def test_close_may_be_called_twice_and_before_anything_else(small_movie):
    server = Server(Service(MovieLibrary(small_movie.parent)))
    server.close()
    server.close()
    server = Server()
    server.listen()
    server.close()
    server.close()


def test_the_program_is_run_only_as_a_program():
    assert "Server" in runpy.run_path(str(ROOT / "Server.py"))
    assert sys.modules["Server"] is module


@pytest.mark.parametrize(("system", "word"), [("win32", "Windows"), ("linux", "1023")])
def test_a_port_that_the_system_keeps_is_explained(monkeypatch, system, word):
    """Windows excludes ranges of ports, also above 1023."""
    monkeypatch.setattr(sys, "platform", system)
    options = server_module.parse_arguments(["5678"])
    assert word in server_module._explain(PermissionError(errno.EACCES, "denied"), options)
