"""Clients that publish by ANNOUNCE and RECORD, as scripts: who may, and what harms nobody."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from local_server import in_a_thread
from movies import MOVIE, frames_of, write_movie
from standard_clients import Reply, StandardClient, goodbyes
from standard_servers import interleaved
from waiting import wait_until
from wording import lacks

from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtp.rtcp import ReportBlock, SenderReport, parse_compound
from rtplab.protocol.rtp.rtpjpeg import packetize
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.process.server import RtspServer
from rtplab.serving.rtp.sourcereports import SourceReports
from rtplab.serving.rtsp.service import Service

HOST = "127.0.0.1"
LIMIT = 10.0
MJPEG = 26
DESCRIPTION = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:streamid=0\r\n"
)


def serving(service: Service) -> AbstractContextManager[int]:
    """A server in a thread; gives its port."""
    return in_a_thread(RtspServer(service), HOST)


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:10]


@pytest.fixture
def service(tmp_path: Path, frames: list[bytes]) -> Service:
    write_movie(tmp_path / "movie.Mjpeg", frames)
    return Service(MovieLibrary(tmp_path), publishing=True)


@pytest.fixture
def port(service: Service) -> Iterator[int]:
    with serving(service) as port:
        yield port


class Publisher(StandardClient):
    """Announces, sets up by TCP, records and sends pictures."""

    def __init__(self, port: int, name: str = "cam") -> None:
        super().__init__(port, name)
        self.number, self.time = 65_500, 0  # so that the numbers soon begin anew

    def announce(self, description: str = DESCRIPTION) -> int:
        return self.ask("ANNOUNCE", None, "Content-Type: application/sdp", body=description).status

    def set_up_recording(self, transport: str = "tcp") -> Reply:
        return self.set_up(transport, f"{self.url}/streamid=0")

    def publish(self) -> int:
        assert self.announce() == 200
        assert self.set_up_recording().status == 200
        return self.ask_in_session("RECORD").status

    def packets(self, picture: bytes) -> list[bytes]:
        payloads = packetize(picture, 1400)
        self.time += 3600
        packets = []
        for index, payload in enumerate(payloads, 1):
            is_last = index == len(payloads)
            packets.append(pack_header(is_last, MJPEG, self.number % 65536, self.time, 7) + payload)
            self.number += 1
        return packets

    def show(self, picture: bytes) -> None:
        for packet in self.packets(picture):
            self.control.sendall(interleaved(0, packet))


def watch(port: int, name: str = "cam") -> StandardClient:
    viewer = StandardClient(port, name)
    viewer.set_up("tcp")
    assert viewer.play().status == 200
    return viewer


def test_publishing_is_off_unless_asked_for(tmp_path) -> None:
    with serving(Service(MovieLibrary(tmp_path))) as port, Publisher(port) as publisher:
        assert publisher.announce() == 501
        assert "RECORD" not in publisher.ask("OPTIONS", "*")["Public"]


def test_what_comes_is_seen_by_viewers_of_all_kinds(port, service, frames) -> None:
    with Publisher(port) as publisher:
        assert publisher.publish() == 200
        publisher.show(frames[0])
        wait_until(lambda: service.live.find("cam") and service.live.find("cam").picture())
        with watch(port) as viewer:
            for frame in frames[1:6]:
                publisher.show(frame)
                time.sleep(0.02)
            assert viewer.wait(lambda: viewer.pictures >= 6)
        assert (
            publisher.ask("TEARDOWN", publisher.url, f"Session: {publisher.session}").status == 200
        )
        wait_until(lambda: service.live.find("cam") is None)


@pytest.mark.parametrize("ends", ["hang up", "TEARDOWN", "PAUSE"])
def test_viewers_are_told_when_the_publisher_goes(port, frames, ends) -> None:
    with Publisher(port) as publisher:
        publisher.publish()
        publisher.show(frames[0])
        with watch(port) as viewer:
            assert viewer.wait(lambda: viewer.pictures)
            if ends == "hang up":
                publisher.control.close()
            else:
                publisher.ask_in_session(ends)
            assert viewer.wait(lambda: goodbyes(viewer))


def test_viewers_wait_for_a_publisher_who_comes_back(tmp_path, frames) -> None:
    service = Service(MovieLibrary(tmp_path), publishing=True, wait=LIMIT)
    with serving(service) as port:
        with Publisher(port) as publisher:
            publisher.publish()
            publisher.show(frames[0])
            viewer = watch(port)
            assert viewer.wait(lambda: viewer.pictures)
        with viewer, Publisher(port) as again:
            assert again.publish() == 200
            again.show(frames[1])
            assert viewer.wait(lambda: viewer.pictures >= 2)
            numbers = [packet.sequence for packet in viewer.rtp_packets]
            assert [(number - numbers[0]) % 65536 for number in numbers] == list(
                range(len(numbers))
            )


def test_a_second_publisher_of_a_name_is_refused(port, frames) -> None:
    with Publisher(port) as first, Publisher(port) as second:
        assert first.publish() == 200
        first.show(frames[0])
        assert second.publish() == 403
        with watch(port) as viewer:
            assert viewer.wait(lambda: viewer.pictures)


@pytest.mark.parametrize(
    ("name", "status"),
    [("movie.Mjpeg", 403), ("a/b", 403), ("", 403), ("x" * 200, 403), ("cam", 200)],
)
def test_not_every_name_may_be_published(port, name, status) -> None:
    with Publisher(port, name) as publisher:
        assert publisher.announce() == status


@pytest.mark.parametrize(
    ("description", "status"),
    [
        (DESCRIPTION.replace("26", "96") + "a=rtpmap:96 H264/90000\r\n", 415),
        (DESCRIPTION.replace("26", "96") + "a=rtpmap:96 JPEG/90000\r\n", 200),
        (DESCRIPTION + "m=audio 0 RTP/AVP 0\r\n", 415),
        (DESCRIPTION.replace("video", "audio"), 415),
        ("v=0\r\n", 415),
        (DESCRIPTION.replace("26", "\u00b2"), 400),
        (DESCRIPTION.replace("26", "9" * 5000), 400),
        (DESCRIPTION.replace("26", "x") + "a=rtpmap:-1 JPEG/90000\r\n", 400),
        ("nonsense", 400),
        ("", 400),
    ],
)
def test_only_jpeg_may_be_published(port, description, status) -> None:
    with Publisher(port) as publisher:
        assert publisher.announce(description) == status


def test_what_does_not_fit_the_order_is_refused(port) -> None:
    with Publisher(port) as publisher:
        assert publisher.ask_in_session("RECORD").status == 455
        assert publisher.announce() == 200
        publisher.session = "12345678"
        assert publisher.ask_in_session("RECORD").status == 455
        assert publisher.ask_in_session("PLAY").status == 454
        assert publisher.set_up_recording("RTP/AVP;multicast").status == 461
        assert publisher.set_up_recording().status == 200
        publisher.session = "12345678"
        assert publisher.ask_in_session("RECORD").status == 454


def test_garbage_and_half_pictures_harm_nobody(port, service, frames) -> None:
    with Publisher(port) as publisher:
        publisher.publish()
        publisher.show(frames[0])
        with watch(port) as viewer:
            assert viewer.wait(lambda: viewer.pictures == 1)
            for size in (0, 1, 11, 12, 20, 1400, 65_000):
                junk = os.urandom(size)
                head = pack_header(1, MJPEG, publisher.number % 65536, 0, 7)
                publisher.number += 1
                for channel, packet in ((0, junk), (1, junk), (2, junk), (0, head + junk)):
                    publisher.control.sendall(interleaved(channel, packet))
            half = publisher.packets(frames[1])[:-1]
            for packet in half:
                publisher.control.sendall(interleaved(0, packet))
            publisher.show(frames[2])
            publisher.show(frames[3])
            assert viewer.wait(lambda: viewer.pictures >= 2)
        assert (
            publisher.ask("GET_PARAMETER", publisher.url, f"Session: {publisher.session}").status
            == 200
        )


def test_by_udp_only_the_publisher_s_own_packets_count(port, service, frames) -> None:
    with Publisher(port) as publisher, socket.socket(type=socket.SOCK_DGRAM) as stranger:
        assert publisher.announce() == 200
        assert publisher.set_up_recording("udp").status == 200
        assert publisher.ask_in_session("RECORD").status == 200
        ours = HOST, publisher.server_ports[0]
        for packet in publisher.packets(frames[4]):
            stranger.sendto(packet, ours)
        for packet in publisher.packets(frames[5]):
            publisher.rtp.sendto(packet, ours)
        live = service.live.find("cam")
        assert live is not None
        wait_until(lambda: live.picture(0.1))
        picture = live.picture()
        assert picture is not None and _scan(picture.jpeg()) == _scan(frames[5])


def _scan(picture: bytes) -> bytes:
    """What is the same however the headers are written."""
    return picture[picture.rindex(b"\xff\xda") + 14 :]


def test_the_log_tells_the_story_of_a_publisher(port, caplog) -> None:
    caplog.set_level("INFO", "rtplab")
    with Publisher(port) as publisher:
        publisher.publish()
        publisher.ask_in_session("TEARDOWN")
        name = "{}:{}".format(*publisher.control.getsockname())
    wait_until(lambda: " gone: " in caplog.text)
    lines = [line.removeprefix(name) for line in caplog.messages if line.startswith(name)]
    assert [line.split()[0] for line in lines] == [
        "connected",
        "set",
        "publishes",
        "tears",
        "gone:",
    ]
    assert not lacks(lines[1], "cam", "TCP", "publish") and "cam" in lines[2]
    assert "hung up" in lines[4]


# --- What a publisher is told --------------------------------------------------------------------


def test_a_report_counts_as_rfc_3550_does() -> None:
    reports = SourceReports(7, "name", now=0.0)
    reports.take_report(SenderReport(7, 0x1234_5678_9ABC_0000, 0, 0, 0), now=9.0)
    reports.take_report(SenderReport(8, 1 << 40, 0, 0, 0), now=9.5)  # somebody else's
    assert reports.report_if_due(1.0) is None
    for number, moment in ((65_534, 0.0), (65_535, 0.1), (65_537, 0.3), (65_538, 0.4)):
        reports.take_packet(number, int(moment * 90_000), moment)
    report = reports.report_if_due(10.0)
    assert report is not None and reports.report_if_due(10.1) is None
    (block,) = parse_compound(report)[0].blocks
    assert block == ReportBlock(7, 256 // 5, 1, 65_538, 0, 0x5678_9ABC, 65_536)
    reports.take_packet(65_539, 45_000, 1.0)  # half a second late
    (block,) = parse_compound(reports.report_if_due(30.0))[0].blocks
    assert (block.fraction_lost, block.cumulative_lost) == (0, 1)
    assert block.jitter == round(0.5 * 90_000 / 16)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_publisher_is_told_how_its_packets_arrive(port, frames, monkeypatch, transport) -> None:
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", 0.02)
    with Publisher(port) as publisher:
        assert publisher.announce() == 200
        assert publisher.set_up_recording(transport).status == 200
        assert publisher.ask_in_session("RECORD").status == 200
        for _ in range(5):
            for packet in publisher.packets(frames[0]):
                if transport == "tcp":
                    publisher.control.sendall(interleaved(0, packet))
                else:
                    publisher.rtp.sendto(packet, (HOST, publisher.server_ports[0]))
            time.sleep(0.05)
        assert publisher.wait(lambda: publisher.media(1))
        (block,) = parse_compound(publisher.media(1)[0])[0].blocks
        assert (block.ssrc, block.cumulative_lost) == (7, 0)
