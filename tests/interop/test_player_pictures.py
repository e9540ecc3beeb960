"""Pictures of every kind a movie file may hold, as ffmpeg and GStreamer show them.

Some kinds RTP/JPEG carries as they are; the others our server converts, and pads to multiples of 8.
"""

from __future__ import annotations

import io
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from movies import MOVIE, frames_of, write_movie
from peers import (
    PLAYERS,
    TRANSPORTS,
    UDP,
    difference,
    ffmpeg,
    need_player,
    output_of,
    pictures,
)
from PIL import Image
from processes import ServerProcess
from strip import frame_number

pytestmark = pytest.mark.peers

FRAMES = 20
AT_ONCE = 2  # players at the same time: each needs half a core for the large pictures
CLOSE = 3.0
"""How far, of 255, a decoder's picture may be from Pillow's: they blow up chroma in other ways."""
OWN_SIZE = (384, 288)

# For each kind of movie: its size in pixels, its mode, how Pillow writes its pictures.
KINDS = {
    # carried as they are
    "4:2:0": (OWN_SIZE, "RGB", {"subsampling": "4:2:0"}),
    "4:2:2": (OWN_SIZE, "RGB", {"subsampling": "4:2:2"}),
    "restart markers": (OWN_SIZE, "RGB", {"restart_marker_rows": 1}),
    "no multiple of 16": ((376, 280), "RGB", {"subsampling": "4:2:0"}),
    "large": ((1280, 720), "RGB", {"quality": 50}),
    # converted
    "progressive": (OWN_SIZE, "RGB", {"progressive": True}),
    "4:4:4": (OWN_SIZE, "RGB", {"subsampling": "4:4:4"}),
    "grey": (OWN_SIZE, "L", {}),
    "optimised": (OWN_SIZE, "RGB", {"optimize": True}),
    "odd size": ((379, 283), "RGB", {}),
    "odd size of 4:4:4": ((381, 285), "RGB", {"subsampling": "4:4:4"}),
}
SHOWING = ("ffmpeg", "GStreamer")


@pytest.fixture(scope="module")
def movies():
    """The pictures of each kind of movie, as JPEG."""
    originals = frames_of(MOVIE)[:FRAMES]
    return {kind: [remade(jpeg, *how) for jpeg in originals] for kind, how in KINDS.items()}


def remade(jpeg, size, mode, options):
    with Image.open(io.BytesIO(jpeg)) as picture:
        output = io.BytesIO()
        picture.convert(mode).resize(size).save(output, "JPEG", **{"quality": 85, **options})
    assert output.tell() < 100_000  # five digits tell the length in a movie file
    return output.getvalue()


@pytest.fixture(scope="module")
def plays(tmp_path_factory, movies):
    """What each player writes of each movie, to be waited for."""
    media = tmp_path_factory.mktemp("media")
    for number, jpegs in enumerate(movies.values()):
        write_movie(media / f"{number}.Mjpeg", jpegs)
    with ServerProcess(media) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (kind, name): pool.submit(
                output_of, PLAYERS[name](f"rtsp://127.0.0.1:{server.port}/{number}.Mjpeg", UDP)
            )
            for number, kind in enumerate(KINDS)
            for name in SHOWING
        }


@pytest.mark.parametrize("name", SHOWING)
@pytest.mark.parametrize("kind", KINDS)
def test_all_pictures_are_shown_and_right(plays, movies, kind, name):
    need_player(name)
    width, height = KINDS[kind][0]
    shown = [image for _, image in pictures(plays[kind, name].result())]
    assert {image.size for image in shown} == {(-(-width // 8) * 8, -(-height // 8) * 8)}
    unpadded = [image.crop((0, 0, width, height)) for image in shown]
    assert [frame_number(image) for image in unpadded] == list(range(1, FRAMES + 1))
    for image, jpeg in zip(unpadded, movies[kind], strict=True):
        with Image.open(io.BytesIO(jpeg)) as original:
            assert difference(image, original.convert("RGB")) < CLOSE


@pytest.mark.parametrize("size", [(2048, 64), (64, 2048)])
def test_a_player_is_told_that_a_picture_is_too_large(tmp_path, movies, size):
    need_player("ffmpeg")
    write_movie(tmp_path / "large.Mjpeg", [remade(movies["4:2:0"][0], size, "RGB", {})])
    with ServerProcess(tmp_path, "--log-level", "debug") as server:
        for transport in TRANSPORTS:
            command = ffmpeg(f"rtsp://127.0.0.1:{server.port}/large.Mjpeg", transport)
            done = subprocess.run(command, capture_output=True, text=True, timeout=10)
            assert done.returncode != 0
            assert re.search(r"\bDESCRIBE\b.*\b415", done.stderr), done.stderr
        assert "SETUP" not in server.errors()


def test_the_largest_picture_is_shown(tmp_path, movies):
    need_player("ffmpeg")
    write_movie(tmp_path / "wide.Mjpeg", [remade(movies["4:2:0"][0], (2040, 64), "RGB", {})] * 3)
    with ServerProcess(tmp_path) as server:
        output = output_of(ffmpeg(f"rtsp://127.0.0.1:{server.port}/wide.Mjpeg", UDP))
    assert [image.size for _, image in pictures(output)] == [(2040, 64)] * 3
