"""`--workers`: several processes on one port, kept running, and ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from movies import ROOT
from processes import HOST, PYTHON, ServerProcess
from standard_clients import StandardClient
from wording import lacks

from rtplab.serving.process import options
from rtplab.serving.scaling.supervisor import can_share_a_port, open_listeners

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not (can_share_a_port() and os.path.exists("/proc/thread-self/children")),
        reason="workers and /proc",
    ),
]
LIMIT = 15.0  # seconds that processes may take to come and go
VIEWERS = 24  # all of them at the same one of two workers: once in 8 million runs


def children(pid):
    """The processes that `pid` has started and that still run."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in text.split() if runs(int(child))}


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def connections(pid):
    """How many sockets of its own a worker has open."""
    return sum(target(link).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


def target(link):
    """What a descriptor is, or nothing when the worker has just closed it."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def wait_until(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def server(small_movie):
    with ServerProcess(small_movie.parent, "--workers", "2") as server:
        wait_until(lambda: len(children(server.pid)) == 2, "two workers")
        yield server


def test_the_clients_are_spread_over_all_workers(server):
    workers = children(server.pid)
    before = {pid: connections(pid) for pid in workers}
    viewers = [StandardClient(server.port) for _ in range(VIEWERS)]
    try:
        for viewer in viewers:
            assert viewer.ask("OPTIONS").status == 200
        served = [connections(pid) - before[pid] for pid in workers]
        assert all(count > 0 for count in served), served
        for viewer in viewers[:4]:
            viewer.watch()
            viewer.next_packet()
    finally:
        for viewer in viewers:
            viewer.__exit__(None, None, None)


def test_a_worker_that_dies_is_replaced_and_said_so(server):
    victim = min(children(server.pid))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(children(server.pid) - {victim}) == 2, "another worker")
    assert "died (SIGKILL)" in server.errors()
    for _ in range(VIEWERS):  # those that came in the meantime have waited
        with StandardClient(server.port) as viewer:
            assert viewer.ask("OPTIONS").status == 200


def test_one_sigterm_ends_all_and_frees_the_port(server):
    workers = children(server.pid)
    with StandardClient(server.port) as viewer:
        viewer.watch()
        viewer.next_packet()
        server.stop()  # which checks the exit status
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                viewer.next_packet()
    assert not any(map(runs, workers))
    socket.create_server((HOST, server.port)).close()


def test_no_worker_outlives_a_supervisor_that_is_killed(small_movie):
    with started(small_movie) as process:
        wait_until(lambda: len(children(process.pid)) == 2, "two workers")
        workers = children(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(runs, workers)), "workers end with their supervisor")


def started(small_movie, port=0):
    """The server in a process group of its own, as a shell starts it."""
    command = [*PYTHON, str(ROOT / "Server.py"), str(port), "--host", HOST, "--workers", "2"]
    return subprocess.Popen(
        [*command, "--media", str(small_movie.parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_reaches_all_and_ends_them_with_status_0(small_movie):
    with started(small_movie) as process:
        port = int(process.stdout.readline().rpartition(":")[2])
        wait_until(lambda: len(children(process.pid)) == 2, "two workers")
        workers = children(process.pid)
        with StandardClient(port) as viewer:
            assert viewer.set_up("tcp").status == 200
            name = "{}:{}".format(*viewer.control.getsockname())
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, errors
    assert f"{name} gone: " in errors  # the worker has ended its sessions, and not just died
    assert "Traceback" not in errors
    assert not any(map(runs, workers))


def test_a_port_that_other_workers_have_is_in_use(server, small_movie):
    with started(small_movie, server.port) as process:
        _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1
    assert not lacks(errors, f"port {server.port}", "in use", "another port")


def test_listeners_share_one_port():
    listeners = open_listeners(HOST, 0, 3)
    try:
        assert len({listener.getsockname() for (listener,) in listeners}) == 1
    finally:
        for (listener,) in listeners:
            listener.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="IPv6")
def test_workers_listen_by_both_families_unless_told_otherwise(small_movie):
    command = [sys.executable, ROOT / "Server.py", "0", "--workers", "2"]
    with subprocess.Popen(
        [*command, "--media", small_movie.parent], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            addresses = [server.stdout.readline().split()[-1].decode() for _ in range(2)]
            ports = {address.rpartition(":")[2] for address in addresses}
            assert len(ports) == 1
            for host in (HOST, "::1"):
                with socket.create_connection((host, int(*ports)), LIMIT) as control:
                    control.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                    assert b" 200 OK" in control.recv(4096)
            server.terminate()
            assert server.wait(LIMIT) == 0
        finally:
            server.kill()


ALWAYS_DYING = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from rtplab.serving.scaling.supervisor import Supervisor, open_listeners
supervisor = Supervisor(open_listeners("127.0.0.1", 0, 2)[:1], lambda *_: print("x"))
sys.exit(supervisor.run(lambda: print("up", flush=True)))
"""


def test_a_worker_that_dies_at_once_is_not_started_at_once():
    with subprocess.Popen(
        [sys.executable, "-c", ALWAYS_DYING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "up\n"
        began = time.monotonic()
        assert [process.stdout.readline() for _ in range(3)] == ["x\n"] * 3
        elapsed = time.monotonic() - began
        process.terminate()
        more, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, errors
    assert elapsed > 1.5  # the second and the third a second after the one before
    assert not lacks(errors, "worker 1", "exit status 0")


ENDED_AT_A_BURIAL = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from rtplab.serving.scaling.supervisor import Supervisor, open_listeners
wait = os.waitpid
def wait_and_be_told_to_end(process, options):
    ended = wait(process, options)
    if ended[0]:
        os.kill(os.getpid(), signal.SIGTERM)
    return ended
os.waitpid = wait_and_be_told_to_end
supervisor = Supervisor(open_listeners("127.0.0.1", 0, 2)[:1], lambda *_: None)
sys.exit(supervisor.run(lambda: None))
"""


def test_a_signal_is_not_sent_on_to_a_worker_that_is_just_gone():
    command = [sys.executable, "-c", ENDED_AT_A_BURIAL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, "")


# --- Options -------------------------------------------------------------------------------------


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as exit:
        options.parse_arguments(list(arguments))
    assert exit.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "two", "257", "1.5"])
def test_a_bad_number_of_workers(capsys, number):
    assert "from 1 to 256" in refusal(capsys, f"--workers={number}")


def test_multicast_wants_one_process(capsys):
    sentence = refusal(capsys, "--workers", "2", "--multicast", "239.1.2.3:5004")
    assert not lacks(sentence, "--multicast", "--workers")


def test_a_system_that_cannot_share_a_port(capsys, monkeypatch):
    monkeypatch.setattr(options, "can_share_a_port", lambda: False)
    assert not lacks(refusal(capsys, "--workers", "2"), "--workers", "share")
    assert options.parse_arguments(["--workers", "1"]).workers == 1
