"""From one frame in ten seconds to 120 a second: none of these is an outage."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from lab_clients import PythonLabClient
from movies import MOVIE, avi_header, avi_of, chunk, frames_of
from pictures import without_huffman
from PIL import Image
from processes import HOST, ServerProcess, run_client
from standard_clients import StandardClient, read_rtp
from strip import frame_number

from Client import Client
from rtplab.receiving.headless import HeadlessOptions, HeadlessRun
from rtplab.receiving.rtsp.watch import TimeLimits

pytestmark = pytest.mark.long

LIMIT = 60.0


def client_for(server, movie, silence):
    limits = TimeLimits(silence=silence)
    return Client(None, HOST, server.port, 0, movie.name, limits=limits)


@pytest.mark.parametrize(("fps", "frames"), [(0.1, 2), (0.4, 4), (120, 40)])
def test_every_frame_rate_plays_in_both_dialects(small_movie, fps, frames):
    options = ("--headless", "--json", "--frames", frames)

    def receive(address):
        return run_client(*address, *options, limit=LIMIT).report

    with (
        ServerProcess(small_movie.parent, "--fps", str(fps)) as server,
        ThreadPoolExecutor() as pool,
    ):
        url = f"rtsp://{HOST}:{server.port}/{small_movie.name}"
        addresses = [
            (HOST, server.port, 0, small_movie.name),
            (url, "--transport", "udp"),
            (url, "--transport", "tcp"),
        ]
        reports = list(pool.map(receive, addresses))
    for report in reports:
        assert (report["frames"], report["lost"], report["error"]) == (frames, 0, None)


@pytest.mark.parametrize(("frames", "comes"), [(3, 3), (None, 1)])
def test_a_slow_lab_stream_is_waited_for_if_more_is_asked_for(small_movie, capsys, frames, comes):
    """Of its first frame alone nobody knows how long the next one takes, nor if there is one."""
    with ServerProcess(small_movie.parent, "--fps", "1") as server:
        client = client_for(server, small_movie, 0.3)
        HeadlessRun(client, HeadlessOptions(frames=frames)).run()
    assert f"{comes} frames" in capsys.readouterr().out


def test_a_lab_stream_that_ends_after_one_frame_is_not_waited_for_for_ever(
    small_movie, monkeypatch, capsys
):
    monkeypatch.setattr("rtplab.receiving.headless.SECOND_FRAME", 0.4)
    with ServerProcess(small_movie.parent, "--fps", "0.1") as server:
        client = client_for(server, small_movie, 0.2)
        HeadlessRun(client, HeadlessOptions(frames=2)).run()
    output = capsys.readouterr()
    assert "1 frames" in output.out
    assert "No packet" in output.err


# --- The movie's own frame rate ------------------------------------------------------------------

OWN_RATE = Fraction(60000, 1001)


@pytest.fixture(scope="module")
def avi(tmp_path_factory):
    """An AVI file as capture cards write it: 59.94 frames/s, and no Huffman tables."""
    path = tmp_path_factory.mktemp("avi") / "movie.avi"
    pictures = (without_huffman(frame) for frame in frames_of(MOVIE)[:40])
    chunks = b"".join(chunk(b"00dc", picture) for picture in pictures)
    header = avi_header(OWN_RATE.numerator, OWN_RATE.denominator)
    path.write_bytes(avi_of(chunks, header))
    return path


@pytest.mark.parametrize(("options", "rate"), [((), OWN_RATE), (("--fps", "100"), Fraction(100))])
def test_a_movie_is_sent_at_its_own_rate_unless_another_is_asked_for(avi, options, rate):
    interval = float(90_000 / rate)
    with ServerProcess(avi.parent, *options) as server:
        with StandardClient(server.port, avi.name) as client:
            described = client.ask("DESCRIBE")
            assert f"a=framerate:{float(rate):g}\r\n".encode() in described.body
            client.watch("tcp")
            client.wait_for_pictures(20)
            stamps = [packet.timestamp for packet in client.rtp_packets if packet.marker]
        with PythonLabClient(server.address, movie=avi.name) as lab:
            lab.setup()
            lab.play()
            packets = lab.rtp.wait_for_packets(20)
            shown = lab.rtp.wait_for_frames(20)
    assert (stamps[19] - stamps[0]) % 2**32 == pytest.approx(19 * interval, abs=1)
    assert read_rtp(packets[19]).timestamp == pytest.approx(19 * interval, abs=1)
    for number, frame in enumerate(shown, 1):
        with Image.open(io.BytesIO(frame), formats=("JPEG",)) as picture:
            assert b"\xff\xc4" in frame and frame_number(picture) == number
