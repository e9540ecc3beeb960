"""Wireshark's judgement of a whole session of our server and our client, taken off the wire."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from local_server import local_server
from movies import MOVIE, frames_of, write_movie
from needs import need
from peers import TCP, TRANSPORTS, UDP, need_command
from processes import run_client

from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service

pytestmark = pytest.mark.peers

FRAMES = 60
HOST = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
"""A loopback address that nobody else uses, not even the same test in another process: all that is
captured belongs to our sessions."""
LIMIT = 15.0
DISCARD = 9  # a port that nobody listens on
FIRST_PROBE, LAST_PROBE = b"the first", b"the very last one"
UDP_HEADER = 8  # bytes

PICTURE_SIZE = (384 // 8, 288 // 8)
SENDER_REPORT, RECEIVER_REPORT, NAMES, BYE = "200", "201", "202", "203"


class Capture:
    """What tshark says of a capture file."""

    def __init__(self, path, port):
        self._command = ["tshark", "-r", str(path), "-d", f"tcp.port=={port},rtsp"]

    def fields(self, name, shown="frame"):
        """All values of a field in the packets that the filter shows, in order."""
        options = ["-Y", shown, "-T", "fields", "-e", name, "-E", "aggregator=|"]
        lines = output(*self._command, *options).splitlines()
        return [value for line in lines if line for value in line.split("|")]

    def flags(self, name, *which):
        """All values of a field that is true or false: tshark writes 1 and 0, or True and False."""
        read = {"1": True, "True": True, "0": False, "False": False}
        return [read[value] for value in self.fields(name, *which)]

    def complaints(self):
        """The packets that are malformed or carry a warning or an error, TCP's own left aside."""
        wrong = '_ws.malformed || (_ws.expert.severity >= "Warning" && !tcp.analysis.flags)'
        return output(*self._command, "-Y", wrong)


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def captured(path):
    """Capture all that goes from and to HOST; it is in the file when the block is left."""
    options = ["-w", str(path), "-P", "-l", "-T", "fields", "-e", "udp.length"]
    process = subprocess.Popen(
        ["tshark", "-i", "lo", "-f", f"host {HOST}", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_probe(process, FIRST_PROBE)
        yield
        wait_for_probe(process, LAST_PROBE)
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT)


def wait_for_probe(process, probe):
    """Send a datagram until tshark has seen one: then it has seen all that came before it."""
    deadline = time.monotonic() + LIMIT
    length = b"%d" % (UDP_HEADER + len(probe))
    seen = b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while length not in seen.replace(b",", b"\n").split(b"\n"):
            assert time.monotonic() < deadline, f"tshark sees no probe: {seen!r}"
            sender.sendto(probe, (HOST, DISCARD))
            if select.select([process.stdout], [], [], 0.1)[0]:
                news = os.read(process.stdout.fileno(), 65536)
                need(news, "the right to capture on the loopback interface")
                seen += news


@pytest.fixture(scope="module", params=TRANSPORTS)
def session(request, tmp_path_factory):
    """(transport, the client's report, the capture) of the movie played once."""
    need_command("tshark")
    folder = tmp_path_factory.mktemp(request.param)
    write_movie(folder / "movie.Mjpeg", frames_of(MOVIE)[:FRAMES])
    with pytest.MonkeyPatch.context() as patch:
        # On the loopback interface a capture would show several datagrams as one large one.
        patch.setattr("rtplab.serving.rtp.sinks._SEGMENTING", False)
        path = folder / "session.pcapng"
        with local_server(Service(MovieLibrary(folder)), HOST) as port, captured(path):
            url = f"rtsp://{HOST}:{port}/movie.Mjpeg"
            run = run_client("--headless", "--json", "--transport", request.param, url)
    assert run.status == 0, run.stderr
    assert run.report["frames"] == FRAMES
    return request.param, run.report, Capture(path, port)


def test_nothing_is_malformed_or_doubtful(session):
    _, _, capture = session
    assert capture.complaints() == ""


def test_every_packet_is_read_as_rtp_and_jpeg(session):
    transport, report, capture = session
    media = "rtp.p_type == 26"  # by UDP, the player's first packet opens the way for them
    numbers = [int(number) for number in capture.fields("rtp.seq", media)]
    first = numbers[0]
    assert numbers == [(first + index) & 0xFFFF for index in range(report["packets"])]
    offsets = [int(offset) for offset in capture.fields("jpeg.main_hdr.offset")]
    assert len(offsets) == report["packets"]
    assert offsets.count(0) == FRAMES
    assert capture.flags("rtp.marker", media).count(True) == FRAMES
    assert capture.fields("rtp.p_type", "rtp && !jpeg") == (["0"] if transport == UDP else [])
    sides = capture.fields("jpeg.main_hdr.width"), capture.fields("jpeg.main_hdr.height")
    assert ({*sides[0]}, {*sides[1]}) == ({"384"}, {"288"})


def test_the_reports_are_read_as_rtcp(session):
    _, _, capture = session
    from_server = capture.fields("rtcp.pt", f"ip.src == {HOST} && !icmp")
    assert {SENDER_REPORT, NAMES, BYE} <= {*from_server} <= {SENDER_REPORT, NAMES, BYE}
    from_client = capture.fields("rtcp.pt", f"ip.dst == {HOST} && !icmp")
    assert {RECEIVER_REPORT, NAMES} <= {*from_client} <= {RECEIVER_REPORT, NAMES, BYE}


def test_the_dialogue_is_read_as_rtsp_and_sdp(session):
    transport, _, capture = session
    methods = capture.fields("rtsp.method")
    assert methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert capture.fields("rtsp.status") == ["200"] * len(methods)
    assert capture.fields("sdp.media") == ["video 0 RTP/AVP 26"]
    chosen = capture.fields("rtsp.transport", "rtsp.status")
    form = {UDP: "RTP/AVP;unicast;client_port=", TCP: "RTP/AVP/TCP;unicast;interleaved="}
    assert [answer.startswith(form[transport]) for answer in chosen] == [True]
