"""Logging in, server and client together: what is asked, what lets in, and what nobody sees."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from movies import MOVIE, frames_of
from processes import ServerProcess, run_client
from raw_rtsp import HOST, LIMIT, Peer, running_server
from standard_servers import StandardServer, jpeg_payloads
from wording import lacks

from Client import Client
from rtplab.protocol.rtsp.auth import MD5, BasicCredentials, answer, parse_challenges
from rtplab.protocol.rtsp.messages import Headers, Request, Response
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtsp.login import Login, PasswordInTheOpen
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.standarddialogue import StandardDialogue
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.serving.admission import access
from rtplab.serving.admission.access import Authenticator, AuthResult, UserDatabase

PASSWORD = "pa:ss word/%41"
IN_URL = "pa%3Ass%20word%2F%2541"
METHODS = "DESCRIBE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER RECORD ANNOUNCE".split()


@pytest.fixture
def port(small_movie: Path) -> Iterator[int]:
    users = UserDatabase([("ann", PASSWORD)])
    with running_server(small_movie.parent, users=users, fps=100) as port:
        yield port


def challenged(response: Response) -> str:
    assert response.status == 401
    return response.headers.get("WWW-Authenticate")


def authorization(response: Response, method: str, uri: str, count: int = 1) -> str:
    values = [value for name, value in response.headers if name == "WWW-Authenticate"]
    challenge = next(c for c in parse_challenges(values) if c.algorithm == MD5)
    return (
        "Authorization: " + answer(challenge, "ann", PASSWORD, method, uri, count, "c").serialise()
    )


# --- the server ----------------------------------------------------------------------------------


def test_every_method_but_options_asks_who_it_is(port: int) -> None:
    with Peer(port) as peer:
        uri = f"{peer.base}/movie.Mjpeg"
        assert peer.ask("OPTIONS", "*").status == 200
        for method in METHODS:
            assert "nonce=" in challenged(peer.ask(method, uri))
        answered = peer.ask("DESCRIBE", uri)
        assert peer.ask("DESCRIBE", uri, authorization(answered, "DESCRIBE", uri)).status == 200


def test_a_missing_movie_is_not_told_to_strangers(port: int) -> None:
    with Peer(port) as peer:
        challenged(peer.ask("DESCRIBE", f"{peer.base}/none.Mjpeg"))


def test_the_lab_dialect_gets_401_in_its_own_form(port: int) -> None:
    with Peer(port) as lab:
        transport = b"Transport: RTP/UDP; client_port= 25000"
        lab.socket.sendall(b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\n" + transport)
        assert lab.socket.recv(1024) == b"RTSP/1.0 401 Unauthorized\nCSeq: 1\nSession: 0\n\n"


def test_basic_is_not_taken(port: int) -> None:
    with Peer(port) as peer:
        right = "Authorization: " + BasicCredentials("ann", PASSWORD).serialise()
        response = peer.ask("DESCRIBE", f"{peer.base}/movie.Mjpeg", right)
        assert response.status == 401
        assert "Basic" not in str(list(response.headers))


@pytest.mark.timed
def test_failed_tries_wait_and_others_do_not(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FIRST_DELAY", 2.0)
    wrong = 'Authorization: Digest username="ann", realm="rtplab", nonce="1", uri="/", response="0"'
    with Peer(port) as guesser, Peer(port) as viewer:
        uri = f"{viewer.base}/movie.Mjpeg"
        started = time.monotonic()
        guesser.send("DESCRIBE", uri, wrong)
        answered = viewer.ask("DESCRIBE", uri)
        value = authorization(answered, "DESCRIBE", uri)
        assert viewer.ask("DESCRIBE", uri, value).status == 200
        assert time.monotonic() - started < 1.9
        assert guesser.ask("DESCRIBE", uri).status == 401
        assert time.monotonic() - started >= 2.0


def test_the_server_ends_at_once_while_a_guesser_waits(
    small_movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FIRST_DELAY", 60.0)
    monkeypatch.setattr(access, "LONGEST_DELAY", 60.0)
    rules = UserDatabase([("ann", PASSWORD)])
    with running_server(small_movie.parent, users=rules) as port, Peer(port) as guesser:
        right_but_open = "Authorization: " + BasicCredentials("ann", PASSWORD).serialise()
        guesser.send("DESCRIBE", f"{guesser.base}/movie.Mjpeg", right_but_open)
        while not rules.failed_tries._tries:
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 20


def test_users_of_a_file_and_wrong_ones(small_movie: Path, tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("ann:films:fbf2cd53ca0bc1d7d2d9a9fcb0ad0b2c\n")
    with ServerProcess(small_movie.parent, "--users", str(file)) as server:
        with Peer(server.port) as peer:
            assert 'realm="films"' in challenged(peer.ask("DESCRIBE", f"{peer.base}/x"))
    file.write_text("nonsense\n")
    with pytest.raises(AssertionError, match="line 1.*user:realm:HA1"):
        ServerProcess(small_movie.parent, "--users", str(file)).__enter__()
    with pytest.raises(AssertionError, match="none.*can't be read"):
        ServerProcess(small_movie.parent, "--users", str(tmp_path / "none")).__enter__()


# --- the client ----------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_client_logs_in_and_plays(port: int, transport: str) -> None:
    run = run_client(
        f"rtsp://ann:{IN_URL}@{HOST}:{port}/movie.Mjpeg",
        *("--headless", "--json", "--frames", 20, "--transport", transport),
    )
    assert (run.status, run.stderr, run.report["frames"]) == (0, "", 20)


@pytest.mark.parametrize(
    ("who", "fact"),
    [("", "asks for"), ("ann:wrong@", "not accept"), ("bob:wrong@", "not accept")],
)
def test_the_client_says_why_it_stays_out(port: int, who: str, fact: str) -> None:
    run = run_client(f"rtsp://{who}{HOST}:{port}/movie.Mjpeg", "--headless", "--json")
    assert (run.status, run.stderr.count("\n")) == (1, 1)
    assert not lacks(run.stderr, fact, "user name", "password")


def test_a_lab_client_is_told_what_to_do(port: int) -> None:
    run = run_client(HOST, port, 0, "movie.Mjpeg", "--headless")
    assert run.status == 1
    assert len(run.stderr.splitlines()) == 1
    assert not lacks(run.stderr, "password", "lab dialect", "rtsp://")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_window_can_ask_and_go_on(port: int, transport: str) -> None:
    client = Client(None, "", 0, 0, f"rtsp://{HOST}:{port}/movie.Mjpeg", transport)
    try:
        client.setupMovie()
        assert client.wait_for(lambda: client.needs_password, LIMIT)
        client.log_in("ann", "wrong")
        assert client.wait_for(lambda: client.needs_password, LIMIT)
        client.log_in("ann", PASSWORD)
        assert client.wait_for(lambda: client.state == Client.READY, LIMIT), client.error
        assert (client.needs_password, client.error) == (False, "")
        client.playMovie()
        assert client.wait_for(lambda: client.frameNbr > 3, LIMIT), client.error
        assert client.reception.statistics.packets > 3
    finally:
        client.exitClient()


def test_a_stale_nonce_is_answered_in_the_middle_of_a_session(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    check = Authenticator.check

    def forgetful(gate: Authenticator, request: Request, now: float) -> AuthResult:
        if request.method == "PLAY" and "PLAY" not in asked:
            gate._expires = now
        if request.method != "DESCRIBE":
            asked.append(request.method)
        return check(gate, request, now)

    monkeypatch.setattr(Authenticator, "check", forgetful)
    client = Client(None, "", 0, 0, f"rtsp://ann:{IN_URL}@{HOST}:{port}/movie.Mjpeg", "tcp")
    try:
        client.setupMovie()
        assert client.wait_for(lambda: client.state == Client.READY, LIMIT), client.error
        client.playMovie()
        assert client.wait_for(lambda: client.state == Client.PLAYING, LIMIT), client.error
        assert asked == ["SETUP", "PLAY", "PLAY"]
    finally:
        client.exitClient()


def test_the_password_is_in_no_log_and_on_no_screen(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[bytes] = []

    class Listener(Observer):
        def message_sent(self, data: bytes, when: float) -> None:
            seen.append(data)

        def message_received(self, data: bytes, when: float) -> None:
            seen.append(data)

    with caplog.at_level(logging.DEBUG):
        address = f"rtsp://ann:{IN_URL}@{HOST}:{port}/movie.Mjpeg"
        client = Client(None, "", 0, 0, address, "tcp")
        client.observer = Listener()
        client.setupMovie()
        assert client.wait_for(lambda: client.state == Client.READY, LIMIT), client.error
        shown = [
            client.fileName,
            repr(client.__dict__),
            repr(vars(client._source.login).keys()),
        ]
        client.exitClient()
        with Peer(port) as peer:
            peer.ask("DESCRIBE", address)
    for text in [*shown, caplog.text, *map(repr, seen)]:
        assert PASSWORD not in text and IN_URL not in text
    assert any(b"Authorization: Digest" in data for data in seen)


@pytest.mark.parametrize(
    ("address", "trust", "is_sent"),
    [
        ("rtsp://ann:secret@host/", TlsTrust(), False),
        ("rtsps://ann:secret@host/", TlsTrust(insecure=True), False),
        ("rtsps://ann:secret@host/", TlsTrust(), True),
        ("rtsp://ann:secret@host/", TlsTrust(allow_basic=True), True),
        ("rtsps://ann:secret@host/", TlsTrust(insecure=True, allow_basic=True), True),
    ],
)
def test_basic_is_sent_only_to_a_server_that_is_who_it_says(
    address: str, trust: TlsTrust, is_sent: bool
) -> None:
    login = MovieSource("", 0, address, trust=trust).login
    refusal = Headers([("WWW-Authenticate", 'Basic realm="r"')])
    if is_sent:
        login.take(refusal)
        assert login.authorization("PLAY", "*") == [("Authorization", "Basic YW5uOnNlY3JldA==")]
    else:
        with pytest.raises(PasswordInTheOpen, match="unencrypted.*--allow-basic"):
            login.take(refusal)
        assert login.authorization("PLAY", "*") == []


class TakesBasicOnly(StandardServer):
    """A camera: each request needs the password as it is."""

    def _answer(self, viewer, head):
        right = "Authorization: " + BasicCredentials("ann", PASSWORD).serialise()
        if head.startswith("OPTIONS") or right in head.split("\r\n"):
            super()._answer(viewer, head)
            return
        number = re.search(r"CSeq: (\d+)", head)[1]
        challenge = 'WWW-Authenticate: Basic realm="camera"'
        viewer.send(f"RTSP/1.0 401 No\r\nCSeq: {number}\r\n{challenge}\r\n\r\n".encode())


@pytest.mark.parametrize("options", [(), ("--allow-basic",)])
def test_a_camera_that_takes_basic_only_is_played_if_that_is_allowed(options) -> None:
    pictures = [jpeg_payloads(frame) for frame in frames_of(MOVIE)[:3]]
    with TakesBasicOnly(pictures) as server:
        address = server.url.replace("://", f"://ann:{IN_URL}@")
        run = run_client(address, "--headless", "--json", "--frames", 3, *options)
        sent = [name for request in server.requests for name in request.headers]
    assert (run.report["frames"], "authorization" in sent) == ((3, True) if options else (0, False))
    assert ("--allow-basic" in run.stderr) == (not options)


def test_who_is_asked_can_allow_basic_once() -> None:
    pictures = [jpeg_payloads(frame) for frame in frames_of(MOVIE)[:3]]
    with TakesBasicOnly(pictures) as server:
        client = Client(None, "", 0, 0, server.url)
        try:
            client.setupMovie()
            assert client.wait_for(lambda: client.needs_basic, LIMIT)
            client.log_in("ann", PASSWORD)
            assert client.wait_for(lambda: client.needs_password and client.needs_basic, LIMIT)
            client.log_in("ann", PASSWORD, allow_basic=True)
            assert client.wait_for(lambda: client.state is Client.READY, LIMIT), client.error
        finally:
            client.exitClient()


def test_a_redirection_takes_the_password_nowhere_else() -> None:
    heard: list[bytes] = []
    with socket.create_server((HOST, 0)) as elsewhere, socket.create_server((HOST, 0)) as here:
        target = f"rtsp://{HOST}:{elsewhere.getsockname()[1]}/movie.Mjpeg"
        challenge = 'RTSP/1.0 401 No\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm="r", nonce="n"'
        address = f"rtsp://ann:secret@{HOST}:{here.getsockname()[1]}/movie.Mjpeg"
        client = Client(None, "", 0, 0, address, "tcp")
        try:
            client.setupMovie()
            first, _ = here.accept()
            with first:
                heard.append(first.recv(65536))
                moved = f"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: {target}\r\n\r\n"
                first.sendall(moved.encode())
                second, _ = elsewhere.accept()
            with second:
                heard.append(second.recv(65536))
                second.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
                heard.append(second.recv(65536))
                second.sendall(f"{challenge}\r\n\r\n".encode())
                assert client.wait_for(lambda: client.needs_password, LIMIT), client.error
        finally:
            client.close()
    assert heard[2].startswith(b"DESCRIBE") and b"ann" not in b"".join(heard)


def test_a_basic_password_is_hidden_from_who_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wire:
        request_count = 0
        sent = b""

        def send(self, data: bytes) -> None:
            self.sent += data

    class Onlooker(Observer):
        seen = b""

        def message_sent(self, data: bytes, when: float) -> None:
            self.seen += data

    monkeypatch.setattr(Client, "connectToServer", lambda client: None)
    client = Client(None, "", 0, 0, f"rtsps://{HOST}/")
    wire, onlooker = Wire(), Onlooker()
    client._workers.connection, client.observer = wire, onlooker
    client._send(Request("PLAY", "*", Headers([("Authorization", "Basic YW5uOnNlY3JldA==")])))
    assert b"YW5uOnNlY3JldA==" in wire.sent
    assert onlooker.seen == wire.sent.replace(b"YW5uOnNlY3JldA==", b"*" * 16)


def test_a_keep_alive_is_sent_again_when_its_nonce_was_too_old() -> None:
    def refusal(nonce: str) -> Response:
        value = f'Digest realm="r", nonce="{nonce}", stale=true'
        return Response(401, Headers([("WWW-Authenticate", value)]))

    dialogue = StandardDialogue(parse_url("rtsp://host/x"), "tcp", Login("ann", "secret"))
    assert "Authorization" not in dialogue.keep_alive(is_ignored=False).headers
    again = dialogue.kept_alive(refusal("n1"))
    assert again is not None and 'nonce="n1"' in again.headers.get("Authorization")
    assert dialogue.kept_alive(Response(200)) is None
    assert 'nonce="n1"' in dialogue.keep_alive(is_ignored=False).headers.get("Authorization")
    again = dialogue.kept_alive(refusal("n2"))
    assert again is not None and 'nonce="n2"' in again.headers.get("Authorization")
    assert dialogue.kept_alive(refusal("n3")) is None  # once is enough
    assert dialogue.keep_alive(is_ignored=False).method == "OPTIONS"
