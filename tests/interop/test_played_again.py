"""The end of the movie, nothing for a while, and once more from the beginning: players of others.

They send no sign of life after the end, so it must not last as long as a session does. Not
GStreamer: rtspsrc takes a BYE for the end of all that this sender will ever send, and a seek after
it brings pictures on some days only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from movies import MOVIE, frames_of, write_movie
from mpv_remote import mpv_remote
from peers import TCP, UDP, need_player
from processes import HOST, ServerProcess

pytestmark = pytest.mark.peers

FRAMES = 40
IDLE = 2.0  # seconds
END = (FRAMES - 2, FRAMES)  # frames that are shown last
LIMIT = 20.0


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """mpv by both transports, side by side; to be waited for."""
    folder = tmp_path_factory.mktemp("played")
    media = write_movie(folder / "media" / "movie.Mjpeg", frames_of(MOVIE)[:FRAMES]).parent
    with ServerProcess(media) as server, ThreadPoolExecutor(2) as pool:
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        yield {
            UDP: pool.submit(with_mpv, url, UDP, folder / UDP),
            TCP: pool.submit(with_mpv, url, TCP, folder / TCP),
        }


def with_mpv(url: str, transport: str, folder: Path) -> int:
    """Play to the end, wait, and play again; return the number of a frame seen at first."""
    folder.mkdir()
    with mpv_remote(url, transport, folder) as mpv:
        mpv.command("set_property", "keep-open", "always")
        mpv.wait_for_frame(*END, LIMIT)
        time.sleep(IDLE)
        mpv.command("seek", 0, "absolute")
        mpv.command("set_property", "pause", False)
        number = mpv.wait_for_frame(1, FRAMES // 2, LIMIT)
        mpv.wait_for_frame(*END, LIMIT)
        return number


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_mpv(plays: dict[str, object], transport: str) -> None:
    need_player("mpv")
    assert plays[transport].result() <= FRAMES // 2
