"""Our server against a scripted client of the standard: every method, header and refusal."""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from lab_clients import PythonLabClient
from lab_servers import reset
from local_server import local_server
from movies import MOVIE, frames_of, jpeg_of_size, write_movie
from processes import ServerProcess
from raw_rtsp import Peer
from standard_clients import (
    HOST,
    StandardClient,
    goodbyes,
    picture_of,
    put_together,
    read_rtp,
)
from standard_servers import Picture, interleaved, report_blocks, rtcp_packets, taken_apart
from systems import needs_loopback_network

from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtp.transmission import BYE_DELAY
from rtplab.serving.rtsp.service import Service

pytestmark = pytest.mark.long

FPS = 50
COUNT = 20
LONG = 400
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
LARGEST_UDP_PAYLOAD = 1452
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:LONG]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]) -> Path:
    folder = tmp_path_factory.mktemp("movies")
    write_movie(folder / "movie.Mjpeg", frames[:COUNT])
    write_movie(folder / "long.Mjpeg", frames)
    write_movie(folder / "below" / "a b.Mjpeg", frames[:COUNT])
    write_movie(folder / "wide.Mjpeg", [picture_of((2048, 16))] * 3)
    (folder / "broken.Mjpeg").write_bytes(b"no movie at all")
    return folder


def serving(folder: Path, **settings) -> AbstractContextManager[int]:
    """Serve in this process; give the port."""
    return local_server(Service(MovieLibrary(folder), **{"fps": FPS} | settings), None)


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    with serving(folder) as port:
        yield port


@pytest.fixture
def client(port: int) -> Iterator[StandardClient]:
    with StandardClient(port) as client:
        yield client


@pytest.fixture
def long_client(port: int) -> Iterator[StandardClient]:
    with StandardClient(port, "long.Mjpeg") as client:
        yield client


def assert_pictures(client: StandardClient, originals: list[bytes]) -> None:
    assert put_together(client.rtp_packets) == list(map(taken_apart, originals))


def numbers_seen(
    client: StandardClient, frames: list[bytes], sequence: int | None = None
) -> list[int]:
    """The numbers, from 1, of the whole pictures that have come, from packet `sequence` on."""
    packets = client.rtp_packets
    while packets and not packets[-1].marker:
        packets.pop()
    if sequence is not None:
        del packets[: [packet.sequence for packet in packets].index(sequence)]
    known = {taken_apart(frame): number for number, frame in enumerate(frames, 1)}
    return [known[picture] for picture in put_together(packets)]


# --- Golden bytes --------------------------------------------------------------------------------


def pattern(*lines: str, body: str = "") -> re.Pattern[bytes]:
    """The bytes of a whole reply, in which {} stands for digits."""
    text = "\r\n".join(["RTSP/1.0 " + lines[0], *lines[1:]]) + "\r\n\r\n" + body
    return re.compile(re.escape(text).replace(r"\{\}", r"\d+").encode() + rb"\Z")


def test_replies_to_the_byte(client: StandardClient) -> None:
    url = client.url
    assert pattern("200 OK", "CSeq: 1", f"Public: {METHODS}").match(client.ask("OPTIONS").raw)
    description = [
        *("v=0", "o=- {} 1 IN IP4 127.0.0.1", "s=movie.Mjpeg", "c=IN IP4 0.0.0.0", "t=0 0"),
        *("a=control:*", "a=range:npt=0-0.400", "m=video 0 RTP/AVP 26", "a=rtpmap:26 JPEG/90000"),
        *("a=control:trackID=0", "a=framerate:50", "a=framesize:26 384-288"),
        *("a=x-dimensions:384,288", ""),
    ]
    reply = client.ask("DESCRIBE", None, "Accept: application/sdp")
    golden = pattern(
        *("200 OK", "CSeq: 2", "Content-Type: application/sdp", f"Content-Base: {url}/"),
        f"Content-Length: {len(reply.body)}",
        body="\r\n".join(description),
    )
    assert golden.match(reply.raw), reply.raw
    first, second = client.client_ports
    golden = pattern(
        *("200 OK", "CSeq: 3", "Session: {};timeout=60"),
        f"Transport: RTP/AVP;unicast;client_port={first}-{second};server_port={{}}-{{}};ssrc=@",
    )
    golden = re.compile(golden.pattern.replace(b"@", b"[0-9A-F]{8}"))
    assert golden.match(client.set_up("udp").raw)
    session = f"Session: {client.session};timeout=60"
    golden = pattern(
        *("200 OK", "CSeq: 4", session, "Range: npt=0.000-0.400"),
        f"RTP-Info: url={url}/trackID=0;seq={{}};rtptime={{}}",
    )
    assert golden.match(client.play().raw)
    for number, method in enumerate(("GET_PARAMETER", "SET_PARAMETER", "PAUSE", "TEARDOWN"), 5):
        golden = pattern("200 OK", f"CSeq: {number}", session)
        assert golden.match(client.ask_in_session(method).raw)
    golden = pattern("454 Session Not Found: no session {} on this connection", "CSeq: 9")
    assert golden.match(client.ask_in_session("PLAY").raw)


def test_the_interleaved_transport_to_the_byte(client: StandardClient) -> None:
    reply = client.set_up("RTP/AVP/TCP;unicast;interleaved=4-5")
    assert re.fullmatch(r"RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=[0-9A-F]{8}", reply["Transport"])


# --- Media ---------------------------------------------------------------------------------------


@BOTH
def test_the_movie_comes_whole_and_says_goodbye(client, frames, transport) -> None:
    ssrc = int(client.set_up(transport).transport["ssrc"], 16)
    info = rtp_info(client.play())
    assert client.wait(lambda: goodbyes(client) == [ssrc])
    assert_pictures(client, frames[:COUNT])
    packets = client.rtp_packets
    assert {packet.ssrc for packet in packets} == {ssrc}
    assert {packet.payload_type for packet in packets} == {26}
    assert packets[0].sequence == info["seq"]
    assert packets[0].timestamp == info["rtptime"]
    numbers = [(packet.sequence - packets[0].sequence) & 0xFFFF for packet in packets]
    assert numbers == list(range(len(packets)))
    stamps = sorted({(p.timestamp - packets[0].timestamp) & 0xFFFFFFFF for p in packets})
    assert stamps == [number * 90_000 // FPS for number in range(COUNT)]
    assert max(len(packet.payload) + 12 for packet in packets) <= LARGEST_UDP_PAYLOAD


def rtp_info(reply) -> dict[str, object]:
    """The fields of RTP-Info, numbers as such."""
    fields = dict(field.split("=", 1) for field in reply["RTP-Info"].split(";"))
    return {name: int(value) if value.isdigit() else value for name, value in fields.items()}


def test_goodbye_is_repeated_where_it_may_be_lost(client) -> None:
    """Without it ffmpeg and mpv wait for a minute; PLAY ends the repetition."""
    ssrc = int(client.set_up("udp").transport["ssrc"], 16)
    client.play()
    assert client.wait(lambda: goodbyes(client) == [ssrc] * 3)
    assert not client.wait(lambda: len(goodbyes(client)) > 3, 1.0)
    client.forget_media()
    client.play()
    assert client.wait(lambda: goodbyes(client))
    client.forget_media()
    client.play("Range: npt=0-", "Speed: 0.5")
    assert client.wait(lambda: goodbyes(client))
    assert client.pictures == COUNT


def test_goodbye_is_said_once_to_who_loses_nothing(client) -> None:
    """mpv leaves the later ones unread, and takes them for the end of what it plays again."""
    ssrc = int(client.set_up("udp").transport["ssrc"], 16)
    client.play()
    client.wait_for_pictures(1)
    client.send_rtcp(receiver_report(ssrc, lost=0))
    assert client.wait(lambda: goodbyes(client) == [ssrc])
    assert not client.wait(lambda: len(goodbyes(client)) > 1, 1.5)


def test_starts_are_random_per_session(port: int) -> None:
    starts = set()
    for _ in range(3):
        with StandardClient(port) as client:
            ssrc = client.set_up("tcp").transport["ssrc"]
            info = rtp_info(client.play())
            starts.add((ssrc, info["seq"], info["rtptime"], client.session))
    assert all(len(set(column)) == 3 for column in zip(*starts, strict=True))


@pytest.mark.timed
@pytest.mark.parametrize("mtu", [576, 1500, 9000])
def test_the_mtu_bounds_every_packet(folder, frames, mtu) -> None:
    """`--limit mtu` counts the headers of IP, 40 bytes at most, and UDP, 8."""
    with ServerProcess(folder, "--limit", f"mtu={mtu}", "--fps", "100") as server:
        with StandardClient(server.port) as client:
            client.set_up("udp")
            client.play()
            assert client.wait(lambda: goodbyes(client))
            assert_pictures(client, frames[:COUNT])
            sizes = [len(packet.payload) + 12 for packet in client.rtp_packets]
    assert mtu - 60 < max(sizes) <= mtu - 48


@BOTH
def test_play_after_the_end_begins_again(client, frames, transport) -> None:
    client.set_up(transport)
    client.play()
    assert client.wait(lambda: len(goodbyes(client)) == 1)
    client.forget_media()
    assert client.play()["Range"] == "npt=0.000-0.400"
    assert client.wait(lambda: len(goodbyes(client)) == 1)
    assert_pictures(client, frames[:COUNT])


@BOTH
def test_pause_stops_and_play_goes_on(long_client, frames, transport) -> None:
    client = long_client
    client.set_up(transport)
    client.play()
    client.wait_for_pictures(5)
    client.ask_in_session("PAUSE")
    client.wait(lambda: False, 0.1)
    seen = client.pictures
    client.wait(lambda: False, 0.2)
    assert client.pictures == seen
    info = rtp_info(client.play())
    client.wait_for_pictures(seen + 5)
    shown = numbers_seen(client, frames)
    assert shown == list(range(1, len(shown) + 1))
    packets = client.rtp_packets
    first = next(index for index, p in enumerate(packets) if p.timestamp == info["rtptime"])
    assert packets[first].sequence == info["seq"]
    assert packets[first - 1].marker


def test_packets_do_not_overtake_the_reply_to_play(port: int) -> None:
    with StandardClient(port) as client:
        client.set_up("tcp")
        client.control.sendall(client.request("PLAY", None, f"Session: {client.session}"))
        time.sleep(0.2)
        assert client.control.recv(5) == b"RTSP/"


# --- Range, Scale, Speed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "answered", "first"),
    [
        ("npt=2-", "npt=2.000-8.000", 101),
        ("npt=2.5-", "npt=2.500-8.000", 126),
        ("npt=0:00:02-", "npt=2.000-8.000", 101),
        ("npt=00:00:02.5-", "npt=2.500-8.000", 126),
        ("npt=now-", "npt=0.000-8.000", 1),
        ("npt=-3", "npt=0.000-3.000", 1),
        ("npt=1-2", "npt=1.000-2.000", 51),
        ("npt=1-100", "npt=1.000-8.000", 51),
        ("npt=2-;time=19970123T143720Z", "npt=2.000-8.000", 101),
        ("NPT = 2 - 3", "npt=2.000-3.000", 101),
    ],
)
def test_ranges_that_are_served(long_client, frames, wanted, answered, first) -> None:
    long_client.set_up("tcp")
    reply = long_client.play(f"Range: {wanted}")
    assert (reply.status, reply["Range"]) == (200, answered)
    long_client.wait_for_pictures(2)
    assert numbers_seen(long_client, frames)[:2] == [first, first + 1]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("clock=19961108T142300Z-19961108T143520Z", 501),
        ("smpte=0:00:02-", 501),
        ("bananas=1-2", 501),
        ("npt=8-", 457),
        ("npt=3-2", 457),
        ("npt=2-2", 457),
        ("npt=-", 457),
        ("npt=", 457),
        ("npt=x-", 457),
        ("npt=-0", 457),
        ("npt=1e3-", 457),
        ("2-3", 457),
        ("npt=" + "9" * 400 + "-", 457),
    ],
)
def test_ranges_that_are_refused_change_nothing(long_client, frames, wanted, status) -> None:
    long_client.set_up("tcp")
    assert long_client.play(f"Range: {wanted}").status == status
    assert long_client.play().status == 200
    long_client.wait_for_pictures(2)
    assert long_client.play(f"Range: {wanted}").status == status
    seen = long_client.pictures
    long_client.wait_for_pictures(seen + 3)
    shown = numbers_seen(long_client, frames)
    assert shown == list(range(1, len(shown) + 1))


def test_a_range_ends_where_it_should(long_client, frames) -> None:
    long_client.set_up("udp")
    long_client.play("Range: npt=1-1.2")
    assert long_client.wait(lambda: goodbyes(long_client))
    assert numbers_seen(long_client, frames) == list(range(51, 61))


@BOTH
def test_seeks_in_one_session(long_client, frames, transport) -> None:
    client = long_client
    client.set_up(transport)
    client.play()
    client.wait_for_pictures(3)
    for seconds in (4, 1, 6.02):
        client.forget_media()
        info = rtp_info(client.play(f"Range: npt={seconds}-"))
        assert client.wait(
            lambda i=info: any(p.timestamp == i["rtptime"] for p in client.rtp_packets)
        )
        client.wait_for_pictures(client.pictures + 3)
        shown = numbers_seen(client, frames, info["seq"])
        first = round(seconds * FPS) + 1
        assert shown[:3] == [first, first + 1, first + 2]


@pytest.mark.parametrize("header", ["Scale", "Speed"])
@pytest.mark.parametrize(
    ("wanted", "used"),
    [
        ("1", 1),
        ("2", 2),
        ("4.0", 4),
        ("0.5", 0.5),
        ("3", 3),
        ("1.21", 1.21),
        ("0.1", 0.1),
        ("0.01", 0.1),
        ("-1", 1),
        ("0", 1),
        ("nan", 1),
        ("inf", 1),
        ("fast", 1),
        ("", 1),
    ],
)
def test_the_value_used_is_answered(client, header, wanted, used) -> None:
    client.set_up("tcp")
    reply = client.play(f"{header}: {wanted}")
    assert (reply.status, reply[header]) == (200, f"{used:.3f}")
    other = {"Scale": "Speed", "Speed": "Scale"}[header]
    assert reply[other] == ""


@pytest.mark.parametrize(("header", "used"), [("Scale", 8), ("Speed", 4)])
def test_more_than_the_server_can_is_answered_with_the_most(client, header, used) -> None:
    """As Speed multiplies the bit rate, less of it is granted."""
    client.set_up("tcp")
    assert client.play(f"{header}: 1000")[header] == f"{used:.3f}"


def test_no_scale_asked_none_answered(client) -> None:
    client.set_up("tcp")
    reply = client.play()
    assert (reply["Scale"], reply["Speed"]) == ("", "")


@pytest.mark.timed
@pytest.mark.parametrize(
    ("header", "numbers", "step", "interval"),
    [
        ("Scale: 2", [1, 3, 5, 7, 9], 1, 1),
        ("Scale: 4", [1, 5, 9, 13, 17], 1, 1),
        ("Scale: 1.5", [1, 2, 4, 5, 7], 1, 1),
        ("Scale: 0.5", [1, 2, 3, 4, 5], 2, 2),
        ("Speed: 2", [1, 2, 3, 4, 5], 1, 0.5),
        ("Speed: 0.5", [1, 2, 3, 4, 5], 1, 2),
    ],
)
def test_scale_and_speed(long_client, frames, header, numbers, step, interval) -> None:
    """`step` and `interval` from picture to picture: by timestamp and by the clock, in frames."""
    long_client.set_up("tcp")
    long_client.play(header)
    begun = time.monotonic()
    long_client.wait_for_pictures(13)
    seconds = time.monotonic() - begun
    assert numbers_seen(long_client, frames)[:5] == numbers
    stamps = [packet.timestamp for packet in long_client.rtp_packets if packet.marker]
    steps = {(b - a) & 0xFFFFFFFF for a, b in zip(stamps, stamps[1:], strict=False)}
    assert steps == {step * 90_000 // FPS}
    expected = 12 * interval / FPS
    assert 0.8 * expected < seconds < expected + 0.19


# --- RTCP ----------------------------------------------------------------------------------------


@pytest.mark.timed
@BOTH
def test_sender_reports(long_client, monkeypatch, transport) -> None:
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", 0.4)
    client = long_client
    ssrc = int(client.set_up(transport).transport["ssrc"], 16)
    client.play()
    arrivals: list[float] = []

    def arrived() -> bool:
        arrivals.extend([time.time()] * (len(client.rtcp_packets) - len(arrivals)))
        return len(arrivals) >= 5

    assert client.wait(arrived)
    reports = [sender_report_of(data) for data in client.rtcp_packets]
    packets = client.rtp_packets
    for report, arrival in zip(reports, arrivals, strict=True):
        assert report["ssrc"] == ssrc
        assert report["wall clock"] == pytest.approx(arrival, abs=0.1)
        sent = packets[: report["packets"]]
        assert sent[-1].marker, "a report stands between two pictures"
        assert report["octets"] == sum(len(packet.payload) for packet in sent)
        # The report's timestamp is that of its moment: the picture sent last, or the one after.
        behind = (report["timestamp"] - sent[-1].timestamp) & 0xFFFFFFFF
        assert 0 <= behind <= 90_000 // FPS
    for earlier, later in zip(reports, reports[1:], strict=False):
        seconds = later["wall clock"] - earlier["wall clock"]
        assert 0.15 <= seconds <= 0.75, "half to one and a half of the interval"
        ticks = (later["timestamp"] - earlier["timestamp"]) & 0xFFFFFFFF
        # The nearest beat is up to 25 ms away, and the machine may be busy.
        assert ticks / 90_000 == pytest.approx(seconds, abs=0.1)
    assert len({report["cname"] for report in reports}) == 1
    assert len(reports[0]["cname"]) >= 12
    # Not user@host.domain; a short name may be in random letters by chance.
    assert socket.gethostname().encode() not in re.split(rb"[@.]", reports[0]["cname"])
    assert b"@" not in reports[0]["cname"]


@BOTH
def test_the_report_with_bye_is_of_its_moment(folder, transport) -> None:
    """Half a second after the last frame, so does its timestamp say."""
    with serving(folder) as port, StandardClient(port, "movie.Mjpeg") as client:
        client.watch(transport, "npt=0-0.2")
        assert client.wait(lambda: goodbyes(client))
        first, last = (sender_report_of(client.rtcp_packets[index]) for index in (0, -1))
        ticks = (last["timestamp"] - first["timestamp"]) & 0xFFFFFFFF
        seconds = last["wall clock"] - first["wall clock"]
        assert seconds > BYE_DELAY
        assert ticks / 90_000 == pytest.approx(seconds, abs=0.06)


def sender_report_of(compound: bytes) -> dict:
    (kind, count, body), (second, names, name) = rtcp_packets(compound)[:2]
    assert (kind, count, second, names) == (200, 0, 202, 1)
    ssrc, ntp, timestamp, packets, octets = struct.unpack(">IQIII", body)
    assert name[:4] == body[:4] and name[4] == 1
    return {
        "ssrc": ssrc,
        "wall clock": ntp / 2**32 - 2_208_988_800,
        "timestamp": timestamp,
        "packets": packets,
        "octets": octets,
        "cname": name[6 : 6 + name[5]],
    }


@BOTH
def test_teardown_says_goodbye(long_client, transport) -> None:
    ssrc = int(long_client.set_up(transport).transport["ssrc"], 16)
    long_client.play()
    long_client.wait_for_pictures(2)
    assert long_client.ask_in_session("TEARDOWN").status == 200
    assert long_client.wait(lambda: goodbyes(long_client) == [ssrc])
    seen = len(long_client.rtp_packets)
    long_client.wait(lambda: False, 0.2)
    assert len(long_client.rtp_packets) == seen


def receiver_report(ssrc: int, lost: int = 3) -> bytes:
    """As players send it: one block, and who they are."""
    block = struct.pack(">IIIIII", ssrc, lost, 1000, 90, 0, 0)
    report = struct.pack(">BBHI", 0x81, 201, 7, 0xABCD) + block
    assert report_blocks(report)
    return report + struct.pack(">BBHIBB4sxx", 0x81, 202, 3, 0xABCD, 1, 4, b"play")


# --- Sessions and their timeout ------------------------------------------------------------------


@pytest.fixture
def impatient(folder: Path) -> Iterator[int]:
    with serving(folder, session_timeout=1) as port:
        yield port


@pytest.mark.timed
@BOTH
def test_a_silent_session_expires(impatient, transport) -> None:
    with StandardClient(impatient, "long.Mjpeg") as client:
        assert client.set_up(transport)["Session"].endswith(";timeout=1")
        client.play()
        if transport == "tcp":
            client.ask_in_session("PAUSE")  # else it would take frames
        begun = time.monotonic()
        assert client.wait(lambda: client.closed, 3)
        assert 0.8 < time.monotonic() - begun < 2
        count = len(client.rtp_packets)
        client.wait(lambda: False, 0.2)
        assert len(client.rtp_packets) == count
        assert goodbyes(client)


def test_who_takes_frames_by_tcp_need_say_nothing(impatient) -> None:
    """As yellowstone does. When it pauses, it does not take any, and is silent."""
    with StandardClient(impatient, "long.Mjpeg") as client:
        client.watch("tcp")
        assert not client.wait(lambda: client.closed, 2.5)
        client.ask_in_session("PAUSE")
        assert client.wait(lambda: client.closed)


@pytest.mark.timed
def test_receiver_reports_keep_a_session(impatient) -> None:
    with (
        StandardClient(impatient, "long.Mjpeg") as by_udp,
        StandardClient(impatient, "long.Mjpeg") as by_tcp,
    ):
        sources = {}
        for client, transport in ((by_udp, "udp"), (by_tcp, "tcp")):
            sources[client] = int(client.set_up(transport).transport["ssrc"], 16)
            client.play()
        for _ in range(4):
            for client, ssrc in sources.items():
                client.send_rtcp(receiver_report(ssrc))
            for client in sources:
                assert not client.wait(lambda client=client: client.closed, 0.2)


@pytest.mark.timed
def test_requests_keep_a_session(impatient) -> None:
    methods = ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "PLAY")
    with ExitStack() as stack:
        clients = {
            method: stack.enter_context(StandardClient(impatient, "long.Mjpeg"))
            for method in methods
        }
        for client in clients.values():
            client.set_up("udp")
        for _ in range(3):
            for method, client in clients.items():
                assert client.ask_in_session(method).status == 200, method
            time.sleep(0.5)
        for method, client in clients.items():
            assert not client.wait(lambda client=client: client.closed, 0.01), method


@pytest.mark.parametrize(
    "junk", [b"\x80", b"\xce\xfa\xed\xfe", bytes(200), b"\x80\xc9\0\x09" + bytes(4)]
)
@BOTH
def test_junk_does_not_keep_a_session(impatient, transport, junk) -> None:
    with StandardClient(impatient, "long.Mjpeg") as client:
        client.set_up(transport)
        if transport == "udp":
            client.play()
        begun = time.monotonic()
        while not client.closed and time.monotonic() < begun + 4:
            try:
                client.send_rtcp(junk)
            except OSError:
                break
            client.wait(lambda: client.closed, 0.2)
        assert 0.8 < time.monotonic() - begun < 3


def test_a_connection_without_a_session_may_be_silent(impatient) -> None:
    with StandardClient(impatient) as client:
        client.ask("OPTIONS")
        assert not client.wait(lambda: client.closed, 1.5)
        assert client.ask("DESCRIBE").status == 200


def test_a_session_of_another_connection_is_none(port) -> None:
    with StandardClient(port) as owner, StandardClient(port) as thief:
        owner.set_up("udp")
        for method in ("PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER"):
            reply = thief.ask(method, None, f"Session: {owner.session}")
            assert (reply.status, reply["Session"]) == (454, "")
        thief.set_up("tcp")
        assert thief.ask("PLAY", None, f"Session: {owner.session}").status == 454
        assert owner.play().status == 200


@pytest.mark.parametrize("named", ["", "0", "1", "x" * 300, "\x1b[2J", "-1"])
def test_a_session_must_be_named_rightly(client, named) -> None:
    client.set_up("udp")
    assert client.ask("PLAY", None, f"Session: {named}").status == 454
    refusal = client.ask("PLAY")
    assert refusal.status == 454 and "no session  " not in refusal.raw.decode()
    assert client.play().status == 200


def test_a_session_may_be_named_with_its_timeout(client) -> None:
    client.set_up("udp")
    client.session += ";timeout=60"
    assert client.play().status == 200


def test_a_second_session_on_the_connection_is_refused(client) -> None:
    client.set_up("udp")
    first = client.session
    assert client.set_up("tcp").status == 455
    assert client.ask("PLAY", None, f"Session: {first}").status == 200


@pytest.mark.parametrize(("first", "second"), [("udp", "tcp"), ("tcp", "udp")])
def test_a_session_may_change_its_transport(client, frames, first, second) -> None:
    client.set_up(first)
    session = client.session
    client.channels = None
    reply = client.set_up(second, None, f"Session: {session}")
    assert (reply.status, reply.session) == (200, session)
    client.play()
    client.wait_for_pictures(COUNT)
    assert_pictures(client, frames[:COUNT])


def test_no_change_of_transport_while_it_plays(client) -> None:
    client.set_up("udp")
    client.play()
    assert client.set_up("tcp", None, f"Session: {client.session}").status == 455


def test_a_session_after_a_session(client, frames) -> None:
    client.set_up("udp")
    first = client.session
    client.ask_in_session("TEARDOWN")
    assert client.ask_in_session("PLAY").status == 454
    client.set_up("tcp")
    assert client.session != first
    client.play()
    client.wait_for_pictures(COUNT)
    assert_pictures(client, frames[:COUNT])


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["Require: com.example.feature", "Proxy-Require: x"])
@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP"])
def test_options_that_are_required(client, option, method) -> None:
    reply = client.ask(method, None, option)
    assert (reply.status, reply.reason) == (551, "Option not supported")
    assert reply["Unsupported"] == option.split(": ")[1]


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN"])
def test_a_movie_must_be_named(client, method) -> None:
    """RFC 2326 section 11.3.1: 405, and what the server as a whole allows."""
    reply = client.ask(method, "*")
    assert reply.status == 405
    assert reply["Allow"] == "OPTIONS, GET_PARAMETER, SET_PARAMETER"
    assert client.ask("OPTIONS", "*").status == 200


@pytest.mark.parametrize("method", ["ANNOUNCE", "RECORD", "REDIRECT", "FOO", "GET", "play", "_"])
def test_unknown_methods(client, method) -> None:
    assert client.ask(method).status == 501
    assert client.ask("OPTIONS").status == 200


@pytest.mark.parametrize("version", ["RTSP/2.0", "RTSP/1.1", "RTSP/9.9", "RTSP/"])
def test_other_versions(client, version) -> None:
    reply = client.send_raw(f"OPTIONS {client.url} {version}\r\nCSeq: 1\r\n\r\n".encode())
    assert (reply.status, reply["CSeq"]) == (505, "1")
    client.cseq = 1
    assert client.ask("OPTIONS").status == 200


@pytest.mark.parametrize("cseq", ["", "CSeq: \r\n", "CSeq: x\r\n", "CSeq: -1\r\n"])
def test_a_request_without_a_number(client, cseq) -> None:
    reply = client.send_raw(f"OPTIONS {client.url} RTSP/1.0\r\n{cseq}\r\n".encode())
    assert (reply.status, reply["CSeq"]) == (400, "")


@pytest.mark.parametrize("method", ["PLAY", "PAUSE", "TEARDOWN"])
def test_without_a_session(client, method) -> None:
    assert client.ask(method).status == 454
    assert client.ask(method, None, "Session: 12345").status == 454


def test_get_parameter_without_a_session_is_a_sign_of_life(client) -> None:
    assert client.ask("GET_PARAMETER").status == 200
    assert client.ask("GET_PARAMETER", "*").status == 200
    assert client.ask("GET_PARAMETER", None, "Session: 1").status == 454


@pytest.mark.parametrize("method", ["GET_PARAMETER", "SET_PARAMETER"])
def test_parameters_are_not_understood(client, method) -> None:
    client.set_up("udp")
    session = f"Session: {client.session}"
    body = "packets_received\r\njitter\r\n"
    assert (
        client.ask(method, None, session, "Content-Type: text/parameters", body=body).status == 451
    )
    assert client.ask(method, None, session).status == 200


def test_pause_before_play_changes_nothing(client) -> None:
    client.set_up("udp")
    assert client.ask_in_session("PAUSE").status == 200
    assert client.play().status == 200
    client.wait_for_pictures(1)


def test_play_twice_is_one_stream(long_client, frames) -> None:
    long_client.set_up("tcp")
    long_client.play()
    long_client.wait_for_pictures(2)
    assert long_client.play().status == 200
    long_client.wait_for_pictures(10)
    shown = numbers_seen(long_client, frames)
    assert shown == list(range(1, len(shown) + 1))


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP"])
@pytest.mark.parametrize(
    ("movie", "status"),
    [
        ("missing.Mjpeg", 404),
        ("", 404),
        ("../movie.Mjpeg", 404),
        ("%2e%2e/%2e%2e/etc/passwd", 404),
        ("movie.Mjpeg%00", 404),
        ("broken.Mjpeg", 415),
        ("wide.Mjpeg", 415),
    ],
)
def test_movies_that_are_not_served(client, method, movie, status) -> None:
    transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    assert client.ask(method, f"{client.root}/{movie}", transport).status == status
    assert client.ask("DESCRIBE").status == 200


def test_a_movie_whose_name_is_nearly_right_is_named(client) -> None:
    reply = client.ask("DESCRIBE", f"{client.root}/movei.Mjpeg")
    assert reply.status == 404
    assert b" movie.Mjpeg?" in reply.raw.splitlines()[0]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/sdp", 200),
        ("application/rtsl, application/sdp;level=2", 200),
        ("*/*", 200),
        ("application/*", 200),
        ("text/html", 406),
        ("application/mheg", 406),
    ],
)
def test_accept(client, accept, status) -> None:
    assert client.ask("DESCRIBE", None, f"Accept: {accept}").status == status


# --- Transports ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        "RAW/RAW/UDP;unicast;client_port=5000-5001",
        "RTP/SAVP;unicast;client_port=5000-5001",
        "RTP/AVP;multicast",
        "RTP/AVP;multicast;port=5000-5001;ttl=9",
        "RTP/AVP;unicast",
        "nonsense",
    ],
)
def test_transports_that_are_refused(client, wanted) -> None:
    assert client.set_up(wanted).status == 461
    assert client.set_up("udp").status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "RTP/AVP;unicast;client_port=80-81",
        "RTP/AVP;unicast;client_port=1023-1024",
        "RTP/AVP;unicast;client_port=70000-70001",
        "RTP/AVP;unicast;client_port=x",
        "RTP/AVP;unicast;client_port=-5",
        "RTP/AVP/TCP;unicast;interleaved=300-301",
        ",".join(["RTP/AVP/TCP;unicast"] * 17),
    ],
)
def test_transports_that_make_no_sense(client, wanted) -> None:
    assert client.set_up(wanted).status in (400, 461)
    assert client.set_up("udp").status == 200


def test_the_first_that_can_be_served_of_several(client) -> None:
    first, second = client.client_ports
    udp = f"RTP/AVP/UDP;unicast;client_port={first}-{second}"
    tcp = "RTP/AVP/TCP;unicast;interleaved=2-3"
    reply = client.set_up(f"RTP/SAVP;unicast;client_port=5000-5001,{tcp},{udp}")
    assert reply.transport["interleaved"] == "2-3"
    client.ask_in_session("TEARDOWN")
    reply = client.set_up(f"RTP/AVP;multicast, {udp}, {tcp}")
    assert reply.transport["client_port"] == f"{first}-{second}"


def test_one_port_means_the_next_one_too(client, frames) -> None:
    reply = client.set_up(f"RTP/AVP;unicast;client_port={client.client_ports[0]}")
    assert reply.transport["client_port"] == "{}-{}".format(*client.client_ports)
    client.play()
    assert client.wait(lambda: goodbyes(client))
    assert_pictures(client, frames[:COUNT])


@pytest.mark.parametrize("form", ["RTP/AVP/TCP;unicast", "RTP/AVP/TCP", "rtp/avp/tcp;UNICAST"])
def test_channels_that_are_not_named_are_the_first(client, form) -> None:
    assert client.set_up(form).transport["interleaved"] == "0-1"


@needs_loopback_network
@pytest.mark.parametrize("target", ["10.0.0.1", "127.0.0.2", "example.org"])
def test_media_goes_to_nobody_but_the_one_who_asked(client, frames, target) -> None:
    first, second = client.client_ports
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
        victim.bind(("127.0.0.2", first))
        wanted = f"RTP/AVP;unicast;destination={target};client_port={first}-{second}"
        assert "destination" not in client.set_up(wanted).transport
        client.play()
        assert client.wait(lambda: goodbyes(client))
        assert select.select([victim], [], [], 0)[0] == []
    assert_pictures(client, frames[:COUNT])


def test_the_servers_ports_are_a_pair(client) -> None:
    client.set_up("udp")
    first, second = client.server_ports
    assert first % 2 == 0 and second == first + 1
    client.play()
    client.wait_for_pictures(1)
    assert client.rtp.getsockname()[1] == client.client_ports[0]


def test_media_comes_from_the_port_that_was_named(client) -> None:
    client.set_up("udp")
    client.play()
    readable, _, _ = select.select([client.rtp], [], [], 5)
    _, address = client.rtp.recvfrom(65536)
    assert address == (HOST, client.server_ports[0])


# --- Addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", ["", "/", "/trackID=0", "/trackID=0/"])
@pytest.mark.parametrize("later", ["", "/", "/trackID=0", "/trackID=0/"])
def test_aggregate_and_track_with_and_without_a_slash(client, frames, setup, later) -> None:
    assert client.set_up("tcp", client.url + setup).status == 200
    reply = client.ask_in_session("PLAY", uri=client.url + later)
    assert reply.status == 200
    assert rtp_info(reply)["url"] == f"{client.url}/trackID=0"
    client.wait_for_pictures(2)
    for method in ("PAUSE", "GET_PARAMETER", "TEARDOWN"):
        assert client.ask_in_session(method, uri=client.url + later).status == 200


@pytest.mark.parametrize("uri", ["", "/", "?user=me"])
def test_describe_with_and_without_a_slash(client, uri) -> None:
    reply = client.ask("DESCRIBE", client.url + uri)
    assert (reply.status, reply["Content-Base"]) == (200, f"{client.url}/")


def test_a_name_with_a_space_in_a_folder(port, frames) -> None:
    with StandardClient(port, "below/a%20b.Mjpeg") as client:
        reply = client.ask("DESCRIBE")
        assert reply["Content-Base"] == f"{client.url}/"
        assert b"a b.Mjpeg" in reply.body
        client.set_up("tcp", reply["Content-Base"] + "trackID=0")
        client.play()
        client.wait_for_pictures(COUNT)
        assert_pictures(client, frames[:COUNT])


def test_any_host_name_will_do(client) -> None:
    """Behind a forwarded port the client knows the server by another name."""
    reply = client.ask("DESCRIBE", "rtsp://camera.example:8554/movie.Mjpeg")
    assert reply["Content-Base"] == "rtsp://camera.example:8554/movie.Mjpeg/"


# --- Framing -------------------------------------------------------------------------------------


def test_pipelined_requests(client) -> None:
    requests = [client.request("OPTIONS"), client.request("DESCRIBE"), client.request("NONSENSE")]
    requests += [client.request("GET_PARAMETER", body="")] * 5
    client.control.sendall(b"".join(requests))
    replies = [client.next_reply() for _ in requests]
    assert [reply.status for reply in replies] == [200, 200, 501, *[200] * 5]
    assert [reply["CSeq"] for reply in replies] == ["1", "2", "3", *["4"] * 5]


def test_a_session_in_one_go(client, frames) -> None:
    """PLAY is sent before SETUP is answered: but for the session's name all is known."""
    client.set_up("tcp")
    session = f"Session: {client.session}"
    client.control.sendall(
        client.request("PLAY", None, session)
        + client.request("PAUSE", None, session)
        + client.request("PLAY", None, session, "Range: npt=0.1-")
    )
    assert [client.next_reply().status for _ in range(3)] == [200, 200, 200]
    client.wait_for_pictures(1 + COUNT - 5)  # the first PLAY has sent its first frame at once
    shown = numbers_seen(client, frames)
    assert shown[-(COUNT - 5) :] == list(range(6, COUNT + 1))


def test_requests_byte_by_byte(client) -> None:
    for byte in client.request("DESCRIBE", None, "Accept: application/sdp"):
        client.control.sendall(bytes([byte]))
    assert client.next_reply().status == 200


def test_interleaved_frames_between_requests(client) -> None:
    client.set_up("tcp")
    junk = b"".join(
        interleaved(channel, b"x" * size) for channel, size in ((0, 0), (1, 9), (9, 99))
    )
    client.control.sendall(junk + client.request("OPTIONS") + junk + client.request("OPTIONS"))
    assert [client.next_reply().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("headers", ["cseq: 7", "CSEQ:7", "User-Agent: x\r\nCSeq:   7"])
def test_headers_in_any_case_and_order(client, headers) -> None:
    reply = client.send_raw(f"OPTIONS * RTSP/1.0\r\n{headers}\r\n\r\n".encode())
    assert (reply.status, reply["CSeq"]) == (200, "7")


def test_a_body_too_large_ends_the_connection(client) -> None:
    request = f"GET_PARAMETER {client.url} RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n"
    assert client.send_raw(request.encode()).status == 413
    assert client.wait(lambda: client.closed)


# --- Clients that behave badly -------------------------------------------------------------------


@pytest.mark.timed
def test_a_reader_that_stops_disturbs_nobody_and_finds_its_way_again(tmp_path) -> None:
    kinds = [jpeg_of_size(60_000, seed) for seed in range(5)]
    large = [kinds[number % len(kinds)] for number in range(250)]  # 15 MB: no buffer takes it
    write_movie(tmp_path / "large.Mjpeg", large)
    with (
        serving(tmp_path) as port,
        StandardClient(port, "large.Mjpeg") as slow,
        StandardClient(port, "large.Mjpeg") as fast,
    ):
        slow.control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        for client in (slow, fast):
            client.set_up("tcp")
            client.start = rtp_info(client.play("Speed: 4"))["rtptime"]
        begun = time.monotonic()
        assert fast.wait(lambda: goodbyes(fast))
        assert time.monotonic() - begun < len(large) / FPS / 4 + 3
        assert pictures_by_time(fast) == list(enumerate(map(taken_apart, large)))
        slow.control.sendall(slow.request("GET_PARAMETER"))
        assert slow.next_reply().status == 200
        assert slow.wait(lambda: goodbyes(slow))
        arrived = pictures_by_time(slow)
        assert 0 < len(arrived) < len(large), "whole pictures were dropped"
        assert all(picture == taken_apart(large[number]) for number, picture in arrived)
        assert slow.play("Range: npt=1-").status == 200
        slow.forget_media()
        slow.wait_for_pictures(5)


def pictures_by_time(client: StandardClient) -> list[tuple[int, Picture]]:
    """The pictures, each with its place in the movie by its timestamp."""
    packets = client.rtp_packets
    stamps = [packet.timestamp for packet in packets if packet.marker]
    places = [((stamp - client.start) & 0xFFFFFFFF) * FPS // 90_000 for stamp in stamps]
    return list(zip(places, put_together(packets), strict=True))


def test_a_stopped_reader_can_tear_down_later(port) -> None:
    with StandardClient(port, "long.Mjpeg") as client:
        client.set_up("tcp")
        client.play("Speed: 4")
        time.sleep(0.5)  # nothing is read meanwhile
        assert client.ask_in_session("TEARDOWN").status == 200
        assert client.set_up("tcp").status == 200


def test_a_client_that_vanishes_takes_its_stream_along(long_client) -> None:
    client = long_client
    client.set_up("udp")
    client.play()
    client.wait_for_pictures(2)
    reset(client.control)
    client.control.close()
    client.closed = True
    time.sleep(0.1)
    client.take()
    client.forget_media()
    time.sleep(0.2)
    client.take()
    assert client.datagrams == ([], [])


def test_junk_on_the_media_ports_is_ignored(client, frames) -> None:
    """Players open the way with it: ffmpeg, live555 and GStreamer each in their own manner."""
    client.set_up("udp")
    for junk in (
        b"",
        b"\xce\xfa\xed\xfe",
        b"\x80\0\0\0" * 3,
        b"\x80\xc9\0\1" + bytes(4),
        bytes(200),
    ):
        client.rtp.sendto(junk, (HOST, client.server_ports[0]))
        client.rtcp.sendto(junk, (HOST, client.server_ports[1]))
    client.play()
    assert client.wait(lambda: goodbyes(client))
    assert_pictures(client, frames[:COUNT])


# --- Other programs, as they are ------------------------------------------------------------------


def test_a_session_as_live555_has_it(port, frames) -> None:
    """First CSeq 2, its own header first, junk punches, a closed range, reports, stop on BYE."""
    with StandardClient(port) as client:
        agent = "User-Agent: VLC media player (LIVE555 Streaming Media v2016.11.28)"
        client.cseq = 1
        assert client.ask("OPTIONS", None, agent)["CSeq"] == "2"
        base = client.ask("DESCRIBE", None, agent, "Accept: application/sdp")["Content-Base"]
        refused = client.set_up("RAW/RAW/UDP;unicast;client_port=5000-5001", base + "trackID=0")
        assert refused.status == 461
        ssrc = int(client.set_up("udp", base + "trackID=0", agent).transport["ssrc"], 16)
        for end, number in ((client.rtp, 0), (client.rtcp, 1)):
            end.sendto(b"\xce\xfa\xed\xfe", (HOST, client.server_ports[number]))
        session = f"Session: {client.session}"
        reply = client.ask("PLAY", base, agent, session, "Range: npt=0.000-0.400")
        assert (reply.status, reply["Range"]) == (200, "npt=0.000-0.400")
        client.wait_for_pictures(COUNT // 2)
        client.send_rtcp(receiver_report(ssrc))
        assert client.wait(lambda: goodbyes(client) == [ssrc])
        assert_pictures(client, frames[:COUNT])
        assert client.ask("TEARDOWN", base, agent, session).status == 200


def test_the_java_lab_of_htw_dresden(client, frames) -> None:
    port = client.client_ports[0]
    reply = client.send_raw(
        f"SETUP {client.url} RTSP/1.0\r\nCseq: 1\r\n"
        f"Transport: rtp/upd; compression; port={port}-{port + 1}; mode=PLAY\r\n\r\n".encode()
    )
    assert (reply.status, reply["CSeq"]) == (200, "1")
    client.send_raw(
        f"PLAY {client.url} RTSP/1.0\r\nCseq: 2\r\nSession: {reply.session}\r\n\r\n".encode()
    )
    assert client.wait(lambda: goodbyes(client))
    assert_pictures(client, frames[:COUNT])


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize("blank", [True, False])
@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE"])
def test_asked_in_the_lab_dialect(port, eol, blank, method) -> None:
    """Status line, CSeq and Session first; the description after a blank line."""
    request = f"{method} movie.Mjpeg RTSP/1.0{eol}CSeq: 5{eol}" + (eol if blank else "")
    with Peer(port) as peer:
        peer.socket.sendall(request.encode())
        reply = peer.socket.recv(4096).decode()
    lines = reply.split(eol)
    assert lines[:3] == ["RTSP/1.0 200 OK", "CSeq: 5", "Session: 0"]
    if method == "OPTIONS":
        assert lines[3] == f"Public: {METHODS}"
    else:
        head, _, body = reply.partition(eol + eol)
        assert body.startswith("v=0\r\n")
        assert f"Content-Length: {len(body)}" in head


def test_the_lab_dialect_and_the_standard_at_the_same_time(port, frames) -> None:
    with StandardClient(port) as standard, PythonLabClient((HOST, port)) as lab:
        lab.setup()
        standard.set_up("tcp")
        assert lab.play().status == 200
        standard.play()
        whole = [read_rtp(packet) for packet in lab.rtp.wait_for_packets(COUNT)]
        assert standard.wait(lambda: goodbyes(standard))
    assert [packet.payload for packet in whole] == frames[:COUNT]
    assert [packet.sequence for packet in whole] == list(range(1, COUNT + 1))
    assert_pictures(standard, frames[:COUNT])
