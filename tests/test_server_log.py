"""What the log tells of a session, at its usual level, and what a refusal tells the client."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_clients import USUAL, PythonLabClient
from movies import frames_of, write_movie
from raw_rtsp import HOST, LIMIT, Peer, running_server
from standard_clients import StandardClient, goodbyes
from wording import lacks

from rtplab.serving.admission.limits import Limits
from rtplab.serving.rtsp.worker import MAX_BAD_REQUESTS

Told = Callable[[], list[str]]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[Told]:
    """All lines about the last client, once it is gone, without its name."""
    caplog.set_level(logging.INFO, "rtplab")

    def lines() -> list[str]:
        deadline = time.monotonic() + LIMIT
        while " gone: " not in "".join(caplog.messages[-1:]):
            assert time.monotonic() < deadline, caplog.messages
            time.sleep(0.01)
        name = re.escape(caplog.messages[-1].partition(" gone")[0])
        assert re.match(r"127\.0\.0\.1:\d+$", name.replace("\\", ""))
        return [re.sub(f"^{name}:? ", "", line) for line in caplog.messages if name[:-1] or line]

    yield lines


def numbers_hidden(lines: list[str]) -> list[str]:
    return [re.sub(r"\d+\.\d+ s|\d{4,5}|\d+-\d+", "N", line) for line in lines]


@pytest.mark.parametrize(("transport", "way"), [("udp", "UDP to port N"), ("tcp", "TCP")])
def test_the_story_of_a_session_of_the_standard(
    small_movie: Path, told: Told, transport: str, way: str
) -> None:
    with running_server(small_movie.parent) as port, StandardClient(port) as viewer:
        assert viewer.set_up(transport).status == 200
        assert viewer.play("Range: npt=0.5-").status == 200
        assert viewer.wait(lambda: viewer.media(0))
        assert viewer.play().status == 200  # nothing new
        assert viewer.ask_in_session("PAUSE").status == 200
        assert viewer.play("Range: npt=0.1-", "Scale: 2").status == 200
        assert viewer.ask_in_session("TEARDOWN").status == 200
        viewer.control.close()
        lines = told()
    assert [line.split()[0] for line in lines] == [
        "connected", "set", "plays", "pauses", "plays", "tears", "gone:"
    ]  # fmt: skip
    assert not lacks(numbers_hidden(lines)[1], "movie.Mjpeg", way, "standard")
    assert "0.500 s" in lines[2] and not lacks(lines[4], "0.100 s", "2 times")
    assert "hung up" in lines[-1]


def test_the_story_of_a_session_of_the_lab(small_movie: Path, told: Told) -> None:
    with running_server(small_movie.parent) as port:
        with PythonLabClient((HOST, port), USUAL) as client:
            client.setup()
            client.play()
            client.pause()
        lines = told()
    assert [line.split()[0] for line in lines] == ["connected", "set", "plays", "pauses", "gone:"]
    assert not lacks(numbers_hidden(lines)[1], "movie.Mjpeg", "UDP to port N", "lab")
    assert "hung up" in lines[-1]


def test_the_end_of_the_movie_is_told(small_movie: Path, told: Told) -> None:
    with running_server(small_movie.parent, fps=1000.0) as port, StandardClient(port) as viewer:
        viewer.watch()
        assert viewer.wait(lambda: goodbyes(viewer))
        viewer.control.close()
        ended, gone = told()[-2:]
        assert not lacks(ended, "end", "movie") and "hung up" in gone


@pytest.mark.parametrize(
    ("limits", "said", "why"),
    [
        ({"idle_timeout": 0}, b"", "silent"),
        ({}, b"\x16\x03\x01" + b"x" * 40, "TLS"),
        ({}, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: x\r\n\r\n", "Content-Length"),
    ],
)
def test_why_a_client_is_gone(
    small_movie: Path, told: Told, limits: dict[str, int], said: bytes, why: str
) -> None:
    with (
        running_server(small_movie.parent, limits=Limits(**limits)) as port,
        socket.create_connection((HOST, port), LIMIT) as control,
    ):
        control.sendall(said)
        assert why in told()[-1]


def test_a_client_that_speaks_nonsense_is_gone_for_that(small_movie: Path, told: Told) -> None:
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        for _ in range(MAX_BAD_REQUESTS + 1):
            peer.socket.sendall(b"?\n")
            assert b" 400 " in peer.socket.recv(4096)
        assert "malformed requests" in told()[-1]


def test_a_server_that_ends_says_so(small_movie: Path, told: Told) -> None:
    with running_server(small_movie.parent) as port:
        viewer = StandardClient(port)
        viewer.set_up("tcp")
    with viewer:
        assert not lacks(told()[-1], "gone", "shutting down")


# --- What is forgiven ----------------------------------------------------------------------------


def test_what_is_forgiven_is_said_once_with_the_right_form(
    small_movie: Path, caplog: pytest.LogCaptureFixture
) -> None:
    setup = "setup /movie.mjpeg RTPS/1.0\nCSeq 1\nTransport: RTP/UDP 25000\n\n"
    play = "PLAY movie.Mjpeg RTPS/1.0\nCSeq: 2\nSession: 0\n\n"
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        for request in (setup, play, play, play.replace("CSeq: 2", "x\x1b[2J")):
            peer.socket.sendall(request.encode())
            assert b" 200 OK" in peer.socket.recv(4096)
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    said = {
        "'RTPS/1.0'": "RTSP/1.0",
        "'setup'": "SETUP",
        "'CSeq 1'": "CSeq: 1",
        "'Transport: RTP/UDP 25000'": "client_port=",
        "'/movie.mjpeg'": "movie.Mjpeg",
        "'Session: 0'": "Session: ",
    }
    for wrong, right in said.items():
        (line,) = [line for line in warnings if f" is {wrong}; " in line]
        assert right in line.partition("; ")[2]
    assert len(warnings) == len(said)


@pytest.mark.parametrize("form", ["\n", "\r\n"])
def test_what_is_right_is_not_said_to_be_wrong(
    small_movie: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    requests = [
        "SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000\n\n",
        "PLAY movie.Mjpeg RTSP/1.0\ncseq: 2\nSESSION: {}\nPrefer: SD\n\n",
        "PAUSE movie.Mjpeg\n3\n",
        "SETUP movie.Mjpeg\n4\n RTSP/1.0 RTP/UDP 25000\n",
    ]
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        session = ""
        for request in requests:
            peer.socket.sendall(request.replace("{}", session).replace("\n", form).encode())
            reply = peer.socket.recv(4096).decode()
            assert " 200 OK" in reply
            session = reply.split()[6]
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


# --- Refusals ------------------------------------------------------------------------------------


def test_a_refusal_of_the_standard_gives_its_reason(tmp_path: Path, small_movie: Path) -> None:
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:20])
    (tmp_path / "broken.Mjpeg").write_bytes(b"no movie at all")
    with (
        running_server(tmp_path, limits=Limits(sessions=1)) as port,
        StandardClient(port) as viewer,
        StandardClient(port) as other,
        StandardClient(port, "broken.Mjpeg") as broken,
        StandardClient(port, "absent.Mjpeg") as missing,
    ):
        assert viewer.set_up("tcp").status == 200
        refusals = [
            (viewer.play("Range: npt=9-"), 457, "0-1.000"),
            (viewer.play("Range: clock=1-"), 501, "clock"),
            (viewer.ask("PLAY", None, "Session: 1"), 454, "no session"),
            (viewer.ask("DESCRIBE", None, "Accept: text/html"), 406, "text/html"),
            (other.set_up("udp"), 503, "limit"),
            (broken.ask("DESCRIBE"), 415, "broken.Mjpeg"),
            (missing.ask("DESCRIBE"), 404, "absent.Mjpeg"),
        ]
    for reply, status, reason in refusals:
        assert reply.status == status
        assert reason in reply.reason
        assert reply.reason.isascii() and reply.reason.isprintable()


def test_a_long_reason_is_cut(small_movie: Path) -> None:
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        for method in ("X" * 32, "DESCRIBE"):
            answer = peer.ask(method, f"{peer.base}/" + "é" * 900, "Range: " + "x" * 900)
            assert len(answer.reason) < 255, "ffmpeg keeps so much"


def test_a_client_for_whom_there_is_no_room_is_told_why(small_movie: Path) -> None:
    limits = Limits(connections_per_address=1)
    with (
        running_server(small_movie.parent, limits=limits) as port,
        Peer(port) as first,
        Peer(port) as second,
    ):
        assert first.ask("OPTIONS", "*").status == 200
        answer = second.answer()
        assert answer is not None
        assert (answer.status, "its address" in answer.reason) == (503, True)


def test_a_refusal_of_the_lab_has_its_usual_phrase(small_movie: Path) -> None:
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        peer.socket.sendall(b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: 5\n\n")
        reply = peer.socket.recv(4096)
    assert reply == b"RTSP/1.0 455 Method Not Valid in This State\nCSeq: 1\nSession: 0\n\n"


@pytest.mark.parametrize("dialect", ["lab", "standard"])
def test_a_movie_that_another_program_has_locked_is_not_said_to_be_missing(
    small_movie: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    def locked(*arguments: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied")

    with running_server(small_movie.parent) as port, Peer(port) as peer:
        monkeypatch.setattr("rtplab.serving.rtsp.setup.open_movie", locked)
        if dialect == "lab":
            peer.socket.sendall(
                b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000\n\n"
            )
            assert b" 403 " in peer.socket.recv(4096)
        else:
            answer = peer.ask("DESCRIBE", f"{peer.base}/movie.Mjpeg")
            assert answer.status == 403
            assert "Locked" in answer.reason
