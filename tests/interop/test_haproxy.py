"""Two servers behind one address, by the HAProxy configuration of docs/SERVING.md."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from movies import ROOT
from needs import need
from processes import HOST, ServerProcess, _content
from real_servers import ended, free_port, wait_until_it_listens
from standard_clients import StandardClient

pytestmark = pytest.mark.peers

LIMIT = 30.0  # seconds that all viewers together may take for a step
FPS = 5
STEP = 3  # frames that every viewer must get before the next thing happens
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

SERVER = re.compile(r"^( +server \w+ )\S+", re.MULTILINE)


def configuration(port, servers, header):
    """The one of the document, with this machine's addresses and a version of the header."""
    document = (ROOT / "docs/SERVING.md").read_text(encoding="utf-8")
    text = re.search(r"```haproxy\n(.*?)```", document, re.DOTALL)[1]
    assert len(SERVER.findall(text)) == len(servers) == 2
    addresses = iter(f"{HOST}:{server.port}" for server in servers)
    text = SERVER.sub(lambda found: found[1] + next(addresses), text)
    text, binds = re.subn(r"bind \S+", f"bind {HOST}:{port}", text)
    text, headers = re.subn(r"send-proxy-v2", header, text)
    assert (binds, headers) == (1, 1)
    return text


class Proxy:
    """The real HAProxy in front of our servers, for a `with` statement."""

    def __init__(self, servers, header):
        need(HAPROXY, "haproxy")
        self.port = free_port()
        self._text = configuration(self.port, servers, header)

    def __enter__(self):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._control = str(folder / "control")
            self._log = folder / "log"
            file = folder / "haproxy.cfg"
            file.write_text(f"global\n    stats socket {self._control}\n{self._text}")
            command = [HAPROXY, "-db", "-f", str(file)]
            with self._log.open("wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.enter_context(ended(process))
            wait_until_it_listens(process, self.port)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def wait_for_status(self, server, status):
        """Wait until the health checks have found a server "UP" or "DOWN"."""
        deadline = time.monotonic() + LIMIT
        while (found := self._status(server)) != status:
            assert time.monotonic() < deadline, f"{server} is {found}; {_content(self._log)}"
            time.sleep(0.05)

    def _status(self, server):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._control)
            asking.sendall(b"show stat\n")
            table = asking.makefile().read().removeprefix("# ").splitlines()
        return next(row["status"] for row in csv.DictReader(table) if row["svname"] == server)


class MortalServer(ServerProcess):
    """One of ours that may be killed."""

    def kill(self):
        self._process.kill()
        self._process.wait()
        self.stop = lambda: None


class Viewer:
    """A viewer in a thread of its own, who connects again when the connection is lost."""

    def __init__(self, port):
        self._port = port
        self._stop = threading.Event()
        self.frames = 0
        self.connections = []  # our address in each
        self.resumed = []  # where it went on, as asked and as answered
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            try:
                with StandardClient(self._port) as viewer:
                    self._watch(viewer)
            except (OSError, EOFError):
                time.sleep(0.1)

    def _watch(self, viewer):
        position = self.frames / FPS
        answered = viewer.watch(span=f"npt={position:.3f}-")["Range"]
        self.connections.append("{}:{}".format(*viewer.control.getsockname()))
        self.resumed.append((position, float(re.match(r"npt=([\d.]+)-", answered)[1])))
        while not self._stop.is_set():
            self.frames += viewer.next_packet().marker


def wait_for_frames(viewers, wanted):
    deadline = time.monotonic() + LIMIT
    while any(viewer.frames < count for viewer, count in zip(viewers, wanted, strict=True)):
        assert time.monotonic() < deadline, [viewer.frames for viewer in viewers]
        time.sleep(0.05)


def served(server):
    """The names of the viewers whom a server has set up a movie for."""
    return set(re.findall(r"INFO (\S+) set up ", server.errors()))


@pytest.mark.parametrize(("header", "count"), [("send-proxy-v2", 50), ("send-proxy", 6)])
def test_viewers_outlive_one_of_two_servers(small_movie, header, count):
    arguments = ("--loop", "--fps", str(FPS), "--proxy-protocol", "--trusted-proxy", HOST)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(MortalServer(small_movie.parent, *arguments)) for _ in range(2)
        ]
        port = stack.enter_context(Proxy(servers, header)).port
        viewers = []
        for _ in range(count):
            viewers.append(Viewer(port))
            stack.callback(viewers[-1].close)
        wait_for_frames(viewers, [STEP] * count)

        # Round robin, and each server knows its viewers by their own names.
        before = [served(server) for server in servers]
        assert {name for viewer in viewers for name in viewer.connections} == before[0] | before[1]
        assert abs(len(before[0]) - len(before[1])) <= 2

        servers[0].kill()
        wait_for_frames(viewers, [viewer.frames + 2 * STEP for viewer in viewers])
        after = served(servers[1])
        assert {viewer.connections[-1] for viewer in viewers} <= after
        for viewer in viewers:
            was_killed = viewer.connections[0] in before[0]
            assert (len(viewer.connections) > 1) == was_killed, viewer.connections
            for asked, answered in viewer.resumed:
                assert answered == pytest.approx(asked % (40 / FPS), abs=1e-3)


def test_the_health_checks_find_a_server_that_does_not_answer(small_movie):
    """One that is stopped takes connections, as the kernel does that, and never answers."""
    arguments = ("--proxy-protocol", "--trusted-proxy", HOST)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(ServerProcess(small_movie.parent, *arguments)) for _ in range(2)
        ]
        proxy = stack.enter_context(Proxy(servers, "send-proxy-v2"))
        os.kill(servers[1].pid, signal.SIGSTOP)
        try:
            proxy.wait_for_status("two", "DOWN")
            for _ in range(6):
                proxy.wait_for_status("one", "UP")  # a busy machine may answer a check too late
                with StandardClient(proxy.port) as viewer:
                    assert viewer.ask("OPTIONS").status == 200
        finally:
            os.kill(servers[1].pid, signal.SIGCONT)
        proxy.wait_for_status("two", "UP")
