"""`rtplab play` in a window: the package's client, which builds none of its own."""

from __future__ import annotations

import pytest
from processes import ServerProcess

from rtplab import launcher, playoptions
from rtplab.player.model.history import Address
from rtplab.player.window import PlayerWindow

pytestmark = pytest.mark.peers
POLL = 20
"""Milliseconds between two looks at the window."""
PATIENCE = 500
"""Looks in which a picture must come."""


def test_a_movie_is_played_and_another_one_in_its_place(root, small_movie, tmp_path):
    made, seen = [], []
    capture = tmp_path / "both.pcap"

    def make(master, *what):
        made.append(launcher.package_client(master, *what))
        return made[-1]

    def when_there_is_a_picture(then, looks=0):
        window = PlayerWindow.of(root)
        if window.picture.jpeg or looks > PATIENCE:
            then(window)
        else:
            root.after(POLL, when_there_is_a_picture, then, looks + 1)

    def first(window):
        seen.append(bool(window.picture.jpeg))
        made[0].playout.latency = 0.2
        window.open(Address(url=url))
        when_there_is_a_picture(second)

    def second(window):
        seen.append(bool(window.picture.jpeg))
        root.quit()

    with ServerProcess(small_movie.parent) as server:
        url = f"rtsp://127.0.0.1:{server.port}/{small_movie.name}"
        arguments = [url, "--transport", "tcp", "--pcap", str(capture)]
        options = playoptions.parse_arguments(arguments, "rtplab play")
        root.after(POLL, when_there_is_a_picture, first)
        launcher._play_on(root, options, make, launcher.PROGRAM)
    for client in made:
        client.close()
    assert seen == [True, True]
    assert [client.playout.latency for client in made] == [0.2, 0.2]
    assert capture.read_bytes().count(b"DESCRIBE rtsp") == 2
