"""Processes that die: viewers, with nobody the worse for it, and the server."""

from __future__ import annotations

import signal
import time

import pytest
from audience import KINDS, LAB, Audience
from movies import MOVIE, frames_of, write_movie
from processes import HOST
from programs import Player, Server, wait_until

MOVIE_NAME = "movie.Mjpeg"
FREED_WITHIN = 5.0
"""Seconds; it takes some milliseconds where the machine is idle."""
QUIET = 2.0
"""Seconds for which others may see nothing: they notice nothing, but the machine may be busy."""


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A folder with a movie of 25 seconds."""
    return write_movie(tmp_path_factory.mktemp("media") / MOVIE_NAME, frames_of(MOVIE)).parent


def player_of(kind: str, port: int) -> Player:
    if kind == LAB:
        return Player(HOST, port, 0, MOVIE_NAME)
    return Player(f"rtsp://{HOST}:{port}/{MOVIE_NAME}", "--transport", kind)


def test_viewers_killed_while_they_play(media):
    """SIGKILL for a playing viewer of each kind: lab dialect, standard by UDP, standard by TCP.

    Pass: within 5 s the server has as many descriptors and threads as before that viewer came, and
    three others lose no packet and see no gap of 2 s.
    """
    with Server(media, "--log-level", "debug") as server, Audience(server.port) as others:
        before = server.open_files(), server.threads()
        started = time.monotonic()
        for kind in KINDS:
            asked = len(server.log_lines("< PLAY"))
            with player_of(kind, server.port) as player:
                wait_until(lambda: len(server.log_lines("< PLAY")) > asked, "it plays")  # noqa: B023
                others.play_on(3)
                assert server.open_files() > before[0]
                assert server.threads() == before[1] + 1
                player.send_signal(signal.SIGKILL)
                seconds = wait_until(
                    lambda: (server.open_files(), server.threads()) == before,
                    f"descriptors and threads of {kind} are free",
                    FREED_WITHIN,
                )
                print(f"{kind}: freed after {seconds * 1000:.0f} ms")
        others.play_on(3)
        for viewer in others.viewers:
            assert viewer.lost == 0, viewer.kind
            assert viewer.longest_gap(started) < QUIET, viewer.kind


def test_the_server_ended_with_50_viewers(media):
    """SIGTERM while 50 viewers of all kinds play.

    Pass: it ends within 5 s with status 0 and nothing on stderr but its log; another server listens
    on the port at once; every viewer has seen the end in good order: its connection closed, not
    reset, after BYE where the dialect has one.
    """
    kinds = [KINDS[number % len(KINDS)] for number in range(50)]
    with Server(media, "--log-level", "error") as server, Audience(server.port, kinds) as audience:
        audience.play_on(3)
        started = time.monotonic()
        server.stop()
        seconds = time.monotonic() - started
        with Server(media, port=server.port) as successor:
            assert successor.port == server.port
        audience.wait(lambda viewer: viewer.ended_at is not None, "the connection is closed")
        audience.wait(lambda v: v.kind == LAB or len(v.goodbyes) == 1, "BYE has come")
        print(f"ended after {seconds * 1000:.0f} ms")
        assert seconds < 5
        assert [viewer.kind for viewer in audience.viewers if viewer.was_reset] == []
        assert [viewer.kind for viewer in audience.viewers if viewer.lost] == []
