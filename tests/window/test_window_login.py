"""The window before a server that asks for a password."""

from __future__ import annotations

import re

import pytest
from display import pump
from movies import MOVIE, frames_of
from processes import HOST, ServerProcess
from standard_servers import StandardServer, jpeg_payloads
from windows import answer, asked, dialogs_of, enabled, entries_of, words

pytestmark = pytest.mark.peers


@pytest.fixture
def guarded_server(small_movie):
    with ServerProcess(small_movie.parent, "--user", "ann:secret word") as running:
        yield running


def test_a_password_is_asked_for_and_wrong_ones_again(
    guarded_server, open_player, root, display, home, capfd
):
    player = open_player(0, f"rtsp://{HOST}:{guarded_server.port}/movie.Mjpeg")
    player.window.play()
    assert pump(root, lambda: asked(root, "asks for"))
    answer(root, display, "ann", "Tab", "guessed", "Return")
    assert pump(root, lambda: asked(root, "not accept")), words(player)
    answer(root, display, "secret word", "Return")  # the name is still there
    assert pump(root, lambda: bool(player.window.picture.jpeg)), words(player)
    assert player.user_name == "ann" and not dialogs_of(root)
    said = b"".join(message.data for message in player.window.traffic.messages).decode()
    written = "".join(path.read_text() for path in home.rglob("*.json"))
    out = capfd.readouterr()
    for text in (words(player), said, written, out.out, out.err, guarded_server.errors()):
        assert "secret" not in text and "guessed" not in text
    assert "Authorization: Digest" in said


def test_who_gives_no_password_is_told_and_can_be_asked_again(
    guarded_server, open_player, root, display
):
    player = open_player(0, f"rtsp://bob@{HOST}:{guarded_server.port}/movie.Mjpeg")
    player.window.play()
    assert pump(root, lambda: asked(root, "does not accept")), words(player)
    shown = [entry.get() for entry in entries_of(dialogs_of(root)[0])]
    assert shown == ["bob", ""]
    answer(root, display, "Escape")
    assert pump(root, lambda: not dialogs_of(root))
    assert pump(root, lambda: "to log in" in words(player)), words(player)
    assert enabled(player) == ["setup"]
    player.setup.invoke()
    assert pump(root, lambda: asked(root, "does not accept")), words(player)
    answer(root, display, "secret word", "Return")
    assert pump(root, lambda: asked(root, "does not accept"), limit=20), words(player)


class TakesBasicOnly(StandardServer):
    """A camera that wants the password as it is, in each request but OPTIONS."""

    def _answer(self, viewer, head):
        if head.startswith("OPTIONS") or "\r\nAuthorization: Basic " in head:
            super()._answer(viewer, head)
            return
        number = re.search(r"CSeq: (\d+)", head)[1]
        challenge = 'WWW-Authenticate: Basic realm="camera"'
        viewer.send(f"RTSP/1.0 401 No\r\nCSeq: {number}\r\n{challenge}\r\n\r\n".encode())


def test_a_password_goes_unencrypted_only_by_a_tick(open_player, root, display):
    pictures = [jpeg_payloads(frame) for frame in frames_of(MOVIE)[:40]]
    with TakesBasicOnly(pictures, 0.05) as server:
        player = open_player(0, server.url)
        player.window.play()
        assert pump(root, lambda: asked(root, "only unencrypted (Basic")), words(player)
        answer(root, display, "ann", "Tab", "secret", "Return")
        assert pump(root, lambda: asked(root, "tick the box"))
        assert not any("authorization" in request.headers for request in server.requests)
        answer(root, display, "Tab", "space", "Return")
        assert pump(root, lambda: bool(player.window.picture.jpeg)), words(player)
        assert not dialogs_of(root)
        player.exitClient()
