"""Servers that speak something else than RTSP, or send what makes no picture: a sentence says so.

And servers that send in their own way what every player shows.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from lab_servers import LabServer, PythonLabServer
from lab_servers import rtp as lab_rtp
from movies import MOVIE, frames_of
from processes import run_client
from standard_servers import StandardServer, jpeg_payloads, rtp, timestamp_of
from strip import frame_number_of_jpeg
from wording import lacks

from Client import Client
from rtplab.receiving.rtsp.watch import TimeLimits

HOST = "127.0.0.1"
LIMIT = 15.0
DIALECTS = pytest.mark.parametrize("movie", ["movie.Mjpeg", "rtsp://{host}:{port}/movie.Mjpeg"])


def told_by(port: int, movie: str, reply: float = 5.0) -> str:
    """What the client tells its user after SETUP."""
    address = movie.format(host=HOST, port=port)
    client = Client(None, HOST, port, 0, address, limits=TimeLimits(reply=reply))
    try:
        client.setupMovie()
        assert client.wait_for(lambda: bool(client.error), LIMIT)
        assert client.state is Client.INIT
        return client.error
    finally:
        client.close()


@contextmanager
def http_server():
    """The standard library's server of HTTP: it has no head for a version that it does not know."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with HTTPServer((HOST, 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def server_that_says(data: bytes, hangs_up: bool):
    """Answers the first request it gets with `data`."""

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(data)
            if not hangs_up:
                connection.recv(4096)  # until the client does

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


@DIALECTS
def test_a_web_server_is_told_at_once(movie):
    with http_server() as port:
        sentence = told_by(port, movie)
    assert sentence.startswith(f"{HOST} port {port} speaks HTTP")
    assert "554" in sentence and "http://" in sentence


@DIALECTS
def test_a_web_server_that_stays_is_told_at_once(movie):
    answer = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
    with server_that_says(answer, hangs_up=False) as port:
        assert "speaks HTTP" in told_by(port, movie)


@DIALECTS
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"SSH-2.0-Shell\r\nInvalid SSH identification string.\r\n", "SSH-2.0-Shell"),
        (b"5\0\0\x008.0\x1b[2J", r"5\x00\x00\x008.0\x1b[2J"),
    ],
    ids=["ssh", "binary"],
)
@pytest.mark.parametrize("hangs_up", [True, False])
def test_any_other_language_is_shown(movie, said, shown, hangs_up):
    with server_that_says(said, hangs_up) as port:
        sentence = told_by(port, movie, reply=1.5)
    assert sentence.startswith(f"{HOST} port {port} ") and "RTSP" in sentence
    assert f'(it says "{shown}")' in sentence and "554" in sentence and "http" not in sentence


@DIALECTS
def test_who_says_nothing_has_closed_the_connection(movie):
    with server_that_says(b"", hangs_up=True) as port:
        assert "closed" in told_by(port, movie)


# --- Pictures in a way of their own --------------------------------------------------------------

FRAMES = frames_of(MOVIE)[:6]
LIMITS = TimeLimits(silence=0.4)
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


def camera_payloads(frame: bytes) -> list[bytes]:
    """Micro-RTSP and espp: Q 128 with tables in the first fragment, 94 in the others."""
    first, *others = jpeg_payloads(frame, q=128)
    return [first, *(payload[:5] + b"\x5e" + payload[6:] for payload in others)]


def file_payloads(frame: bytes) -> list[bytes]:
    """ESP32-RTSPServer: the JPEG file as it is, Q 12, and no type."""
    return [
        at.to_bytes(4, "big") + bytes([0, 12, 48, 36]) + frame[at : at + 1438]
        for at in range(0, len(frame), 1438)
    ]


def pictures_from(server: StandardServer, transport: str) -> tuple[list[bytes], Client]:
    """All that comes until the server says BYE, and the client that has received it."""
    received: list[bytes] = []
    with server:
        client = Client(None, "", 0, 0, server.url, transport)
        client.on_frame = lambda frame: received.append(frame.data)
        try:
            play(client)
            assert client.wait_for(lambda: client.ended or bool(client.error), LIMIT)
        finally:
            client.close()
    return received, client


def play(client: Client) -> None:
    client.setupMovie()
    assert client.wait_for(lambda: client.state is Client.READY, LIMIT)
    client.playMovie()


@TRANSPORTS
@pytest.mark.parametrize("cut", [camera_payloads, file_payloads])
def test_pictures_of_small_cameras(cut, transport):
    received, client = pictures_from(StandardServer([cut(frame) for frame in FRAMES]), transport)
    assert client.error == ""
    assert [frame_number_of_jpeg(jpeg) for jpeg in received] == [1, 2, 3, 4, 5, 6]
    assert cut is camera_payloads or received == FRAMES


def digits_before(frames):
    for number, frame in enumerate(frames, 1):
        yield [lab_rtp(b"%05d" % len(frame) + frame, number, 0)]


def clock_moves(frames):
    """The second passes in the middle of every frame, whose pieces have one number."""
    for number, frame in enumerate(frames, 1):
        pieces = [frame[at : at + 1400] for at in range(0, len(frame), 1400)]
        yield [lab_rtp(piece, number, 100 + number + (at > 2)) for at, piece in enumerate(pieces)]


def tail_behind(frames):
    for number, frame in enumerate(frames, 1):
        yield [lab_rtp(frame + b"\0\xff old memory", number, 0)]


@pytest.mark.parametrize("packets", [digits_before, clock_moves, tail_behind])
def test_pictures_of_lab_servers(packets, tmp_path):
    with PythonLabServer(FRAMES, packets=packets) as server:
        run = run_client(
            *(HOST, server.port, 0, "movie.Mjpeg", "--headless", "--json"),
            *("--frames", len(FRAMES), "--save", tmp_path),
            limit=LIMIT,
        )
    assert (run.status, run.report["error"]) == (0, None)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == FRAMES


# --- Packets that make no picture ----------------------------------------------------------------


class SendsFor(StandardServer):
    """Sends its pictures in turn for ever, one every 10 ms, as `spoil` makes them."""

    def __init__(self, spoil, good=0):
        super().__init__([jpeg_payloads(FRAMES[0])])
        self.spoil = spoil
        self.good = good  # as many first, as they should be

    def stream(self, viewer):
        while not viewer.stop.wait(0.01):
            packets = []
            for index, payload in enumerate(self.pictures[0], 1):
                marker = index == len(self.pictures[0])
                packets.append((payload, viewer.sequence, timestamp_of(viewer), {"marker": marker}))
                viewer.sequence += 1
            if viewer.sent >= self.good:
                packets = self.spoil(packets)
            for parts in packets:
                viewer.send_rtp(parts if isinstance(parts, bytes) else rtp(*parts[:3], **parts[3]))
            viewer.sent += 1


SPOILT = {
    "not RTP": lambda packets: [b"no RTP"],
    "payload type is 96, not 26": lambda packets: [
        (*parts[:3], {**parts[3], "payload_type": 96}) for parts in packets
    ],
    "fragments are missing": lambda packets: packets[:2] + packets[3:],
    "marker": lambda packets: [(*parts[:3], {}) for parts in packets],
    "Q 200 without quantization tables": lambda packets: [
        (_without_tables(payload), *others) for payload, *others in packets
    ],
    "type 9 is unknown": lambda packets: [
        (payload[:4] + b"\x09" + payload[5:], *others) for payload, *others in packets
    ],
    "no whole header": lambda packets: [(b"1234567", *others) for _, *others in packets],
}


def _without_tables(payload: bytes) -> bytes:
    data = payload[8:] if payload[1:4] != bytes(3) else bytes(4) + payload[8 + 132 :]
    return payload[:5] + b"\xc8" + payload[6:8] + data


@pytest.mark.parametrize("why", SPOILT)
@pytest.mark.parametrize("transport", ["auto", "tcp"])
def test_packets_that_make_no_picture_are_told(why, transport):
    """And are no reason for TCP: that is for a server of which nothing comes."""
    with SendsFor(SPOILT[why]) as server:
        client = Client(None, "", 0, 0, server.url, transport, limits=LIMITS)
        try:
            play(client)
            assert client.wait_for(lambda: client.error or client.notice, LIMIT)
            assert why in client.error
            assert client.state is Client.PLAYING
            assert len(server.of("SETUP")) == 1
        finally:
            client.close()


def test_pictures_that_do_not_come_any_more_are_told_until_they_do():
    with SendsFor(SPOILT["fragments are missing"], good=5) as server:
        client = Client(None, "", 0, 0, server.url, "tcp", limits=LIMITS)
        try:
            play(client)
            assert client.wait_for(lambda: client.error or client.notice, LIMIT)
            assert client.reception.statistics.frames == 5
            assert "fragments are missing" in client.error
            server.spoil = lambda packets: packets
            assert client.wait_for(lambda: not client.error, LIMIT)
        finally:
            client.close()


def test_a_stream_that_stops_with_a_picture_that_is_not_whole_has_stopped():
    """As a movie of a server without BYE whose last packets are lost: that is no error."""
    pictures = [jpeg_payloads(frame) for frame in FRAMES]
    server = StandardServer([*pictures, pictures[0][1:], pictures[1][1:]])
    server.says_goodbye = False
    with server:
        client = Client(None, "", 0, 0, server.url, "tcp", limits=LIMITS)
        try:
            play(client)
            assert client.wait_for(lambda: client.error or client.notice, LIMIT)
            assert client.reception.problem
            assert client.error == ""
            assert not lacks(client.notice, "No picture", "0.4 s")
        finally:
            client.close()


@pytest.mark.parametrize(
    ("why", "count"),
    [("fragments", 2), ("complete", 1), ("ended", 0)],
)
def test_the_end_of_a_stream_without_a_picture_is_an_error(why, count):
    """The last incomplete one was not given up yet when the server said BYE."""
    with StandardServer([jpeg_payloads(frame)[1:] for frame in FRAMES[:count]]) as server:
        run = run_client(server.url, "--headless", "--json", limit=LIMIT)
    assert (run.status, run.report["frames"]) == (1, 0)
    assert why in run.report["error"]
    assert run.report["error"] in run.stderr


LAB_FAULTS = {
    "FFD8": lambda frame, number: [lab_rtp(b"no picture", number, 0)],
    "FFD9": lambda frame, number: [lab_rtp(frame[:-100], number, 0)],
    "not RTP": lambda frame, number: [b"no RTP"],
}


@pytest.mark.parametrize("why", LAB_FAULTS)
def test_packets_of_a_lab_server_that_make_no_picture_are_told(why):
    def packets(frames):
        for number, frame in enumerate(frames * 100, 1):
            yield LAB_FAULTS[why](frame, number)

    server: LabServer = PythonLabServer(FRAMES, packets=packets, fps=100)
    with server:
        client = Client(None, HOST, server.port, 0, "movie.Mjpeg", limits=LIMITS)
        try:
            play(client)
            assert client.wait_for(lambda: client.error or client.notice, LIMIT)
            assert why in client.error
        finally:
            client.close()
