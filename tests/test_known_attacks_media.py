"""Every known class of attack by RTP, RTP/JPEG and pictures, tried on our player and our server.

A well-behaved server plays a movie to our player, and somebody mixes hostile packets among its own.
The pictures that come out must be the movie's, each of them, and nothing else. The source of each
class stands in a comment.
"""

from __future__ import annotations

import io
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_servers import PythonLabServer
from movies import MOVIE, frames_of, write_movie
from pictures import lossless
from PIL import Image
from processes import ServerProcess
from raw_rtsp import HOST, LIMIT
from standard_servers import StandardServer, jpeg_payloads, rtp, taken_apart, timestamp_of
from strip import frame_number

from Client import Client
from rtplab.player.picture.decoding import MAX_PIXELS, BackgroundDecoder, FrameDecoder
from rtplab.protocol.errors import PacketError

COUNT = 8
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
OTHER_SOURCE = b"evil"
TICKS_BEFORE = 100  # of a hostile picture before the good one that follows


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:COUNT]


@pytest.fixture(scope="module")
def pictures(frames: list[bytes]) -> list[list[bytes]]:
    return [jpeg_payloads(frame) for frame in frames]


def play(
    url: str, transport: str = "auto", port: int = 0, count: int = 0, malformed: bool = False
) -> list[bytes]:
    """Have a client play a movie to its end, or so many frames of it; return the JPEGs.

    No thread of it may fail; `malformed` says that packets must have been none.
    """
    failures: list[object] = []
    received: list[bytes] = []
    hook, threading.excepthook = threading.excepthook, failures.append
    client = Client(None, HOST, port, 0, url, transport)
    try:
        client.on_frame = lambda frame: received.append(frame.data)
        client.setupMovie()
        client.wait_for(lambda: client.state is not Client.INIT or bool(client.error), LIMIT)
        client.playMovie()
        client.wait_for(
            lambda: client.ended or bool(client.error) or 0 < count <= len(received), LIMIT
        )
        assert client.error == ""
        assert bool(client.reception.malformed) == malformed
    finally:
        client.exitClient()
        threading.excepthook = hook
    assert not failures
    return received


def assert_undisturbed(
    server: StandardServer, frames: list[bytes], transport: str, malformed: bool = False
) -> None:
    with server:
        received = play(server.url, transport, malformed=malformed)
    assert list(map(taken_apart, received)) == list(map(taken_apart, frames))


# --- forged RTP ----------------------------------------------------------------------------------


def forged(packet: bytes) -> bytes:
    """The packet with other picture data: where it is believed, the picture is another."""
    return packet[:-9] + bytes(byte ^ 0x55 for byte in packet[-9:])


class Mixed(StandardServer):
    """Sends something hostile before each good packet, as if it came from the server."""

    def hostile(self, packet: bytes) -> bytes:
        raise NotImplementedError

    def packets(self, viewer):
        for packet in super().packets(viewer):
            yield self.hostile(packet)
            yield packet


# CVE-2017-14099 (RTP bleed, Asterisk): whoever sends to the port is taken for the sender.
def test_injected_rtp_from_another_port(pictures, frames) -> None:
    class Injected(StandardServer):
        def packets(self, viewer):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for packet in super().packets(viewer):
                    stranger.sendto(forged(packet), (HOST, viewer.udp[0]))
                    yield packet

    assert_undisturbed(Injected(pictures), frames, "udp")


# The same from another address, which the port may well be guessed by.
def test_injected_rtp_from_another_address(pictures, frames) -> None:
    class Injected(StandardServer):
        def packets(self, viewer):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                try:
                    stranger.bind(("127.0.0.2", self.ports[0].getsockname()[1]))
                except OSError:
                    pytest.skip("this system has one loopback address")
                for packet in super().packets(viewer):
                    stranger.sendto(forged(packet), (HOST, viewer.udp[0]))
                    yield packet

    assert_undisturbed(Injected(pictures), frames, "udp")


# RFC 3550 section 8.2: a synchronisation source that SETUP has not named.
# By TCP, only the server can send on the connection's channels.
def test_rtp_with_wrong_ssrc(pictures, frames) -> None:
    class WrongSsrc(Mixed):
        def hostile(self, packet):
            return packet[:8] + OTHER_SOURCE + forged(packet)[12:]

    assert_undisturbed(WrongSsrc(pictures), frames, "udp", malformed=True)


# RFC 3550 appendix A.1: the version must be 2.
@BOTH
def test_rtp_of_wrong_version(pictures, frames, transport: str) -> None:
    class WrongVersion(Mixed):
        def hostile(self, packet):
            version = packet[5] % 2  # 0 is that of vat, 1 that of a draft
            return bytes([version << 6]) + forged(packet)[1:]

    assert_undisturbed(WrongVersion(pictures), frames, transport, malformed=True)


# RFC 3550 appendix A.1: the padding's length, its last byte, must fit the packet.
@BOTH
@pytest.mark.parametrize("length", [0, 255])
def test_rtp_with_padding_longer_than_the_packet(pictures, frames, transport, length) -> None:
    class Padded(Mixed):
        def hostile(self, packet):
            return bytes([0xA0]) + forged(packet)[1:200] + bytes([length])

    assert_undisturbed(Padded(pictures), frames, transport, malformed=True)


# RFC 3550 section 5.1: fifteen contributing sources, of which the packet holds less.
@BOTH
def test_rtp_with_csrc_count_beyond_the_end(pictures, frames, transport: str) -> None:
    class Counted(Mixed):
        def hostile(self, packet):
            return bytes([0x8F]) + packet[1:12] + bytes(4 * 14 + 3)

    assert_undisturbed(Counted(pictures), frames, transport, malformed=True)


# RFC 3550 section 5.3.1: an extension of up to 65,535 words, in a packet that has none.
@BOTH
@pytest.mark.parametrize(
    "extension", [b"", b"\0\0\0", b"\0\0\xff\xff", b"\0\0\0\2" + bytes(7)], ids=len
)
def test_rtp_with_extension_beyond_the_end(pictures, frames, transport, extension) -> None:
    class Extended(Mixed):
        def hostile(self, packet):
            return bytes([0x90]) + packet[1:12] + extension

    assert_undisturbed(Extended(pictures), frames, transport, malformed=True)


# RFC 3550 appendix A.1: a sequence number out of nowhere, in the middle of the stream.
@BOTH
def test_rtp_with_a_wild_sequence_number(pictures, frames, transport: str) -> None:
    class Wild(StandardServer):
        def packets(self, viewer):
            for packet in super().packets(viewer):
                yield packet
                number = int.from_bytes(packet[2:4], "big") * 7 + 30_000
                yield packet[:2] + (number & 0xFFFF).to_bytes(2, "big") + forged(packet)[4:]

    assert_undisturbed(Wild(pictures), frames, transport)


# RFC 3550 section 6.6: BYE, in somebody else's name and cut off.
@BOTH
@pytest.mark.parametrize(
    "report",
    [
        struct.pack(">BBHI", 0x81, 203, 1, 0xDEADBEEF),
        struct.pack(">BBH", 0x9F, 203, 1),
        struct.pack(">BBHI", 0x80, 201, 0xFFFF, 1),
    ],
    ids=["stranger", "cut", "long"],
)
def test_forged_rtcp(pictures, frames, transport: str, report: bytes) -> None:
    class Reporting(StandardServer):
        def packets(self, viewer):
            viewer.send_rtcp(report)
            yield from super().packets(viewer)

    assert_undisturbed(Reporting(pictures), frames, transport)


# --- RTP/JPEG ------------------------------------------------------------------------------------


def payload(
    offset: int, data: bytes, q: int = 50, kind: int = 1, sides: tuple[int, int] = (48, 36)
):
    """RFC 2435 section 3.1: type-specific and offset, type, Q, sides in units of 8 pixels."""
    return offset.to_bytes(4, "big") + bytes([kind, q, *sides]) + data


TABLES = b"\0\0\0\x80" + bytes(range(1, 129))
SCAN = bytes(range(1, 101))
LARGEST_OFFSET = 0xFFFFFF

# Section 4.2: 0 and 100 to 127 are reserved.
RESERVED_Q = {f"Q {q}": [payload(0, SCAN, q)] for q in (0, *range(100, 128, 9), 127)}

# Section 3.1.8: tables that are missing, short, long, of 16 bits, or cut off.
SHORT_TABLES = {
    "no header": [payload(0, b"\0\0", 255)],
    "no tables with Q 255": [payload(0, b"\0\0\0\0" + SCAN, 255)],
    "no tables, ever": [payload(0, b"\0\0\0\0" + SCAN, 200)],
    "63 bytes": [payload(0, b"\0\0\0\x3f" + bytes(63) + SCAN, 255)],
    "127 bytes": [payload(0, b"\0\0\0\x7f" + bytes(127) + SCAN, 255)],
    "65535 bytes": [payload(0, b"\0\0\xff\xff" + SCAN, 255)],
    "16 bits": [payload(0, b"\0\x03\x01\0" + bytes(256) + SCAN, 255)],
    "cut off": [payload(0, TABLES[:90], 255)],
    "nothing behind them": [payload(0, TABLES, 255)],
}

# Section 3.1.2: where in the scan a fragment belongs.
OFFSETS = {
    "overlap": [payload(0, SCAN), payload(50, SCAN), payload(100, SCAN)],
    "overlap that hides a gap": [payload(0, SCAN), payload(50, SCAN), payload(250, SCAN[:50])],
    "gap": [payload(0, SCAN), payload(101, SCAN)],
    "no beginning": [payload(1, SCAN), payload(101, SCAN)],
    "the end first": [payload(300, SCAN), payload(100, SCAN)],
    "beyond the cap": [payload(0, SCAN), payload(LARGEST_OFFSET, SCAN)],
    "beyond the cap, twice": [payload(LARGEST_OFFSET - n, SCAN) for n in range(3)],
}

# Sections 3.1.3 to 3.1.7: types, sides and restart headers.
HEADERS = {
    "empty": [b""],
    "cut off": [payload(0, b"")[:7]],
    "nothing behind it": [payload(0, b"")],
    "type 2": [payload(0, SCAN, kind=2)],
    "type 255": [payload(0, SCAN, kind=255)],
    "restart header cut off": [payload(0, b"\0\1\xff", kind=65)],
    "no width": [payload(0, SCAN, sides=(0, 36))],
    "no height": [payload(0, SCAN, sides=(48, 0))],
}


class HostilePictures(StandardServer):
    """Sends, before each good picture, packets that are to be taken for another."""

    payloads: list[bytes] = []

    def packets(self, viewer):
        timestamp = timestamp_of(viewer) - TICKS_BEFORE
        for index, hostile in enumerate(self.payloads, 1):
            last = index == len(self.payloads)
            yield rtp(hostile, viewer.sequence, timestamp, marker=last)
            viewer.sequence += 1
        yield from super().packets(viewer)


def assert_left_out(pictures, frames, payloads: list[bytes]) -> None:
    for transport in ("udp", "tcp"):
        server = HostilePictures(pictures)
        server.payloads = payloads
        assert_undisturbed(server, frames, transport)


@pytest.mark.parametrize("name", RESERVED_Q)
def test_rfc_2435_with_reserved_q(pictures, frames, name: str) -> None:
    """It counts as the next that is none, and disturbs no other picture."""
    for transport in ("udp", "tcp"):
        server = HostilePictures(pictures)
        server.payloads = RESERVED_Q[name]
        with server:
            received = play(server.url, transport)
        assert list(map(taken_apart, received[::2])) == list(map(taken_apart, frames))
        assert len(received) == 2 * len(frames) - 1  # the first is before the movie's beginning


@pytest.mark.parametrize("name", SHORT_TABLES)
def test_rfc_2435_with_short_tables(pictures, frames, name: str) -> None:
    assert_left_out(pictures, frames, SHORT_TABLES[name])


@pytest.mark.parametrize("name", OFFSETS)
def test_rfc_2435_with_offsets_that_overlap_leave_gaps_or_exceed_the_cap(
    pictures, frames, name: str
) -> None:
    assert_left_out(pictures, frames, OFFSETS[name])


@pytest.mark.parametrize("name", HEADERS)
def test_rfc_2435_with_invalid_headers(pictures, frames, name: str) -> None:
    assert_left_out(pictures, frames, HEADERS[name])


# --- pictures ------------------------------------------------------------------------------------


def resized(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with other sides in its frame header (T.81 section B.2.2)."""
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def doubled(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with a second frame header, which claims other sides."""
    start = jpeg.index(b"\xff\xc0")
    end = start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[:end] + resized(jpeg, width, height)[start:end] + jpeg[end:]


def of_format(name: str) -> bytes:
    """A picture of another format, behind the two bytes by which a JPEG is known."""
    output = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(output, name)
    return b"\xff\xd8" + output.getvalue()


def of_many_scans(count: int) -> bytes:
    """A progressive JPEG with its shortest scan repeated."""
    output = io.BytesIO()
    Image.new("L", (384, 288), 128).save(output, "JPEG", progressive=True)
    jpeg = output.getvalue()
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[start:-2] * count + jpeg[-2:]


# CVE-2019-16865 (Pillow): sides that take gigabytes. T.81 has no bound below 65,535.
# "Two Issues with the JPEG Standard" (libjpeg-turbo and Mozilla, 2016), LJT-01-003: scans without
# end. GHSA-5x8w-8jj5-q52h (Pillow): lossless ones, halved, are written beyond their rows.
# CWE-434: other formats, whose decoders have faults of their own.
PICTURES: dict[str, Callable[[bytes], bytes]] = {
    "65,535 x 65,535": lambda good: resized(good, 65_535, 65_535),
    "65,535 x 1": lambda good: resized(good, 65_535, 1),
    "sides of two kinds": lambda good: doubled(good, 65_535, 65_535),
    "no height": lambda good: resized(good, 384, 0),
    "cut in the header": lambda good: good[:100],
    "cut in the scan": lambda good: good[: len(good) // 2],
    "no end": lambda good: good[:-2],
    "nothing but a beginning": lambda good: b"\xff\xd8",
    "nothing within": lambda good: b"\xff\xd8\xff\xd9",
    "junk": lambda good: b"\xff\xd8" + bytes(range(256)) * 20,
    "many scans": lambda good: of_many_scans(1500),
    "lossless": lambda good: lossless(800, 600),
    **{
        name: lambda good, name=name: of_format(name)
        for name in ("PNG", "GIF", "TIFF", "BMP", "PPM")
    },
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]) -> Path:
    """A movie with each of these behind a good frame, the first and the last good."""
    folder = tmp_path_factory.mktemp("mixed")
    hostile = [make(frames[0]) for make in PICTURES.values()]
    mixed = [frame for bad in hostile for frame in (frames[0], bad)]
    return write_movie(folder / "movie.Mjpeg", [*mixed, frames[1]])


@pytest.fixture(scope="module")
def mixed_server(mixed: Path) -> Iterator[ServerProcess]:
    with ServerProcess(mixed.parent, "--fps", "100") as server:
        yield server


REFUSED = "refused"
MAY_BE_SHOWN = ("no end", "65,535 x 1")
"""A decoder can make something of these, and without harm."""


def shown(jpeg: bytes, frames: FrameDecoder) -> int | str:
    """The number in the picture, as the player decodes it."""
    try:
        size = frames.picture_size(jpeg)
        assert size[0] * size[1] <= MAX_PIXELS
        return frame_number(frames.decode(jpeg, (384, 288)))
    except PacketError:
        return REFUSED
    except ValueError:
        return "no number"


def peak_memory(process: int | str) -> int:
    """The most memory that a process has had, in KiB; 0 where there is no telling."""
    if sys.platform != "linux":
        return 0
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[0])


# A lab server sends every frame as it is in the file: each that has an end comes to the player.
def test_invalid_pictures_in_the_player(mixed: Path, frames) -> None:
    whole = [name for name in PICTURES if PICTURES[name](frames[0]).endswith(b"\xff\xd9")]
    with PythonLabServer(frames_of(mixed), fps=200) as server:
        received = play("movie.Mjpeg", port=server.port, count=len(PICTURES) + len(whole) + 1)
    memory, started = peak_memory("self"), time.process_time()
    decoder = FrameDecoder()
    numbers = [shown(jpeg, decoder) for jpeg in received]
    assert numbers[-1] == 2
    others = [number for jpeg, number in zip(received, numbers, strict=True) if jpeg != frames[0]]
    assert len(others) == len(whole) + 1
    assert len(others) - 1 - others.count(REFUSED) <= len(MAY_BE_SHOWN)
    assert time.process_time() - started < 5
    assert peak_memory("self") - memory < 200_000


# What is left of them when the server has made them fit for RTP/JPEG: the good ones.
def test_invalid_pictures_in_a_movie_on_the_server(mixed_server: ServerProcess) -> None:
    received = play(f"rtsp://{HOST}:{mixed_server.port}/movie.Mjpeg", "tcp")
    frames = FrameDecoder()
    numbers = [shown(jpeg, frames) for jpeg in received]
    assert numbers.count(1) >= len(PICTURES) and numbers[-1] == 2
    assert "Traceback" not in mixed_server.errors()
    assert peak_memory(mixed_server.pid) < 200_000


# Large pictures go through the decoder's thread, which must outlive them too.
@pytest.mark.parametrize("name", PICTURES)
def test_invalid_pictures_in_the_decoders_thread(frames, name: str) -> None:
    decoder = BackgroundDecoder()
    try:
        for jpeg in (PICTURES[name](frames[0]), frames[1]):
            decoder.submit(jpeg, (384, 288))
            deadline = time.monotonic() + LIMIT
            while (picture := decoder.take()) is None:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        assert picture.image is not None and frame_number(picture.image) == 2
    finally:
        decoder.close()
