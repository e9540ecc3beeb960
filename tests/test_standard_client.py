"""Our client against scripted servers of the standard: all that they may say, send and fail at."""

from __future__ import annotations

import io
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import standard_servers
from movies import MOVIE, frames_of
from PIL import Image
from processes import run_client
from standard_servers import (
    FIRST_SEQUENCE,
    FPS,
    HOST,
    SSRC,
    TICKS,
    StandardServer,
    Viewer,
    bye,
    interleaved,
    jpeg_payloads,
    report_blocks,
    rtcp_packets,
    rtp,
    sender_report,
    taken_apart,
    timestamp_of,
)
from strip import frame_number_of_jpeg
from wording import lacks

from Client import Client
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.headless import HeadlessOptions, HeadlessRun
from rtplab.receiving.rtp.frames import RtpJpegFrames
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtp.reports import ReceiverReporter
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MAX_REDIRECTIONS, MovieSource
from rtplab.receiving.rtsp.watch import TimeLimits

pytestmark = pytest.mark.long

COUNT = 12
LIMIT = 10.0
TRANSPORTS = ("udp", "tcp")
BOTH = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:COUNT]


@pytest.fixture(scope="module")
def pictures(frames: list[bytes]) -> list[list[bytes]]:
    return [jpeg_payloads(frame) for frame in frames]


class Watcher:
    """A client in this process, and the frames that it has been given."""

    def __init__(self, url: str, transport: str, **limits: float) -> None:
        self.client = Client(None, "", 0, 0, url, transport, limits=TimeLimits(**limits))
        self.frames = []
        self.client.on_frame = self.frames.append

    @property
    def shown(self) -> list[int]:
        return [frame_number_of_jpeg(frame.data) for frame in self.frames]

    def wait(self, condition: Callable[[], object], may_fail: bool = False) -> None:
        client = self.client
        client.wait_for(lambda: condition() or (client.error and not may_fail), LIMIT)
        assert condition(), (client.state, client.error, client.notice, len(self.frames))

    def set_up(self) -> None:
        self.client.setupMovie()
        self.wait(lambda: self.client.state == Client.READY)

    def play(self, count: int = 0) -> None:
        """Play until `count` frames have come in all, or to the end."""
        self.client.playMovie()
        self.wait(lambda: len(self.frames) >= count if count else self.client.ended)

    def error(self) -> str:
        """The sentence with which it gives up."""
        self.wait(lambda: self.client.error, may_fail=True)
        return self.client.error


@contextmanager
def watching(server: StandardServer, transport: str = "auto", **limits: float) -> Iterator[Watcher]:
    watcher = Watcher(server.url, transport, **limits)
    try:
        yield watcher
    finally:
        watcher.client.exitClient()


def play_all(server: StandardServer, transport: str, **limits: float) -> list[bytes]:
    """Play the whole movie of a server that is not running yet; return the JPEGs."""
    with server, watching(server, transport, **limits) as watcher:
        watcher.set_up()
        watcher.play()
        assert server.faults == []
        return [frame.data for frame in watcher.frames]


def assert_same_pictures(received: list[bytes], originals: list[bytes]) -> None:
    assert list(map(taken_apart, received)) == list(map(taken_apart, originals))


def refusal_of(server: StandardServer, transport: str = "auto", **limits: float) -> str:
    with server, watching(server, transport, **limits) as watcher:
        watcher.client.setupMovie()
        return watcher.error()


# --- A session as it should be -------------------------------------------------------------------


@BOTH
def test_a_whole_session(pictures, frames, transport) -> None:
    server = StandardServer(pictures)
    with server:
        with watching(server, transport) as watcher:
            watcher.set_up()
            assert watcher.client.duration == COUNT / FPS
            watcher.play()
            assert watcher.client.state == Client.READY
            assert watcher.client.sessionId == "s-000001"
            statistics = watcher.client.reception.statistics
        assert server.methods() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
        assert server.faults == []
    assert_same_pictures([frame.data for frame in watcher.frames], frames)
    assert [frame.number for frame in watcher.frames] == list(range(1, COUNT + 1))
    assert statistics.packets == sum(map(len, pictures))
    assert (statistics.lost, statistics.duplicates, statistics.late) == (0, 0, 0)
    _, describe, setup, play, teardown = server.requests
    assert describe.headers["accept"] == "application/sdp"
    assert [request.headers["cseq"] for request in server.requests] == list("12345")
    assert setup.uri == f"{server.url}/trackID=1"
    assert play.uri == teardown.uri == f"{server.url}/"
    assert play.headers["session"] == teardown.headers["session"] == "s-000001"
    if transport == "tcp":
        assert setup.headers["transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1"
    else:
        assert setup.headers["transport"].startswith("RTP/AVP;unicast;client_port=")


@BOTH
def test_pause_play_and_seek(pictures, transport) -> None:
    with StandardServer(pictures, 0.05) as server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play(3)
        watcher.client.pauseMovie()
        watcher.wait(lambda: watcher.client.state == Client.READY)
        seen = len(watcher.frames)
        assert watcher.shown == list(range(1, seen + 1))
        watcher.play(seen + 2)
        watcher.client.seek(0.1)
        watcher.wait(lambda: watcher.client.ended)
        assert server.methods()[3:] == ["PLAY", "PAUSE", "PLAY", "PAUSE", "PLAY"]
        assert [request.headers.get("range") for request in server.of("PLAY")] == [
            None,
            None,
            "npt=0.100-",
        ]
        resumed = watcher.shown.index(3, seen)
        assert watcher.shown == [*range(1, resumed + 1), *range(3, COUNT + 1)]
        assert [frame.number for frame in watcher.frames] == watcher.shown


def test_a_packet_after_the_reply_to_pause_makes_the_pause_no_jitter(pictures) -> None:
    class SendsOnceMore(StandardServer):
        def do_PAUSE(self, viewer, request):
            super().do_PAUSE(viewer, request)
            for packet in self.packets(viewer):
                viewer.send_rtp(packet)
            viewer.position += 1
            viewer.sent += 1

    with SendsOnceMore(pictures, 0.02) as server, watching(server) as watcher:
        watcher.set_up()
        watcher.play(3)
        watcher.client.pauseMovie()
        watcher.wait(lambda: watcher.client.state == Client.READY)
        watcher.client.wait_for(lambda: False, 0.6)
        jitters = []
        watcher.client.on_frame = lambda frame: jitters.append(
            watcher.client.reception.statistics.jitter
        )
        watcher.client.playMovie()
        watcher.wait(lambda: watcher.client.ended)
        assert max(jitters) < 0.6 / 16 / 2  # a step of 0.6 s would at once be a sixteenth of that


def test_a_seek_with_timestamps_that_begin_again(pictures) -> None:
    """As gst-rtsp-server counts: the first picture after a seek bears the first timestamp."""

    class BeginsAgain(StandardServer):
        def do_PLAY(self, viewer, request):
            viewer.sent = 0
            super().do_PLAY(viewer, request)

    with BeginsAgain(pictures, 0.05) as server, watching(server) as watcher:
        watcher.set_up()
        watcher.play(5)
        watcher.client.seek(0.3)
        watcher.wait(lambda: watcher.client.ended)
        assert watcher.shown[-6:] == list(range(7, 13))
        assert [frame.number for frame in watcher.frames] == watcher.shown


def test_speed_is_asked_for_and_answered(pictures) -> None:
    class Doubles(StandardServer):
        def play_headers(self, viewer, request):
            return [*super().play_headers(viewer, request), "Scale: 2.0"]

    with Doubles(pictures, 0.05) as server, watching(server) as watcher:
        watcher.set_up()
        watcher.play(2)
        watcher.client.set_speed(2)
        server.wait(lambda: len(server.of("PLAY")) == 2)
        assert server.of("PLAY")[1].headers["scale"] == "2"


# --- UDP or TCP ----------------------------------------------------------------------------------


class RefusesUdp(StandardServer):
    def do_SETUP(self, viewer, request):
        if "TCP" in request.headers["transport"]:
            super().do_SETUP(viewer, request)
        else:
            self.reply(viewer, request, "461 Unsupported Transport")


class RefusesTcp(StandardServer):
    def do_SETUP(self, viewer, request):
        if "TCP" in request.headers["transport"]:
            self.reply(viewer, request, "461 Unsupported Transport")
        else:
            super().do_SETUP(viewer, request)


class DropsUdp(StandardServer):
    """A firewall stands between the server and the client's ports."""

    def stream(self, viewer):
        if viewer.channels is not None:
            super().stream(viewer)


def test_udp_refused_means_tcp(pictures, frames) -> None:
    server = RefusesUdp(pictures)
    assert_same_pictures(play_all(server, "auto"), frames)
    assert server.methods()[1:5] == ["DESCRIBE", "SETUP", "SETUP", "PLAY"]
    assert len(server.viewers) == 1, "on the same connection"


@pytest.mark.parametrize(("maker", "transport"), [(RefusesUdp, "udp"), (RefusesTcp, "tcp")])
def test_the_transport_that_was_asked_for_or_none(pictures, maker, transport) -> None:
    server = maker(pictures)
    assert not lacks(refusal_of(server, transport), "refused", "SETUP", "461")
    assert len(server.of("SETUP")) == 1


def test_nothing_by_udp_means_tcp(pictures, frames) -> None:
    server = DropsUdp(pictures)
    assert_same_pictures(play_all(server, "auto", silence=0.4), frames)
    assert ["TCP" in request.headers["transport"] for request in server.of("SETUP")] == [
        False,
        True,
    ]


def test_nothing_by_udp_is_said_when_nothing_else_is_wanted(pictures) -> None:
    with DropsUdp(pictures) as server, watching(server, "udp", silence=0.4) as watcher:
        watcher.set_up()
        watcher.client.playMovie()
        assert not lacks(watcher.error(), "firewall", "UDP port")
        assert len(server.of("SETUP")) == 1


def test_nothing_by_tcp_either_is_one_sentence() -> None:
    server = StandardServer()
    server.says_goodbye = False
    with server, watching(server, silence=0.3) as watcher:
        watcher.set_up()
        watcher.client.playMovie()
        assert not lacks(watcher.error(), "No picture", "0.3 s")
        assert len(server.of("SETUP")) == 2


# --- Redirections --------------------------------------------------------------------------------


class SendsOn(StandardServer):
    """Answers DESCRIBE with another address."""

    status = "302 Found"
    location = "{url}/on"

    def do_DESCRIBE(self, viewer, request):
        location = self.location.format(url=self.url, count=len(self.requests))
        self.reply(viewer, request, self.status, [f"Location: {location}"])


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Moved Temporarily", "307 Go"])
def test_follows_to_another_server(pictures, frames, status) -> None:
    with StandardServer(pictures) as target:
        server = SendsOn()
        server.status, server.location = status, target.url
        assert_same_pictures(play_all(server, "auto"), frames)
        assert server.methods() == ["OPTIONS", "DESCRIBE"]
        assert target.methods() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]


def test_follows_within_one_server(pictures, frames) -> None:
    class Moved(StandardServer):
        def do_DESCRIBE(self, viewer, request):
            if request.uri.endswith("/new"):
                super().do_DESCRIBE(viewer, request)
            else:
                self.reply(viewer, request, "301 Moved", [f"Location: {request.uri}/new"])

    assert_same_pictures(play_all(Moved(pictures), "auto"), frames)


def test_a_circle_is_left() -> None:
    server = SendsOn()
    server.location = "{url}/{count}"
    sentence = refusal_of(server)
    assert "redirects" in sentence
    assert len(server.of("DESCRIBE")) == MAX_REDIRECTIONS + 1


@pytest.mark.parametrize(
    ("location", "part"),
    [
        ("http://127.0.0.1/movie", "invalid address"),
        ("rtsps://127.0.0.1/movie", "rtsps://127.0.0.1/movie"),
        ("", "invalid address"),
        ("file:///etc/passwd", "invalid address"),
        ("rtsp://", "invalid address"),
    ],
)
def test_does_not_follow_everywhere(location, part) -> None:
    server = SendsOn()
    server.location = location
    assert part in refusal_of(server)
    assert len(server.of("DESCRIBE")) == 1


# --- Addresses -----------------------------------------------------------------------------------

# Headers of DESCRIBE's reply, the session's control, the track's control -> what SETUP and PLAY
# must name. {root} is rtsp://host:port.
ADDRESSES = {
    "base with slash": (
        ["Content-Base: {root}/movie/"],
        "*",
        "trackID=1",
        "/movie/trackID=1",
        "/movie/",
    ),
    "base without slash": (
        ["Content-Base: {root}/movie"],
        "*",
        "trackID=1",
        "/movie/trackID=1",
        "/movie",
    ),
    "no base": ([], "*", "trackID=1", "/movie/trackID=1", "/movie"),
    "location": (["Content-Location: {root}/other/"], "*", "t", "/other/t", "/other/"),
    "base before location": (
        ["Content-Location: {root}/no/", "Content-Base: {root}/yes/"],
        "*",
        "t",
        "/yes/t",
        "/yes/",
    ),
    "absolute track": (
        ["Content-Base: {root}/movie/"],
        "*",
        "{root}/tracks/1",
        "/tracks/1",
        "/movie/",
    ),
    "absolute both": (
        ["Content-Base: {root}/movie/"],
        "{root}/all",
        "{root}/all/1",
        "/all/1",
        "/all",
    ),
    "no session control": (["Content-Base: {root}/movie/"], None, "t", "/movie/t", "/movie/"),
    "no track control": (["Content-Base: {root}/movie/"], "*", None, "/movie/", "/movie/"),
    "nothing at all": ([], None, None, "/movie", "/movie"),
    "track with a query": (
        ["Content-Base: {root}/movie/"],
        "*",
        "t?a=1&b=2",
        "/movie/t?a=1&b=2",
        "/movie/",
    ),
    "relative base": (["Content-Base: movie/"], "*", "t", "/movie/t", "/movie"),
    "track from the root": (["Content-Base: {root}/movie/"], "*", "/top", "/top", "/movie/"),
    "capitals": (
        ["Content-Base: {root}/movie/"],
        "*",
        "RTSP://{host}/t",
        "RTSP://{host}/t",
        "/movie/",
    ),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_control_addresses(pictures, frames, name) -> None:
    base_headers, session_control, track_control, setup_uri, play_uri = ADDRESSES[name]

    class Addressed(StandardServer):
        def fill(self, text):
            host = f"{HOST}:{self.port}"
            return text.format(root=f"rtsp://{host}", host=host)

        def absolute(self, text):
            return self.fill(text if "://" in text else "{root}" + text)

        def base_headers(self):
            return list(map(self.fill, base_headers))

        def description(self):
            lines = ["v=0", "s=-", f"c=IN IP4 {HOST}", "t=0 0"]
            if session_control is not None:
                lines.append(self.fill(f"a=control:{session_control}"))
            lines.append("m=video 0 RTP/AVP 26")
            if track_control is not None:
                lines.append(self.fill(f"a=control:{track_control}"))
            return "\n".join([*lines, ""])

    server = Addressed(pictures)
    assert_same_pictures(play_all(server, "auto"), frames)
    assert server.of("SETUP")[0].uri == server.absolute(setup_uri)
    assert server.of("PLAY")[0].uri == server.absolute(play_uri)


# --- What is offered -----------------------------------------------------------------------------


class Offers(StandardServer):
    lines: list[str] = []

    def media_lines(self):
        return self.lines


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"], "H264 video"),
        (
            [
                "m=audio 0 RTP/AVP 0",
                "a=rtpmap:0 PCMU/8000",
                "m=video 0 RTP/AVP 96 97",
                "a=rtpmap:96 H265/90000",
                "a=rtpmap:97 VP8/90000",
            ],
            "PCMU audio, H265 or VP8 video",
        ),
        ([], "nothing"),
        (["m=audio 0 RTP/AVP 26"], "RTP/AVP audio"),
        (["m=video 0 RTP/AVP 26", "a=rtpmap:26 H264/90000"], "H264 video"),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 \x1b[2JX/90000"], "\\x1b[2JX video"),
    ],
)
def test_a_stream_without_mjpeg_is_named(lines, offered) -> None:
    server = Offers()
    server.lines = lines
    assert not lacks(refusal_of(server), "MJPEG", f"offers {offered}.")
    assert server.methods() == ["OPTIONS", "DESCRIBE"]


@pytest.mark.parametrize("mapping", ["JPEG/90000", "jpeg/90000"])
def test_the_payload_type_is_as_described(pictures, frames, mapping) -> None:
    class Dynamic(Offers):
        lines = [
            *("m=audio 0 RTP/AVP 0", "a=control:audio"),
            *("m=video 0 RTP/AVP 96 101", "a=rtpmap:96 H264/90000", f"a=rtpmap:101 {mapping}"),
            "a=control:video",
        ]

        def packets(self, viewer):
            for packet in super().packets(viewer):
                yield packet[:1] + bytes([packet[1] & 0x80 | 101]) + packet[2:]

    server = Dynamic(pictures)
    assert_same_pictures(play_all(server, "auto"), frames)
    assert server.of("SETUP")[0].uri.endswith("/video")


def test_packets_of_another_payload_type_are_no_pictures(pictures, frames) -> None:
    class Mixed(StandardServer):
        def packets(self, viewer):
            yield from super().packets(viewer)
            yield rtp(b"sound" * 20, viewer.sequence, timestamp_of(viewer), payload_type=0)
            viewer.sequence += 1

    assert_same_pictures(play_all(Mixed(pictures), "auto"), frames)


@pytest.mark.parametrize(
    ("description", "part"),
    [
        ("", "malformed"),
        ("<html>", "malformed"),
        ("v=0\r\nm=video\r\n", "the server offers nothing"),
        ("v=0\r\n" + "a=x\r\n" * 5000, "malformed"),
    ],
)
def test_an_invalid_description_is_one_sentence(description, part) -> None:
    class Muddled(StandardServer):
        def description(self):
            return description

    assert part in refusal_of(Muddled())


# --- RTP/JPEG ------------------------------------------------------------------------------------


def noise(width: int = 48, height: int = 32, seed: int = 0, **options) -> bytes:
    """A baseline JPEG of smooth noise that fills several packets of 200 bytes."""
    pixels = random.Random(seed).randbytes((width // 4) * (height // 4) * 3)
    image = Image.frombytes("RGB", (width // 4, height // 4), pixels).resize((width, height))
    output = io.BytesIO()
    image.save(output, "JPEG", **{"subsampling": 2, "quality": 60} | options)
    return output.getvalue()


def series(count: int = 3, **options) -> list[bytes]:
    return [noise(seed=seed, **options) for seed in range(count)]


def pixels(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return image.convert("RGB").tobytes()


def check_pictures(originals: list[bytes], pictures: list[list[bytes]], transport="tcp") -> None:
    received = play_all(StandardServer(pictures, 0.001), transport)
    assert_same_pictures(received, originals)
    assert list(map(pixels, received)) == list(map(pixels, originals))


def test_every_computed_q() -> None:
    """Pillow's qualities 1 to 99 scale the same tables by the same rule as RFC 2435's Q."""
    originals = [noise(seed=q, quality=q) for q in range(1, 100)]
    check_pictures(
        originals, [jpeg_payloads(jpeg, q=q, size=200) for q, jpeg in enumerate(originals, 1)]
    )


@pytest.mark.parametrize("q", [128, 200, 254])
def test_tables_sent_once_are_remembered(q) -> None:
    originals = series(4)
    first, *rest = originals
    later = [jpeg_payloads(jpeg, q=q, tables=False, size=200) for jpeg in rest]
    check_pictures(originals, [jpeg_payloads(first, q=q, size=200), *later])


def test_tables_are_remembered_by_q() -> None:
    originals = [*series(2, quality=30), *series(2, quality=90), *series(1, quality=30)]
    qs = (130, 130, 131, 131, 130)
    known = (True, False, True, False, False)
    check_pictures(
        originals,
        [
            jpeg_payloads(jpeg, q=q, tables=tables, size=200)
            for jpeg, q, tables in zip(originals, qs, known, strict=True)
        ],
    )


def test_new_tables_replace_those_remembered() -> None:
    originals = [*series(1, quality=30), *series(2, quality=90)]
    pictures = [jpeg_payloads(jpeg, q=130, size=200) for jpeg in originals]
    pictures[2] = jpeg_payloads(originals[2], q=130, tables=False, size=200)
    check_pictures(originals, pictures)


@pytest.mark.parametrize("subsampling", [1, 2], ids=["type 0", "type 1"])
@pytest.mark.parametrize("rows", [0, 1], ids=["plain", "restart"])
@BOTH
def test_types(subsampling, rows, transport) -> None:
    options = {"restart_marker_rows": rows} if rows else {}
    originals = series(3, subsampling=subsampling, **options)
    kind = taken_apart(originals[0]).type
    assert kind == 64 * bool(rows) + subsampling - 1
    check_pictures(originals, [jpeg_payloads(jpeg, size=200) for jpeg in originals], transport)


@pytest.mark.parametrize("count", [0xFFFF, 0xC000, 0x8000])
def test_restart_counts_do_not_matter_to_a_whole_picture(count) -> None:
    originals = series(2, restart_marker_blocks=2)
    check_pictures(
        originals, [jpeg_payloads(jpeg, size=200, restart_count=count) for jpeg in originals]
    )


def test_one_table_serves_both() -> None:
    """ffmpeg and VLC send a single table of 64 bytes when luma and chroma share it."""
    table = list(range(1, 65))
    originals = [noise(qtables=[table, table], seed=seed) for seed in range(2)]
    pictures = [jpeg_payloads(jpeg, size=200) for jpeg in originals]
    for payloads in pictures:
        whole = payloads[0]
        payloads[0] = whole[:8] + struct.pack(">BBH", 0, 0, 64) + whole[12:76] + whole[140:]
    check_pictures(originals, pictures)


def test_the_end_of_image_marker_may_be_sent_or_not() -> None:
    originals = series(2)
    pictures = [jpeg_payloads(jpeg, size=200) for jpeg in originals]
    pictures[0][-1] += b"\xff\xd9"
    received = play_all(StandardServer(pictures), "tcp")
    assert_same_pictures(received, originals)


def test_a_picture_of_one_packet() -> None:
    originals = series(3, width=8, height=8, quality=10)
    check_pictures(originals, [jpeg_payloads(jpeg) for jpeg in originals])


BROKEN = {
    "no header": b"\0\0",
    "unknown type": b"\0\0\0\0" + bytes([2, 50, 6, 4]) + b"scan",
    "no tables": b"\0\0\0\0" + bytes([1, 255, 6, 4]) + b"\0\0\0\0" + b"scan",
    "tables never sent": b"\0\0\0\0" + bytes([1, 200, 6, 4]) + b"\0\0\0\0" + b"scan",
    "tables of 16 bits": b"\0\0\0\0" + bytes([1, 255, 6, 4]) + b"\0\3\1\0" + bytes(256) + b"scan",
    "tables cut short": b"\0\0\0\0" + bytes([1, 255, 6, 4]) + b"\0\0\0\x80" + bytes(100),
    "no pixels": b"\0\0\0\0" + bytes([1, 50, 0, 4]) + b"scan",
    "an offset without a start": b"\0\xff\xff\xff" + bytes([1, 50, 6, 4]) + b"scan",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures_are_left_out(name) -> None:
    originals = series(2)
    good = [jpeg_payloads(jpeg, size=200) for jpeg in originals]
    received = play_all(StandardServer([good[0], [BROKEN[name]], good[1]]), "tcp")
    assert_same_pictures(received, originals)


# --- Keeping the session alive -------------------------------------------------------------------


class Impatient(StandardServer):
    session = "77;timeout=2"
    says_goodbye = False


@BOTH
def test_a_sign_of_life_at_half_the_timeout(transport) -> None:
    with Impatient() as server, watching(server, transport) as watcher:
        watcher.set_up()
        server.wait(lambda: len(server.of("GET_PARAMETER")) == 2)
        setup, first, second = server.requests[2:5]
        assert first.when - setup.when == pytest.approx(1.0, abs=0.3)
        assert second.when - first.when == pytest.approx(1.0, abs=0.3)
        assert first.headers["session"] == "77"
        assert first.uri == f"{server.url}/"
        assert watcher.client.error == ""


def test_who_knows_no_get_parameter_is_sent_options() -> None:
    class KnowsLittle(Impatient):
        def do_GET_PARAMETER(self, viewer, request):
            self.reply(viewer, request, "501 Not Implemented")

    with KnowsLittle() as server, watching(server) as watcher:
        watcher.set_up()
        server.wait(lambda: len(server.of("OPTIONS")) == 3)
        assert len(server.of("GET_PARAMETER")) == 1
        assert server.of("OPTIONS")[1].headers["session"] == "77"
        assert watcher.client.error == ""
        assert watcher.client.state == Client.READY


def test_a_session_without_a_timeout_has_a_minute(pictures) -> None:
    server = StandardServer(pictures)
    server.session = "abc"
    with server, watching(server) as watcher:
        watcher.set_up()
        assert watcher.client._watch.session_timeout == 60
        watcher.play()
        assert server.of("PLAY")[0].headers["session"] == "abc"


def test_a_sign_of_life_is_not_mistaken_for_an_answer(pictures) -> None:
    """The reply to GET_PARAMETER comes late, after the reply to PAUSE."""

    class Slow(Impatient):
        held = None

        def do_GET_PARAMETER(self, viewer, request):
            self.held = request

        def do_PAUSE(self, viewer, request):
            super().do_PAUSE(viewer, request)
            self.reply(viewer, self.held, "501 Not Implemented")

    with Slow(pictures, 0.3) as server, watching(server) as watcher:
        watcher.set_up()
        watcher.play(1)
        server.wait(lambda: server.held is not None)
        watcher.client.pauseMovie()
        watcher.wait(lambda: watcher.client.state == Client.READY)
        watcher.play(len(watcher.frames) + 1)


# --- RTCP ----------------------------------------------------------------------------------------


class Reports(StandardServer):
    """Leaves out and doubles some packets, sends a sender report, and stands still."""

    lost = (5, 6, 20)
    doubled = (9,)
    ntp = 0xDDDD_1111_2222_3333
    says_goodbye = False

    def stream(self, viewer):
        self.report_sent = 0.0
        for _ in range(3):
            for packet in self.packets(viewer):
                number = (viewer.sequence - FIRST_SEQUENCE) & 0xFFFF
                if number not in self.lost:
                    viewer.send_rtp(packet)
                if number in self.doubled:
                    viewer.send_rtp(packet)
            viewer.sent += 1
            viewer.position += 1
        viewer.send_rtcp(sender_report(self.ntp, timestamp_of(viewer)))
        self.report_sent = time.monotonic()


@pytest.mark.timed
@BOTH
def test_a_receiver_report_tells_what_came(pictures, transport, monkeypatch) -> None:
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", 1.0)
    with Reports(pictures) as server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.client.playMovie()
        server.wait(lambda: any(block.lsr for block in all_blocks(server)))
        block = next(block for block in all_blocks(server) if block.lsr)
        count = sum(map(len, pictures[:3]))
        assert block.ssrc == SSRC
        assert block.lost == len(server.lost) - len(server.doubled), "RFC 3550 A.3 counts doubles"
        # The first number is 65,530: the highest is past one wrap.
        assert block.highest == FIRST_SEQUENCE + count - 1 > 1 << 16
        assert block.lsr == 0x1111_2222
        when = next(when for data, when in server.reports if report_blocks(data)[:1] == [block])
        assert block.dlsr / 65536 == pytest.approx(when - server.report_sent, abs=0.05)
    for data, _ in server.reports:
        kinds = [kind for kind, _, _ in rtcp_packets(data)]
        assert kinds[:2] == [201, 202], "a report, and who it is from"
    names = {body[6 : 6 + body[5]] for kind, _, body in all_rtcp(server) if kind == 202}
    assert len(names) == 1 and len(names.pop()) >= 12
    assert len({body[:4] for _, _, body in all_rtcp(server)}) == 1


def all_rtcp(server: StandardServer) -> list[tuple[int, int, bytes]]:
    with server.changed:
        return [packet for data, _ in server.reports for packet in rtcp_packets(data)]


def all_blocks(server: StandardServer) -> list[standard_servers.ReportBlock]:
    with server.changed:
        return [block for data, _ in server.reports for block in report_blocks(data)]


@pytest.mark.parametrize("seed", range(5))
def test_reports_against_the_arithmetic_of_rfc_3550(seed) -> None:
    """Appendix A.3 and A.8 done anew here, for losses, duplicates, jitter and a wrap."""
    dice = random.Random(seed)
    reception = Reception(RtpJpegFrames(26))
    reporter = ReceiverReporter(now=0.0)
    payload = jpeg_payloads(noise())[0]
    jitter, transit, received = 0.0, None, 0
    expected_before = received_before = 0
    for number in range(400):
        now = number / FPS + dice.random() * 0.03
        if number and dice.random() < 0.1:
            continue
        stamp = number * TICKS
        for _ in range(2 if dice.random() < 0.05 * (seed % 3) else 1):
            reception.receive([rtp(payload, FIRST_SEQUENCE + number, stamp, marker=True)], now)
            received += 1
            previous, transit = transit, now * 90_000 - stamp
            if previous is not None:
                jitter += (abs(transit - previous) - jitter) / 16
        if number % 100 > 90:
            (block,) = report_blocks(reporter.report(reception.statistics, SSRC, now))
            expected = number + 1
            lost_now = (expected - expected_before) - (received - received_before)
            assert block.lost == expected - received
            assert block.fraction == max(0, 256 * lost_now // (expected - expected_before))
            assert block.highest == FIRST_SEQUENCE + number
            assert block.jitter == pytest.approx(jitter, abs=2)
            assert (block.lsr, block.dlsr) == (0, 0)
            expected_before, received_before = expected, received


def test_the_first_report_comes_at_once_and_the_next_within_bounds(pictures, monkeypatch) -> None:
    """RFC 3550 section 6.3.1: half to one and a half of the interval."""
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", 0.4)
    server = StandardServer(pictures, 0.2)
    with server, watching(server, "udp") as watcher:
        watcher.set_up()
        watcher.client.playMovie()
        server.wait(lambda: len(server.reports) == 5)
        times = [when for _, when in server.reports]
    for earlier, later in zip(times, times[1:], strict=False):
        assert 0.15 <= later - earlier <= 0.75


def test_we_say_goodbye_when_we_leave(pictures) -> None:
    with StandardServer(pictures) as server:
        with watching(server, "udp") as watcher:
            watcher.set_up()
            watcher.play()
        server.wait(lambda: any(kind == 203 for kind, _, _ in all_rtcp(server)))


@BOTH
def test_goodbye_ends_the_movie_and_play_begins_another(pictures, transport) -> None:
    with StandardServer(pictures) as server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play()
        assert "ended" in watcher.client.notice
        server.viewers[0].position = 0
        watcher.client.playMovie()
        watcher.wait(lambda: len(watcher.frames) == 2 * COUNT)
        assert watcher.shown == 2 * list(range(1, COUNT + 1))


def test_a_report_that_can_not_be_sent_is_one_sentence(pictures, monkeypatch) -> None:
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", 0.1)

    def break_pipe(data):
        raise BrokenPipeError(32, "Broken pipe")

    with StandardServer(pictures, 0.2) as server, watching(server, "tcp") as watcher:
        watcher.set_up()
        watcher.play(1)
        monkeypatch.setattr(watcher.client._workers.connection, "send", break_pipe)
        assert not lacks(watcher.error(), "server is gone", "Broken pipe", "Setup")
        assert watcher.client.state == Client.INIT


def test_goodbye_of_somebody_else_ends_nothing(pictures, frames) -> None:
    class Haunted(StandardServer):
        def packets(self, viewer):
            viewer.send_rtcp(bye(ssrc=0x666))
            return super().packets(viewer)

    assert_same_pictures(play_all(Haunted(pictures), "tcp"), frames)


@pytest.mark.parametrize("junk", [b"", b"\0", b"\x80\xc8", bytes(100), b"\x80\xc8\xff\xff" * 9])
@BOTH
def test_junk_instead_of_rtcp_is_ignored(pictures, frames, junk, transport) -> None:
    class Babbles(StandardServer):
        def packets(self, viewer):
            viewer.send_rtcp(junk)
            return super().packets(viewer)

    assert_same_pictures(play_all(Babbles(pictures), transport), frames)


# --- Strangers, and invalid packets --------------------------------------------------------------


def forged(packet: bytes) -> bytes:
    """The packet with other picture data: where it is believed, the picture is another."""
    return packet[:-9] + bytes(byte ^ 0x55 for byte in packet[-9:])


def test_packets_from_another_port_are_ignored(pictures, frames) -> None:
    class Injected(StandardServer):
        def packets(self, viewer):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for packet in super().packets(viewer):
                    stranger.sendto(forged(packet), (HOST, viewer.udp[0]))
                    yield packet

    assert_same_pictures(play_all(Injected(pictures), "udp"), frames)


def test_packets_of_another_source_are_ignored(pictures, frames) -> None:
    """By UDP; on a channel of the RTSP connection they are the stream's."""

    class TwoSources(StandardServer):
        def packets(self, viewer):
            for packet in super().packets(viewer):
                yield packet[:8] + b"evil" + forged(packet)[12:]
                yield packet

    assert_same_pictures(play_all(TwoSources(pictures), "udp"), frames)


@pytest.mark.parametrize("junk", [b"", b"\x80", b"\x80\x1a" + bytes(9), bytes(40), b"\xff" * 40])
@BOTH
def test_junk_instead_of_rtp_is_ignored(pictures, frames, junk, transport) -> None:
    class Babbles(StandardServer):
        def packets(self, viewer):
            for packet in super().packets(viewer):
                yield junk
                yield packet

    assert_same_pictures(play_all(Babbles(pictures), transport), frames)


def test_frames_on_unknown_channels_are_ignored(pictures, frames) -> None:
    class ManyChannels(StandardServer):
        def packets(self, viewer):
            for packet in super().packets(viewer):
                for channel in (2, 7, 255):
                    viewer.send(interleaved(channel, forged(packet)))
                viewer.send(interleaved(0, b""))
                viewer.send(interleaved(1, b""))
                yield packet

    assert_same_pictures(play_all(ManyChannels(pictures), "tcp"), frames)


def test_the_server_chooses_the_channels(pictures, frames) -> None:
    class Chooses(StandardServer):
        def do_SETUP(self, viewer, request):
            request.headers["transport"] = "RTP/AVP/TCP;unicast;interleaved=10-11"
            super().do_SETUP(viewer, request)

    assert_same_pictures(play_all(Chooses(pictures), "tcp"), frames)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_and_replies_in_any_segments(pictures, frames, size, monkeypatch) -> None:
    class Dribbling(Viewer):
        def send(self, data):
            for start in range(0, len(data), size):
                super().send(data[start : start + size])

    monkeypatch.setattr(standard_servers, "Viewer", Dribbling)
    some = slice(0, 2 if size < 10 else None)
    assert_same_pictures(play_all(StandardServer(pictures[some]), "tcp"), frames[some])


# --- The same whatever the way --------------------------------------------------------------------


def in_order(packets: list[bytes]) -> list[bytes]:
    return packets


def doubled(packets: list[bytes]) -> list[bytes]:
    return [packet for packet in packets for _ in range(2)]


def all_twice(packets: list[bytes]) -> list[bytes]:
    return packets + packets


def backwards(packets: list[bytes]) -> list[bytes]:
    return packets[::-1]


def shuffled(packets: list[bytes]) -> list[bytes]:
    return random.Random(len(packets)).sample(packets, len(packets))


@pytest.mark.parametrize("order", [in_order, doubled, all_twice, backwards, shuffled])
@BOTH
def test_plays_the_same_however_packets_come(frames, order, transport) -> None:
    class Orders(StandardServer):
        def packets(self, viewer):
            packets = list(super().packets(viewer))
            # The very first packet tells where the numbers begin.
            return packets[:1] + order(packets[1:]) if viewer.sent == 0 else order(packets)

    pictures = [jpeg_payloads(frame) for frame in frames]
    assert_same_pictures(play_all(Orders(pictures), transport), frames)


@pytest.mark.parametrize("size", [150, 1388, 8900, 60000])
@BOTH
def test_plays_the_same_in_packets_of_any_size(frames, size, transport) -> None:
    pictures = [jpeg_payloads(frame, size=size) for frame in frames]
    assert_same_pictures(play_all(StandardServer(pictures), transport), frames)


def test_a_lost_packet_costs_one_picture(pictures, frames) -> None:
    class Loses(StandardServer):
        def packets(self, viewer):
            packets = list(super().packets(viewer))
            return packets[:3] + packets[4:] if viewer.position in (2, 7) else packets

    with Loses(pictures) as server, watching(server, "udp") as watcher:
        watcher.set_up()
        watcher.client.playMovie()
        watcher.wait(lambda: len(watcher.frames) == COUNT - 2)
        assert watcher.client.reception.statistics.lost == 2
        wanted = [number for number in range(1, COUNT + 1) if number not in (3, 8)]
        assert watcher.shown == wanted
        assert [frame.number for frame in watcher.frames] == wanted


# --- Servers that are early, late, silent, gone ---------------------------------------------------


@BOTH
def test_packets_before_the_reply_to_play_count(pictures, frames, transport) -> None:
    class Hasty(StandardServer):
        def reply(self, viewer, request, *args, **options):
            if request.method == "PLAY":
                self.early = threading.Timer(0.2, super().reply, (viewer, request, *args), options)
                self.early.start()
            else:
                super().reply(viewer, request, *args, **options)

        def play_headers(self, viewer, request):
            viewer.begin = super().play_headers(viewer, request)
            return viewer.begin

        def stream(self, viewer):
            super().stream(viewer)
            self.early.join()

    server = Hasty(pictures)
    server.says_goodbye = False
    with server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play(COUNT)
        watcher.wait(lambda: watcher.client.state == Client.PLAYING)
        assert_same_pictures([frame.data for frame in watcher.frames], frames)
        assert [frame.number for frame in watcher.frames] == list(range(1, COUNT + 1))


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY", "PAUSE"])
def test_a_reply_that_never_comes_is_one_sentence(pictures, method) -> None:
    server = StandardServer(pictures, 0.1)
    setattr(server, f"do_{method}", lambda viewer, request: None)
    with server, watching(server, reply=0.5) as watcher:
        watcher.client.setupMovie()
        if method in ("PLAY", "PAUSE"):
            watcher.wait(lambda: watcher.client.state == Client.READY)
            watcher.client.playMovie()
        if method == "PAUSE":
            watcher.wait(lambda: watcher.client.state == Client.PLAYING)
            watcher.client.pauseMovie()
        assert not lacks(watcher.error(), "not answered", method, "0.5 s")


def test_who_hangs_up_while_a_reply_is_read_sends_no_more(pictures) -> None:
    """DESCRIBE, which would have followed the reply to OPTIONS, has no connection any more."""
    with StandardServer(pictures) as server:
        watcher = Watcher(server.url, "tcp")
        client = watcher.client
        closer = threading.Thread(target=client.close)
        hung_up = threading.Event()

        class Closes(Observer):
            def message_received(self, data, when):
                closer.start()
                while client._workers.connection is not None:
                    time.sleep(0.001)
                hung_up.set()

        client.observer = Closes()
        client.setupMovie()
        assert hung_up.wait(LIMIT)
        closer.join(LIMIT)
        assert not closer.is_alive()
        assert (client.state, client.error) == (Client.INIT, "")
        assert server.methods() == ["OPTIONS"]


def test_teardown_without_a_reply_takes_no_longer_than_it_may(pictures) -> None:
    server = StandardServer(pictures)
    server.do_TEARDOWN = lambda viewer, request: None
    with server:
        with watching(server, teardown=0.3) as watcher:
            watcher.set_up()
            begun = time.monotonic()
        assert 0.25 <= time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0" * 5000,
        b"RTSP/1.0 banana\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: nine\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 5000,
        b"220 smtp.example.org ESMTP\r\n",
    ],
    ids=["http", "zeros", "status", "length", "huge", "endless", "smtp"],
)
def test_garbage_is_one_sentence(garbage) -> None:
    class Garbles(StandardServer):
        def do_DESCRIBE(self, viewer, request):
            viewer.send(garbage)

    sentence = refusal_of(Garbles(), reply=0.5)
    assert sentence.endswith((".", "anew."))
    assert "\n" not in sentence and len(sentence) < 300


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
def test_a_server_that_vanishes_is_one_sentence(pictures, method) -> None:
    class Vanishes(StandardServer):
        def answer_no_more(self, viewer, request):
            viewer.control.shutdown(socket.SHUT_RDWR)

    server = Vanishes(pictures)
    setattr(server, f"do_{method}", server.answer_no_more)
    with server, watching(server) as watcher:
        watcher.client.setupMovie()
        if method == "PLAY":
            watcher.wait(lambda: watcher.client.state == Client.READY)
            watcher.client.playMovie()
        assert not lacks(watcher.error(), "closed", "connection")
        assert watcher.client.is_lost and watcher.client.state == Client.INIT


@BOTH
def test_a_server_that_vanishes_while_playing_is_one_sentence(pictures, transport) -> None:
    with StandardServer(pictures, 0.05) as server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play(2)
        server.viewers[0].control.shutdown(socket.SHUT_RDWR)
        assert "closed" in watcher.error()
        watcher.client.setupMovie()
        watcher.wait(lambda: watcher.client.state == Client.READY, may_fail=True)
        watcher.play(len(watcher.frames) + 2)


@pytest.mark.parametrize(
    ("status", "facts"),
    [
        ("404 Not Found", "no movie, {url}"),
        ("404 No; did you mean x.avi?", "no movie, {url}, mean x.avi?"),
        ("401 Unauthorized", "password, Digest, Basic"),
        ("403 Forbidden", "DESCRIBE, 403 Forbidden"),
        ("500 Oh \x1b[31mno", "DESCRIBE, 500 Oh \\x1b[31mno"),
        ("503", "DESCRIBE, 503 Service Unavailable"),
    ],
)
def test_a_refusal_is_one_sentence(status, facts) -> None:
    class Refuses(StandardServer):
        def do_DESCRIBE(self, viewer, request):
            self.reply(viewer, request, status)

    server = Refuses()
    assert not lacks(refusal_of(server), *facts.format(url=server.url).split(", "))


def test_an_address_without_a_movie_is_told_what_it_lacks() -> None:
    class HasNone(StandardServer):
        def do_DESCRIBE(self, viewer, request):
            self.reply(viewer, request, "404 Not Found")

        @property
        def url(self):
            return f"rtsp://{HOST}:{self.port}/"

    server = HasNone()
    told = refusal_of(server)
    assert f"{server.url}movie.Mjpeg" in told


@pytest.mark.parametrize(
    "headers",
    [
        ["Session: 1", "Transport: RAW/RAW/UDP"],
        ["Session: 1", "Transport: RTP/AVP/TCP;unicast"],
    ],
    ids=["unknown transport", "no channels"],
)
def test_a_setup_that_can_not_work_is_one_sentence(headers) -> None:
    class Muddled(StandardServer):
        def do_SETUP(self, viewer, request):
            self.reply(viewer, request, headers=headers)

    assert "malformed" in refusal_of(Muddled())


# --- The program ---------------------------------------------------------------------------------


@pytest.mark.timed
@BOTH
def test_headless(pictures, frames, transport, tmp_path) -> None:
    wanted = COUNT // 2  # the server must not end by itself, not even if we are slow
    with StandardServer(pictures, 0.05) as server:
        run = run_client(
            *(server.url, "--headless", "--json", "--transport", transport),
            *("--frames", wanted, "--save", tmp_path),
        )
        assert server.methods()[-1] == "TEARDOWN"
    assert (run.status, run.stderr) == (0, "")
    saved = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert_same_pictures(saved, frames[:wanted])
    report = run.report
    assert (report["frames"], report["lost"], report["error"]) == (wanted, 0, None)
    assert report["state"] == "PLAYING"


def test_headless_to_the_end(pictures) -> None:
    with StandardServer(pictures) as server:
        run = run_client(server.url, "--headless", "--json")
    assert run.status == 0 and "ended" in run.stderr
    assert (run.report["frames"], run.report["error"]) == (COUNT, None)


def test_headless_wants_more_than_there_is(pictures) -> None:
    with StandardServer(pictures) as server:
        run = run_client(server.url, "--headless", "--json", "--frames", COUNT + 1)
    assert run.report["frames"] == COUNT
    assert (run.status, run.report["error"]) == (0, None)
    assert "ended" in run.stderr


def test_headless_finds_its_way_to_tcp(pictures, capsys) -> None:
    """It waits for as long as the client tries: UDP is silent, TCP plays."""
    with DropsUdp(pictures, 0.05) as server:
        client = RtspClient(MovieSource("", 0, server.url), limits=TimeLimits(silence=0.4))
        status = HeadlessRun(client, HeadlessOptions(frames=COUNT, json=True)).run()
        assert len(server.of("SETUP")) == 2
    stdout, stderr = capsys.readouterr()
    report = json.loads(stdout)
    assert (status, stderr) == (0, "")
    assert (report["frames"], report["error"]) == (COUNT, None)
