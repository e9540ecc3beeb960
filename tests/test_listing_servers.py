"""Asking a server what it has: ours says it, others are not troubled by the question."""

from __future__ import annotations

import shutil
import socket

import pytest
from movies import MOVIE
from raw_rtsp import Peer, running_server
from standard_servers import StandardServer

from rtplab.player.model.history import with_name
from rtplab.protocol.errors import SessionError
from rtplab.protocol.rtsp.parameters import (
    MAX_LIST,
    REQUEST,
    asks_for_movies,
    parse_names,
    written,
)
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.rtsp.listing import movies_of
from rtplab.receiving.rtsp.watch import TimeLimits
from rtplab.serving.admission.access import UserDatabase

HOST = "127.0.0.1"
SHORT = TimeLimits(connect=1.0, reply=0.3)
NAMES = ["a.Mjpeg", "two words: %41.Mjpeg", "straße.Mjpeg"]


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    for name in NAMES:
        shutil.copy(MOVIE, folder / name)
    return folder


def test_names_are_written_and_read_the_same() -> None:
    names = [*NAMES, "line\r\nmovie: x", "\udcff", "a/b"]
    assert parse_names(written(names)) == names
    assert len(written(f"movie {number}" for number in range(100_000))) <= MAX_LIST
    assert parse_names(b"\xff\r\nmovie:\r\nother: x\r\n: \r\nMovie : b\r\n") == ["b"]
    assert asks_for_movies(REQUEST) and not asks_for_movies(b"jitter\r\n")


def test_our_server_says_what_it_has(media) -> None:
    with running_server(media) as port:
        assert sorted(movies_of(f"rtsp://{HOST}:{port}/whatever")) == sorted(NAMES)


def test_only_those_who_may_watch_are_told(media) -> None:
    with running_server(media, users=UserDatabase([("ann", "secret")])) as port:
        assert len(movies_of(f"rtsp://ann:secret@{HOST}:{port}/")) == len(NAMES)
        with pytest.raises(SessionError, match="password"):
            movies_of(f"rtsp://{HOST}:{port}/")
        with pytest.raises(SessionError, match="does not accept"):
            movies_of(f"rtsp://ann:wrong@{HOST}:{port}/")


def test_other_parameters_and_those_of_a_movie_are_refused(media) -> None:
    with running_server(media) as port, Peer(port) as peer:
        for uri, body, status in (
            ("/", "movies\r\n", 200),
            ("/", "jitter\r\n", 451),
            ("/a.Mjpeg", "movies\r\n", 451),
            ("/a.Mjpeg", "", 200),
        ):
            head = f"Content-Length: {len(body)}\r\n\r\n{body}" if body else ""
            request = (
                f"GET_PARAMETER {peer.base}{uri} RTSP/1.0\r\nCSeq: 1\r\n{head or chr(13) + chr(10)}"
            )
            peer.socket.sendall(request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += peer.socket.recv(4096)
            assert answer.startswith(f"RTSP/1.0 {status} ".encode()), (uri, body, answer)


class AnswersEmpty(StandardServer):
    def do_GET_PARAMETER(self, viewer, request):
        self.reply(viewer, request)


def test_other_servers_do_not_know_the_question() -> None:
    with AnswersEmpty() as server:
        with pytest.raises(SessionError, match="does not list"):
            movies_of(server.url)


def test_a_server_that_is_silent_or_not_there() -> None:
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(SessionError, match="not answer"):
            movies_of(f"rtsp://{HOST}:{port}/", SHORT)
    with pytest.raises(SessionError, match=f"listening.*{port}"):
        movies_of(f"rtsp://{HOST}:{port}/", SHORT)
    with pytest.raises(SessionError, match="rtsp://"):
        movies_of("http://camera/")


@pytest.mark.parametrize("name", NAMES)
def test_the_address_of_a_name_means_it(name: str) -> None:
    url = with_name("rtsp://ann:secret@host:5/x?y=1", name).url
    assert parse_url(url).name == name and parse_url(url).password == "secret"
