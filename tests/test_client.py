"""Client without a window, against our own server in this process: the lab's session from its end.

How it gets on with other people's servers is in test_lab_servers.py.
"""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import contextmanager

import pytest
from lab_servers import reset
from local_server import local_server
from movies import MOVIE, frames_of, write_movie
from threads import no_thread_for
from wording import lacks

from Client import Client
from rtplab.protocol.errors import MessageError
from rtplab.receiving.rtsp import connection as connection_module
from rtplab.receiving.rtsp.watch import TimeLimits
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service

HOST = "127.0.0.1"
FPS = 100
LIMIT = 5.0  # seconds that anything may take


@pytest.fixture(scope="module")
def frames():
    return frames_of(MOVIE)[:30]


@pytest.fixture(scope="module")
def media(tmp_path_factory, frames):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", frames)
    write_movie(media / "other.Mjpeg", frames[::-1])
    write_movie(media / "long.Mjpeg", frames * 20)
    return media


def serving(media, port=0):
    """Our server in a thread of this process; yields its port."""
    return local_server(Service(MovieLibrary(media), fps=FPS), HOST, port)


@pytest.fixture
def server(media):
    with serving(media) as port:
        yield port


@contextmanager
def client_of(port, movie="movie.Mjpeg", rtp_port=0, **limits):
    """A client that notes the frames it gets in `client.frames`."""
    client = Client(None, HOST, port, rtp_port, movie, limits=TimeLimits(**limits))
    client.frames = []
    client.on_frame = lambda frame: client.frames.append(frame.data)
    try:
        yield client
    finally:
        client.close()


def state_becomes(client, state):
    return client.wait_for(lambda: client.state is state, LIMIT)


def set_up(client):
    client.setupMovie()
    assert state_becomes(client, Client.READY), client.error


def play(client, frames=0):
    """Play until so many frames have come, in all."""
    client.playMovie()
    assert state_becomes(client, Client.PLAYING), client.error
    assert client.wait_for(lambda: len(client.frames) >= frames, LIMIT)


def pause(client):
    client.pauseMovie()
    assert state_becomes(client, Client.READY), client.error


# --- The classic session -------------------------------------------------------------------------


def test_constants_of_the_lab():
    assert (Client.INIT, Client.READY, Client.PLAYING) == (0, 1, 2)
    assert Client.state == Client.INIT
    assert (Client.SETUP, Client.PLAY, Client.PAUSE, Client.TEARDOWN) == (0, 1, 2, 3)


def test_a_session_step_by_step(server):
    with client_of(server) as client:
        assert (client.state, client.rtspSeq, client.sessionId) == (Client.INIT, 0, 0)
        set_up(client)
        assert (client.rtspSeq, client.requestSent) == (1, Client.SETUP)
        assert isinstance(client.sessionId, int)
        assert client.sessionId > 0
        assert 1024 <= client.rtpPort <= 65535
        play(client, 3)
        assert (client.rtspSeq, client.requestSent) == (2, Client.PLAY)
        assert client.frameNbr >= 3
        pause(client)
        assert (client.rtspSeq, client.requestSent) == (3, Client.PAUSE)
        client.sendRtspRequest(Client.TEARDOWN)
        assert client.wait_for(lambda: client.teardownAcked == 1, LIMIT)
        assert client.state == Client.INIT
        assert (client.error, client.notice) == ("", "")


STEPS = (
    ("setupMovie", "playMovie", "pauseMovie", "exitClient", "sendRtspRequest", "recvRtspReply")
    + ("parseRtspReply", "openRtpPort", "listenRtp")
)  # fmt: skip


def test_a_method_of_the_lab_that_is_overridden_has_its_effect(server):
    """Whoever asks for the step, and by which name."""
    called = []

    def wrap(client, name):
        method = getattr(client, name)

        def call(*arguments):
            called.append(name)
            return method(*arguments)

        setattr(client, name, call)

    with client_of(server) as client:
        client.close()  # it has connected when it was made
        for name in STEPS:
            wrap(client, name)
        client.set_up()
        assert state_becomes(client, Client.READY)
        client.play_movie()
        assert client.wait_for(lambda: client.frames, LIMIT)
        client.pause_movie()
        assert state_becomes(client, Client.READY)
        client.tear_down()
    assert set(called) == set(STEPS)
    assert called.count("sendRtspRequest") == called.count("parseRtspReply") == 4


def test_a_method_of_the_lab_in_a_subclass_has_its_effect(server):
    class OnlyConnects(Client):
        def connectToServer(self):
            connected.append(self)
            super().connectToServer()

        def sendRtspRequest(self, requestCode):
            self.requestSent = requestCode

    connected = []
    client = OnlyConnects(None, HOST, server, 0, "movie.Mjpeg")
    client.setupMovie()
    assert connected == [client]
    assert (client.requestSent, client.rtspSeq, client.state) == (Client.SETUP, 0, Client.INIT)
    client.close()


def test_attributes_of_the_lab_can_be_set(server):
    with client_of(server) as client:
        for name, value in [
            ("rtspSeq", 7), ("sessionId", 5), ("sessionId", "x1"), ("requestSent", Client.PLAY),
            ("requestSent", -1), ("teardownAcked", 1), ("frameNbr", 3), ("rtpPort", 25000),
        ]:  # fmt: skip
            setattr(client, name, value)
            assert getattr(client, name) == value, name


def test_numbers_may_be_given_as_text(server):
    """As sys.argv has them in the lab's ClientLauncher."""
    client = Client(None, HOST, str(server), "0", "movie.Mjpeg")
    set_up(client)
    client.exitClient()


def test_after_exit_the_teardown_is_known_to_be_acknowledged(server):
    with client_of(server) as client:
        set_up(client)
        client.exitClient()
        assert client.teardownAcked == 1


def test_frames_come_out_to_the_byte(server, frames):
    with client_of(server) as client:
        set_up(client)
        play(client, len(frames))
        assert client.frames == frames
        assert client.frameNbr == len(frames)
        statistics = client.reception.statistics
        assert (statistics.packets, statistics.lost, statistics.frames) == (30, 0, 30)
        assert 0 < client.first_frame_delay < LIMIT


def test_pause_holds_the_movie_and_play_goes_on_with_the_next_frame(server, frames):
    with client_of(server) as client:
        set_up(client)
        for count in (5, 12):
            play(client, count)
            pause(client)
            time.sleep(0.05)  # for a frame that was on its way
            shown = len(client.frames)
            time.sleep(0.1)
            assert len(client.frames) == shown
        play(client, len(frames))
        assert client.frames == frames
        assert client.reception.statistics.lost == 0


def test_without_a_window_no_frame_waits_for_one(server):
    with client_of(server) as client:
        set_up(client)
        play(client, 5)
        assert client.playout.waiting == 0


def test_the_end_of_the_movie_is_told_and_play_begins_again(server, frames):
    with client_of(server, silence=0.3) as client:
        set_up(client)
        play(client, len(frames))
        assert client.wait_for(lambda: client.notice != "", LIMIT)
        assert "ended" in client.notice
        assert client.error == ""
        pause(client)
        assert client.notice == ""
        play(client, 2 * len(frames))
        assert client.frames == frames * 2


def test_set_up_again_after_teardown(server, frames):
    with client_of(server) as client:
        sessions = set()
        for round_ in range(3):
            set_up(client)
            sessions.add(client.sessionId)
            play(client, 3 * round_ + 3)
            client.exitClient()
            assert (client.state, client.rtspSeq, client.sessionId) == (Client.INIT, 0, 0)
            client.frames = client.frames[: 3 * round_ + 3]
        assert client.frames == frames[:3] * 3
        assert len(sessions) == 3


def test_set_up_again_on_the_same_connection(server, frames):
    """The lab's window does that: Teardown, then Setup."""
    with client_of(server) as client:
        set_up(client)
        client.sendRtspRequest(Client.TEARDOWN)
        assert state_becomes(client, Client.INIT)
        set_up(client)
        play(client, 3)
        assert client.frames[:3] == frames[:3]


def test_many_sessions_leave_nothing_behind(server):
    for _ in range(10):
        with client_of(server) as client:
            set_up(client)
            play(client, 1)
            client.exitClient()


def test_exit_and_close_may_be_called_at_any_time(server):
    with client_of(server) as client:
        client.exitClient()
        client.close()
        set_up(client)
        client.close()
        client.exitClient()
        client.close()


def test_several_clients_in_one_process(server, frames):
    with client_of(server) as one, client_of(server, "other.Mjpeg") as other:
        for client in (one, other):
            set_up(client)
        assert one.rtpPort != other.rtpPort
        assert one.sessionId != other.sessionId
        for client in (one, other):
            client.playMovie()
        for client in (one, other):
            assert client.wait_for(lambda c=client: len(c.frames) == len(frames), LIMIT)
        assert one.frames == frames
        assert other.frames == frames[::-1]


def test_no_file_is_written(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with client_of(server) as client:
        set_up(client)
        play(client, 5)
        assert client.updateMovie(client.writeFrame(client.frames[0])) is None
        assert os.listdir(tmp_path) == []


# --- What goes wrong -----------------------------------------------------------------------------


def one_sentence(text):
    return text.isprintable() and 15 < len(text) < 250 and text[0].isupper() and text.endswith(".")


@pytest.fixture
def unused_port():
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def test_no_server_is_one_sentence_and_setup_tries_again(media, unused_port):
    with client_of(unused_port) as client:
        for _ in range(2):
            assert not lacks(client.error, "listening", HOST, str(unused_port))
            client.error = ""
            client.setupMovie()
            assert client.state == Client.INIT
        with serving(media, unused_port):
            set_up(client)
            assert client.error == ""
            client.exitClient()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "not a host", "a" * 70, ".."])
def test_an_unknown_host_is_one_sentence(host):
    client = Client(None, host, 5678, 0, "movie.Mjpeg")
    assert one_sentence(client.error), client.error
    assert "spelling" in client.error
    client.close()


def test_a_host_that_does_not_answer_is_one_sentence(monkeypatch):
    def connect(*_):
        raise TimeoutError("timed out")

    monkeypatch.setattr(connection_module.socket, "create_connection", connect)
    with client_of(5678) as client:
        assert not lacks(client.error, "not answer", HOST, "5678", "firewall")


def test_a_missing_movie_is_one_sentence_and_the_client_stays_usable(server):
    with client_of(server, "missing.Mjpeg") as client:
        for _ in range(2):
            client.setupMovie()
            assert client.wait_for(lambda: client.error != "", LIMIT)
            assert not lacks(client.error, "no movie", "missing.Mjpeg")
            assert client.state == Client.INIT
            assert not client.is_waiting()
            client.error = ""


def test_a_free_rtp_port_is_picked_anew_for_each_session(server):
    with client_of(server) as client:
        set_up(client)
        client.exitClient()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as somebody_else:
            somebody_else.bind(("", client.rtp_port))
            set_up(client)
            play(client, 1)


def test_a_busy_rtp_port_is_one_sentence_and_the_client_stays_usable(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        with client_of(server, rtp_port=port) as client:
            client.setupMovie()
            assert one_sentence(client.error), client.error
            assert f"RTP port {port} can't be used" in client.error
            assert client.state == Client.INIT
            other.close()
            set_up(client)
            assert client.rtpPort == port


@pytest.mark.parametrize("name", ["command", "rtsp", "rtp"])
def test_no_thread_is_one_sentence_and_setup_tries_again(server, monkeypatch, name):
    with client_of(server) as client:
        client.close()  # it has connected when it was made
        client.for_window = name == "command"
        with no_thread_for(name, monkeypatch):
            client.setupMovie()
            assert not lacks(client.error, "thread", "try again")
        assert client.state is Client.INIT
        client.for_window = False
        set_up(client)
        play(client, 1)


@pytest.mark.parametrize("state", [Client.READY, Client.PLAYING])
def test_a_server_that_vanishes_is_one_sentence_and_setup_begins_anew(media, frames, state):
    with serving(media) as port:
        client = Client(None, HOST, port, 0, "long.Mjpeg")
        client.frames = []
        client.on_frame = lambda frame: client.frames.append(frame.data)
        set_up(client)
        if state is Client.PLAYING:
            play(client, 3)
    assert state_becomes(client, Client.INIT)
    assert client.wait_for(lambda: client.error != "", LIMIT)
    assert one_sentence(client.error), client.error
    client.frames.clear()
    with serving(media, port):
        set_up(client)
        play(client, 3)
        client.exitClient()
    assert client.frames[:3] == frames[:3]


def test_a_server_that_resets_the_connection_at_once(monkeypatch):
    """The reset has come before the client has even looked at the connection."""
    with socket.create_server((HOST, 0)) as listener:
        connect = socket.create_connection

        def connect_and_be_reset(address, timeout):
            client = connect(address, timeout)
            accepted, _ = listener.accept()
            reset(accepted)
            accepted.close()
            select.select([client], [], [], LIMIT)
            return client

        monkeypatch.setattr(connection_module.socket, "create_connection", connect_and_be_reset)
        with client_of(listener.getsockname()[1]) as client:
            client.setupMovie()
            assert client.wait_for(lambda: client.error != "", LIMIT)
            assert one_sentence(client.error), client.error
            assert client.state == Client.INIT


@contextmanager
def silent_server():
    """A server that takes connections and requests, and says only what the test says."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener


def test_a_server_that_does_not_answer_is_one_sentence_after_a_while():
    with silent_server() as listener, client_of(listener.getsockname()[1], reply=0.2) as client:
        accepted, _ = listener.accept()
        client.setupMovie()
        assert client.is_waiting()
        assert client.wait_for(lambda: client.error != "", LIMIT)
        assert not lacks(client.error, "not answered", "SETUP", "0.2 s")
        assert not client.is_waiting()
        accepted.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 9\r\n\r\n")
        time.sleep(0.1)
        assert client.state == Client.INIT, "an answer that was given up is no answer"
        client.setupMovie()
        accepted.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 9\r\n\r\n")
        assert state_becomes(client, Client.READY)
        assert client.sessionId == 9
        accepted.close()


def test_no_picture_is_one_sentence_after_a_while():
    with silent_server() as listener, client_of(listener.getsockname()[1], silence=0.2) as client:
        accepted, _ = listener.accept()
        client.setupMovie()
        accepted.sendall(b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 9\n\n")
        assert state_becomes(client, Client.READY)
        client.playMovie()
        accepted.sendall(b"RTSP/1.0 200 OK\nCSeq: 2\nSession: 9\n\n")
        assert client.wait_for(lambda: client.error != "", LIMIT)
        assert not lacks(client.error, "No picture", "0.2 s")
        assert f"UDP port {client.rtpPort}" in client.error
        assert client.state == Client.PLAYING
        accepted.close()


# --- Replies handed in as text, as grading scripts do --------------------------------------------


@pytest.fixture
def asked():
    """A client whose SETUP a silent server has not answered."""
    with silent_server() as listener, client_of(listener.getsockname()[1]) as client:
        accepted, _ = listener.accept()
        client.setupMovie()
        yield client
        accepted.close()


@pytest.mark.parametrize("kind", [str, str.encode])
@pytest.mark.parametrize(
    "reply",
    [
        "RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456",
        "RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456\n\n",
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n",
        "RTSP/1.0 200 OK\nSession: 123456;timeout=60\nCSeq: 1\n",
        "RTSP/1.0 200 OK\nCSeq: 77\nSession: 123456",
    ],
)
def test_parse_rtsp_reply(asked, reply, kind):
    asked.parseRtspReply(kind(reply))
    assert (asked.state, asked.sessionId) == (Client.READY, 123456)


def test_a_session_id_that_is_no_number_is_kept_as_it_is(asked):
    asked.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 1\nSession: 1a-B\n")
    assert asked.sessionId == "1a-B"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("RTSP/1.0 404 NOT FOUND\nCSeq: 1\nSession: 0", "no movie named movie.Mjpeg"),
        ("RTSP/1.0 404 Not Found\r\n", "no movie named movie.Mjpeg"),
        ("RTSP/1.0 500 CON ERR\nCSeq: 1\nSession: 0", "refused SETUP: 500 CON ERR."),
        ("RTSP/1.0 461 \nCSeq: 1", "refused SETUP: 461 Unsupported Transport."),
        ("RTSP/1.0 500 \x1b[31m\nCSeq: 1", "refused SETUP: 500 \\x1b[31m."),
    ],
)
def test_a_refusal_is_one_sentence(asked, reply, error):
    asked.parseRtspReply(reply)
    assert asked.state == Client.INIT
    assert error in asked.error
    assert one_sentence(asked.error)


@pytest.mark.parametrize("reply", ["", "hello", "CSeq: 1\nSession: 2", b"\xff\xfe", "RTSP/1.0"])
def test_what_is_no_reply_is_a_message_error(asked, reply):
    with pytest.raises(MessageError):
        asked.parseRtspReply(reply)
    assert asked.state == Client.INIT


def test_a_reply_that_nobody_has_asked_for_changes_nothing(server):
    with client_of(server) as client:
        client.parseRtspReply("RTSP/1.0 200 OK\nCSeq: 1\nSession: 5")
        assert (client.state, client.sessionId) == (Client.INIT, 0)


def test_a_long_wait_goes_through_python_now_and_then(server, monkeypatch):
    """Ctrl+C comes in between, which on Windows nothing else lets through."""
    monkeypatch.setattr("rtplab.receiving.rtsp.streamclient.LONGEST_WAIT", 0.01)
    looks = []
    with client_of(server) as client:
        assert client.wait_for(lambda: looks.append(1) or len(looks) == 5, LIMIT)
        started = time.monotonic()
        assert not client.wait_for(lambda: False, 0.05)
        assert 0.05 <= time.monotonic() - started < LIMIT
