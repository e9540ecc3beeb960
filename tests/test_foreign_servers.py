"""Servers that speak something else than RTSP: a sentence says so, in both dialects."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from Client import Client
from rtplab.receiving import timelimits

HOST = "127.0.0.1"
LIMIT = 15.0
DIALECTS = pytest.mark.parametrize("movie", ["movie.Mjpeg", "rtsp://{host}:{port}/movie.Mjpeg"])


def told_by(port: int, movie: str) -> str:
    """What the client tells its user after SETUP."""
    client = Client(None, HOST, port, 0, movie.format(host=HOST, port=port))
    try:
        client.setupMovie()
        assert client.waitFor(lambda: bool(client.error), LIMIT)
        assert client.state is Client.INIT
        return client.error
    finally:
        client.close()


@contextmanager
def http_server():
    """The standard library's server of HTTP: it has no head for a version that it does not know."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with HTTPServer((HOST, 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def server_that_says(data: bytes, hangs_up: bool):
    """Answers the first request it gets with `data`."""

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(data)
            if not hangs_up:
                connection.recv(4096)  # until the client does

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


@DIALECTS
def test_a_web_server_is_told_at_once(movie):
    with http_server() as port:
        assert told_by(port, movie) == (
            f"{HOST} port {port} speaks HTTP, not RTSP: give the port of the RTSP server, as a "
            "rule 554."
        )


@DIALECTS
def test_a_web_server_that_stays_is_told_at_once(movie):
    answer = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
    with server_that_says(answer, hangs_up=False) as port:
        assert "speaks HTTP, not RTSP: " in told_by(port, movie)


@DIALECTS
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"SSH-2.0-Shell\r\nInvalid SSH identification string.\r\n", "SSH-2.0-Shell"),
        (b"5\0\0\x008.0\x1b[2J", r"5\x00\x00\x008.0\x1b[2J"),
    ],
    ids=["ssh", "binary"],
)
@pytest.mark.parametrize("hangs_up", [True, False])
def test_any_other_language_is_shown(movie, said, shown, hangs_up, monkeypatch):
    if not hangs_up:
        monkeypatch.setattr(timelimits, "REPLY_TIMEOUT", 1.5)
    with server_that_says(said, hangs_up) as port:
        assert told_by(port, movie) == (
            f'{HOST} port {port} speaks no RTSP (it says "{shown}"): give the port of the RTSP '
            "server, as a rule 554."
        )


@DIALECTS
def test_who_says_nothing_has_closed_the_connection(movie):
    with server_that_says(b"", hangs_up=True) as port:
        assert told_by(port, movie) == "The server has closed the connection."
