"""Our client, headless and in a process of its own, against scripted servers of the labs."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import lab_servers
import pytest
from lab_servers import (
    IMPAIRED,
    REPLIES,
    RTP_KINDS,
    Frames,
    JavaLabServer,
    LabServer,
    PythonLabServer,
    fragment_lost,
    frames_lost,
)
from movies import MOVIE, frames_of
from processes import HOST, ClientRun, free_udp_port, run_client
from systems import needs_loopback_network

import ClientLauncher
from Client import Client
from rtplab.protocol.errors import SessionError

pytestmark = pytest.mark.long

COUNT = 10
"""Frames that a run takes; the servers have two more."""

LIMIT = 25.0
FIELDS = set(
    "frames packets lost late duplicates bytes seconds fps kbit_per_s jitter_ms loss_rate"
    " first_frame_ms state forgiven error".split()
)

ServerMaker = Callable[[Frames], LabServer]


@pytest.fixture(scope="module")
def frames():
    return frames_of(MOVIE)[: COUNT + 2]


@dataclass(frozen=True)
class Outcome:
    """One run of the client against one server, and the frames it saved, by order of names."""

    server: LabServer
    rtp_port: int
    run: ClientRun
    saved: list[bytes]


def play(server: LabServer, directory: Path, *options: str | int) -> Outcome:
    """Run the headless client against a server that runs as long as the client does."""
    rtp_port = free_udp_port()
    with server:
        run = run_client(
            *(HOST, server.port, rtp_port, "movie.Mjpeg", "--headless", "--json"),
            *("--save", directory, *options),
            limit=LIMIT,
        )
    saved = [path.read_bytes() for path in sorted(directory.iterdir())]
    return Outcome(server, rtp_port, run, saved)


def play_frames(maker: ServerMaker, frames: Frames, directory: Path) -> Outcome:
    return play(maker(frames), directory, "--frames", COUNT)


# --- Servers that mean well ----------------------------------------------------------------------


def python_server(**options) -> ServerMaker:
    return lambda frames: PythonLabServer(frames, **options)


SESSIONS = ("abc-123", "1", "0" * 39 + "f", "99;timeout=60")

GOOD_SERVERS: dict[str, ServerMaker] = {
    **{f"RTP: {kind}": python_server(packets=packets) for kind, packets in RTP_KINDS.items()},
    **{f"RTP: {kind}": python_server(packets=packets) for kind, packets in IMPAIRED.items()},
    **{f"reply: {name}": python_server(reply=reply) for name, reply in REPLIES.items()},
    **{f"session: {name}": python_server(session=name) for name in SESSIONS},
    "Java": JavaLabServer,
    "Java, fragments": lambda frames: JavaLabServer(
        frames, packets=RTP_KINDS["fragments, no marker"]
    ),
    "a stranger sends too": lab_servers.HasAStranger,
    "two frames lost": python_server(packets=frames_lost(4, 7)),
    "one fragment lost": python_server(packets=fragment_lost(4, 2)),
}
INCOMPLETE = {"two frames lost", "one fragment lost"}
COMPLETE = [
    pytest.param(name, marks=needs_loopback_network if "stranger" in name else ())
    for name in GOOD_SERVERS
    if name not in INCOMPLETE
]


@pytest.mark.parametrize("name", COMPLETE)
def test_is_played_to_the_byte_and_reported(name, frames, tmp_path):
    outcome = play_frames(GOOD_SERVERS[name], frames, tmp_path)
    assert (outcome.run.status, outcome.run.told) == (0, "")
    assert outcome.saved == frames[:COUNT]
    assert outcome.server.faults == []

    report = outcome.run.report
    assert set(report) >= FIELDS
    assert (report["frames"], report["error"]) == (COUNT, None)
    assert report["packets"] >= (2 * COUNT if "fragments" in name else COUNT)
    assert report["bytes"] >= sum(map(len, frames[:COUNT]))
    assert (report["lost"], report["loss_rate"], report["late"]) == (0, 0, 0)
    if "twice" in name:
        assert report["duplicates"] >= COUNT - 1
    else:
        assert report["duplicates"] == 0
    assert 0 < report["seconds"] < LIMIT
    assert 10 < report["fps"] < 100
    assert report["kbit_per_s"] > 0
    assert report["jitter_ms"] >= 0
    assert report["first_frame_ms"] >= 0

    _, _, session = name.partition("session: ")
    if session != "99;timeout=60":
        assert session_ids(outcome.server) == [session or "123456"] * 2
    if name in ("reply: textbook", "reply: CRLF, blank line", "Java"):
        assert outcome.server.requests == requests_to_the_byte(outcome.rtp_port)


def session_ids(server: LabServer) -> list[str]:
    """The session ids in the third lines of PLAY and TEARDOWN."""
    _, *later = (request.decode().split("\r\n")[2] for request in server.requests)
    return [line.removeprefix("Session: ") for line in later]


def requests_to_the_byte(rtp_port: int) -> list[bytes]:
    """Each in one segment."""
    return [
        b"SETUP movie.Mjpeg RTSP/1.0\r\nCSeq: 1\r\n"
        b"Transport: RTP/UDP; client_port= %d\r\n" % rtp_port,
        b"PLAY movie.Mjpeg RTSP/1.0\r\nCSeq: 2\r\nSession: 123456\r\n",
        b"TEARDOWN movie.Mjpeg RTSP/1.0\r\nCSeq: 3\r\nSession: 123456\r\n",
    ]


def test_lost_frames_are_left_out_and_counted(frames, tmp_path):
    outcome = play_frames(GOOD_SERVERS["two frames lost"], frames, tmp_path)
    assert outcome.run.status == 0
    assert outcome.saved == [frames[index] for index in (0, 1, 2, 4, 5, 7, 8, 9, 10, 11)]
    assert outcome.run.report["lost"] == 2
    assert outcome.run.report["loss_rate"] == pytest.approx(2 / 12, rel=0.01)


def test_a_frame_with_a_hole_is_left_out(frames, tmp_path):
    outcome = play_frames(GOOD_SERVERS["one fragment lost"], frames, tmp_path)
    assert outcome.run.status == 0
    assert outcome.saved == frames[:3] + frames[4 : COUNT + 1]
    assert outcome.run.report["lost"] == 1


def test_duration_ends_a_run(frames, tmp_path):
    outcome = play(PythonLabServer(frames, fps=20), tmp_path, "--duration", "0.4")
    assert (outcome.run.status, outcome.run.stderr) == (0, "")
    assert 2 <= len(outcome.saved) < len(frames)
    assert outcome.saved == frames[: len(outcome.saved)]
    assert outcome.server.requests[-1].startswith(b"TEARDOWN ")


def test_a_run_to_the_end_of_the_movie_ends_by_itself(frames, tmp_path):
    outcome = play(PythonLabServer(frames), tmp_path)
    assert outcome.saved == frames
    assert outcome.server.requests[-1].startswith(b"TEARDOWN ")


# --- Servers that misbehave ----------------------------------------------------------------------

BAD_SERVERS: dict[str, ServerMaker] = {
    maker.__name__: maker
    for maker in (
        lab_servers.AnswersNothing,
        lab_servers.SendsNothing,
        lab_servers.StopsAfterOneFrame,
        lab_servers.HangsUp,
        lab_servers.Dies,
        lab_servers.ClosesAtOnce,
        lab_servers.ClosesOnSetup,
        lab_servers.HangsUpInReply,
        lab_servers.NotFound,
        lab_servers.NotFoundStatusOnly,
        lab_servers.ServerErrorStatusOnly,
        lab_servers.SpeaksHttp,
        lab_servers.SpeaksGarbage,
        lab_servers.Floods,
    )
}
GOT_FRAMES = {"StopsAfterOneFrame": 1, "HangsUp": 3, "Dies": 3}


def is_one_sentence(text: str) -> bool:
    """One line for a human being: printable, of bearable length, and no traceback."""
    return bool(re.fullmatch(r"[ -~\u00a0-\uffff]{15,300}\n", text)) and "Traceback" not in text


@pytest.mark.parametrize("name", BAD_SERVERS)
def test_a_bad_server_is_one_sentence_a_status_and_an_error_in_the_report(name, frames, tmp_path):
    """The status is 0 when frames came, though fewer than were asked for; else 1."""
    outcome = play_frames(BAD_SERVERS[name], frames, tmp_path)
    run = outcome.run
    assert run.status == (0 if name in GOT_FRAMES else 1)
    assert is_one_sentence(run.told), run.stderr
    assert run.seconds < LIMIT
    assert outcome.saved == frames[: GOT_FRAMES.get(name, 0)]
    assert set(run.report) >= FIELDS
    assert run.report["error"]
    assert run.report["error"] in run.stderr
    assert run.report["frames"] == GOT_FRAMES.get(name, 0)
    if name.startswith("NotFound"):
        assert "movie.Mjpeg" in run.stderr


def test_a_server_without_cseq_is_played_or_refused(frames, tmp_path):
    outcome = play_frames(lab_servers.NeverSendsCseq, frames, tmp_path)
    if outcome.run.status == 0:
        assert outcome.saved == frames[:COUNT]
    else:
        assert outcome.run.status == 1
        assert is_one_sentence(outcome.run.told), outcome.run.stderr


def test_no_server_at_all(tmp_path):
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    run = run_client(HOST, port, free_udp_port(), "movie.Mjpeg", "--headless", limit=LIMIT)
    assert run.status == 1
    assert is_one_sentence(run.stderr), run.stderr
    assert str(port) in run.stderr


def test_rtp_port_in_use(frames):
    with PythonLabServer(frames) as server, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        run = run_client(HOST, server.port, port, "movie.Mjpeg", "--headless", limit=LIMIT)
    assert run.status == 1
    assert is_one_sentence(run.stderr), run.stderr
    assert str(port) in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (HOST,),
        (HOST, 5678, 6666),
        (HOST, "port", 6666, "movie.Mjpeg", "--headless"),
        (HOST, 5678, "port", "movie.Mjpeg", "--headless"),
        (HOST, 70000, 6666, "movie.Mjpeg", "--headless"),
        (HOST, 5678, 66666, "movie.Mjpeg", "--headless"),
        (HOST, 5678, 6666, "movie.Mjpeg", "--headless", "--no-such-option"),
        (HOST, 5678, 6666, "movie.Mjpeg", "--headless", "--frames", "many"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_wrong_usage_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        ClientLauncher.main([str(argument) for argument in arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip()


def test_wrong_usage_is_the_status_of_the_process():
    run = run_client(HOST)
    assert run.status == 2
    assert run.stderr.strip()
    assert "Traceback" not in run.stderr


# --- The Client class without a window -----------------------------------------------------------


@contextmanager
def client_of(server: LabServer):
    client = Client(None, HOST, server.port, free_udp_port(), "movie.Mjpeg")
    try:
        yield client
    finally:
        client.exitClient()


def becomes(condition: Callable[[], bool], limit: float = 5.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("generation", [PythonLabServer, JavaLabServer])
def test_states_of_the_client_class(frames, generation):
    with generation(frames * 20) as server:
        with client_of(server) as client:
            assert client.state == Client.INIT
            client.setupMovie()
            assert becomes(lambda: client.state == Client.READY)
            assert str(client.sessionId) == "123456"
            for _ in range(2):
                client.playMovie()
                assert becomes(lambda: client.state == Client.PLAYING)
                shown = client.frameNbr
                assert becomes(lambda before=shown: client.frameNbr > before)
                client.pauseMovie()
                assert becomes(lambda: client.state == Client.READY)
        assert becomes(lambda: len(server.requests) == 6)
    methods = [request.split()[0].decode() for request in server.requests]
    assert methods == ["SETUP", "PLAY", "PAUSE", "PLAY", "PAUSE", "TEARDOWN"]
    numbers = [int(request.split()[4]) for request in server.requests]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert server.faults == []


def test_methods_out_of_turn_send_nothing(frames):
    with PythonLabServer(frames * 20) as server:
        with client_of(server) as client:
            client.playMovie()
            client.pauseMovie()
            client.setupMovie()
            assert becomes(lambda: client.state == Client.READY)
            client.setupMovie()
            client.pauseMovie()
        assert becomes(lambda: len(server.requests) == 2)
    assert [request.split()[0] for request in server.requests] == [b"SETUP", b"TEARDOWN"]


def test_exit_may_be_called_twice(frames):
    with PythonLabServer(frames) as server:
        with client_of(server) as client:
            client.setupMovie()
            assert becomes(lambda: client.state == Client.READY)
            client.exitClient()
        assert becomes(lambda: len(server.requests) == 2)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        lab_servers.SendsNothing,
        lab_servers.HangsUp,
        lab_servers.Dies,
        lab_servers.ClosesAtOnce,
        lab_servers.ClosesOnSetup,
        lab_servers.NotFound,
        lab_servers.SpeaksGarbage,
    ],
)
def test_the_client_class_gets_away_from_a_bad_server(frames, misbehaviour):
    with misbehaviour(frames) as server:
        started = time.monotonic()
        with client_of(server) as client:
            with suppress(SessionError):
                client.setupMovie()
                if becomes(lambda: client.state == Client.READY, 0.5):
                    client.playMovie()
                    becomes(lambda: client.state == Client.INIT, 0.5)
        assert time.monotonic() - started < LIMIT
        assert client.state == Client.INIT
