"""The bytes of an RTSP connection that wait for their client."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from rtplab.serving.admission.limits import Limits
from rtplab.serving.rtsp.wire import Wire

LIMITS = Limits(queue=64)


@pytest.fixture
def pair() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Wire(ours, None, LIMITS), theirs


def test_a_reply_larger_than_the_queue_reaches_who_reads(pair: tuple[Wire, socket.socket]) -> None:
    """The list of all movies may be so long: nobody has failed to read anything yet."""
    wire, client = pair
    reply = bytes(10 * LIMITS.queue_bytes)
    wire.send(reply)
    received = 0
    while received < len(reply):
        received += len(client.recv(1 << 16))
        wire.flush()


def test_who_does_not_read_is_left_once_the_queue_is_full(
    pair: tuple[Wire, socket.socket],
) -> None:
    wire, _ = pair
    with pytest.raises(TimeoutError, match="does not read"):
        for _ in range(1000):
            wire.send(bytes(LIMITS.queue_bytes // 2))
