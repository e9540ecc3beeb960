"""A server that sends nothing any more is asked if it is still there; one that is gone is lost."""

from __future__ import annotations

import re

import pytest
from movies import MOVIE, frames_of
from standard_servers import StandardServer, jpeg_payloads

from Client import Client
from rtplab.receiving.rtsp.watch import TimeLimits

LIMIT = 10.0
SILENCE = 0.3  # seconds
REPLY = 1.5  # seconds: a busy machine answers within that


class FallsSilent(StandardServer):
    """Sends the first pictures of its movie and says no BYE; answers keep-alives, or not."""

    says_goodbye = False
    is_there = True

    def description(self):
        return re.sub("a=range:npt=0-.*", "a=range:npt=0-60", super().description())

    def do_GET_PARAMETER(self, viewer, request):
        if self.is_there:
            super().do_GET_PARAMETER(viewer, request)


@pytest.fixture
def server():
    with FallsSilent([jpeg_payloads(frame) for frame in frames_of(MOVIE)[:5]]) as server:
        yield server


@pytest.fixture
def client(server):
    limits = TimeLimits(silence=SILENCE, reply=REPLY, loss=REPLY)
    client = Client(None, "", 0, 0, server.url, "tcp", limits=limits)
    client.setupMovie()
    assert client.wait_for(lambda: client.state is Client.READY, LIMIT)
    yield client
    client.exitClient()


def asked(server):
    return len(server.of("GET_PARAMETER"))


def test_one_that_answers_is_not_lost(server, client):
    client.playMovie()
    assert client.wait_for(lambda: "No packet for" in client.notice, LIMIT)
    assert not client.wait_for(lambda: client.error, SILENCE + REPLY + 0.5)
    assert client.state is Client.PLAYING
    assert asked(server) == 1


def test_one_that_does_not_answer_is_lost(server, client):
    server.is_there = False
    client.playMovie()
    assert client.wait_for(lambda: "No packet for" in client.notice, LIMIT)
    assert client.wait_for(lambda: client.error, LIMIT)
    assert "is lost" in client.error and "stopped answering" in client.error
    assert client.is_lost
    assert client.state is Client.INIT
    assert asked(server) == 1
