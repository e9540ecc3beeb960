"""1080p at 25 frames a second: 150 packets a frame, thousands a second, and a bad network.

Whatever is bounded for them must be bounded in bytes or in time: a count that is generous for the
lab's movie is a few milliseconds here.
"""

from __future__ import annotations

import io

import pytest
from lab_servers import rtp
from movies import write_movie
from PIL import Image, ImageDraw
from processes import HOST, ServerProcess, run_client
from standard_servers import jpeg_payloads

from rtplab.receiving.rtp.frames import RtpJpegFrames
from rtplab.receiving.rtp.impairment import Impairment, parse_conditions
from rtplab.receiving.rtp.reception import Reception

pytestmark = pytest.mark.long

SIZE = 1920, 1080
FPS = 25
TICKS = 90_000 // FPS
FRAMES = 100
POINTS = 0.002  # of loss
LIMIT = 60.0


def large_pictures(count: int) -> list[bytes]:
    """JPEGs of some 200 KB, each of them different."""
    noise = Image.effect_noise(SIZE, 13).convert("RGB")
    pictures = []
    for number in range(count):
        image, output = noise.copy(), io.BytesIO()
        ImageDraw.Draw(image).rectangle((10 * number, 100, 10 * number + 80, 400), fill=number)
        image.save(output, "JPEG", quality=42)
        pictures.append(output.getvalue())
    return pictures


@pytest.fixture(scope="module")
def payloads():
    """One picture as its packets' payloads."""
    return jpeg_payloads(large_pictures(1)[0])


def received(payloads, conditions, first_number=60_000):
    """Send FRAMES frames through a bad network, by virtual time; return the reception's frames."""
    reception, impairment = Reception(RtpJpegFrames(26)), Impairment(parse_conditions(conditions))
    reception.first_number = first_number
    number, frames = first_number, []

    def let_time_pass(until):
        while (moment := _earliest(reception.deadline(), impairment.deadline())) <= until:
            frames.extend(reception.receive(impairment.due(moment), moment))

    for index in range(FRAMES):
        now = index / FPS
        let_time_pass(now)
        for place, payload in enumerate(payloads, 1):
            packet = rtp(payload, number % 65536, index * TICKS, marker=place == len(payloads))
            impairment.add(packet, now)
            number += 1
    let_time_pass(1000.0)
    return reception, impairment, frames


def _earliest(*moments):
    return min((moment for moment in moments if moment is not None), default=float("inf"))


@pytest.mark.parametrize(
    "conditions",
    ["reorder=1%", "reorder=10%", "jitter=10ms", "delay=2s", "delay=10s,jitter=10ms,duplicate=1%"],
)
def test_nothing_is_lost_where_nothing_is_dropped(payloads, conditions):
    reception, impairment, frames = received(payloads, conditions)
    assert len(payloads) > 130
    assert len(frames) == FRAMES
    statistics = reception.statistics
    assert (impairment.lost, statistics.lost, statistics.late) == (0, 0, 0)
    assert statistics.duplicates == impairment.duplicated


@pytest.mark.parametrize("conditions", ["loss=1%", "loss=1%,reorder=1%", "loss=5%,jitter=10ms"])
def test_what_is_dropped_is_told_as_lost_and_nothing_else(payloads, conditions):
    reception, impairment, _ = received(payloads, conditions)
    sent = FRAMES * len(payloads)
    assert reception.statistics.lost == pytest.approx(impairment.lost, abs=POINTS * sent)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "large.mjpeg", large_pictures(50))
    with ServerProcess(media, "--fps", str(FPS), "--log-level", "warning") as server:
        yield server


@pytest.mark.timed
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("conditions", ["reorder=1%", "jitter=10ms", "delay=2s"])
def test_every_large_picture_comes_through_a_bad_network(server, transport, conditions):
    address = f"rtsp://{HOST}:{server.port}/large.mjpeg"
    options = ("--transport", transport, "--impair", conditions, "--headless", "--json")
    report = run_client(address, *options, limit=LIMIT).report
    assert (report["frames"], report["error"]) == (50, None)
    assert report["loss_rate"] <= POINTS
