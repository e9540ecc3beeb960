"""ServerWorker alone, as a grading script uses it: no Server, real sockets, the classic names."""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager

import pytest
from lab_clients import JAVA, LF_BLANK, USUAL, PythonLabClient, lab_client
from movies import MOVIE, ROOT, frames_of, write_movie
from waiting import settles
from wording import lacks

from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtsp.messages import Headers, Request
from rtplab.protocol.rtsp.requestparser import RequestParser
from rtplab.serving.media import store
from rtplab.serving.media.feed import Feed
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtp import sinks
from rtplab.serving.rtp.frameclock import LONGEST_BEAT, FrameClock
from rtplab.serving.rtp.pacer import ScheduledStream
from rtplab.serving.rtp.sinks import ViewerGone
from rtplab.serving.rtp.transmission import Transmission
from rtplab.serving.rtsp import setup
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.worker import MAX_BAD_REQUESTS
from RtpPacket import RtpPacket
from ServerWorker import ServerWorker

HOST = "127.0.0.1"
FPS = 100
LIMIT = 5.0  # seconds that anything may take


@pytest.fixture(scope="module")
def frames():
    return frames_of(MOVIE)[:8]


@pytest.fixture(scope="module")
def media(tmp_path_factory, frames):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", frames)
    write_movie(media / "other.Mjpeg", frames[::-1])
    write_movie(media / "long.Mjpeg", frames * 40)
    (media / "broken.Mjpeg").write_text("no movie")
    return media


@pytest.fixture
def service(media):
    service = Service(MovieLibrary(media), fps=FPS)
    yield service
    service.close()


@contextmanager
def served(new_client, service=None):
    """A client of a worker that runs in its thread; `new_client` connects to the address given."""
    with socket.create_server((HOST, 0)) as listener, new_client(listener.getsockname()) as client:
        worker = ServerWorker({"rtspSocket": listener.accept()}, service)
        worker.run()
        try:
            yield worker, client
        finally:
            worker.close()


# --- The classic names ---------------------------------------------------------------------------


def test_constants_of_the_lab():
    assert (ServerWorker.SETUP, ServerWorker.PLAY) == ("SETUP", "PLAY")
    assert (ServerWorker.PAUSE, ServerWorker.TEARDOWN) == ("PAUSE", "TEARDOWN")
    assert (ServerWorker.INIT, ServerWorker.READY, ServerWorker.PLAYING) == (0, 1, 2)
    assert ServerWorker.state == ServerWorker.INIT
    statuses = ServerWorker.OK_200, ServerWorker.FILE_NOT_FOUND_404, ServerWorker.CON_ERR_500
    assert statuses == (0, 1, 2)


@pytest.mark.parametrize("form", [USUAL, JAVA], ids=["Python", "Java"])
def test_alone_it_serves_the_current_folder(media, frames, monkeypatch, form):
    """All that the lab's Server.py does: ServerWorker(clientInfo).run()."""
    monkeypatch.chdir(media)
    with served(lambda address: lab_client(address, form)) as (worker, client):
        assert worker.state == worker.INIT
        assert client.setup().status == 200
        assert worker.state == worker.READY
        assert client.play().status == 200
        assert client.rtp.wait_for_frames(4) == frames[:4]
        assert worker.state == worker.PLAYING
        assert client.pause().status == 200
        assert worker.state == worker.READY
        assert client.teardown().status == 200
        assert worker.state == worker.INIT


def test_client_info_holds_what_the_lab_keeps_there(service):
    with served(PythonLabClient, service) as (worker, client):
        client.setup()
        assert worker.clientInfo["rtpPort"] == client.rtp.port
        assert str(worker.clientInfo["session"]) == str(client.session)
        assert worker.clientInfo["videoStream"].frameNbr() == 0


class Counting(ServerWorker):
    """What a grading script does: it looks into the methods of the lab."""

    def __init__(self, clientInfo, service=None):
        super().__init__(clientInfo, service)
        self.calls = []

    def recvRtspRequest(self):
        self.calls.append("recvRtspRequest")
        super().recvRtspRequest()

    def processRtspRequest(self, data):
        self.calls.append(data.method)
        return super().processRtspRequest(data)


def test_methods_of_the_lab_that_a_script_replaces_are_called(service, frames, monkeypatch):
    monkeypatch.setitem(globals(), "ServerWorker", Counting)
    with served(PythonLabClient, service) as (worker, client):
        send = worker.sendRtp

        def sendRtp():
            worker.calls.append("sendRtp")
            return send()

        worker.sendRtp = sendRtp
        client.setup()
        client.play()
        client.rtp.wait_for_frames(3)
        client.teardown()
        calls = list(worker.calls)
        del worker.sendRtp
    assert calls[:4] == ["recvRtspRequest", "SETUP", "PLAY", "sendRtp"]
    assert calls.count("sendRtp") >= 3
    *_, end = (number for number, call in enumerate(calls) if call != "sendRtp")
    assert calls[end] == "TEARDOWN"
    assert len(calls) <= end + 2, "one frame may be on its way when TEARDOWN comes"


# --- Called by hand, without a thread ------------------------------------------------------------


class ByHand:
    """A worker whose methods are called one by one, a client that reads, and an RTP port."""

    def __init__(self, service):
        self.client, ours = socket.socketpair()
        self.client.settimeout(LIMIT)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((HOST, 0))
        self.rtp.settimeout(LIMIT)
        self.port = self.rtp.getsockname()[1]
        self.worker = ServerWorker({"rtspSocket": (ours, (HOST, 50_000))}, service)
        self._service = service
        self.session = "0"

    def close(self):
        self.client.close()
        self.worker.recvRtspRequest()  # sees that the client has hung up, and frees all
        del self.worker
        self._service.close()  # and with it the movie
        self.rtp.close()

    def ask(self, method, number=1, name="movie.Mjpeg", session=None):
        """Have the worker process a request as text; return its reply."""
        third = f"Session: {session or self.session}"
        if method == "SETUP":
            third = f"Transport: RTP/UDP; client_port= {self.port}"
        self.worker.processRtspRequest(f"{method} {name} RTSP/1.0\nCSeq: {number}\n{third}")
        reply = self.client.recv(1024).decode()
        if method == "SETUP" and " 200 " in reply:
            self.session = reply.split()[-1]
        return reply

    def receive(self):
        """The next RTP packet."""
        packet = RtpPacket()
        packet.decode(self.rtp.recv(65_535))
        return packet


class NoPacer:
    """Takes what is to be sent, and sends nothing by itself."""

    thread = None

    def start(self):
        pass

    def add(self, send, deadline):
        self.last = ScheduledStream(send)
        return self.last

    def log_skipped(self, frames, why=""):
        raise AssertionError("nothing comes too late here")

    def close(self):
        pass


@pytest.fixture
def by_hand(media):
    hand = ByHand(Service(MovieLibrary(media), fps=FPS, pacer=NoPacer()))
    yield hand
    hand.close()


def test_process_rtsp_request_and_its_replies(by_hand):
    worker = by_hand.worker
    reply = by_hand.ask("SETUP", 1)
    assert reply == f"RTSP/1.0 200 OK\nCSeq: 1\nSession: {by_hand.session}\n\n"
    assert 1 <= int(by_hand.session) < 2**31
    assert worker.state == worker.READY
    for number, (method, state) in enumerate(
        [("PLAY", 2), ("PLAY", 2), ("PAUSE", 1), ("PAUSE", 1), ("PLAY", 2), ("TEARDOWN", 0)], 2
    ):
        expected = f"RTSP/1.0 200 OK\nCSeq: {number}\nSession: {by_hand.session}\n\n"
        assert by_hand.ask(method, number) == expected
        assert worker.state == state


@pytest.mark.parametrize("method", ["PLAY", "PAUSE"])
def test_without_a_session_the_state_is_what_is_wrong(by_hand, method):
    reply = by_hand.ask(method, 7)
    assert reply == "RTSP/1.0 455 Method Not Valid in This State\nCSeq: 7\nSession: 0\n\n"
    assert by_hand.worker.state == by_hand.worker.INIT


def test_setup_while_playing_is_refused_and_the_movie_goes_on(by_hand):
    by_hand.ask("SETUP")
    by_hand.ask("PLAY", 2)
    assert by_hand.ask("SETUP", 3).startswith("RTSP/1.0 455 ")
    assert by_hand.worker.state == by_hand.worker.PLAYING
    assert by_hand.worker.sendRtp() is not None


@pytest.mark.parametrize("method", ["PLAY", "PAUSE", "TEARDOWN"])
@pytest.mark.parametrize("session", ["1", "abc", "-5", '"1"'])
def test_the_session_of_another_connection_is_not_found(by_hand, method, session):
    by_hand.ask("SETUP")
    reply = by_hand.ask(method, 2, session=session)
    assert reply == "RTSP/1.0 454 Session Not Found\nCSeq: 2\nSession: 0\n\n"
    assert by_hand.worker.state == by_hand.worker.READY
    assert by_hand.ask("PLAY", 3).startswith("RTSP/1.0 200 ")


@pytest.mark.parametrize("session", ['"{}"', "'{}'", "None", "none", "null", "0", "", '""'])
def test_a_client_that_has_not_noted_its_session_means_the_only_one(by_hand, session):
    by_hand.ask("SETUP")
    named = session.format(by_hand.session)
    assert by_hand.ask("PLAY", 2, session=named).startswith("RTSP/1.0 200 ")
    assert by_hand.worker.state == by_hand.worker.PLAYING


def test_in_the_standard_a_session_has_to_be_named(by_hand):
    by_hand.ask("SETUP")
    for session in ("0", "None", f'"{by_hand.session}"'):
        request = Request("PLAY", "rtsp://h/movie.Mjpeg", Headers([("Session", session)]), "2")
        assert by_hand.worker.processRtspRequest(request) == 454


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("SETUP missing.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000", 404),
        ("SETUP broken.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000", 415),
        ("SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 80", 400),
        ("SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 99999", 400),
        ("SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RAW/RAW/UDP", 461),
        ("SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1", 400),
        ("RECORD movie.Mjpeg RTSP/1.0\nCSeq: 1", 501),
        ("FROBNICATE movie.Mjpeg RTSP/1.0\nCSeq: 1", 501),
        ("M-SEARCH movie.Mjpeg RTSP/1.0\nCSeq: 1", 501),
        ("PLAY2 movie.Mjpeg RTSP/1.0\nCSeq: 1", 501),
        ("__init__ movie.Mjpeg RTSP/1.0\nCSeq: 1", 501),
        ("?!", 400),
        ("", 400),
        (b"\xff\xfe\xfd", 400),
        (b"\0" * 9, 400),
    ],
)
def test_what_cannot_be_obeyed_gets_its_status_and_changes_nothing(by_hand, request_, status):
    assert by_hand.worker.processRtspRequest(request_) == status
    assert by_hand.client.recv(1024).startswith(b"RTSP/1.0 %d " % status)
    assert by_hand.worker.state == by_hand.worker.INIT
    assert by_hand.ask("SETUP").startswith("RTSP/1.0 200 ")


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (ServerWorker.OK_200, "RTSP/1.0 200 OK\nCSeq: 9\nSession: {session}\n\n"),
        (ServerWorker.FILE_NOT_FOUND_404, "RTSP/1.0 404 Not Found\nCSeq: 9\nSession: 0\n\n"),
        (ServerWorker.CON_ERR_500, "RTSP/1.0 500 Internal Server Error\nCSeq: 9\nSession: 0\n\n"),
    ],
)
def test_reply_rtsp(by_hand, code, reply):
    by_hand.ask("SETUP")
    by_hand.worker.replyRtsp(code, 9)
    assert by_hand.client.recv(1024).decode() == reply.format(session=by_hand.session)


def test_reply_rtsp_before_there_is_a_session(by_hand):
    by_hand.worker.replyRtsp(ServerWorker.OK_200, 1)
    assert by_hand.client.recv(1024) == b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 0\n\n"


@pytest.mark.parametrize("marker", [False, True])
def test_make_rtp(media, marker):
    hand = ByHand(Service(MovieLibrary(media), pacer=NoPacer(), marker=marker))
    packet = hand.worker.makeRtp(b"\xff\xd8 frame", 3)
    hand.close()
    second = "9a" if marker else "1a"
    assert packet == bytes.fromhex(f"80 {second} 0003 00002328 00000000") + b"\xff\xd8 frame"


def test_send_rtp_sends_frame_by_frame_and_says_when_the_next_is_due(by_hand, frames):
    worker = by_hand.worker
    assert worker.sendRtp() is None
    by_hand.ask("SETUP")
    assert worker.sendRtp() is None
    before = time.monotonic()
    by_hand.ask("PLAY", 2)
    for number, frame in enumerate(frames, 1):
        packet = by_hand.receive()
        assert packet.getPayload() == frame
        assert (packet.seqNum(), packet.timestamp()) == (number, (number - 1) * 90_000 // FPS)
        assert (packet.version(), packet.payloadType(), packet.marker()) == (2, 26, 0)
        due = worker.sendRtp()
        if number < len(frames):
            first_beat = due - (number + 1) / FPS
            half = LONGEST_BEAT / 2
            assert before - half <= first_beat <= time.monotonic() + half
    assert due is None
    assert worker.state == worker.READY


def test_frames_that_come_too_late_are_left_out_of_the_movie_but_not_of_its_time(
    by_hand, frames, monkeypatch
):
    by_hand.ask("SETUP")
    told = []
    monkeypatch.setattr(NoPacer, "log_skipped", lambda pacer, frames: told.append(frames))
    monkeypatch.setattr(FrameClock, "missed", lambda self, now: missed.pop(0))
    missed = [0, 3, 0]
    by_hand.ask("PLAY", 2)
    by_hand.worker.sendRtp()
    by_hand.worker.sendRtp()
    sent = []
    for _ in range(3):
        packet = by_hand.receive()
        sent.append((frames.index(packet.getPayload()), packet.seqNum(), packet.timestamp()))
    step = 90_000 // FPS
    assert sent == [(0, 1, 0), (4, 2, 4 * step), (5, 3, 5 * step)]
    assert told == [3]


def test_the_end_of_a_session_lets_go_of_its_movie(by_hand, monkeypatch):
    monkeypatch.setattr(store, "IDLE_SECONDS", 0)
    by_hand.ask("SETUP")
    by_hand.ask("PLAY", 2)
    by_hand.worker.sendRtp()
    movie = weakref.ref(by_hand.worker.clientInfo["videoStream"].movie)
    by_hand.ask("TEARDOWN", 3)
    assert settles(lambda: movie() is None)


def test_who_has_hung_up_is_not_listened_to_again(by_hand):
    by_hand.client.close()
    by_hand.worker.recvRtspRequest()
    by_hand.worker.recvRtspRequest()  # returns at once


def test_no_time_passes_over_frames_beyond_the_end(by_hand, frames, monkeypatch):
    by_hand.ask("SETUP")
    by_hand.ask("PLAY", 2)
    told = []
    monkeypatch.setattr(NoPacer, "log_skipped", lambda pacer, frames: told.append(frames))
    monkeypatch.setattr(FrameClock, "missed", lambda self, now: len(frames) + 7)
    by_hand.worker.sendRtp()
    assert told == [len(frames) - 1]  # the first has been sent
    assert by_hand.worker._session.delivery.info().timestamp == len(frames) * 90_000 // FPS
    assert by_hand.worker.state == by_hand.worker.READY


def test_pause_goes_on_with_the_next_frame(by_hand, frames):
    by_hand.ask("SETUP")
    for number in range(1, 5):
        by_hand.ask("PLAY", 2 * number)
        by_hand.worker.sendRtp()
        by_hand.ask("PAUSE", 2 * number + 1)
        assert by_hand.worker.sendRtp() is None
        for index in (2 * number - 2, 2 * number - 1):
            assert by_hand.receive().getPayload() == frames[index]


def test_after_the_end_play_begins_again_and_the_numbers_go_on(by_hand, frames):
    """Lab clients drop whatever has no greater number than the last."""
    by_hand.ask("SETUP")
    received = []
    for round_ in range(2):
        by_hand.ask("PLAY", 2 + round_)
        received.append(by_hand.receive())
        while by_hand.worker.sendRtp() is not None:
            received.append(by_hand.receive())
        assert by_hand.worker.state == by_hand.worker.READY
    assert [packet.getPayload() for packet in received] == frames * 2
    assert [packet.seqNum() for packet in received] == list(range(1, 2 * len(frames) + 1))
    steps = {b.timestamp() - a.timestamp() for a, b in zip(received, received[1:], strict=False)}
    assert steps == {90_000 // FPS}


def test_pause_after_the_end_is_not_refused(by_hand):
    """The client can't know yet."""
    by_hand.ask("SETUP")
    by_hand.ask("PLAY", 2)
    while by_hand.worker.sendRtp() is not None:
        pass
    assert by_hand.ask("PAUSE", 3).startswith("RTSP/1.0 200 ")


def test_several_movies_over_one_connection(by_hand, frames):
    for name, first in (("movie.Mjpeg", frames[0]), ("other.Mjpeg", frames[-1])):
        assert by_hand.ask("SETUP", 1, name).startswith("RTSP/1.0 200 ")
        by_hand.ask("PLAY", 2, name)
        packet = by_hand.receive()
        assert (packet.getPayload(), packet.seqNum()) == (first, 1)
        assert by_hand.ask("TEARDOWN", 3, name).startswith("RTSP/1.0 200 ")


def test_another_setup_takes_another_movie(by_hand, frames):
    by_hand.ask("SETUP", 1, "movie.Mjpeg")
    by_hand.ask("SETUP", 2, "other.Mjpeg")
    by_hand.ask("PLAY", 3)
    assert by_hand.receive().getPayload() == frames[-1]


def test_a_failed_setup_leaves_the_session_as_it_was(by_hand, frames):
    by_hand.ask("SETUP", 1)
    assert by_hand.ask("SETUP", 2, "missing.Mjpeg").startswith("RTSP/1.0 404 ")
    assert by_hand.ask("PLAY", 3).startswith("RTSP/1.0 200 ")
    assert by_hand.receive().getPayload() == frames[0]


def test_a_setup_without_a_way_to_the_client_closes_its_movie(by_hand, monkeypatch, caplog):
    closed = []

    def close(feed):
        closed.append(feed)
        close_it(feed)

    def fail(*arguments):
        raise OSError(13, "Permission denied")

    close_it = Feed.close
    monkeypatch.setattr(Feed, "close", close)
    monkeypatch.setattr(setup, "open_sink", fail)
    assert not by_hand.ask("SETUP").startswith("RTSP/1.0 200 ")
    assert len(closed) == 1
    caplog.clear()  # its records hold the error, that holds the movie


def test_teardown_without_a_session_is_no_mistake(by_hand):
    """Lab clients send it when their window is closed, whatever came before."""
    assert by_hand.ask("TEARDOWN").startswith("RTSP/1.0 200 ")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermissionError(13, "used by another process"), 403),
        (OSError(5, "Input/output error"), 403),
        (FileNotFoundError(2, "No such file"), 404),
    ],
)
def test_a_movie_that_is_locked_is_not_said_to_be_missing(by_hand, monkeypatch, error, status):
    def fail(path):
        raise error

    monkeypatch.setattr(setup, "open_movie", fail)
    assert by_hand.ask("SETUP").startswith(f"RTSP/1.0 {status} ")


def test_the_movie_is_cut_while_it_plays(tmp_path, frames, caplog):
    path = write_movie(tmp_path / "movie.Mjpeg", frames)
    hand = ByHand(Service(MovieLibrary(tmp_path), pacer=NoPacer()))
    hand.ask("SETUP")
    with open(path, "r+b") as file:
        file.truncate(len(frames[0]) + 100)  # what has been read ahead would still be sent
    hand.ask("PLAY", 2)
    assert hand.worker.state == hand.worker.PLAYING
    assert hand.worker.sendRtp() is None
    assert hand.worker.state != hand.worker.PLAYING
    assert not lacks(caplog.text, "frame 2", "truncated")
    caplog.clear()  # its records hold the error, that holds the movie
    hand.close()


@pytest.mark.parametrize(
    ("error", "arguments"),
    [(ViewerGone, ("lost",)), (MovieError, ("frame 1 is gone", 0)), (OSError, (5, "broken"))],
)
def test_what_fails_at_the_first_frame_ends_the_stream_and_not_the_thread(
    by_hand, monkeypatch, caplog, error, arguments
):
    def fail(transmission, now):
        raise error(*arguments)

    monkeypatch.setattr(Transmission, "send_due", fail)
    tcp = "RTP/AVP/TCP;unicast;interleaved=0-1"
    uri = "rtsp://h/movie.Mjpeg"
    setup = Request("SETUP", f"{uri}/trackID=0", Headers([("Transport", tcp)]), "1")
    assert by_hand.worker.processRtspRequest(setup) == 200
    session = by_hand.client.recv(1024).decode().partition("Session: ")[2].partition(";")[0]
    play = Request("PLAY", uri, Headers([("Session", session)]), "2")
    assert by_hand.worker.processRtspRequest(play) == 200
    assert by_hand.worker.state == by_hand.worker.READY
    assert b"$\x01" not in by_hand.client.recv(1024)
    by_hand.worker._service.pacer.last.send()
    assert error is ViewerGone or by_hand.client.recv(1024).startswith(b"$\x01"), "no BYE"
    caplog.clear()  # its records hold the error, that holds the movie


# --- With its thread -----------------------------------------------------------------------------


def test_the_whole_movie_twice(service, frames):
    with served(PythonLabClient, service) as (worker, client):
        client.setup()
        client.play()
        client.rtp.wait_for_packets(len(frames))
        assert settles(lambda: worker.state == worker.READY)
        client.play()
        assert client.rtp.wait_for_frames(2 * len(frames)) == frames * 2


@pytest.mark.parametrize("until", ["connect", "SETUP", "PLAY", "PAUSE"])
def test_a_client_that_hangs_up_leaves_nothing_behind(service, until):
    """Threads and sockets that remain fail the test."""
    with served(lambda address: PythonLabClient(address, movie="long.Mjpeg"), service) as (
        worker,
        client,
    ):
        for method in ("connect", "SETUP", "PLAY", "PAUSE"):
            if method == "SETUP":
                client.setup()
            elif method != "connect":
                client.ask(method)
            if method == until:
                break
        client.control.close()
        assert settles(lambda: not worker.is_alive())
        assert worker.state == worker.INIT
        assert client.rtp.quiet(0.15)


@pytest.mark.parametrize("step", ["_close_recorder", "_close_session", "_leave_slot"])
def test_what_can_not_be_freed_keeps_nothing_else(service, monkeypatch, caplog, step):
    with served(PythonLabClient, service) as (worker, client):
        client.setup()
        free = getattr(worker, step)

        def fail():
            free()
            raise RuntimeError("broken")

        monkeypatch.setattr(worker, step, fail)
        caplog.set_level("INFO")
        client.control.close()
        assert settles(lambda: not worker.is_alive())
        assert worker.state == worker.INIT
        assert worker._connection.rtsp_socket.fileno() == -1
    assert "something can't be freed" in caplog.text
    assert "gone: it has hung up" in caplog.text
    assert service.session_slots.acquire(blocking=False)
    service.session_slots.release()


def test_alone_a_worker_ends_the_pacer_when_its_client_is_gone(media, monkeypatch):
    monkeypatch.chdir(media)
    with served(PythonLabClient) as (worker, client):
        client.setup()
        client.play()
        client.rtp.wait_for_frames(1)
        client.control.close()
        assert settles(lambda: not worker.is_alive())
        assert settles(lambda: "pacer" not in {t.name for t in threading.enumerate()})


def test_close_ends_a_worker_in_the_middle_of_the_movie(service):
    with served(lambda address: PythonLabClient(address, movie="long.Mjpeg"), service) as (
        worker,
        client,
    ):
        client.setup()
        client.play()
        client.rtp.wait_for_frames(1)
        worker.close()
        worker.close()
        assert not worker.is_alive()
        assert client.control.recv(100) == b""


def test_a_client_that_closes_its_rtp_port_is_given_up(service, monkeypatch):
    monkeypatch.setattr(sinks, "REFUSAL_PATIENCE", 0.2)
    with served(lambda address: PythonLabClient(address, movie="long.Mjpeg"), service) as (
        worker,
        client,
    ):
        client.setup()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as moribund:
            moribund.bind((HOST, 0))
            request = USUAL.request(
                "SETUP", 2, movie="long.Mjpeg", rtp_port=moribund.getsockname()[1]
            )
            client.control.sendall(request)
            client.read_reply()
            client.ordinal += 1
            client.play()
            moribund.settimeout(LIMIT)
            moribund.recv(65_535)
        assert settles(lambda: worker.state != worker.PLAYING)


def test_a_peer_that_speaks_something_else_is_left(service):
    with served(PythonLabClient, service) as (worker, client):
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.control.sendall(b"\x01\x02\x03\n\n")
                time.sleep(0.002)
        assert settles(lambda: not worker.is_alive())


def test_a_bad_request_is_freed_as_soon_as_it_is_answered(by_hand):
    parser = RequestParser()
    parser.feed(b"PLAY rtsp://host/movie RTSP/9.9\r\nCSeq: 1\r\n\r\n", 0.0)
    request = parser.next(0.0)
    assert isinstance(request, Request) and request.problem
    weak = weakref.ref(request.headers)
    gc.disable()
    try:
        assert by_hand.worker.processRtspRequest(request) == 505
        del request
        assert weak() is None, "it waits for the collector, and floods of it are memory"
    finally:
        gc.enable()


def test_a_client_that_has_left_is_freed_at_once(service):
    gc.disable()
    try:
        with served(PythonLabClient, service) as (worker, client):
            client.setup()
            weak = weakref.ref(worker)
        del worker, client
        assert settles(lambda: weak() is None)
    finally:
        gc.enable()


def test_no_thread_is_left_when_the_service_is_closed(service):
    with served(PythonLabClient, service):
        pass
    service.close()
    assert settles(lambda: "client" not in {t.name for t in threading.enumerate()}, 0.5)


def test_ten_bad_requests_among_good_ones_are_borne(service):
    with served(PythonLabClient, service) as (_, client):
        for _ in range(4):
            for _ in range(5):
                client.control.sendall(b"?!\n\n")
                assert client.control.recv(1024).startswith(b"RTSP/1.0 400 ")
            assert client.teardown().status == 200


@pytest.mark.parametrize("method", ["FROBNICATE", "M-SEARCH", "PLAY2"])
def test_methods_that_are_not_known_do_not_end_the_connection(service, method):
    with served(PythonLabClient, service) as (_, client):
        for uri in ("movie.Mjpeg", "rtsp://h/movie.Mjpeg"):
            for _ in range(MAX_BAD_REQUESTS + 2):
                client.control.sendall(f"{method} {uri} RTSP/1.0\nCSeq: 1\n\n".encode())
                assert client.control.recv(1024).startswith(b"RTSP/1.0 501 ")
        assert client.setup().status == 200


def test_no_input_makes_the_thread_raise(service, monkeypatch):
    raised = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    garbage = [b"\n \n\t\n \n", b" \r\n\r\n", b"$\0\0\0$", b"SETUP\n\n", b"A B C\n\n", b"\0"]
    for data in (*garbage, LF_BLANK.request("PLAY", 1)[:-3] + b"\xff\n\n"):
        with served(PythonLabClient, service) as (worker, client):
            client.control.sendall(data)
            client.control.shutdown(socket.SHUT_WR)
            assert settles(lambda worker=worker: not worker.is_alive())
    assert not raised


def test_a_lab_session_needs_no_sign_of_life(service, monkeypatch):
    service.session_timeout = 0.1
    with served(PythonLabClient, service) as (worker, client):
        client.setup()
        time.sleep(0.3)
        assert client.play().status == 200
        assert worker.state == worker.PLAYING


def test_close_frees_a_worker_that_never_ran(service):
    client, ours = socket.socketpair()
    worker = ServerWorker({"rtspSocket": (ours, (HOST, 50_000))}, service)
    try:
        worker.processRtspRequest(USUAL.request("SETUP", 1, rtp_port=25_000))
        worker.close()
        assert ours.fileno() == -1
    finally:
        client.close()
        ours.close()


SCRIPT = """
import socket, sys
sys.path.insert(0, {root!r})
from ServerWorker import ServerWorker
client, ours = socket.socketpair()
rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
rtp.bind(("127.0.0.1", 0))
worker = ServerWorker({{"rtspSocket": (ours, ("127.0.0.1", 50000))}})
worker.processRtspRequest(
    "SETUP movie.Mjpeg RTSP/1.0\\nCSeq: 1\\nTransport: RTP/UDP; client_port= %d"
    % rtp.getsockname()[1]
)
session = client.recv(1024).decode().split()[-1]
for number, method in enumerate(("PLAY", "TEARDOWN"), 2):
    worker.processRtspRequest(
        "%s movie.Mjpeg RTSP/1.0\\nCSeq: %d\\nSession: %s" % (method, number, session)
    )
    print(method, client.recv(1024).decode().split()[1])
    if method == "PLAY":
        print(rtp.recv(65535)[12:14].hex())
"""


def test_a_script_that_calls_the_methods_itself_comes_to_its_end(media):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(root=str(ROOT))],
        cwd=media,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == ["PLAY 200", "ffd8", "TEARDOWN 200"]
    assert run.returncode == 0
