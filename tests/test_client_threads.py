"""A client's threads: whatever ends one ends the session with a sentence, and `close` always can.

Over real connections, to our own server and to a scripted one.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_servers import PythonLabServer, rtp
from movies import MOVIE, frames_of, write_movie
from processes import ServerProcess

from Client import Client
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.workers import ClientWorkers

HOST = "127.0.0.1"
LIMIT = 10.0
FPS = 100
KINDS = pytest.mark.parametrize("kind", ["lab", "udp", "tcp"])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    media: Path = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", frames_of(MOVIE)[:30] * 20)
    with ServerProcess(media, "--fps", str(FPS)) as server:
        yield server.port


def client_for(port: int, kind: str, make: type[Client] = Client) -> Client:
    if kind == "lab":
        return make(None, HOST, port, 0, "movie.Mjpeg")
    return make(None, "", 0, 0, f"rtsp://{HOST}:{port}/movie.Mjpeg", kind)


def play(client: Client | RtspClient) -> None:
    """Play until a frame has come, or something is said."""
    client.set_up()
    client.wait_for(lambda: client.state is not Client.INIT or bool(client.error), LIMIT)
    client.play_movie()
    client.wait_for(lambda: client.frame_number > 0 or bool(client.error), LIMIT)


@KINDS
@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit])
def test_an_error_of_the_user_s_own_ends_the_session_with_a_sentence(port, kind, error):
    def fail(frame: object) -> None:
        raise error("\x1b[31mbad")

    client = client_for(port, kind)
    client.on_frame = fail
    play(client)
    assert client.wait_for(lambda: bool(client.error), LIMIT)
    assert error.__name__ in client.error
    assert client.error.isprintable() and client.error.endswith(".")
    assert client.state is Client.INIT
    assert not client.is_waiting()
    client.on_frame = None
    play(client)
    assert (client.error, client.state) == ("", Client.PLAYING)
    client.close()
    client.close()


class Fails(Client):
    """Does not understand a reply, for a reason that nobody has thought of."""

    def parseRtspReply(self, data):
        raise ZeroDivisionError("no reason")


class Leaves(Client):
    """Has its reply thread end at once."""

    def recvRtspReply(self):
        pass


class FailsToListen(Client):
    def listenRtp(self):
        raise ZeroDivisionError("no reason")


@KINDS
@pytest.mark.parametrize("make", [Fails, FailsToListen])
def test_a_method_of_the_lab_that_fails_ends_the_session_with_a_sentence(port, kind, make):
    client = client_for(port, kind, make)
    client.set_up()
    if (make, kind) != (FailsToListen, "tcp"):
        assert client.wait_for(lambda: bool(client.error), LIMIT)
        assert "ZeroDivisionError" in client.error
        assert client.state is Client.INIT
    client.close()


def test_a_reply_thread_that_leaves_takes_its_connection_along(port):
    client = client_for(port, "lab", Leaves)
    client.set_up()
    client.close()
    client.close()


def together(*actions: Callable[[], None]) -> None:
    """Do all at the same time, each in a thread of its own; none may fail or hang."""
    failures: list[BaseException] = []

    def run(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not any(thread.is_alive() for thread in threads)
    assert not failures


@KINDS
@pytest.mark.parametrize("for_window", [False, True])
def test_any_thread_may_close_and_several_at_a_time(port, kind, for_window):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(5):
            client = client_for(port, kind)
            client.for_window = for_window
            play(client)
            assert client.error == ""
            before = {thread for thread in threading.enumerate() if thread.name == "rtsp"}
            assert before
            together(client.close, client.tear_down, client.close, client.tear_down)
            client.close()
            assert not any(thread.is_alive() for thread in before)
            assert client.state is Client.INIT
    finally:
        sys.setswitchinterval(interval)


@KINDS
def test_whoever_gets_a_frame_may_close(port, kind):
    client = client_for(port, kind)
    closed = threading.Event()

    def close(frame: object) -> None:
        client.close()
        closed.set()

    client.on_frame = close
    play(client)
    assert closed.wait(LIMIT)
    client.close()
    assert client.state is Client.INIT


def test_without_a_connection_there_is_nothing_to_close():
    client = RtspClient(MovieSource(HOST, 1, "movie.Mjpeg"))
    client.close()
    client.close()
    assert client.endpoints is None


@KINDS
def test_the_engine_alone_plays(port, kind):
    name = "movie.Mjpeg" if kind == "lab" else f"rtsp://{HOST}:{port}/movie.Mjpeg"
    client = RtspClient(MovieSource(HOST, port, name, "auto" if kind == "lab" else kind))
    play(client)
    assert (client.error, client.state) == ("", Client.PLAYING)
    client.pause_movie()
    assert client.wait_for(lambda: client.state is Client.READY, LIMIT)
    client.tear_down()
    assert client.state is Client.INIT


class Connection:
    """Stands in for a connection: says when its owner has closed it."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    def hang_up(self) -> None:
        assert not self.is_closed.is_set()

    def close(self) -> None:
        self.is_closed.set()


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_thread_that_had_to_end_anyway_ends_nothing_else_when_it_fails(hangs_up):
    failures, may_fail, connection = [], threading.Event(), Connection()
    workers = ClientWorkers(failures.append)

    def fail() -> None:
        may_fail.wait(LIMIT)
        raise ZeroDivisionError

    workers.read_connection(connection, fail)
    if hangs_up:
        workers.hang_up()
    may_fail.set()
    assert connection.is_closed.wait(LIMIT)
    workers.close()
    assert len(failures) == (0 if hangs_up else 1)
    assert workers.connection is None


@pytest.mark.parametrize("marker", [False, True])
def test_what_came_for_an_earlier_session_is_not_taken(marker):
    """A lab server that has not noticed our leaving goes on to send to the same port."""
    pictures = frames_of(MOVIE)[:3]
    received = []
    with PythonLabServer(pictures) as server:
        client = Client(None, HOST, server.port, 0, "movie.Mjpeg")
        client.on_frame = lambda frame: received.append(frame.data)
        client.observer = seen = Packets()
        client.set_up()
        assert client.wait_for(lambda: client.state is Client.READY, LIMIT)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as earlier:
            for number in (10, 11):
                stale = rtp(frames_of(MOVIE)[9], number, 0, marker=marker)
                earlier.sendto(stale, (HOST, client.rtp_port))
        assert seen.enough.wait(LIMIT)
        client.play_movie()
        assert client.wait_for(lambda: len(received) == len(pictures), LIMIT)
        assert received == pictures
        statistics = client.reception.statistics
        assert (statistics.frames, statistics.late, statistics.lost) == (3, 0, 0)
        client.close()


class Packets(Observer):
    """An observer that waits for two packets."""

    def __init__(self) -> None:
        self.enough = threading.Event()
        self._count = 0

    def packets_received(self, packets, source_port, is_rtcp, when):
        self._count += len(packets)
        if self._count == 2:
            self.enough.set()
