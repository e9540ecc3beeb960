"""A server inside the test's own process, and a peer that says to it whatever a test wants."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from local_server import local_server

from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame, Response
from rtplab.protocol.rtsp.responseparser import ResponseParser
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service

HOST = "127.0.0.1"
LIMIT = 10.0
"""Seconds that a peer waits for an answer before its test fails."""


SOON = 1.0
"""Seconds within which others are served, whatever somebody does."""
TRIES = 5
"""The machine may be busy with other things: one try of these must be soon enough."""


def running_server(media: Path, **settings: Any) -> AbstractContextManager[int]:
    """Serve the movies of a folder in a thread; give the port. `settings` are those of Service."""
    return local_server(Service(MovieLibrary(media), **settings))


class Peer:
    """One connection, for a `with` statement; what `send` has no words for goes to `socket`."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, source: str = HOST) -> None:
        """Connect, from the loopback address `source`."""
        self.socket = socket.create_connection((HOST, port), LIMIT, (source, 0))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=HOST)
        self.base = f"rtsp{'s' if tls else ''}://{HOST}:{port}"
        self._parser = ResponseParser(Dialect.STANDARD)
        self._cseq = 0

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *reason: object) -> None:
        self.socket.close()

    def send(self, method: str, uri: str, *headers: str) -> None:
        """Send a request of the standard dialect."""
        self._cseq += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._cseq}", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode("utf-8", "surrogateescape"))

    def ask(self, method: str, uri: str, *headers: str) -> Response:
        """Send a request and return the answer to it."""
        self.send(method, uri, *headers)
        answer = self.answer()
        assert answer is not None, "the server has hung up"
        return answer

    def answer(self) -> Response | None:
        """The next answer; None when the server has hung up instead."""
        while True:
            message = self.message()
            if not isinstance(message, InterleavedFrame):
                return message

    def message(self) -> Response | InterleavedFrame | None:
        while (message := self._parser.next(0.0)) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._parser.feed(data, 0.0)
        return message

    def is_hung_up(self) -> bool:
        """Tell if the server ends the connection, after whatever else it has to say."""
        while self.message() is not None:
            pass
        return True


def seconds_to_be_served(port: int, source: str = HOST) -> float:
    """How long a stranger waits who asks for the movie."""
    times = []
    for _ in range(TRIES):
        started = time.monotonic()
        with Peer(port, source=source) as peer:
            assert peer.ask("DESCRIBE", f"{peer.base}/movie.Mjpeg").status == 200
        times.append(time.monotonic() - started)
        if times[-1] < SOON:
            break
    return min(times)
