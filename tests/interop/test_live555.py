"""A session as live555 (openRTSP; VLC as most systems have it) holds it, on our server.

Debian's VLC is built without live555, so what it sends is replayed: the first CSeq is 2, 4 bytes
of junk open the way to both ports, PLAY names a closed range, a receiver report goes out about
every 4 s, BYE ends it all. A refused transport is answered with the other one.
"""

from __future__ import annotations

import re
import struct
import time

import pytest
from local_server import local_server
from movies import MOVIE, frames_of, write_movie
from processes import ServerProcess
from received import Received
from standard_clients import HOST, StandardClient, goodbyes

from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service

FRAMES = 120
FPS = 20
SECONDS = 5  # of the movie's 6: the end of the range is not the movie's
REPORT_INTERVAL = 4.0
SENDER_REPORT = 200
OWN_SSRC = 0x1234ABCD
PUNCH = b"\xfe\xed\xfa\xce"  # live555's way through a NAT
USER_AGENT = "User-Agent: openRTSP (LIVE555 Streaming Media v2022.12.01)"
INTERLEAVED = "RTP/AVP/TCP;unicast;interleaved=0-1"


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    media = tmp_path_factory.mktemp("media")
    write_movie(media / "movie.Mjpeg", frames_of(MOVIE)[:FRAMES])
    return media


@pytest.fixture(scope="module")
def server(media):
    with ServerProcess(media, "--log-level", "debug") as process:
        yield process


class Live555:
    """The requests, in live555's order and form."""

    def __init__(self, client, port):
        self.client = client
        self.url = f"rtsp://{HOST}:{port}/movie.Mjpeg"
        self.cseq = 1
        self.session = ""

    def ask(self, method, url, *lines):
        self.cseq += 1
        if self.session:
            lines = (f"Session: {self.session}", *lines)
        head = [f"{method} {url} RTSP/1.0", f"CSeq: {self.cseq}", USER_AGENT, *lines]
        reply = self.client.send_raw(("\r\n".join(head) + "\r\n\r\n").encode())
        assert reply["CSeq"] == str(self.cseq)
        return reply

    def describe(self):
        """OPTIONS and DESCRIBE; sets the URLs that follow from the description."""
        options = self.ask("OPTIONS", self.url)
        assert options.status == 200
        methods = re.split(r", *", options["Public"])
        assert {"DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER"} <= {*methods}
        reply = self.ask("DESCRIBE", self.url, "Accept: application/sdp")
        assert reply.status == 200
        assert reply["Content-Type"] == "application/sdp"
        self.base = reply["Content-Base"]
        assert self.base == self.url + "/"
        session, _, video = reply.body.decode().partition("m=video 0 RTP/AVP 26\r\n")
        assert "a=range:npt=0-6.000\r\n" in session
        self.track = self.base + re.search(r"a=control:(\S+)\r\n", video)[1]
        return reply

    def set_up(self, transport):
        reply = self.ask("SETUP", self.track, f"Transport: {transport}")
        if reply.status == 200:
            self.session, _, timeout = reply["Session"].partition(";timeout=")
            assert int(timeout) >= 30
        return reply

    def play(self, end):
        return self.ask("PLAY", self.base, f"Range: npt=0.000-{end:.3f}")


def parameters(transport):
    return dict(pair.partition("=")[::2] for pair in transport.split(";"))


def play_to_the_bye(live555, report):
    """PLAY and what follows; checks it against what the replies say."""
    reply = live555.play(SECONDS)
    assert reply.status == 200
    assert reply["Range"] == "npt=0.000-5.000"
    client, seen = live555.client, 0
    while not client.wait(lambda: goodbyes(client), REPORT_INTERVAL):
        assert len(client.media(0)) > seen, "nothing comes any more"
        seen = len(client.media(0))
        report()
    received = Received(client.media(0), client.media(1))
    assert received.frames() == list(range(1, SECONDS * FPS + 1))
    check_numbering(received.headers(), reply["RTP-Info"], live555.track)
    types = received.rtcp_types()
    assert types[0] == SENDER_REPORT
    assert types.count(SENDER_REPORT) >= 2


def ports_of(transport):
    first, _, second = transport["server_port"].partition("-")
    return int(first), int(second)


def receiver_report(ssrc, highest):
    """A receiver report on one sender: nothing lost (RFC 3550 section 6.4.2), and SDES."""
    block = struct.pack(">IIIIII", ssrc, 0, highest, 30, 0, 0)
    report = struct.pack(">BBHI", 0x81, 201, 7, OWN_SSRC) + block
    name = struct.pack(">BBHIBB", 0x81, 202, 3, OWN_SSRC, 1, 4) + b"host\0\0"
    return report + name


def check_numbering(headers, rtp_info, track):
    """Sequence numbers and timestamps begin as RTP-Info says, and go on without a gap."""
    info = parameters(rtp_info)
    assert info["url"] == track
    first = int(info["seq"])
    expected = [(first + index) & 0xFFFF for index in range(len(headers))]
    assert [sequence for _, _, sequence, _, _ in headers] == expected
    ticks = [(stamp - int(info["rtptime"])) & 0xFFFFFFFF for _, _, _, stamp, _ in headers]
    assert sorted({*ticks}) == [90_000 // FPS * frame for frame in range(SECONDS * FPS)]
    assert ticks == sorted(ticks)
    assert {first_byte for first_byte, *_ in headers} == {0x80}  # version 2 and nothing else
    assert {second & 0x7F for _, second, *_ in headers} == {26}


def test_over_udp(server):
    with StandardClient(server.port) as client:
        live555 = Live555(client, server.port)
        live555.describe()
        ports = "{}-{}".format(*client.client_ports)
        reply = live555.set_up(f"RTP/AVP;unicast;client_port={ports}")
        transport = parameters(reply["Transport"])
        assert transport["client_port"] == ports
        rtp_port, rtcp_port = client.server_ports = ports_of(transport)
        for _ in range(2):
            client.rtp.sendto(PUNCH, (HOST, rtp_port))
            client.rtcp.sendto(PUNCH, (HOST, rtcp_port))
        ssrc = int(transport["ssrc"], 16)

        def report():
            client.send_rtcp(receiver_report(ssrc, client.rtp_packets[-1].sequence))

        play_to_the_bye(live555, report)
        assert {packet.ssrc for packet in client.rtp_packets} == {ssrc}
        assert live555.ask("TEARDOWN", live555.base).status == 200
    assert re.search(r" reports .*lost.* 0 ", server.errors())


def test_over_tcp_after_the_first_transport_is_refused(server):
    """On 461 it asks for the other transport, over the same connection."""
    with StandardClient(server.port) as client:
        live555 = Live555(client, server.port)
        live555.describe()
        ports = "{}-{}".format(*client.client_ports)
        assert live555.set_up(f"RTP/AVP;multicast;client_port={ports}").status == 461
        reply = live555.set_up(INTERLEAVED)
        transport = parameters(reply["Transport"])
        assert transport["interleaved"] == "0-1"
        client.channels = 0, 1
        ssrc = int(transport["ssrc"], 16)

        def report():
            client.send_rtcp(receiver_report(ssrc, client.rtp_packets[-1].sequence))

        play_to_the_bye(live555, report)
        assert live555.ask("TEARDOWN", live555.base).status == 200


# --- receiver reports as the only sign of life ----------------------------------------------------

SHORT_TIMEOUT = 1.0  # seconds; in place of the minute that a session has


@pytest.fixture
def impatient(media):
    with local_server(Service(MovieLibrary(media), session_timeout=SHORT_TIMEOUT)) as port:
        yield port


def set_up_quietly(client, transport):
    """Set up with the fewest words; the parameters of the transport."""
    reply = client.set_up(transport)
    assert reply.status == 200
    return reply.transport


def still_open(client):
    """Whether the server has not hung up."""
    return not client.wait(lambda: client.closed, 0.05)


def live(client, report):
    """Send reports for three timeouts, and nothing else."""
    for _ in range(12):
        report()
        time.sleep(SHORT_TIMEOUT / 4)
    return still_open(client)


def test_receiver_reports_keep_a_session_alive_over_udp(impatient):
    with StandardClient(impatient) as client:
        transport = set_up_quietly(client, "udp")
        report = receiver_report(int(transport["ssrc"], 16), 0)
        assert live(client, lambda: client.send_rtcp(report))


def test_receiver_reports_keep_a_session_alive_over_tcp(impatient):
    with StandardClient(impatient) as client:
        transport = set_up_quietly(client, "tcp")
        report = receiver_report(int(transport["ssrc"], 16), 0)
        assert live(client, lambda: client.send_rtcp(report))


def test_a_session_without_any_sign_of_life_ends(impatient):
    with StandardClient(impatient) as client:
        set_up_quietly(client, "udp")
        time.sleep(SHORT_TIMEOUT * 1.5)
        assert not still_open(client)
