"""A viewer's line goes dead without a word to either side, and comes back after a while.

 0 s  the line is cut          <= 5 s  the server has freed the session
 5 s  the player says so         12 s  it takes the connection for lost, and tries another
14 s  the line is mended         19 s  it plays on where it was
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from frames import at_the_pace, complete
from movies import MOVIE, frames_of, write_movie
from namespaces import Network
from peers import TCP, UDP
from remote import LAB, LIMIT, RemoteServer

pytestmark = pytest.mark.peers  # needs root, or user namespaces

PLAYER = Path(__file__).parent / "patient_player.py"
SESSION_TIMEOUT = 5.0
BUSY = 4.0  # seconds by which a busy machine may be late
DEAD = 14.0  # seconds without the line
RETURN = 5.0  # seconds from the return of the line to the next frame
FPS = 20
FRAMES = 500  # 25 s: longer than all of it takes
CALM_FRAMES = 300  # which the viewer on a good line watches meanwhile
DEAD_PLACES = {"player": 1, UDP: 2, TCP: 3, LAB: 4}


class Player:
    """The player in a process of its own: what it shows and says, each with its time."""

    def __init__(self, prefix, url):
        self.frames = []
        self.words = []
        self._process = subprocess.Popen(
            [*prefix, sys.executable, str(PLAYER), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, name="player's words")
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            kind, _, what = line.strip().partition(" ")
            if kind == "frame":
                self.frames.append((time.monotonic(), int(what)))
            else:
                self.words.append((time.monotonic(), what))

    def close(self):
        self._process.stdin.close()
        self._thread.join()
        self._process.stdout.close()
        assert self._process.wait(LIMIT) == 0

    def shows_after(self, moment):
        """The first frame after `moment`, and when it came; None when there is none yet."""
        return next((frame for frame in self.frames if frame[0] > moment), None)

    def says_after(self, moment, words):
        """When it first said so after `moment`; infinity when it has not."""
        return next((when for when, what in self.words if when > moment and words in what), 9e9)


def wait_for(condition, limit=LIMIT):
    """Wait until the condition holds; return the moment."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.02)
    return time.monotonic()


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """All that happens, at which moments (seconds since the cut), and what the viewers have."""
    folder = tmp_path_factory.mktemp("link")
    originals = frames_of(MOVIE)[:FRAMES]
    media = write_movie(folder / "media" / "movie.Mjpeg", originals).parent
    options = ("--fps", str(FPS), "--session-timeout", str(int(SESSION_TIMEOUT)))
    with (
        Network(viewers=5) as network,
        RemoteServer(network, media, *options) as server,
        ThreadPoolExecutor(4) as pool,
    ):

        def watch(place, kind, *options):
            return pool.submit(server.watch, place, kind, folder / str(place), originals, *options)

        calm = watch(5, UDP, "--frames", CALM_FRAMES)
        cut_off = {kind: watch(DEAD_PLACES[kind], kind) for kind in (UDP, TCP, LAB)}
        player = Player(network.viewer(DEAD_PLACES["player"]).prefix, server.url)
        try:
            wait_for(lambda: len(player.frames) > FPS)
            wait_for(lambda: server.log().count("set up") == 5)
            cut = time.monotonic()
            for place in DEAD_PLACES.values():
                network.cut(place)
            freed = wait_for(lambda: server.log().count("been silent") == 3)
            time.sleep(max(0.0, cut + DEAD - time.monotonic()))
            mended = time.monotonic()
            for place in DEAD_PLACES.values():
                network.mend(place)
            wait_for(lambda: player.shows_after(mended))
            story = {"freed": freed - cut, "calm": calm.result(), "log": server.log()}
            story |= {kind: view.result().run for kind, view in cut_off.items()}
        finally:
            player.close()
    return story | {"player": player, "cut": cut, "mended": mended}


def test_the_server_frees_the_sessions_in_time(story):
    """Within the time-out that SETUP has told the viewer, by UDP and TCP; see the log."""
    assert story["freed"] < SESSION_TIMEOUT + BUSY


def test_the_player_says_so(story):
    """First that nothing comes, and when its question is not answered, that all is lost."""
    player, cut = story["player"], story["cut"]
    assert player.says_after(cut, "Stalled") - cut < 2 + BUSY
    assert player.says_after(cut, "for 5 s") - cut < 5 + BUSY
    assert player.says_after(cut, "connection is lost") - cut < 12 + BUSY


def test_the_player_goes_on_when_the_line_is_back(story):
    """Within five seconds, by a session of its own, and from where it was."""
    player, cut, mended = story["player"], story["cut"], story["mended"]
    when, number = player.shows_after(mended)
    assert when - mended < RETURN + BUSY
    last_before = max(number for when, number in player.frames if when < cut + BUSY)
    assert last_before - FPS <= number <= last_before + FPS


@pytest.mark.parametrize("kind", [UDP, TCP, LAB])
def test_our_headless_client_ends_with_a_sentence(story, kind):
    run = story[kind]
    assert "for 5 s" in run.stderr or "connection is lost" in run.stderr
    assert run.status == 0, "it has had frames"
    assert run.seconds < LIMIT / 2


def test_a_viewer_on_another_line_notices_nothing(story):
    view = story["calm"]
    assert complete(view.shown, CALM_FRAMES, story["log"])
    assert view.run.report["late"] == 0
    assert at_the_pace(view.run.report["fps"], FPS, story["log"])
