"""Errors that nobody has thought of: each is told, and costs no more than what it happened to."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from local_server import in_a_thread
from movies import frames_of, write_movie
from raw_rtsp import HOST, LIMIT, Peer, running_server
from standard_clients import StandardClient, goodbyes
from test_multicast import GROUP, free_even_port, group_member
from test_recoding import scene

from rtplab.serving.admission.limits import Limits
from rtplab.serving.media.feed import Feed
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.payloads import RtpJpeg
from rtplab.serving.media.store import MediaStore, OpenMovie
from rtplab.serving.process.server import RtspServer
from rtplab.serving.process.status import StatusReporter
from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtp.livechannel import Channel
from rtplab.serving.rtp.multicast import MulticastChannels, parse_group
from rtplab.serving.rtp.pacer import Pacer
from rtplab.serving.rtp.sinks import InterleavedSink
from rtplab.serving.rtp.stream import RtpStream
from rtplab.serving.rtp.transmission import Transmission
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import Session
from rtplab.serving.scaling import exposition
from rtplab.serving.scaling.exposition import MetricsServer, open_metrics_listeners
from rtplab.serving.scaling.metrics import Metrics
from ServerWorker import ServerWorker

PROGRESSIVE = scene((384, 288), progressive=True)
SECRET = "what nobody outside should read"


class Unforeseen(Exception):
    """Of no kind that anybody catches by name."""


KINDS = [Unforeseen, RuntimeError, KeyError, RecursionError, MemoryError, UnicodeError]


def failing(kind: type[Exception] = Unforeseen) -> Callable[..., None]:
    def fail(*arguments: object, **named: object) -> None:
        raise kind(SECRET)

    return fail


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    yield caplog
    caplog.get_records("call").clear()  # they hold errors, and those hold what failed


def told(log: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of our own faults."""
    return [record.getMessage() for record in log.records if record.levelno >= logging.WARNING]


def wait_until_told(log: pytest.LogCaptureFixture, lines: int = 1) -> None:
    deadline = time.monotonic() + LIMIT
    while len(told(log)) < lines:
        assert time.monotonic() < deadline, "the log says nothing"
        time.sleep(0.01)


@pytest.fixture
def port(small_movie: Path) -> Iterator[int]:
    with running_server(small_movie.parent, fps=100.0, limits=Limits(sessions=1)) as port:
        yield port


# --- In a request --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ServerWorker.METHODS)
def test_a_method_that_fails_is_answered_and_the_connection_lives_on(
    port: int,
    method: str,
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    log: pytest.LogCaptureFixture,
) -> None:
    with StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200
        with monkeypatch.context() as patched:
            patched.setattr(ServerWorker, f"do_{method}", failing(kind))
            reply = viewer.ask_in_session(method)
        assert reply.status == 500
        assert SECRET.encode() not in reply.raw
        assert viewer.ask_in_session("OPTIONS").status == 200
        assert viewer.play("Range: npt=0-").status == 200
        assert viewer.next_packet().payload_type == 26
    assert [method in line for line in told(log)] == [True]


@pytest.mark.parametrize(
    ("method", "owner", "name"),
    [
        ("DESCRIBE", OpenMovie, "rtp_jpeg"),
        ("SETUP", MediaStore, "rtp_jpeg"),
        ("PLAY", Session, "go_to"),
        ("PLAY", Session, "play_headers"),
        ("PLAY", Feed, "prepare"),
        ("TEARDOWN", Transmission, "say_goodbye"),
        ("TEARDOWN", InterleavedSink, "close"),
    ],
)
def test_what_fails_below_a_method_can_be_asked_for_again(
    port: int, method: str, owner: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandardClient(port) as viewer:
        if method != "SETUP":
            assert viewer.set_up("tcp").status == 200
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, failing())
            reply = viewer.set_up("tcp") if method == "SETUP" else viewer.ask_in_session(method)
            assert reply.status == 500
        if method in ("SETUP", "TEARDOWN"):
            assert viewer.set_up("tcp").status == 200
        assert not viewer.rtp_packets, "refused, and played all the same"
        assert viewer.play("Range: npt=0-").status == 200
        assert viewer.next_packet().payload_type == 26


# --- In a stream ---------------------------------------------------------------------------------


def fails_at(
    count: int,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    kind: type[Exception] = Unforeseen,
) -> None:
    """Have a method do its work a few times, fail once, and then work again."""
    real, left = getattr(owner, name), [count]

    def method(*arguments: object) -> object:
        left[0] -= 1
        if left[0] == 0:
            raise kind(SECRET)
        return real(*arguments)

    monkeypatch.setattr(owner, name, method)


@pytest.mark.parametrize("frame", [1, 3])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(Transmission, "send_due"), (Feed, "frame"), (InterleavedSink, "send")],
)
def test_a_frame_that_fails_ends_the_stream_with_bye_and_one_line(
    port: int,
    frame: int,
    owner: type,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    log: pytest.LogCaptureFixture,
) -> None:
    fails_at(frame, monkeypatch, owner, name)
    with StandardClient(port) as viewer:
        viewer.watch()
        assert viewer.wait(lambda: goodbyes(viewer))
        assert ["sending stopped" in line for line in told(log)] == [True]
        viewer.forget_media()
        assert viewer.play("Range: npt=0-").status == 200
        viewer.next_packet()


@pytest.mark.parametrize("frame", [1, 3])
def test_a_frame_that_can_not_be_cut_ends_the_stream_with_bye(
    port: int, frame: int, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    fails_at(frame, monkeypatch, RtpJpeg, "cut")
    with StandardClient(port) as viewer:
        viewer.watch()
        assert viewer.wait(lambda: goodbyes(viewer))
        assert ["sending stopped" in line for line in told(log)] == [False, True]
        viewer.forget_media()
        assert viewer.play("Range: npt=0-").status == 200
        viewer.next_packet()
        assert viewer.wait(lambda: viewer.pictures > 5)


@pytest.mark.parametrize("frame", [1, 3])
@pytest.mark.parametrize("kind", KINDS[1:])
def test_whatever_kind_it_is_the_stream_ends_with_bye_and_the_session_is_ready(
    port: int,
    frame: int,
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    log: pytest.LogCaptureFixture,
) -> None:
    fails_at(frame, monkeypatch, RtpJpeg, "cut", kind)
    with StandardClient(port) as viewer:
        viewer.watch()
        assert viewer.wait(lambda: goodbyes(viewer))
        assert SECRET.encode() not in b"".join(packet for _, packet in viewer.frames)
        assert viewer.ask_in_session("PAUSE").status == 200
        assert viewer.play().status == 200
    assert ["sending stopped" in line for line in told(log)] == [False, True]


def test_the_rest_of_a_frame_that_fails_does_not_keep_pause_from_its_work(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandardClient(port) as viewer:
        viewer.watch()
        monkeypatch.setattr(RtpStream, "is_within_frame", property(failing()))
        assert viewer.ask_in_session("PAUSE").status == 200
        monkeypatch.undo()
        assert viewer.play("Range: npt=0-").status == 200


def test_a_multicast_that_fails_ends_for_all_its_viewers_and_can_begin_again(
    small_movie: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    group_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{group_port}"))
    fails_at(2, monkeypatch, Transmission, "send_due")
    with (
        running_server(small_movie.parent, multicast=channels) as port,
        group_member(group_port) as member,
        StandardClient(port) as first,
        StandardClient(port) as second,
    ):
        for viewer in (first, second):
            assert viewer.set_up("RTP/AVP;multicast").status == 200
        assert first.play("Range: npt=0-").status == 200
        assert second.play("Range: npt=0-").status == 200
        wait_until_told(log)
        assert ["sending stopped" in line for line in told(log)] == [True]
        member.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                member.recv(2048)
        member.settimeout(LIMIT)
        for viewer in (first, second):
            assert viewer.play("Range: npt=0-").status == 200
        member.recv(2048)


def test_a_deadline_that_is_no_time_drops_one_stream_only(log: pytest.LogCaptureFixture) -> None:
    pacer, done = Pacer(), threading.Event()

    def finish() -> None:
        done.set()

    with closing(pacer):
        with pytest.raises(ValueError):
            pacer.add(finish, float("nan"))
        pacer.add(lambda: float("nan"), time.monotonic())
        pacer.add(finish, time.monotonic() + 0.05)
        assert done.wait(LIMIT)
    assert len(told(log)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_pacer_that_fails_goes_on(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    fails_at(1, monkeypatch, Pacer, "_wait", kind)
    pacer, done = Pacer(), threading.Event()
    with closing(pacer):
        pacer.add(done.set, time.monotonic())
        assert done.wait(LIMIT)
    assert len(told(log)) == 1


# --- In a live stream ----------------------------------------------------------------------------


@pytest.fixture
def live(small_movie: Path) -> Iterator[tuple[LiveStream, int]]:
    """A live stream that has a picture, and the port of its server."""
    server = RtspServer(Service(MovieLibrary(small_movie.parent)))
    with in_a_thread(server, HOST) as port:
        cam = server.service.live.publish("cam", 20.0)
        cam.show(lambda: frames_of(small_movie)[0])
        yield cam, port


@pytest.mark.parametrize("kind", [Unforeseen, MemoryError])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(LiveStream, "_show_to_all"), (Channel, "show"), (Channel, "finish"), (LiveStream, "join")],
)
def test_a_live_stream_that_fails_ends_with_bye(
    live: tuple[LiveStream, int],
    small_movie: Path,
    kind: type[Exception],
    owner: type,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    log: pytest.LogCaptureFixture,
) -> None:
    cam, port = live
    with StandardClient(port, "cam") as viewer:
        assert viewer.set_up("udp").status == 200
        if name != "join":
            assert viewer.play().status == 200
            assert viewer.wait(lambda: viewer.media(0))
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, failing(kind))
            if name == "join":
                assert viewer.play().status == 200
            else:
                cam.show(lambda: frames_of(small_movie)[1])
            assert viewer.wait(lambda: goodbyes(viewer))
        assert viewer.ask_in_session("PAUSE").status == 200
    with StandardClient(port) as other:
        assert other.set_up("tcp").status == 200
    assert told(log)


def test_who_plays_a_live_stream_that_has_just_ended_gets_bye(live: tuple[LiveStream, int]) -> None:
    cam, port = live
    with StandardClient(port, "cam") as viewer:
        assert viewer.set_up("udp").status == 200
        cam.close()
        assert viewer.play().status == 200
        assert viewer.wait(lambda: goodbyes(viewer))


# --- In a client's thread ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "lines"), [("_receive", 1), ("send", 2)])  # BYE fails too
def test_a_control_thread_that_fails_is_told_and_all_is_freed(
    port: int, name: str, lines: int, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    with StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200  # there is room for one
        with monkeypatch.context() as patched:
            patched.setattr(RtspConnection, name, failing())
            with pytest.raises((EOFError, OSError)):
                viewer.ask_in_session("OPTIONS")
                viewer.ask_in_session("OPTIONS")
        wait_until_told(log, lines)
        assert "is dropped" in told(log)[0]
    with StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200


def test_a_session_that_can_not_be_closed_frees_the_rest(
    port: int, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched, StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200
        patched.setattr(Transmission, "say_goodbye", failing())
        viewer.control.shutdown(socket.SHUT_WR)
        assert viewer.control.recv(100) == b""
    wait_until_told(log)
    with StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200


# --- Between accept and the worker ---------------------------------------------------------------


@pytest.mark.parametrize("kind", [OSError, *KINDS])
@pytest.mark.parametrize("name", ["__init__", "run"])
def test_a_client_that_can_not_be_taken_in_is_dropped_alone(
    port: int, kind: type[Exception], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ServerWorker, name, failing(kind))
        with Peer(port) as peer:
            assert peer.is_hung_up()
    with StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200


@pytest.mark.parametrize("kind", [OSError, *KINDS])
def test_an_accept_that_fails_does_not_end_the_server(
    port: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def fail(listener: socket.socket) -> None:
        failed.set()
        raise kind(SECRET)

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "accept", fail)
        with Peer(port) as peer:
            assert failed.wait(LIMIT)
            patched.undo()
            assert peer.ask("OPTIONS", "*").status == 200


@pytest.mark.parametrize("kind", [OSError, *KINDS])
def test_a_status_line_that_fails_does_not_end_the_server(
    small_movie: Path, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StatusReporter, "print_if_due", failing(kind))
    server = RtspServer(Service(MovieLibrary(small_movie.parent)))
    _, port = server.listen(HOST)
    status = StatusReporter(Metrics(server.service.pacer), 0.01, "status")
    thread = threading.Thread(target=server.serve, args=(status,))
    thread.start()
    try:
        with Peer(port) as peer:
            assert peer.ask("OPTIONS", "*").status == 200
    finally:
        server.stop()
        thread.join()


@pytest.mark.parametrize("name", ["setsockopt", "getsockname"])
def test_what_the_system_refuses_for_a_client_s_socket(
    port: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options are a help, and not needed. Without a name, as on macOS, it has gone already."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, name, refuse)
        with Peer(port) as peer:
            if name == "setsockopt":
                assert peer.ask("OPTIONS", "*").status == 200
            else:
                assert peer.is_hung_up()
    with Peer(port) as peer:
        assert peer.ask("OPTIONS", "*").status == 200


# --- In the thread of the metrics ----------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many"), Unforeseen(SECRET)], ids=type)
def test_metrics_that_can_not_be_asked_for_cost_no_time_and_come_back(
    error: Exception, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("prometheus_client")
    tries: list[float] = []

    def fail(server: object) -> None:
        tries.append(time.monotonic())
        raise error

    (listener,) = open_metrics_listeners((HOST, 0), 1)
    url = f"http://{HOST}:{listener.getsockname()[1]}/metrics"
    with closing(MetricsServer(Metrics(Pacer()), listener, 0)):
        with monkeypatch.context() as patched:
            patched.setattr(exposition.TCPServer, "get_request", fail)
            with socket.create_connection((HOST, listener.getsockname()[1])):
                time.sleep(2.5 * exposition.PAUSE)
        assert 2 <= len(tries) <= 4
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:
            assert answer.status == 200
    assert len(told(log)) == 1


# --- Without Pillow ------------------------------------------------------------------------------


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("rtplab.serving.media.conversion", "rtplab.serving.media.transcoding"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)


def test_a_movie_that_must_be_converted_is_refused(
    tmp_path: Path, without_pillow: None, log: pytest.LogCaptureFixture
) -> None:
    write_movie(tmp_path / "movie.Mjpeg", [PROGRESSIVE] * 3)
    log.set_level(logging.INFO)
    with running_server(tmp_path) as port, StandardClient(port) as viewer:
        assert viewer.ask("DESCRIBE").status == 415
        assert viewer.set_up("tcp").status == 200
        for _ in range(2):
            assert viewer.play().status == 415
        assert viewer.ask_in_session("OPTIONS").status == 200
        assert not viewer.rtp_packets
        log.set_level(logging.WARNING)
    refusals = [line for line in log.messages if " 415: " in line]
    assert refusals and all("pip install Pillow" in line for line in refusals)


def test_a_picture_that_must_be_converted_amid_others_ends_the_stream(
    tmp_path: Path, small_movie: Path, without_pillow: None, log: pytest.LogCaptureFixture
) -> None:
    frames = frames_of(small_movie)
    write_movie(tmp_path / "movie.Mjpeg", [*frames[:3], PROGRESSIVE, *frames[3:6]])
    with running_server(tmp_path) as port, StandardClient(port) as viewer:
        assert viewer.ask("DESCRIBE").status == 200
        viewer.watch()
        assert viewer.wait(lambda: goodbyes(viewer))
        assert viewer.pictures == 3
    assert ["pip install Pillow" in line for line in told(log)] == [True]


def test_a_movie_whose_conversion_is_given_up_ends_with_bye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    from rtplab.serving.media import conversion

    write_movie(tmp_path / "movie.Mjpeg", [PROGRESSIVE] * 40)
    monkeypatch.setattr(conversion, "MAX_CACHE_BYTES", 1)  # room for one
    with running_server(tmp_path) as port, StandardClient(port) as viewer:
        assert viewer.set_up("tcp").status == 200
        began = time.monotonic()
        assert viewer.play("Range: npt=0-").status == 200
        assert viewer.wait(lambda: goodbyes(viewer))
        assert time.monotonic() - began < 1.8, "that is the end of the movie"
        assert viewer.pictures == 1
    assert len(told(log)) == 2
