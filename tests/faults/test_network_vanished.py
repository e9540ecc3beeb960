"""Viewers of the lab vanish without a word: the line is dead, and their system can't hang up.

Lab clients send no keep-alive, so their sessions have no time-out. It is TCP that asks whether a
client is still there: here within three seconds, by itself within two minutes.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lab_clients import LF_BLANK
from movies import MOVIE, frames_of, write_movie
from namespaces import SERVER_HOST, Network
from programs import wait_until
from remote import LIMIT, RemoteServer

pytestmark = pytest.mark.peers  # needs root, or user namespaces

ODD_SERVER = Path(__file__).parent / "odd_server.py"


class LabViewer:
    """A lab client at a place in the network, written out byte by byte."""

    def __init__(self, stack, network, place, server):
        self.control = stack.enter_context(network.viewer(place).socket(socket.SOCK_STREAM))
        self.rtp = stack.enter_context(network.viewer(place).socket(socket.SOCK_DGRAM))
        for end in (self.control, self.rtp):
            end.settimeout(LIMIT)
        self.rtp.bind(("", 0))
        self.control.connect((SERVER_HOST, urlsplit(server.url).port))
        self.name = "{}:{}".format(*self.control.getsockname())

    def say(self, method, number, session="0"):
        port = self.rtp.getsockname()[1]
        self.control.sendall(LF_BLANK.request(method, number, rtp_port=port, session=session))

    def ask(self, method, number, session="0"):
        """Return the first line of the answer, and the session."""
        self.say(method, number, session)
        lines = self.control.recv(1024).decode().splitlines()
        return lines[0], lines[2].split()[1]

    def set_up(self):
        line, self.session = self.ask("SETUP", 1)
        assert line == "RTSP/1.0 200 OK"

    def play(self):
        """Have the movie sent; it begins to come."""
        assert self.ask("PLAY", 2, self.session) == ("RTSP/1.0 200 OK", self.session)
        assert int.from_bytes(self.rtp.recv(65_535)[2:4], "big") == 1, "the first frame"


def test_their_sessions_are_freed_and_no_other(tmp_path):
    """There is room for three who vanish and one as silent but there. Then another comes."""
    media = write_movie(tmp_path / "movie.Mjpeg", frames_of(MOVIE)).parent
    options = ("--max-sessions", "4", "--log-level", "debug")
    with (
        ExitStack() as stack,
        Network(viewers=2) as network,
        RemoteServer(network, media, *options, program=(ODD_SERVER, "quick-keepalive")) as server,
    ):
        ready, playing, unanswered, silent, another = (
            LabViewer(stack, network, place, server) for place in (1, 1, 1, 2, 2)
        )
        for viewer in (silent, ready, playing, unanswered):
            viewer.set_up()
        playing.play()
        assert another.ask("SETUP", 1)[0] == "RTSP/1.0 503 Service Unavailable"

        network.deafen(1)
        unanswered.say("PLAY", 2, unanswered.session)  # and the reply gets lost
        wait_until(lambda: f"{unanswered.name} < PLAY" in server.log(), "it is answered")
        network.cut(1)
        gone = [f"{viewer.name} gone" for viewer in (ready, playing, unanswered)]
        wait_until(lambda: all(words in server.log() for words in gone), "they are freed")

        another.set_up()
        another.play()
        silent.play()
