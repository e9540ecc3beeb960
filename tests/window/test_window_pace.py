"""How soon frames are on the screen, and how soon input is answered."""

from __future__ import annotations

import io
import time

import pytest
from display import pump
from movies import MOVIE, frames_of
from PIL import Image
from processes import HOST, ServerProcess

pytestmark = pytest.mark.peers


def test_a_frame_is_on_the_screen_150_ms_after_its_arrival(watch, root):
    player = watch()
    delays = []
    show = player.window.picture.show

    def timed(jpeg: bytes) -> bool:
        shown = show(jpeg)
        root.update_idletasks()
        delays.append(time.monotonic() - player.window.viewing.frame.arrival)
        return shown

    player.window.picture.show = timed
    assert pump(root, lambda: len(delays) >= 25)
    delays.sort()
    assert delays[len(delays) // 2] < 0.15


@pytest.fixture(scope="module")
def hd_movie(tmp_path_factory):
    """Two seconds of 1080p at 25 frames a second."""
    path = tmp_path_factory.mktemp("hd") / "hd.mjpeg"
    with open(path, "wb") as file:
        for jpeg in frames_of(MOVIE)[:50]:
            with Image.open(io.BytesIO(jpeg)) as image:
                image.resize((1920, 1080)).save(file, "JPEG", quality=80)
    return path


def test_1080p_is_played_and_resized_while_input_is_answered_within_50_ms(
    hd_movie, open_player, root
):
    with ServerProcess(hd_movie.parent, "--fps", "25", "--loop") as server:
        player = open_player(0, f"rtsp://{HOST}:{server.port}/hd.mjpeg")
        root.geometry("1280x900")
        player.window.play()
        assert pump(root, lambda: bool(player.window.picture.jpeg)), player.error
        lateness: list[float] = []
        width = 1280

        def probe(due: float) -> None:
            nonlocal width
            lateness.append(time.monotonic() - due)
            if len(lateness) % 20 == 0:
                width += 20
                root.geometry(f"{width}x900+{width - 1280}+0")
            timer[0] = root.after(10, probe, time.monotonic() + 0.01)

        timer = [root.after(10, probe, time.monotonic() + 0.01)]
        shown = player.window.viewing.frame.arrival
        pump(root, lambda: False, limit=4)
        root.after_cancel(timer[0])
        assert player.window.viewing.frame.arrival > shown + 3.5
        lateness.sort()
        assert lateness[len(lateness) * 9 // 10] < 0.05
        player.close()
