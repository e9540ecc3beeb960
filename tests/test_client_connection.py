"""The client's end of an RTSP connection, over a real one."""

from __future__ import annotations

import socket
import time

import pytest

from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame
from rtplab.receiving.rtsp.connection import ClientConnection

HOST = "127.0.0.1"
LIMIT = 10.0


@pytest.fixture
def ends():
    """A client's connection, and the server's end of it."""
    with socket.create_server((HOST, 0)) as listener:
        connection = ClientConnection(HOST, listener.getsockname()[1], Dialect.STANDARD)
        server, _ = listener.accept()
        with server:
            yield connection, server
    connection.close()


def test_a_deadline_in_the_midst_of_an_interleaved_frame_breaks_nothing(ends):
    """On a slow line there is always one under way when a report is due."""
    connection, server = ends
    payloads = [bytes([number]) + b"\n$\r\n" * 20 for number in range(5)]
    for payload in payloads:
        frame = b"$\x00" + len(payload).to_bytes(2, "big") + payload
        server.sendall(frame[:50])
        assert connection.receive(time.monotonic() + 0.05) is None
        assert connection.receive(time.monotonic() - 1.0) is None
        server.sendall(frame[50:])
        assert connection.receive(time.monotonic() + LIMIT) == InterleavedFrame(0, payload)
