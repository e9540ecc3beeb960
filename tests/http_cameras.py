"""Cameras that send their pictures by HTTP, each odd in one way. For tests."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from movies import MOVIE, frames_of

PICTURES = frames_of(MOVIE)[:30]
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n"
    b"Access-Control-Allow-Origin: *\r\n"
)


def part(picture: bytes, number: int) -> bytes:
    """As the ESP32's example sends it: the boundary, the head and the picture."""
    head = f"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n"
    return f"{head}X-Timestamp: {1000 + number / 20:.6f}\r\n\r\n".encode() + picture


class HttpCamera:
    """Answers each connection in a thread of its own with what `answer` sends.

    `requests` are those that have come, as bytes.
    """

    def __init__(self, answer: Callable[[HttpCamera, socket.socket, bytes], None]) -> None:
        self.requests: list[bytes] = []
        self.open = 0  # connections
        self.is_closing = False
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="camera")]
        self._connections: list[socket.socket] = []
        self._threads[0].start()

    def url(self, path: str = "/stream", user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}{path}"

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="camera")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self.open += 1
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                data = connection.recv(4096)
                if not data:
                    break
                request += data
            else:
                self.requests.append(request)
                self._answer(self, connection, request)
        self.open -= 1

    def __enter__(self) -> HttpCamera:
        return self

    def __exit__(self, *error: object) -> None:
        self.is_closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def stream(camera: HttpCamera, connection: socket.socket, _: bytes = b"") -> None:
    """Send pictures for ever, 50 a second."""
    connection.sendall(HEAD + b"\r\n")
    for number in range(10**6):
        if camera.is_closing:
            return
        connection.sendall(part(PICTURES[number % len(PICTURES)], number))
        time.sleep(0.02)


def sends(*data: bytes, then: float = 0.0) -> Callable[[HttpCamera, socket.socket, bytes], None]:
    """Return an answer of these bytes, after which nothing comes for `then` seconds."""

    def answer(camera: HttpCamera, connection: socket.socket, _: bytes) -> None:
        for piece in data:
            connection.sendall(piece)
        end = time.monotonic() + then
        while time.monotonic() < end and not camera.is_closing:
            time.sleep(0.01)

    return answer


def chunked(pieces: Iterator[bytes], end: bool = True) -> bytes:
    """The pieces as chunks (RFC 9112 section 7.1)."""
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return data + (b"0\r\n\r\n" if end else b"")
