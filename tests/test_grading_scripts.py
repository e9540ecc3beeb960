"""The classes of the lab as grading scripts use them: alone, and with mocks in place of sockets."""

from __future__ import annotations

import _socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import MagicMock, Mock, patch

import pytest
from movies import frames_of

from Client import Client
from rtplab.baresocket import socket_pair
from RtpPacket import RtpPacket
from ServerWorker import ServerWorker

ADDRESS = ("127.0.0.1", 50_000)
SETUP = "SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000"
LIMIT = 5.0  # seconds that anything may take


def command(method: str, number: int, session: object) -> str:
    return f"{method} movie.Mjpeg RTSP/1.0\nCSeq: {number}\nSession: {session}"


def wait_for(condition) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- ServerWorker --------------------------------------------------------------------------------


class OnlySends:
    """What a script writes in two minutes."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)


class OnlySendsAll:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)


class Mocked:
    """As most scripts do it, with all kinds of mocks."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock

    @property
    def sent(self) -> list[bytes]:
        return [call.args[0] for call in self.mock.send.call_args_list]


def sockets() -> dict[str, tuple[object, object]]:
    """By name: what stands in for the socket, and what has noted what was sent."""
    plain, only, everything = Mock(), Mock(spec=["send", "recv"]), MagicMock()
    sends, sends_all = OnlySends(), OnlySendsAll()
    return {
        "Mock": (plain, Mocked(plain)),
        "Mock of two methods": (only, Mocked(only)),
        "MagicMock": (everything, Mocked(everything)),
        "an object that sends": (sends, sends),
        "an object that sends all": (sends_all, sends_all),
    }


@pytest.fixture(params=sockets())
def graded(request, small_movie: Path, monkeypatch) -> Iterator[tuple[ServerWorker, object]]:
    """A worker by a stand-in for its socket, and what that has noted."""
    monkeypatch.chdir(small_movie.parent)
    stand_in, notes = sockets()[request.param]
    worker = ServerWorker({"rtspSocket": (stand_in, ADDRESS)})
    yield worker, notes
    worker.close()


def test_a_session_by_hand(graded) -> None:
    worker, notes = graded
    assert worker.state == worker.INIT
    worker.processRtspRequest(SETUP)
    info = worker.clientInfo
    assert worker.state == worker.READY
    assert notes.sent == [f"RTSP/1.0 200 OK\nCSeq: 1\nSession: {info['session']}\n\n".encode()]
    assert isinstance(info["session"], int)
    assert int(info["rtpPort"]) == 25000
    assert info["videoStream"].frameNbr() == 0

    worker.processRtspRequest(command("PLAY", 2, info["session"]))
    assert worker.state == worker.PLAYING
    assert not info["event"].is_set()
    assert info["worker"].is_alive()
    assert info["rtpSocket"].fileno() >= 0
    wait_for(lambda: info["videoStream"].frameNbr() > 0)

    worker.processRtspRequest(command("PAUSE", 3, info["session"]))
    assert worker.state == worker.READY
    assert info["event"].is_set()
    shown = info["videoStream"].frameNbr()

    worker.processRtspRequest(command("PLAY", 4, info["session"]))
    assert not info["event"].is_set()
    wait_for(lambda: info["videoStream"].frameNbr() > shown)
    event, rtp_socket = info["event"], info["rtpSocket"]

    worker.processRtspRequest(command("TEARDOWN", 5, info["session"]))
    assert worker.state == worker.INIT
    assert event.is_set()
    assert rtp_socket.fileno() < 0, "closed, as in the lab"
    numbers = [int(reply.split(b"\n")[1].split(b" ")[1]) for reply in notes.sent]
    assert numbers == [1, 2, 3, 4, 5]
    assert {reply.split(b"\n")[0] for reply in notes.sent} == {b"RTSP/1.0 200 OK"}


def test_a_script_that_sets_the_event_has_no_more_sent(graded) -> None:
    worker, _ = graded
    worker.processRtspRequest(SETUP)
    info = worker.clientInfo
    worker.processRtspRequest(command("PLAY", 2, info["session"]))
    info["event"].set()
    shown = info["videoStream"].frameNbr()
    time.sleep(0.15)
    assert info["videoStream"].frameNbr() == shown


def test_what_is_forgiven_is_said(graded, caplog) -> None:
    worker, _ = graded
    worker.processRtspRequest(SETUP.replace("RTSP/1.0", "RTPS/1.0"))
    assert worker.state == worker.READY
    assert ["'RTPS/1.0'" in record.getMessage() for record in caplog.records] == [True]


def test_replies_by_hand(graded) -> None:
    worker, notes = graded
    worker.clientInfo["session"] = 123456
    worker.replyRtsp(worker.OK_200, "7")
    worker.replyRtsp(worker.FILE_NOT_FOUND_404, 8)
    worker.replyRtsp(worker.CON_ERR_500, 9)
    assert notes.sent[0] == b"RTSP/1.0 200 OK\nCSeq: 7\nSession: 123456\n\n"
    assert [reply.split()[1] for reply in notes.sent] == [b"200", b"404", b"500"]


def test_a_missing_file_is_answered_with_404(graded) -> None:
    worker, notes = graded
    worker.processRtspRequest(SETUP.replace("movie", "missing"))
    assert notes.sent[0].startswith(b"RTSP/1.0 404 ")
    assert worker.state == worker.INIT


def test_rtp_by_hand(graded, small_movie: Path) -> None:
    worker, _ = graded
    frame = frames_of(small_movie)[0]
    packet = RtpPacket()
    packet.decode(worker.makeRtp(frame, 5))
    assert (packet.version(), packet.payloadType(), packet.seqNum()) == (2, 26, 5)
    assert packet.getPayload() == frame

    worker.clientInfo["videoStream"] = Mock(**{"nextFrame.return_value": b"jpeg"})
    worker.clientInfo["videoStream"].frameNbr.return_value = 9
    worker.clientInfo["rtpSocket"], worker.clientInfo["rtpPort"] = Mock(), "25000"
    worker.sendRtp()
    ((data, address),) = [
        call.args for call in worker.clientInfo["rtpSocket"].sendto.call_args_list
    ]
    assert address == ("127.0.0.1", 25000)
    packet.decode(data)
    assert (packet.seqNum(), packet.getPayload()) == (9, b"jpeg")
    worker.clientInfo["videoStream"].nextFrame.return_value = b""
    worker.sendRtp()
    assert worker.clientInfo["rtpSocket"].sendto.call_count == 1


@pytest.mark.parametrize("end", [b"", OSError("gone"), StopIteration])
@pytest.mark.parametrize("as_text", [False, True])
def test_each_recv_of_a_mock_is_a_request(small_movie: Path, monkeypatch, end, as_text) -> None:
    monkeypatch.chdir(small_movie.parent)
    said = [SETUP, "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2", "TEARDOWN movie.Mjpeg RTSP/1.0\nCSeq: 3"]
    mock = Mock(spec=["recv", "send"])
    mock.recv.side_effect = [*(text if as_text else text.encode() for text in said), end]
    worker = ServerWorker({"rtspSocket": (mock, ADDRESS)})
    worker.run()
    wait_for(lambda: not worker.is_alive())
    assert [call.args[0].split()[:4] for call in mock.send.call_args_list] == [
        [b"RTSP/1.0", b"200", b"OK", b"CSeq:"]
    ] * 3
    assert worker.state == worker.INIT


def test_a_worker_ends_although_its_mock_gives_nothing(small_movie: Path, monkeypatch) -> None:
    monkeypatch.chdir(small_movie.parent)
    asked, go_on = threading.Event(), threading.Event()

    def recv(size: int) -> bytes:
        asked.set()
        go_on.wait(LIMIT)
        return b""

    worker = ServerWorker({"rtspSocket": (Mock(recv=recv), ADDRESS)})
    worker.run()
    assert asked.wait(LIMIT)
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < LIMIT / 2
    go_on.set()


# --- Client --------------------------------------------------------------------------------------


class Quiet(Client):
    """A script that has no server: it leaves connecting out, and puts a mock in its place."""

    def connectToServer(self) -> None:
        pass


@pytest.fixture
def client() -> Iterator[Client]:
    client = Quiet(None, "127.0.0.1", "5678", "0", "movie.Mjpeg")
    yield client
    client.close()


def test_a_clients_names() -> None:
    assert (Client.INIT, Client.READY, Client.PLAYING) == (0, 1, 2)
    assert (Client.SETUP, Client.PLAY, Client.PAUSE, Client.TEARDOWN) == (0, 1, 2, 3)
    assert Client.state == Client.INIT


def test_what_a_client_has_before_anything(client: Client) -> None:
    assert client.state == client.INIT
    assert (client.rtspSeq, client.sessionId, client.requestSent) == (0, 0, -1)
    assert (client.teardownAcked, client.frameNbr) == (0, 0)
    assert client.rtspSocket is None and client.rtpSocket is None
    assert not client.playEvent.is_set()


@pytest.mark.parametrize("button", ["playMovie", "pauseMovie"])
def test_a_button_that_comes_too_early_says_so(client: Client, button: str) -> None:
    getattr(client, button)()
    assert client.state == client.INIT
    assert "Setup" in client.error


@pytest.mark.parametrize("spec", [None, ["send"], ["sendall"], ["send", "sendall", "recv"]])
def test_requests_and_replies_by_hand(client: Client, spec: list[str] | None) -> None:
    mock = Mock(spec=spec)
    client.rtspSocket = mock

    def sent() -> bytes:
        calls = [c for c in mock.method_calls if c[0] in ("send", "sendall")]
        return calls[-1].args[0]

    client.sendRtspRequest(client.SETUP)
    assert sent().startswith(b"SETUP movie.Mjpeg RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/UDP;")
    assert (client.rtspSeq, client.requestSent) == (1, client.SETUP)
    client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456")
    assert (client.state, client.sessionId) == (client.READY, 123456)

    client.sendRtspRequest(client.PLAY)
    assert sent().split(b"\r\n")[:3] == [
        b"PLAY movie.Mjpeg RTSP/1.0", b"CSeq: 2", b"Session: 123456"
    ]  # fmt: skip
    client.parseRtspReply(b"RTSP/1.0 200 OK\nCSeq: 2\nSession: 123456")
    assert client.state == client.PLAYING
    assert not client.playEvent.is_set()

    client.sendRtspRequest(client.PAUSE)
    client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 3\nSession: 123456")
    assert client.state == client.READY
    assert client.playEvent.is_set()

    client.sendRtspRequest(client.TEARDOWN)
    client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 4\nSession: 123456")
    assert (client.state, client.teardownAcked) == (client.INIT, 1)


@pytest.mark.parametrize("name", ["socket.socket", "Client.socket.socket"])
def test_a_script_that_replaces_all_sockets(name: str) -> None:
    with patch(name) as sockets:
        client = Client(None, "127.0.0.1", 5678, 0, "movie.Mjpeg")
        mock = sockets.return_value
        assert client.error == ""
        assert client.rtspSocket is mock
        assert mock.connect.call_args.args == (("127.0.0.1", 5678),)
        client.sendRtspRequest(client.SETUP)
        assert mock.send.call_args.args[0].startswith(b"SETUP movie.Mjpeg RTSP/1.0\r\nCSeq: 1\r\n")
        client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456")
        assert (client.state, client.sessionId) == (client.READY, 123456)
        client.close()
        assert mock.close.called


def test_a_socket_pair_is_real_even_on_windows_where_all_sockets_are_replaced(monkeypatch) -> None:
    monkeypatch.delattr(_socket, "socketpair", raising=False)  # as there
    with patch("socket.socket"):
        ours, theirs = socket_pair()
    with ours, theirs:
        ours.sendall(b"one way")
        assert theirs.recv(20) == b"one way"
        theirs.sendall(b"the other")
        assert ours.recv(20) == b"the other"


@pytest.mark.parametrize("name", ["socket.socket", "Client.socket.socket", "Client.socket"])
def test_a_script_that_replaces_all_sockets_sees_the_rtp_port_opened(name: str) -> None:
    with patch(name) as replaced:
        mock = replaced.socket.return_value if name == "Client.socket" else replaced.return_value
        with closing(Quiet(None, "127.0.0.1", 5678, 5000, "movie.Mjpeg")) as client:
            client.rtspSocket = Mock(spec=["send"])
            client.openRtpPort()
            assert client.rtpSocket is mock
    assert mock.bind.call_args.args == (("", 5000),)
    assert mock.settimeout.call_args.args == (0.5,)


def test_the_buttons_of_a_script_that_replaces_all_sockets() -> None:
    with patch("socket.socket") as sockets:
        with closing(Client(None, "127.0.0.1", 5678, 5000, "movie.Mjpeg")) as client:
            sent = sockets.return_value.send
            client.setupMovie()
            assert b"client_port= 5000" in sent.call_args.args[0]
            client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 1\nSession: 5")
            client.playMovie()
            assert sent.call_args.args[0].startswith(b"PLAY movie.Mjpeg RTSP/1.0\r\nCSeq: 2\r\n")
            client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 2\nSession: 5")
            client.pauseMovie()
            assert sent.call_args.args[0].startswith(b"PAUSE ")


def test_a_script_without_a_screen() -> None:
    """It leaves the widgets out, and has a mock for the window that they would be in."""
    with patch.object(Client, "createWidgets"), patch("socket.socket"):
        client = Client(MagicMock(), "127.0.0.1", 5678, 0, "movie.Mjpeg")
        wait_for(lambda: client.rtspSocket is not None)
        assert client.writeFrame(b"jpeg") == b"jpeg"
        client.updateMovie(b"jpeg")
        client.sendRtspRequest(client.SETUP)
        client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 1\nSession: 5")
        client.sendRtspRequest(client.PLAY)
        client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 2\nSession: 5")
        client.handler()
        assert client.requestSent == client.PAUSE
        client.close()


def test_a_mock_that_answers(client: Client) -> None:
    replies = [f"RTSP/1.0 200 OK\nCSeq: {number}\nSession: 5".encode() for number in (1, 2)]
    mock = Mock(spec=["recv", "send"])
    asked = threading.Semaphore(0)
    mock.send.side_effect = lambda data: asked.release()

    def recv(size: int) -> bytes:
        asked.acquire(timeout=LIMIT)
        return replies.pop(0) if replies else b""

    mock.recv.side_effect = recv
    client.rtspSocket = mock
    client.sendRtspRequest(client.SETUP)
    wait_for(lambda: client.state == client.READY)
    client.sendRtspRequest(client.PLAY)
    wait_for(lambda: client.state == client.PLAYING)
    asked.release()
    wait_for(lambda: client.state == client.INIT)


def test_the_rtp_port_is_there_to_be_looked_at(client: Client) -> None:
    client.rtspSocket = Mock(spec=["send"])
    client.openRtpPort()
    rtp_socket = client.rtpSocket
    assert rtp_socket is not None and rtp_socket.getsockname()[1] == client.rtpPort > 0


def test_rtp_from_a_mock(client: Client) -> None:
    packets = []
    for number in (1, 2, 2, 5):
        packet = RtpPacket()
        packet.encode(2, 0, 0, 0, number, 0, 26, 0, b"%d" % number)
        packets.append(packet.getPacket())
    client.rtpSocket = Mock(**{"recv.side_effect": [*packets, b""]})
    shown: list[bytes] = []
    client.updateMovie = shown.append
    client.listenRtp()
    assert shown == [b"1", b"2", b"5"]
    assert client.frameNbr == 5


# --- RtpPacket -----------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("extension", [0, 1])
@pytest.mark.parametrize("cc", [0, 3, 15])
def test_a_packet_comes_back_as_the_textbook_has_it(padding: int, extension: int, cc: int) -> None:
    made, read = RtpPacket(), RtpPacket()
    made.encode(2, padding, extension, cc, 65_535, 1, 26, 0xFFFFFFFF, b"payload")
    assert made.getPacket()[12:] == made.getPayload() == b"payload"
    assert made.header[0] == 2 << 6 | padding << 5 | extension << 4 | cc
    assert made.header[1] == 1 << 7 | 26
    read.decode(made.getPacket())
    assert (read.version(), read.seqNum(), read.payloadType()) == (2, 65_535, 26)
    assert read.getPayload() == b"payload"
    assert read.header == made.header
    assert abs(read.timestamp() - time.time()) < 5
    assert RtpPacket.header == bytearray(12)
