"""Pictures of over 2,040 pixels: as they are for who knows how, smaller or refused for others."""

from __future__ import annotations

import io
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from movies import write_movie
from PIL import Image, ImageChops, ImageDraw, ImageStat
from processes import HOST, ServerProcess, run_client
from raw_rtsp import running_server
from standard_clients import StandardClient

from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.jpegassembler import JpegAssembler, size_in
from rtplab.protocol.rtp.packet import JPEG_EXTENSION, parse_packet
from rtplab.protocol.rtp.rtpjpeg import (
    MAX_SIDE,
    begins_with_extension,
    fits,
    fitting_size,
    packetize,
    parse_payload,
)
from rtplab.serving.rtsp.setup import knows_large_pictures

pytestmark = pytest.mark.long

SIZE = 2404, 1204  # no multiples of 8
LIMIT = 60.0
OURS = "User-Agent: rtplab"


def picture(number: int, size: tuple[int, int] = SIZE, **options: object) -> bytes:
    image, output = Image.new("RGB", size, (30 * number % 256, 90, 200)), io.BytesIO()
    ImageDraw.Draw(image).ellipse((50 * number, 20, 50 * number + 300, 320), fill=(255, 200, 0))
    image.save(output, "JPEG", quality=70, **options)
    return output.getvalue()


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [picture(number) for number in range(4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pictures: list[bytes]) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_movie(folder / "movie.Mjpeg", pictures)
    write_movie(folder / "progressive.Mjpeg", [picture(n, progressive=True) for n in range(3)])
    return folder


def decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


# --- Packets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(2048, 16), (16, 2048), (2041, 2041), (4000, 3000)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2"])
@pytest.mark.parametrize("max_payload", [300, 1440])
def test_a_large_picture_survives_the_journey(
    size: tuple[int, int], subsampling: str, max_payload: int
) -> None:
    original = picture(1, size, subsampling=subsampling)
    payloads = packetize(original, max_payload, jpeg.parse(original))
    assert begins_with_extension(payloads[0])
    assert not any(map(begins_with_extension, payloads[1:]))
    assert {len(payload) for payload in payloads[:-1]} <= {max_payload}
    profile, words = struct.unpack_from(">HH", payloads[0])
    segments = payloads[0][4 : 4 + 4 * words]
    assert (profile, size_in(segments)) == (JPEG_EXTENSION, size)
    assembler = JpegAssembler()
    for number, payload in enumerate(payloads):
        data = payload if number else payload[4 + 4 * words :]
        assert data[6:8] == b"\0\0"
        whole = assembler.add(parse_payload(data, size), 0, number == len(payloads) - 1)
    assert whole is not None
    assert decoded(whole).tobytes() == decoded(original).tobytes()


@pytest.mark.parametrize("size", [(2040, 2040), (8, 8), (1920, 1080)])
def test_a_picture_that_fits_stays_as_it_is(size: tuple[int, int]) -> None:
    assert fitting_size(*size) == size
    assert fits(*size)


@pytest.mark.parametrize("size", [(2041, 2041), (65_535, 8), (1, 65_535), (4000, 3000)])
def test_the_largest_size_that_fits_has_the_same_shape(size: tuple[int, int]) -> None:
    width, height = fitting_size(*size)
    assert fits(width, height) and width % 8 == height % 8 == 0
    assert MAX_SIDE in (width, height)
    if min(size) > 1000:
        assert abs(width / height - size[0] / size[1]) < 0.02


@pytest.mark.parametrize(
    ("agent", "knows"),
    [
        ("rtplab", True),
        ("rtplab/1.2", True),
        ("GStreamer/1.24.2", True),
        ("Lavf60.16.100", False),
        ("LibVLC/3.0.20 (LIVE555 Streaming Media v2016.11.28)", False),
        ("not rtplab", False),
        ("rtplabel", False),
        ("", False),
    ],
)
def test_who_knows_large_pictures(agent: str, knows: bool) -> None:
    assert knows_large_pictures(agent) is knows


# --- On the wire ---------------------------------------------------------------------------------


@contextmanager
def viewer(folder: Path, movie: str, shrink: bool = False) -> Iterator[StandardClient]:
    with (
        running_server(folder, fps=100.0, shrink=shrink) as port,
        StandardClient(port, movie) as viewer,
    ):
        yield viewer


def watched(viewer: StandardClient, frames: int, *headers: str) -> list[bytes]:
    """Watch by TCP; return all RTP of so many frames."""
    assert viewer.set_up("tcp", None, *headers).status == 200
    assert viewer.play("Range: npt=0-").status == 200

    def packets() -> list[bytes]:
        return viewer.media(0)

    assert viewer.wait(lambda: sum(packet[1] > 127 for packet in packets()) >= frames)
    return packets()


def test_the_first_packet_of_each_picture_says_its_size(folder: Path) -> None:
    with viewer(folder, "movie.Mjpeg") as client:
        description = client.ask("DESCRIBE", None, OURS)
        assert description.status == 200
        assert f"a=x-dimensions:{SIZE[0]},{SIZE[1]}\r\n".encode() in description.body
        assert f"a=framesize:26 {SIZE[0]}-{SIZE[1]}\r\n".encode() in description.body
        packets = watched(client, 3, OURS)
    begins = True
    for packet in packets:
        assert packet[0] == (0x90 if begins else 0x80)
        received = parse_packet(packet)
        assert size_in(received.jpeg_extension) == (SIZE if begins else None)
        begins = received.marker


@pytest.mark.parametrize("movie", ["movie.Mjpeg", "progressive.Mjpeg"])
def test_others_are_refused_with_the_way_out(folder: Path, movie: str) -> None:
    with viewer(folder, movie) as client:
        for reply in (client.ask("DESCRIBE", None, "User-Agent: Lavf"), client.set_up("tcp")):
            assert reply.status == 415
            assert f"{SIZE[0]}x{SIZE[1]}" in reply.reason and "--shrink" in reply.reason


@pytest.mark.parametrize("movie", ["movie.Mjpeg", "progressive.Mjpeg"])
def test_others_get_smaller_pictures_where_the_server_shrinks(
    folder: Path, pictures: list[bytes], movie: str
) -> None:
    with viewer(folder, movie, shrink=True) as client:
        width, height = fitting_size(*SIZE)
        description = client.ask("DESCRIBE", None, "User-Agent: Lavf")
        assert f"a=x-dimensions:{width},{height}\r\n".encode() in description.body
        packets = watched(client, 2)
    assembler, shown = JpegAssembler(), []
    for packet in map(parse_packet, packets):
        whole = assembler.add(parse_payload(packet.payload), packet.timestamp, packet.marker)
        if whole is not None:
            shown.append(whole)
    for number, data in enumerate(shown[:2]):
        image = decoded(data)
        assert image.size == (width, height)
        difference = ImageChops.difference(image, decoded(pictures[number]).resize(image.size))
        assert max(ImageStat.Stat(difference).mean) < 2


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("movie", ["movie.Mjpeg", "progressive.Mjpeg"])
def test_our_player_shows_them_as_they_are(
    folder: Path, pictures: list[bytes], tmp_path: Path, transport: str, movie: str
) -> None:
    with ServerProcess(folder, "--shrink") as server:
        run = run_client(
            *(f"rtsp://{HOST}:{server.port}/{movie}", "--transport", transport, "--headless"),
            *("--frames", "3", "--save", tmp_path / "frames", "--json"),
            limit=LIMIT,
        )
    assert (run.status, run.report["error"]) == (0, None)
    for number, saved in enumerate(sorted((tmp_path / "frames").iterdir())):
        image = decoded(saved.read_bytes())
        original = decoded(pictures[number])
        image = image.crop((0, 0, *original.size))  # converted ones are padded
        assert max(ImageStat.Stat(ImageChops.difference(image, original)).mean) < 1


def test_the_lab_gets_them_as_they_are(folder: Path, pictures: list[bytes]) -> None:
    with (
        running_server(folder, fps=100.0) as port,
        socket.create_connection((HOST, port), LIMIT) as control,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
    ):
        rtp.bind((HOST, 0))
        rtp.settimeout(LIMIT)
        where = rtp.getsockname()[1]
        control.sendall(
            f"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= {where}\n\n"
            "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: 0\n\n".encode()
        )
        assert rtp.recv(65_535)[12:] == pictures[0]


@pytest.mark.peers
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_gstreamer_shows_them_as_they_are(folder: Path, tmp_path: Path, transport: str) -> None:
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("gst-launch-1.0 is not installed")
    with ServerProcess(folder) as server:
        source = f"rtspsrc location=rtsp://{HOST}:{server.port}/movie.Mjpeg protocols={transport}"
        sink = f"rtpjpegdepay ! multifilesink location={tmp_path}/%d.jpg"
        command = f"gst-launch-1.0 -q {source} latency=0 ! {sink}".split()
        subprocess.run(command, stderr=subprocess.DEVNULL, timeout=LIMIT)
    saved = sorted(tmp_path.iterdir())
    assert saved and {decoded(one.read_bytes()).size for one in saved} == {SIZE}
