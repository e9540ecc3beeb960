"""The limits: what is beyond them is refused in good order, and the others notice nothing."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from raw_rtsp import HOST, LIMIT, SOON, Peer, running_server, seconds_to_be_served

from rtplab.protocol.rtsp.messages import Request
from rtplab.serving.admission.limits import BOUNDS, Admission, Limits, Pace, name_of
from rtplab.serving.process.options import OPTION_LIMITS, parse_arguments, service_from
from rtplab.serving.rtsp import connection as connection_module
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.service import SESSION_TIMEOUT

TRANSPORT = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"


def settle(peer: Peer) -> str:
    """Make a session, so that the connection is of use; return the session's name."""
    return peer.ask("SETUP", f"{peer.base}/movie.Mjpeg/trackID=0", TRANSPORT).session


# --- the arithmetic ------------------------------------------------------------------------------


def test_counts_connections_by_address() -> None:
    admission = Admission(Limits(connections_per_address=2))
    assert [admission.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert admission.enter("192.0.2.2")
    admission.leave("192.0.2.1")
    assert [admission.enter("192.0.2.1") for _ in range(2)] == [True, False]
    for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        admission.leave(host)
    assert not admission._addresses


def test_all_connections_of_an_address_share_its_pace() -> None:
    admission = Admission(Limits(requests_per_address=10))
    for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        admission.enter(host)
    quick, slow = Pace(1000), Pace(5)
    delays = [admission.delay("192.0.2.1", quick, 0.0) for _ in range(12)]
    assert delays == pytest.approx([0.0] * 10 + [0.1, 0.2])
    assert admission.delay("192.0.2.2", quick, 0.0) == 0.0
    admission.leave("192.0.2.1")
    assert admission.delay("192.0.2.1", quick, 0.0) == pytest.approx(0.3)
    delays = [admission.delay("192.0.2.2", slow, 1.0) for _ in range(7)]
    assert delays == pytest.approx([0.0] * 5 + [0.2, 0.4]), "its own pace counts too"


def test_a_seconds_worth_at_once_and_the_rest_evenly() -> None:
    pace = Pace(10)
    assert [pace.delay(0.0) for _ in range(10)] == pytest.approx([0.0] * 10)
    assert [pace.delay(0.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert pace.delay(100.0) == 0.0


def written(name: str, number: int | str) -> str:
    """How a limit is set on the command line."""
    option = {name: option for option, name in OPTION_LIMITS.items()}.get(name)
    return f"{option}={number}" if option else f"--limit={name_of(name)}={number}"


def test_every_limit_can_be_set() -> None:
    names = list(BOUNDS)
    chosen = [written(name, number) for number, name in enumerate(names, 777)]
    service = service_from(parse_arguments([*chosen, "--session-timeout=9"]))
    service.close()
    assert [getattr(service.limits, name) for name in names] == [*range(777, 777 + len(names))]
    assert [field.name for field in fields(Limits)] == names
    assert service.session_timeout == 9.0
    service = service_from(parse_arguments([]))
    service.close()
    assert (service.limits, service.session_timeout) == (Limits(), SESSION_TIMEOUT)


def test_help_lists_every_limit_that_has_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--limit", "help"])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    others = [name for name in BOUNDS if name not in OPTION_LIMITS.values()]
    assert [line.split()[0] for line in lines] == [name_of(name) for name in others]
    for name, line in zip(others, lines, strict=True):
        bound = BOUNDS[name]
        numbers = f"default: {getattr(Limits(), name)}, {bound.lowest} to {bound.highest}"
        assert bound.meaning in line and numbers in line


@pytest.mark.parametrize(
    "text", ["", "x=1", "sessions=5", "mtu", "max-queue=70", "=", "header_size=9"]
)
def test_a_limit_that_is_not_known_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--limit", text])
    assert caught.value.code == 2
    assert "--limit" in capsys.readouterr().err


def test_a_limit_with_an_option_of_its_own_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--limit", "sessions=5"])
    assert "--max-sessions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "values", "sentence"),
    [
        (
            "--limit=connections",
            ["0", "-1", "1.5", "many", "1000001", "", "\u0665", "9" * 5000],
            "from 1 to 1000000",
        ),
        ("--max-sessions", ["0"], "from 1 to 1000000"),
        ("--limit=request-timeout", ["0"], "seconds from 1 to 1000000"),
        ("--session-timeout", ["4"], "seconds from 5 to 1000000"),
        ("--limit=header-size", ["511"], "bytes from 512 to 1000000"),
        ("--limit=body-size", ["-1"], "bytes from 0 to 1000000"),
        ("--limit=queue", ["63"], "KiB from 64 to 1000000"),
        ("--limit=mtu", ["299", "65536", "x"], "bytes from 300 to 65535"),
    ],
)
def test_an_absurd_limit_is_refused_in_one_sentence(
    option: str, values: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in values:
        with pytest.raises(SystemExit) as caught:
            parse_arguments([f"{option}={value}"])
        assert caught.value.code == 2
        assert sentence in capsys.readouterr().err


# --- connections ---------------------------------------------------------------------------------


@contextmanager
def crowd(port: int, count: int) -> Iterator[list[Peer]]:
    """Connect so many, who say nothing yet."""
    with ExitStack() as stack:
        yield [stack.enter_context(Peer(port)) for _ in range(count)]


def wait_for_a_place(port: int) -> None:
    """Wait until a stranger is served: the server has seen by then who has gone."""
    deadline = time.monotonic() + LIMIT
    response = None
    while response is None or response.status != 200:
        assert time.monotonic() < deadline
        with Peer(port) as stranger:
            try:
                stranger.send("OPTIONS", "*")
                response = stranger.answer()
            except OSError:
                response = None  # refused, and hung up on before it had asked


def test_an_address_has_only_so_many_connections(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(connections_per_address=3)) as port:
        with crowd(port, 3) as peers:
            for peer in peers:
                assert peer.ask("OPTIONS", "*").status == 200
            with Peer(port) as fourth:
                refusal = fourth.answer()
                assert refusal is None or refusal.status == 503
                assert fourth.is_hung_up()
        wait_for_a_place(port)


def test_who_is_idle_makes_room_for_who_comes(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(connections=3)) as port:
        with crowd(port, 3) as (first, second, third):
            for peer in (first, second, third):
                assert peer.ask("OPTIONS", "*").status == 200
            session = settle(first)
            time.sleep(1.1)  # Server.MIN_IDLE
            assert third.ask("OPTIONS", "*").status == 200
            with Peer(port) as fourth:
                assert fourth.ask("OPTIONS", "*").status == 200
                assert second.is_hung_up()
                name = f"Session: {session}"
                assert first.ask("GET_PARAMETER", "*", name).status == 200
                assert third.ask("OPTIONS", "*").status == 200


def test_a_server_full_of_viewers_says_so(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(connections=2)) as port:
        with crowd(port, 2) as peers:
            for peer in peers:
                settle(peer)
            with Peer(port) as third:
                refusal = third.answer()
                assert refusal is None or refusal.status == 503
                assert third.is_hung_up()
            peers[0].socket.close()
            wait_for_a_place(port)


def test_so_many_sessions_and_the_next_when_one_is_torn_down(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(sessions=2)) as port:
        with crowd(port, 3) as (first, second, third):
            session = settle(first)
            settle(second)
            track = f"{third.base}/movie.Mjpeg/trackID=0"
            assert third.ask("SETUP", track, TRANSPORT).status == 503
            assert seconds_to_be_served(port) < SOON
            # Who has a session may change it; who fails to make one takes nobody's place.
            assert first.ask("SETUP", track, f"Session: {session}", TRANSPORT).status == 200
            assert third.ask("SETUP", track, TRANSPORT).status == 503
            name = f"Session: {session}"
            assert first.ask("TEARDOWN", f"{first.base}/movie.Mjpeg", name).status == 200
            assert third.ask("SETUP", f"{third.base}/none.Mjpeg", TRANSPORT).status == 404
            assert first.ask("SETUP", track, "Transport: RAW").status == 461
            assert third.ask("SETUP", track, TRANSPORT).status == 200
            assert first.ask("SETUP", track, TRANSPORT).status == 503
        with Peer(port) as fourth:  # those who have hung up leave their places
            deadline = time.monotonic() + LIMIT
            while fourth.ask("SETUP", track, TRANSPORT).status != 200:
                assert time.monotonic() < deadline
                time.sleep(0.02)


# --- time ----------------------------------------------------------------------------------------


def test_who_does_nothing_is_hung_up_on_unless_it_has_a_session(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(idle_timeout=1)) as port:
        with Peer(port) as silent, Peer(port) as viewer:
            session = settle(viewer)
            started = time.monotonic()
            assert silent.is_hung_up()
            assert time.monotonic() - started > 0.5
            name = f"Session: {session}"
            assert viewer.ask("GET_PARAMETER", "*", name).status == 200


def test_a_request_that_comes_byte_by_byte_is_given_up(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(request_timeout=1)) as port:
        with Peer(port) as slow:
            started = time.monotonic()
            try:
                while time.monotonic() - started < LIMIT:
                    slow.socket.send(b"O")
                    time.sleep(0.05)
            except OSError:
                pass  # it has hung up
            assert 0.5 < time.monotonic() - started < LIMIT


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other words for it")
def test_a_client_that_vanishes_without_a_word_is_found_out() -> None:
    with socket.create_server((HOST, 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            accepted, _ = listener.accept()
            connection = RtspConnection(accepted)
            try:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000
                assert not client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            finally:
                connection.close()


def test_a_session_in_silence_ends(small_movie: Path) -> None:
    with running_server(small_movie.parent, session_timeout=1.0) as port, Peer(port) as viewer:
        response = viewer.ask("SETUP", f"{viewer.base}/movie.Mjpeg/trackID=0", TRANSPORT)
        assert response.headers.get("Session").endswith(";timeout=1")
        assert viewer.is_hung_up()
        assert seconds_to_be_served(port) < SOON


# --- requests and replies ------------------------------------------------------------------------


def test_a_flood_of_requests_is_slowed_down_and_delays_nobody(small_movie: Path) -> None:
    with running_server(small_movie.parent, limits=Limits(requests_per_second=50)) as port:
        with Peer(port) as flooder:
            flood = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 2000
            started = time.monotonic()
            flooder.socket.sendall(flood)
            assert seconds_to_be_served(port) < SOON
            answers = 0
            while answers < 100:
                response = flooder.answer()
                assert response is not None and response.status == 200
                answers += 1
            assert time.monotonic() - started > 0.9


def test_a_head_and_a_body_have_only_so_many_bytes(small_movie: Path) -> None:
    limits = Limits(header_size=600, body_size=10)
    with running_server(small_movie.parent, limits=limits) as port:
        with Peer(port) as peer:
            assert peer.ask("OPTIONS", "*", "X: " + "x" * 500).status == 200
            assert peer.ask("OPTIONS", "*", "Content-Length: 10", "", "0123456789").status == 200
        with Peer(port) as peer:
            peer.send("OPTIONS", "*", "X: " + "x" * 600)
            refusal = peer.answer()
            assert refusal is None or refusal.status == 400
            assert peer.is_hung_up()
        with Peer(port) as peer:
            assert peer.ask("OPTIONS", "*", "Content-Length: 11").status == 413
            assert peer.is_hung_up()
        assert seconds_to_be_served(port) < SOON


def test_single_bytes_are_read_no_more_often_than_requests_may_come() -> None:
    ours, theirs = socket.socketpair()
    connection = RtspConnection(ours, limits=Limits(requests_per_second=20))
    reads = []
    receive = connection._receive
    connection._receive = lambda: reads.append(time.monotonic()) or receive()  # type: ignore
    head = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: " + b"x" * 200 + b"\r\n\r\n"

    def send() -> None:
        for byte in head:
            theirs.send(bytes([byte]))
            time.sleep(0.001)

    sender = threading.Thread(target=send)
    with theirs:
        sender.start()
        try:
            message = next(connection.messages(lambda: None))
            assert isinstance(message, Request) and message.cseq == "1"
            assert len(reads) <= 20 + 2 + 20 * (reads[-1] - reads[0])
        finally:
            sender.join()
            connection.close()


def test_a_flood_over_many_connections_of_an_address_delays_nobody(small_movie: Path) -> None:
    limits = Limits(requests_per_address=100)
    with running_server(small_movie.parent, limits=limits) as port, crowd(port, 20) as flooders:
        started = time.monotonic()
        for flooder in flooders:
            flooder.socket.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 50)
        for flooder in flooders:
            for _ in range(15):
                response = flooder.answer()
                assert response is not None and response.status == 200
        assert time.monotonic() - started > 1.5


def test_whoever_never_reads_its_replies_is_cut_off() -> None:
    ours, theirs = socket.socketpair()
    connection = RtspConnection(ours, limits=Limits(queue=64))
    with theirs:
        try:
            with pytest.raises(TimeoutError):
                for _ in range(10_000):
                    connection.send(b"x" * 1000)
            assert len(connection._wire._waiting) <= 64 * 1024
        finally:
            connection.close()


def test_the_reference_tells_the_defaults() -> None:
    text = (Path(__file__).parent.parent / "docs" / "REFERENCE.md").read_text(encoding="utf-8")
    options = {name: f"{option} N" for option, name in OPTION_LIMITS.items()}
    for name in BOUNDS:
        shown = options.get(name, name_of(name))
        [row] = re.findall(rf"^\| `{shown}` \| (.*) \|$", text, re.MULTILINE)
        assert f"{getattr(Limits(), name)} if not given" in row


def test_macos_is_told_when_to_ask_by_the_name_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(socket, "TCP_KEEPIDLE", raising=False)
    monkeypatch.setattr(socket, "TCP_KEEPALIVE", 0x10, raising=False)
    found_anew = connection_module._options.__wrapped__
    monkeypatch.setattr(connection_module, "_options", found_anew)
    options: list[tuple[int, int, int]] = []

    class Noted(socket.socket):
        def setsockopt(self, level: int, option: int, value: int) -> None:  # type: ignore[override]
            options.append((level, option, value))

    with Noted() as client:
        connection_module._tune(client)
    assert (socket.IPPROTO_TCP, 0x10, 60) in options


class Deaf(socket.socket):
    """A socket as on Windows: nobody who waits for it hears that this end has shut it."""

    def shutdown(self, how: int) -> None:
        pass


@pytest.mark.parametrize("end", [RtspConnection.hang_up, RtspConnection.stop_listening])
def test_hanging_up_wakes_who_waits_for_a_request_whatever_the_system_does(
    end: Callable[[RtspConnection], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_SHUTDOWN_WAKES", False)
    ours, theirs = socket.socketpair()
    connection = RtspConnection(Deaf(fileno=ours.detach()))
    listening = threading.Thread(target=lambda: list(connection.messages(lambda: None)))
    listening.start()
    with theirs:
        time.sleep(0.05)
        end(connection)
        listening.join(LIMIT)
        assert not listening.is_alive()
        connection.send(b"BYE")
        assert theirs.recv(3) == b"BYE"
        connection.close()
