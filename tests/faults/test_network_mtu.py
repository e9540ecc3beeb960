"""A way that takes packets of 600 bytes only: frames arrive whole all the same.

Most viewers of this file are behind a router whose lines to them are narrow. The server's own line
is as wide as usual, so it is the router that learns of it first.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from frames import at_the_pace, complete
from movies import MOVIE, frames_of, write_movie
from namespaces import Network
from peers import TCP, UDP, need_command
from remote import LAB, LIMIT, RemoteServer

pytestmark = pytest.mark.peers  # needs root, or user namespaces

MTU = 600
FRAMES = 80
FPS = 20  # a socket then holds more than a second, in which a busy machine may not come to read it
AT_ONCE = 4
OPTIONS = ("--fps", str(FPS), "--log-level", "warning")
ODD_SERVER = Path(__file__).parent / "odd_server.py"
IP_AND_UDP = 28  # bytes of header
USUAL_PACKET = 1349  # bytes of RTP, the mean of the movie's packets on Ethernet
LEARNING = 10
"""Frames that may be lost until the server has been told, on a busy machine."""


@pytest.fixture(scope="module")
def originals():
    return frames_of(MOVIE)[:FRAMES]


@pytest.fixture(scope="module")
def media(tmp_path_factory, originals):
    return write_movie(tmp_path_factory.mktemp("mtu") / "movie.Mjpeg", originals).parent


@pytest.fixture(scope="module")
def views(media, tmp_path_factory, originals):
    """What each viewer has seen; some watch at the same time."""
    need_command("ffmpeg")
    folder = tmp_path_factory.mktemp("views")

    def ours(place, server, kind):
        # The lab dialect knows no end but silence, which need not be waited for here.
        return server.watch(place, kind, folder / str(place), originals, "--frames", FRAMES)

    with Network(viewers=7) as network, ThreadPoolExecutor(AT_ONCE) as pool:
        for place in range(1, 7):
            network.narrow(place, MTU)
        program = (ODD_SERVER, "no-segmentation")
        with (
            RemoteServer(network, media, *OPTIONS) as usual,
            RemoteServer(network, media, *OPTIONS, program=program) as singly,
        ):
            futures = {
                (UDP, "together"): pool.submit(ours, 1, usual, UDP),
                (UDP, "singly"): pool.submit(ours, 2, singly, UDP),
                (LAB, "together"): pool.submit(ours, 3, usual, LAB),
                (LAB, "singly"): pool.submit(ours, 4, singly, LAB),
                (TCP, "together"): pool.submit(ours, 5, usual, TCP),
                ("ffmpeg", "together"): pool.submit(usual.watch_with_ffmpeg, 6, UDP),
                "wide": pool.submit(ours, 7, usual, TCP),
            }
            views = {name: future.result() for name, future in futures.items()}
            return views | {"log": usual.log() + singly.log()}


@pytest.mark.parametrize(
    "kind",
    [
        (UDP, "together"),  # routers may cut what the kernel has cut from one message
        (LAB, "together"),
        (LAB, "singly"),  # a frame is one datagram, which the system cuts once it has been told
        (TCP, "together"),
        ("ffmpeg", "together"),
    ],
)
def test_every_frame_arrives_whole(views, kind):
    """Equal to the file's, but for those on their way before the server knows."""
    view = views[kind]
    learning = LEARNING if kind[0] == LAB else 0
    assert complete(view.shown, FRAMES - learning, views["log"])


def mean_size(view):
    """Bytes of the RTP packets that came, in the mean."""
    return view.run.report["bytes"] / view.run.report["packets"]


def test_packets_become_smaller_when_a_router_says_so(views):
    """Where each packet is a message of its own, which no router may cut, it tells us by ICMP."""
    view = views[UDP, "singly"]
    assert complete(view.shown, FRAMES - LEARNING, views["log"])
    assert mean_size(view) < MTU - IP_AND_UDP


def test_a_viewer_on_a_wide_line_notices_nothing(views):
    """All frames, at the pace of the movie, in the packets of a wide line."""
    view = views["wide"]
    assert complete(view.shown, FRAMES, views["log"])
    assert at_the_pace(view.run.report["fps"], FPS, views["log"])
    assert mean_size(view) > MTU


def test_the_line_becomes_narrow_while_they_watch(media, tmp_path, originals):
    """The server's own line: it is told at once, and its packets are smaller from then on."""
    with (
        Network(viewers=2) as network,
        RemoteServer(network, media, *OPTIONS) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        folders = {UDP: tmp_path / UDP, LAB: tmp_path / LAB}
        views = {
            kind: pool.submit(server.watch, place, kind, folder, originals, *enough)
            for place, (kind, folder), enough in zip(
                (1, 2), folders.items(), ((), ("--frames", FRAMES - LEARNING)), strict=True
            )
        }
        wait_for_frames(folders.values(), 10)
        network.narrow(0, MTU)
        views = {kind: view.result() for kind, view in views.items()}
        log = server.log()
    for view in views.values():
        assert complete(view.shown, FRAMES - LEARNING, log)
    assert views[UDP].shown[-1] > FRAMES - LEARNING
    assert mean_size(views[UDP]) < (MTU + USUAL_PACKET) / 2


def wait_for_frames(folders, count):
    """Wait until so many frames have been saved in each of the folders."""
    deadline = time.monotonic() + LIMIT
    while not all(len(list(folder.glob("*"))) >= count for folder in folders):
        assert time.monotonic() < deadline, "no frames"
        time.sleep(0.02)
