"""What is fuzzed of HTTP: a browser's connection, by a real port."""

from __future__ import annotations

import atexit
import logging
import socket
import struct
import tempfile
from functools import cache
from pathlib import Path

import rtplab
from rtplab.api import Serving
from VideoStream import VideoStream

DEMONSTRATION = Path(__file__).resolve().parent.parent.parent / "movie.Mjpeg"
ANSWER_LIMIT = 5.0  # seconds until the server has hung up on who says nothing more
RESET = struct.pack("ii", 1, 0)  # by SO_LINGER: no port is left in TIME_WAIT


class _Failures(logging.Handler):
    """What the server logs about itself: it answers 500 then, or hangs up."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


def browser(data: bytes) -> None:
    """One who says all this and nothing more: each request is answered, and none breaks us."""
    server, failures = _server()
    assert server.http_port is not None
    answer = b""
    with socket.create_connection((server.host, server.http_port), ANSWER_LIMIT) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65_536):
                answer += part
        except ConnectionError:
            pass  # it hangs up on what it does not read to its end
    assert not failures.records, failures.records.pop()
    assert not answer or answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), answer[:80]
    assert b"HTTP/1.1 500 " not in answer


def close_server() -> None:
    """End the server, if it has been started; the next input starts another."""
    if _server.cache_info().currsize:
        server, failures = _server()
        server.close()
        logging.getLogger("rtplab").removeHandler(failures)
        _server.cache_clear()


@cache
def _server() -> tuple[Serving, _Failures]:
    """Start the server when the first input comes; what it complains of is kept beside it."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    picture = VideoStream(DEMONSTRATION).nextFrame()
    Path(folder.name, "a.Mjpeg").write_bytes(picture)
    server = rtplab.serve(0, folder.name, host="127.0.0.1", http=0)
    server.publish("b").send(picture)
    failures = _Failures()
    logging.getLogger("rtplab").addHandler(failures)
    return server, failures
