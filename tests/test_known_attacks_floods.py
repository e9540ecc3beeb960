"""Every known class of attack by sheer numbers on RTSP servers: floods, crowds, dribbles.

The source stands in a comment: a CVE where the class is known by one, else the weakness by its
number in CWE. After each attack a stranger must be served as if nothing had happened.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from processes import ServerProcess
from raw_rtsp import HOST, LIMIT, SOON, Peer, running_server, seconds_to_be_served
from threads import no_thread_for
from wording import lacks

from rtplab.protocol.rtsp.auth import MD5, answer, parse_challenges
from rtplab.protocol.rtsp.messages import InterleavedFrame
from rtplab.serving.admission.access import MAX_WAITING
from rtplab.serving.admission.limits import Limits

pytestmark = pytest.mark.alone

HEAD = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n"
FLOOD_TIME = 1.0
"""Seconds that a flood lasts."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def server(small_movie: Path) -> Iterator[ServerProcess]:
    """A server that gives up slow requests after a second."""
    with ServerProcess(small_movie.parent, "--limit", "request-timeout=1") as server:
        yield server


@pytest.fixture
def peer(server: ServerProcess) -> Iterator[Peer]:
    with Peer(server.port) as peer:
        yield peer
    assert seconds_to_be_served(server.port) < SOON
    assert "Traceback" not in server.errors()


def uri(peer: Peer) -> str:
    return f"{peer.base}/movie.Mjpeg"


# --- requests ------------------------------------------------------------------------------------


# CWE-400: requests without end. They are answered in order, and no faster than --limit
# requests-per-second; test_limits.py shows that this delays nobody.
def test_a_flood_of_pipelined_requests(peer: Peer) -> None:
    count = 120
    peer.socket.sendall(
        b"".join(b"OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n" % n for n in range(count))
    )
    for number in range(count):
        response = peer.message()
        assert not isinstance(response, InterleavedFrame) and response is not None
        assert response.cseq == str(number)


def cpu_seconds(server: ServerProcess) -> float:
    """What the server has used of the processors so far (Linux only)."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def costs_next_to_nothing(server: ServerProcess) -> Iterator[None]:
    before = cpu_seconds(server)
    yield
    assert cpu_seconds(server) - before < FLOOD_TIME / 4


def pour(send: Callable[[], object]) -> None:
    """Send for FLOOD_TIME, as fast as it is taken."""
    end = time.monotonic() + FLOOD_TIME
    while time.monotonic() < end:
        try:
            send()
        except BlockingIOError:
            time.sleep(0.001)


# CWE-400: what is no request and is skipped must not be had for nothing, for all share one
# interpreter: empty lines, interleaved frames, reports.
@linux
@pytest.mark.parametrize("data", [b"\r\n" * 8192, b"$\0\0\0" * 4096], ids=["lines", "frames"])
def test_a_flood_of_what_is_skipped(peer: Peer, server: ServerProcess, data: bytes) -> None:
    with costs_next_to_nothing(server), Peer(server.port) as flooder:
        flooder.socket.setblocking(False)
        pour(lambda: flooder.socket.send(data))


@linux
def test_a_flood_of_reports(peer: Peer, server: ServerProcess) -> None:
    report = b"\x80\xc9\0\1abcd"
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as rtcp:
        rtcp.bind((HOST, 0))
        mine = rtcp.getsockname()[1]
        transport = f"RTP/AVP;unicast;client_port={mine}-{mine}"
        response = peer.ask("SETUP", uri(peer) + "/trackID=0", f"Transport: {transport}")
        found = re.search(r"server_port=\d+-(\d+)", response.headers.get("Transport"))
        assert found
        with costs_next_to_nothing(server):
            pour(lambda: rtcp.sendto(report, (HOST, int(found[1]))))


# CWE-407: single bytes, each of which has the whole of a long head read again.
@linux
def test_a_flood_of_single_bytes(peer: Peer, server: ServerProcess) -> None:
    with costs_next_to_nothing(server), Peer(server.port) as flooder:
        flooder.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flooder.socket.sendall(b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\n" + b"PLAY x\n" * 80)

        def send() -> None:
            flooder.socket.send(b"y")
            time.sleep(0.0005)

        try:
            pour(send)
        except OSError:
            pass  # it has hung up


# --- dribbles ----------------------------------------------------------------------------------


# CVE-2007-6750 (Slowloris, Apache): bytes that come one by one hold a connection for ever. Before
# a line's end, in the next line, in a body, in an interleaved frame.
def test_slow_byte_by_byte_senders(peer: Peer, server: ServerProcess) -> None:
    starts = [b"O", HEAD, HEAD + b"Content-Length: 9999\r\n\r\n", b"$\0\xff"]
    with ExitStack() as stack:
        slow = [stack.enter_context(Peer(server.port)) for _ in starts]
        for sender, start in zip(slow, starts, strict=True):
            sender.socket.sendall(start)
        started = time.monotonic()
        while slow:
            assert time.monotonic() - started < LIMIT, "they are still served"
            slow = [sender for sender in slow if can_send_more(sender.socket)]
            time.sleep(0.02)
        assert time.monotonic() - started > 0.5


def can_send_more(sender: socket.socket) -> bool:
    """Send a byte; False when the server has hung up."""
    try:
        sender.sendall(b"O")
    except OSError:
        return False
    return True


# The same at the port for metrics: it serves one client at a time, and the server's end waits.
def test_slow_senders_at_the_port_for_metrics(small_movie: Path) -> None:
    pytest.importorskip("prometheus_client")
    with ServerProcess(small_movie.parent, "--metrics", "0") as server:
        [port] = re.findall(r"Metrics on http://127.0.0.1:(\d+)/", server.output())
        ended = threading.Event()

        def dribble() -> None:
            with socket.create_connection((HOST, int(port)), LIMIT) as slow:
                while not ended.is_set() and can_send_more(slow):
                    time.sleep(0.05)

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            with socket.create_connection((HOST, int(port)), LIMIT) as scraper:
                scraper.settimeout(2 * LIMIT)
                scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                assert scraper.recv(100).startswith(b"HTTP/1.0 200 ")
            server.stop()
        finally:
            ended.set()
            thread.join()


# --- crowds ----------------------------------------------------------------------------------


LEAVING = 250
"""Connections that end at once."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what takes 2,000 threads on a busy machine."""
    deadline = time.monotonic() + 6 * LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# CVE-2021-41396 (live555): thousands of connections. Here they say nothing, and stay.
@linux
def test_two_thousand_connections_that_say_nothing(small_movie: Path) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ServerProcess(small_movie.parent, "--log-level", "error") as server:
        with ExitStack() as stack:
            silent = [
                stack.enter_context(socket.create_connection(server.address, 6 * LIMIT))
                for _ in range(2000)
            ]
            wait_until(lambda: server.threads() > 2000)
            assert server.threads() <= Limits().connections_per_address + 20
            assert seconds_to_be_served(server.port, "127.0.0.2") < SOON
            while silent:  # 2,000 threads that end at once spend 20 s on waiting for each other
                for leaving in silent[-LEAVING:]:
                    leaving.close()
                del silent[-LEAVING:]
                wait_until(lambda: server.threads() < len(silent) + 20)


# CWE-770: more clients than the system grants threads.
def test_clients_without_a_thread(small_movie: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_server(small_movie.parent) as port:
        with no_thread_for("client", monkeypatch):
            for _ in range(3):
                with Peer(port) as denied:
                    response = denied.answer()
                    assert response is None or response.status == 503
                    assert denied.is_hung_up()
        with Peer(port) as stranger:
            assert stranger.ask("DESCRIBE", uri(stranger)).status == 200


# CWE-770: the same for the one thread that sends. The session stays, and may try again.
def test_streams_without_a_thread(
    small_movie: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running_server(small_movie.parent) as port, Peer(port) as viewer:
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        session = f"Session: {viewer.ask('SETUP', uri(viewer), transport).session}"
        with no_thread_for("pacer", monkeypatch), caplog.at_level("INFO"):
            for _ in range(2):
                assert viewer.ask("PLAY", uri(viewer), session).status == 503
        assert len(caplog.messages) == 2
        assert not any(lacks(message, "503", "thread") for message in caplog.messages)
        assert viewer.ask("PLAY", uri(viewer), session).status == 200
        assert isinstance(viewer.message(), InterleavedFrame)
    caplog.clear()  # its records hold the errors, that hold the movie


def authorized(peer: Peer, password: str, count: int = 1) -> str:
    """The header that answers the server's challenge to DESCRIBE."""
    values = [v for n, v in peer.ask("DESCRIBE", uri(peer)).headers if n == "WWW-Authenticate"]
    challenge = next(c for c in parse_challenges(values) if c.algorithm == MD5)
    made = answer(challenge, "ann", password, "DESCRIBE", uri(peer), count, "c")
    return f"Authorization: {made.serialise()}"


# CWE-307: a flood of wrong passwords, by one connection and by many. Each waits longer for its
# answer, and many at once are not looked at; who has logged in does not notice.
def test_failed_digest_flood(small_movie: Path) -> None:
    with (
        ServerProcess(small_movie.parent, "--user", "ann:secret") as server,
        Peer(server.port) as viewer,
        ExitStack() as stack,
    ):
        assert viewer.ask("DESCRIBE", uri(viewer), authorized(viewer, "secret")).status == 200
        crowd = [stack.enter_context(Peer(server.port)) for _ in range(2 * MAX_WAITING)]
        wrong = [authorized(guesser, "wrong") for guesser in crowd]
        started = time.monotonic()
        for guesser, header in zip(crowd, wrong, strict=True):
            guesser.send("DESCRIBE", uri(guesser), header)
        right = authorized(viewer, "secret", count=2)
        assert viewer.ask("DESCRIBE", uri(viewer), right).status == 200
        answers = [guesser.answer() for guesser in crowd]
        seconds = time.monotonic() - started
    statuses = [response.status for response in answers if response is not None]
    assert set(statuses) == {401, 503} and statuses.count(401) >= MAX_WAITING
    assert seconds >= 0.25 + 0.5 + 1 + 2
