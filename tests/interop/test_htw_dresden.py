"""The Java lab of HTW Dresden: written after the RFC, with a spelling of its own.

It writes `Cseq:` and a transport `rtp/upd` with `port=`; it means RTP/AVP unicast to those ports.
"""

from __future__ import annotations

import pytest
from movies import MOVIE, frames_of, write_movie
from processes import ServerProcess
from received import Received
from standard_clients import HOST, StandardClient, goodbyes

FRAMES = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", frames_of(MOVIE)[:FRAMES])
    with ServerProcess(media) as process:
        yield process


def test_it_plays_the_whole_movie_to_its_ports(server):
    url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
    with StandardClient(server.port) as client:

        def ask(method, number, *lines):
            head = [f"{method} {url} RTSP/1.0", f"Cseq: {number}", *lines]
            reply = client.send_raw(("\r\n".join(head) + "\r\n\r\n").encode())
            assert (reply.status, reply["CSeq"]) == (200, str(number))
            return reply

        ask("OPTIONS", 1)
        described = ask("DESCRIBE", 2, "Accept: application/sdp")
        assert b"m=video 0 RTP/AVP 26\r\n" in described.body
        ports = "{}-{}".format(*client.client_ports)
        transport = f"Transport: rtp/upd; compression; port={ports}; mode=PLAY"
        session = ask("SETUP", 3, transport).session
        ask("PLAY", 4, f"Session: {session}", "Range: npt=0-")
        assert client.wait(lambda: goodbyes(client))
        assert Received(client.datagrams[0]).frames() == list(range(1, FRAMES + 1))
        ask("TEARDOWN", 5, f"Session: {session}")
