"""A camera by HTTP in the window: shown, paused, recorded, and looked into by the panel."""

from __future__ import annotations

import time

import pytest
from display import pump
from http_cameras import HEAD, PICTURES, HttpCamera, part, stream
from movies import frames_of

from rtplab import launcher, playoptions
from rtplab.player.window import PlayerWindow
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.http.client import HttpClient

pytestmark = [pytest.mark.peers, pytest.mark.long]


@pytest.fixture
def camera():
    with HttpCamera(stream) as camera:
        yield camera


def test_a_camera_is_shown_paused_recorded_and_explained(root, camera, tmp_path):
    options = playoptions.parse_arguments([camera.url(user="ann:secret@")], "rtplab play")
    client = launcher.client_for(options, root, launcher.package_client)
    assert isinstance(client, HttpClient)
    window = PlayerWindow(root, client)
    try:
        window.play()
        assert pump(root, lambda: bool(window.picture.jpeg)), client.error
        assert window.picture.jpeg in PICTURES
        for name in ("Messages", "State", "Packet", "Statistics", "Network"):
            window.panel.show(name)
            root.update()
            window.panel.tick(time.monotonic() + 1)
        text = window.panel.pages.messages.text.get("1.0", "end")
        assert "GET /stream HTTP/1.1" in text and "boundary=frame" in text
        assert "RFC 2326" not in text and "secret" not in text

        window.controller.recorder.start(tmp_path / "film.Mjpeg")
        assert pump(root, lambda: window.controller.recorder._recording.frames > 3)
        window.controller.recorder.stop()
        assert all(frame in PICTURES for frame in frames_of(tmp_path / "film.Mjpeg"))

        window.controller.pause()
        assert pump(root, lambda: client.state is State.READY and not camera.open)
        shown = window.controller.frame.arrival
        window.controller.play()
        assert pump(root, lambda: client.state is State.PLAYING)
        assert pump(root, lambda: window.controller.frame.arrival > shown)
        assert len(camera.requests) == 2
    finally:
        window._end()
        client.close()


def test_a_camera_that_is_lost_is_found_again(root):
    def answer(camera, connection, request):
        if len(camera.requests) == 1:
            connection.sendall(HEAD + b"\r\n" + part(PICTURES[0], 0))
        else:
            stream(camera, connection)

    with HttpCamera(answer) as camera:
        options = playoptions.parse_arguments([camera.url()], "rtplab play")
        client = launcher.client_for(options, root, launcher.package_client)
        window = PlayerWindow(root, client)
        try:
            window.play()
            assert pump(root, lambda: "closed the connection" in client.error)
            assert pump(root, lambda: client.state is State.PLAYING)
            assert len(camera.requests) == 2
        finally:
            window._end()
            client.close()
