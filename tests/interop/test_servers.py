"""Our client, headless and in process, against the RTSP servers of others."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from movies import MOVIE, frames_of
from PIL import Image
from processes import ClientRun, run_client
from real_servers import gst_server, need_gst_server, need_vlc
from strip import frame_number_of_jpeg
from vlc_server import server_name, vlc_server
from wording import lacks

from Client import Client
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.jpegassembler import quant_tables

pytestmark = pytest.mark.peers

COUNT = 15
"""Frames that a run takes."""

MOVIE_FRAMES = 200
FPS = 20
LIMIT = 20.0
TRANSPORTS = ("udp", "tcp")

SIZE = "videoscale ! video/x-raw,width={},height={} ! jpegenc quality=70 ! rtpjpegpay"
STREAMS = {
    # Q in the payload header, from which the receiver computes the tables
    **{f"q{q}": f"jpegenc quality={q} ! rtpjpegpay quality={q}" for q in (1, 50, 75, 99)},
    # Q 255, tables in each frame's first packet
    "tables-in-band": "jpegenc quality=85 ! rtpjpegpay",
    "best": "jpegenc quality=100 ! rtpjpegpay",
    "type-0": "videoconvert ! video/x-raw,format=Y42B ! jpegenc ! rtpjpegpay",
    "small-packets": "jpegenc ! rtpjpegpay mtu=300",
    "large-packets": "jpegenc ! rtpjpegpay mtu=9000",
    "160x120": SIZE.format(160, 120),
    "380x284": SIZE.format(380, 284),  # goes as 384x288: RFC 2435 counts in eights
    "1280x720": SIZE.format(1280, 720),
}
UNREADABLE_STRIP = {"q1"}  # nothing but the colour of each 8x8 block is left


@pytest.fixture(scope="module")
def gst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    need_gst_server()
    frames = frames_of(MOVIE)[:MOVIE_FRAMES]
    with gst_server(frames, STREAMS, tmp_path_factory.mktemp("frames")) as addresses:
        yield addresses


@pytest.fixture
def vlc() -> Iterator[str]:
    """Anew for each test: its one stream runs on whether somebody watches or not."""
    need_vlc()
    with vlc_server(frames_of(MOVIE)) as address:
        yield address


def play(url: str, transport: str, folder: Path) -> tuple[ClientRun, list[bytes]]:
    """Run our headless client; return how it went, and the frames it saved."""
    run = run_client(
        *(url, "--headless", "--json", "--transport", transport),
        *("--frames", COUNT, "--save", folder),
        limit=LIMIT,
    )
    return run, [path.read_bytes() for path in sorted(folder.iterdir())]


def check_report(run: ClientRun, frames: list[bytes]) -> None:
    report = run.report
    assert (run.status, run.stderr, report["error"]) == (0, "", None)
    assert report["frames"] == len(frames) == COUNT
    assert report["state"] == "PLAYING"
    assert (report["lost"], report["duplicates"], report["loss_rate"]) == (0, 0, 0)
    assert report["packets"] >= COUNT
    assert report["bytes"] > 0.9 * sum(len(frame) - 700 for frame in frames)
    assert 0.5 * (COUNT - 1) / FPS < report["seconds"] < LIMIT
    assert 0 < report["first_frame_ms"] < 1000 * LIMIT


# --- GStreamer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", STREAMS)
def test_plays_from_gstreamer(
    gst: dict[str, str], name: str, transport: str, tmp_path: Path
) -> None:
    run, frames = play(gst[name], transport, tmp_path)
    check_report(run, frames)
    if name not in UNREADABLE_STRIP:
        assert list(map(frame_number_of_jpeg, frames)) == list(range(1, COUNT + 1))
    check_headers(name, jpeg.parse(frames[0]))


def check_headers(name: str, header: jpeg.JpegHeader) -> None:
    """What was not sent was made anew as the server had it."""
    sizes = {"160x120": (160, 120), "1280x720": (1280, 720)}
    assert (header.width, header.height) == sizes.get(name, (384, 288))
    assert header.components[0].vertical == (1 if name == "type-0" else 2)
    if name.startswith("q"):
        tables = b"".join(header.quantization_tables[index] for index in (0, 1))
        assert tables == quant_tables(int(name[1:]))


def test_the_demonstration_needs_no_choice_of_transport(
    gst: dict[str, str], tmp_path: Path
) -> None:
    run, frames = play(gst["q75"], "auto", tmp_path)
    check_report(run, frames)
    assert list(map(frame_number_of_jpeg, frames)) == list(range(1, COUNT + 1))


class Viewer:
    """A client in this process, and the numbers of the frames that it has been given."""

    def __init__(self, url: str, transport: str) -> None:
        self.client = Client(None, "", 0, 0, url, transport)
        self.shown: list[int] = []
        self.positions: list[float] = []
        self.client.on_frame = self._take

    def _take(self, frame) -> None:
        self.positions.append(self.client.position_of(frame))
        self.shown.append(frame_number_of_jpeg(frame.data))

    def wait(self, condition, what: str) -> None:
        self.client.wait_for(lambda: condition() or self.client.error, LIMIT)
        assert condition(), f"{what}: {self.client.error} {self.shown}"

    def set_up(self) -> None:
        self.client.setupMovie()
        self.wait(lambda: self.client.state == Client.READY, "no answer to SETUP")

    def play(self, count: int) -> None:
        """Play until `count` more frames have come."""
        before = len(self.shown)
        self.client.playMovie()
        self.wait(lambda: len(self.shown) >= before + count, "no frames")

    def pause(self) -> None:
        self.client.pauseMovie()
        self.wait(lambda: self.client.state == Client.READY, "no answer to PAUSE")


@contextmanager
def viewer(url: str, transport: str) -> Iterator[Viewer]:
    watching = Viewer(url, transport)
    try:
        yield watching
    finally:
        watching.client.exitClient()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_pauses_and_goes_on_with_the_next_frame(gst: dict[str, str], transport: str) -> None:
    with viewer(gst["q75"], transport) as watching:
        watching.set_up()
        assert watching.client.duration == pytest.approx(MOVIE_FRAMES / FPS)
        watching.play(8)
        watching.pause()
        seen = len(watching.shown)
        assert not watching.client.wait_for(lambda: len(watching.shown) > seen, 0.3)
        watching.play(8)
        assert watching.shown == list(range(1, len(watching.shown) + 1))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_seeks_there_and_back(gst: dict[str, str], transport: str) -> None:
    with viewer(gst["q75"], transport) as watching:
        watching.set_up()
        watching.play(5)
        for seconds in (6.0, 2.0):
            first = round(seconds * FPS) + 1
            watching.client.seek(seconds)
            watching.wait(lambda f=first: f in watching.shown, f"no frame {first}")
            arrived = watching.shown.index(first)
            watching.wait(lambda n=arrived: len(watching.shown) > n + 5, "it does not go on")
            assert watching.shown[arrived : arrived + 5] == list(range(first, first + 5))
            assert watching.positions[arrived] == pytest.approx(seconds, abs=1 / FPS)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_plays_to_the_end_and_says_so(gst: dict[str, str], transport: str) -> None:
    with viewer(gst["q75"], transport) as watching:
        watching.set_up()
        watching.play(1)
        watching.client.seek(9.0)
        watching.wait(lambda: watching.client.ended, "no end")
        assert watching.client.state == Client.READY
        assert watching.shown[-20:] == list(range(MOVIE_FRAMES - 19, MOVIE_FRAMES + 1))


def test_a_missing_movie_is_one_sentence(gst: dict[str, str]) -> None:
    url = gst["q75"].replace("q75", "none")
    run = run_client(url, "--headless", "--json", limit=LIMIT)
    assert run.status == 1
    assert run.report["error"] == run.stderr.strip()
    assert not lacks(run.stderr, "no movie", url)


# --- VLC -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ("udp", "auto"))
def test_plays_from_vlc(vlc: str, transport: str, tmp_path: Path) -> None:
    run, frames = play(vlc, transport, tmp_path)
    check_report(run, frames)
    shown = list(map(frame_number_of_jpeg, frames))
    assert shown == list(range(shown[0], shown[0] + COUNT))
    originals = frames_of(MOVIE)
    for number, frame in zip(shown, frames, strict=True):
        assert scan_and_tables(frame) == scan_and_tables(originals[number - 1])


def test_plays_restart_markers_from_vlc(tmp_path: Path) -> None:
    need_vlc()
    with vlc_server([with_restart_markers(frame) for frame in frames_of(MOVIE)[:200]]) as address:
        run, frames = play(address, "udp", tmp_path)
    check_report(run, frames)
    shown = list(map(frame_number_of_jpeg, frames))
    assert shown == list(range(shown[0], shown[0] + COUNT))
    assert jpeg.parse(frames[0]).restart_interval == 384 // 16


def with_restart_markers(frame: bytes) -> bytes:
    """The picture with a restart marker after every row of 16 pixels: RTP/JPEG's type 65."""
    output = io.BytesIO()
    with Image.open(io.BytesIO(frame)) as image:
        image.save(output, "JPEG", restart_marker_rows=1)
    return output.getvalue()


def scan_and_tables(data: bytes) -> tuple[bytes, dict[int, bytes]]:
    header = jpeg.parse(data)
    return data[header.scan_start : header.scan_end], header.quantization_tables


def test_two_viewers_of_vlc_see_the_same(vlc: str) -> None:
    with viewer(vlc, "udp") as first, viewer(vlc, "udp") as second:
        for watching in (first, second):
            watching.set_up()
            watching.play(10)
        common = set(first.shown) & set(second.shown)
        assert len(common) >= 5
        for watching in (first, second):
            start = watching.shown[0]
            assert watching.shown == list(range(start, start + len(watching.shown)))


def test_vlc_sends_by_udp_alone_and_says_so(vlc: str, tmp_path: Path) -> None:
    assert server_name(vlc).startswith("VLC/")
    run, frames = play(vlc, "tcp", tmp_path)
    assert (run.status, frames) == (1, [])
    assert re.search("SETUP.* 461 ", run.stderr), run.stderr
