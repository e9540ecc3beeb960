"""Servers that are odd in exactly one way, by every transport: each is played as if it were not.

Every frame arrives to the bit, reports name the source that sends, the session is kept alive and
ended in good order. What else follows from an oddity is in test_odd_servers.py.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress

import pytest
from lab_servers import PythonLabServer
from lab_servers import rtp as lab_rtp
from movies import MOVIE, frames_of
from processes import run_client
from standard_servers import (
    FPS,
    HOST,
    SSRC,
    StandardServer,
    bye,
    interleaved,
    jpeg_payloads,
    report_blocks,
    rtcp_packets,
)
from test_foreign_servers import camera_payloads, file_payloads
from test_odd_servers import HangsUpAtDollar, Hints, LeavesOut, Stamps
from test_standard_client import assert_same_pictures, watching

from Client import Client
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtp import receiver

pytestmark = pytest.mark.long

BYE = 203
COUNT = 8
TRANSPORTS = ("udp", "tcp", "auto")
INTERVAL = 0.02  # seconds from frame to frame
TIMEOUT = 0.1  # seconds of a session
PLENTY = 10.0
"""Seconds for a run: less than waiting for two replies in vain takes, start and end included."""


class Rewrites(StandardServer):
    """Writes its replies in a way of its own."""

    def rewritten(self, head: str) -> str:
        raise NotImplementedError

    def reply(self, viewer, request, status="200 OK", headers=(), body=""):
        rewriter = Rewriter(self, viewer)
        super().reply(rewriter, request, status, headers, body)


class Rewriter:
    """Stands for the viewer while the server replies."""

    def __init__(self, server: Rewrites, viewer) -> None:
        self.server = server
        self.viewer = viewer

    def send(self, data: bytes) -> None:
        head, blank, body = data.decode().partition("\r\n\r\n")
        self.viewer.send((self.server.rewritten(head) + blank + body).encode())


def rewrites(pattern: str, replacement: str) -> type[StandardServer]:
    class Server(Rewrites):
        def rewritten(self, head):
            return re.sub(pattern, replacement, head)

    return Server


def hints(hint: str | None) -> type[StandardServer]:
    return type("Server", (Hints,), {"hint": hint})


def leaves_out(header: str) -> type[StandardServer]:
    return type("Server", (LeavesOut,), {"header": header})


def stamps(**values: int) -> type[StandardServer]:
    return type("Server", (Stamps,), values)


def describes(*lines: str) -> type[StandardServer]:
    class Server(StandardServer):
        def description(self):
            return "\r\n".join([*lines, ""])

    return Server


class WithQuery(StandardServer):
    """Dahua, Amcrest, Vivotek."""

    control = "trackID=0"

    @property
    def url(self):
        return f"{super().url}?channel=1&subtype=1"

    def do_SETUP(self, viewer, request):
        assert request.uri == f"{self.url}/trackID=0"
        super().do_SETUP(viewer, request)


class StampsAnew(StandardServer):
    """Timestamps begin again in the midst of the movie."""

    def packets(self, viewer):
        stamp = (viewer.position % (COUNT // 2)) * 90_000 // FPS
        for packet in super().packets(viewer):
            yield packet[:4] + stamp.to_bytes(4, "big") + packet[8:]


class Asks(StandardServer):
    """Asks in turn, and goes on in the same segment."""

    def packets(self, viewer):
        question = b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 7\r\n\r\n"
        first, *others = super().packets(viewer)
        viewer.send(question + (interleaved(0, first) if viewer.channels else b""))
        return others if viewer.channels else [first, *others]


class KnowsOldNumbers(StandardServer):
    """Micro-RTSP: 400 and the CSeq of before, to what it does not know."""

    def do_GET_PARAMETER(self, viewer, request):
        viewer.send(b"RTSP/1.0 400 Bad Request\r\nCSeq: 1\r\n\r\n")


class SaysNothingToSignsOfLife(StandardServer):
    def do_GET_PARAMETER(self, viewer, request):
        pass


class HasNoPublic(StandardServer):
    """rtsp-streaming-server: lists its methods under a name of its own, some of them."""

    def do_OPTIONS(self, viewer, request):
        self.reply(viewer, request, headers=["OPTIONS: DESCRIBE SETUP PLAY STOP"])

    def do_GET_PARAMETER(self, viewer, request):
        self.reply(viewer, request, "501 Not Implemented")


class NeverEnds(StandardServer):
    """go2rtc: does not answer TEARDOWN, and goes on sending."""

    def do_TEARDOWN(self, viewer, request):
        viewer.position = 0
        viewer.start()


class SendsParity(StandardServer):
    """Packets of another payload type between those of the pictures, in the same numbering."""

    def packets(self, viewer):
        for packet in super().packets(viewer):
            yield packet
            viewer.sequence += 1
            number = viewer.sequence.to_bytes(4, "big")[2:]
            yield packet[:1] + bytes([127]) + number + packet[4:12] + bytes(200)


class NoSessionBeforePlay(LeavesOut):
    header = "Session"
    session = "s-000001;timeout=1"


class ShortSession(StandardServer):
    session = "s-1;timeout=60"


class SendsFromSetup(StandardServer):
    """rtsp-server-perl: who is set up is sent what there is; here the end of a frame."""

    def do_SETUP(self, viewer, request):
        super().do_SETUP(viewer, request)
        *_, last = self.packets(viewer)
        viewer.send_rtp(last)
        viewer.sent += 1


class Reorders(StandardServer):
    """TLS, and many another server: headers in no order that one would expect."""

    def reply(self, viewer, request, status="200 OK", headers=(), body=""):
        super().reply(viewer, request, status, [*headers][::-1], body)


class EndsLinesWithLf(StandardServer):
    def reply(self, viewer, request, status="200 OK", headers=(), body=""):
        super().reply(EndsLines(viewer), request, status, headers, body)


class EndsLines:
    """Stands for the viewer while the server replies."""

    def __init__(self, viewer) -> None:
        self.viewer = viewer

    def send(self, data: bytes) -> None:
        head, blank, body = data.partition(b"\r\n\r\n")
        self.viewer.send((head + blank).replace(b"\r\n", b"\n") + body)


class SaysMore(StandardServer):
    """Puts a line of its own between its replies."""

    def do_DESCRIBE(self, viewer, request):
        viewer.send(b"debug: 1\r\n")
        super().do_DESCRIBE(viewer, request)


class Large(StandardServer):
    """Width and height are 0 in RTP/JPEG: so it is with pictures of over 2,040 pixels."""

    def packets(self, viewer):
        for packet in super().packets(viewer):
            at = 12 + 6
            yield packet[:at] + b"\0\0" + packet[at + 2 :]


def says_size(line: str) -> type[StandardServer]:
    class Server(Large):
        def media_lines(self):
            return [*super().media_lines(), line]

    return Server


class Onvif(Large):
    """The frame header is in an RTP header extension of the first packet."""

    kinds = (0xC0,)

    def packets(self, viewer):
        first, *others = super().packets(viewer)
        segments = b"".join(map(segments_of(self.frames[viewer.position]).get, self.kinds))
        segments += b"\xff" * (-len(segments) % 4)
        extension = b"\xff\xd8" + (len(segments) // 4).to_bytes(2, "big") + segments
        yield bytes([first[0] | 0x10]) + first[1:12] + extension + first[12:]
        yield from others

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.frames = frames_of(MOVIE)


class OnvifAll(Onvif):
    kinds = (0xDB, 0xC0, 0xC4, 0xDA)


def segments_of(jpeg: bytes) -> dict[int, bytes]:
    """All segments of the headers by their marker."""
    segments, at = {}, 2
    while jpeg[at - 2 : at] != b"" and at < len(jpeg):
        marker, end = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        segments[marker] = segments.get(marker, b"") + jpeg[at:end]
        if marker == 0xDA:
            break
        at = end
    return segments


FIVE_LINES = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=", "t=0 0", "m=video 0 RTP/AVP 26")
JPEG = "m=video 0 RTP/AVP 26"

ODDITIES: dict[str, type[StandardServer]] = {
    "none": StandardServer,
    # what comes before PLAY
    "hangs up at $ before PLAY": HangsUpAtDollar,
    "sends from SETUP on": SendsFromSetup,
    # sources
    "ssrc=00000000": hints("00000000"),
    "ssrc in decimal": hints(str(SSRC)),
    "ssrc with 0x": hints(f"0x{SSRC:X}"),
    "ssrc with blanks": hints(f" {SSRC:08X} "),
    "ssrc of somebody else": hints("DEADBEEF"),
    "no ssrc": hints(None),
    "parity between": SendsParity,
    # addresses and transports
    "query in the address": WithQuery,
    "server_port=0-1": rewrites("server_port=[0-9-]*", "server_port=0-1"),
    "server_port=0-0": rewrites("server_port=[0-9-]*", "server_port=0-0"),
    "no server_port": rewrites(";server_port=[0-9-]*", ""),
    "destination and source": rewrites(
        ";ssrc", ";destination=127.0.0.1;source=127.0.0.1;mode=play;ssrc"
    ),
    "no Transport": leaves_out("Transport"),
    "no Session before PLAY": NoSessionBeforePlay,
    # large pictures
    "a=framesize": says_size("a=framesize:26 384-288"),
    "a=x-dimensions": says_size("a=x-dimensions:384,288"),
    "frame header in an extension": Onvif,
    "all headers in an extension": OnvifAll,
    # headers
    "a short session": ShortSession,
    "blanks before the session": rewrites("Session: *", "Session:        "),
    "blank after the number": rewrites("(CSeq: [0-9]+)", r"\1 "),
    "Cseq": rewrites("CSeq", "Cseq"),
    "cseq": rewrites("CSeq", "cseq"),
    "blank before the timeout": rewrites(";timeout", "; timeout"),
    "no reason": rewrites("200 OK", "200"),
    "a line without a colon": rewrites("(CSeq: .*)", r"\1\r\nNothing new"),
    "lines that end with LF": EndsLinesWithLf,
    "bytes between replies": SaysMore,
    "Range of nonsense": rewrites("Range: npt=.*", "Range: npt=now-soon"),
    "headers in another order": Reorders,
    "no RTP-Info": rewrites("RTP-Info", "X-RTP-Info"),
    "RTP-Info without seq": rewrites(";seq=[0-9]*", ""),
    "RTP-Info without rtptime": rewrites(";rtptime=[0-9]*", ""),
    "RTP-Info of another address": rewrites("url=[^;]*", "url=rtsp://camera/0"),
    "no Range": rewrites("Range", "X-Range"),
    "Range in clock times": rewrites("Range: npt=.*", "Range: clock=20260101T000000Z-"),
    "no Content-Base": rewrites("Content-Base", "X-Content-Base"),
    "Content-Base of another host": rewrites("Content-Base: rtsp://[^/]*", "Content-Base: rtsp:/"),
    # descriptions
    "five lines": describes(*FIVE_LINES),
    "c= below m=": describes(*FIVE_LINES, "c=IN IP4 0.0.0.0"),
    "no o=": describes("v=0", "s=", JPEG),
    "m= of metadata": describes(*FIVE_LINES[:-1], "m=application 0 RTP/AVP 107", JPEG),
    "odd m= lines": describes(
        *FIVE_LINES[:-1], "m=", "m=audio x RTP/AVP", "m=vnd.onvif", JPEG, "m=text 0 y/z 1 2 3"
    ),
    "many formats": describes(*FIVE_LINES[:-1], "m=video 0 RTP/AVP 26 96"),
    "JPEG/90000 with parameters": describes(*FIVE_LINES, "a=rtpmap:26 JPEG/90000/1"),
    # what servers ask, and signs of life
    "asks": Asks,
    "400 with an old number": KnowsOldNumbers,
    "no answer to signs of life": SaysNothingToSignsOfLife,
    "no Public": HasNoPublic,
    "no answer to TEARDOWN": NeverEnds,
    # the place in the movie
    "rtptime 1 s ahead": stamps(rtptime=90_000),
    "rtptime 1 s behind": stamps(first=90_000),
    "rtptime of nowhere": stamps(rtptime=2**31),
    "timestamps of 0": stamps(step=0),
    "timestamps that wrap around": stamps(first=2**32 - 2 * 4500, rtptime=2**32 - 2 * 4500),
    "timestamps that go back": stamps(step=-4500),
    "timestamps that begin again": StampsAnew,
}


PORTS = {"server_port=0-1", "server_port=0-0"}

FORGIVEN = {
    "ssrc=00000000": "00000000",
    "ssrc in decimal": f"{SSRC}",
    "ssrc with 0x": f"0x{SSRC:X}",
    "ssrc of somebody else": f"DEADBEEF.*{SSRC:08X}",
    "server_port=0-1": "server_port.*0-1",
    "server_port=0-0": "server_port.*0-0",
    "no Transport": "Transport.*missing",
    "no Session before PLAY": "Session.*missing",
    "a short session": "Session.*s-1.*8",
    "no reason": "RTSP/1.0 200'",
    "a line without a colon": "Nothing new",
    "lines that end with LF": r"\\n.*\\r\\n",
    "bytes between replies": "debug: 1",
    "RTP-Info of another address": "rtsp://camera/0",
    "Range of nonsense": "Range.*npt=now-soon",
    "no o=": "o=.*missing",
    "odd m= lines": "'m='",
    "400 with an old number": "CSeq.*'1'",
    "rtptime of nowhere": f"rtptime.*{2**31}",
    "timestamps of 0": "timestamp.*later",
    "timestamps that go back": "timestamp.*later",
    "timestamps that begin again": "timestamp.*later",
    "Q that varies": "Q 94.*Q 128",
    "JPEG files": "FFD8",
}
"""What is said of those that are not right, as a pattern; nothing is of the others."""

PAYLOADS = {
    "Q that varies": camera_payloads,
    "JPEG files": file_payloads,
    "small packets": lambda frame: jpeg_payloads(frame, size=200),
    "tables in each first packet": lambda frame: jpeg_payloads(frame, q=255),
}


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:COUNT]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("oddity", [*ODDITIES, *PAYLOADS])
def test_is_played_as_if_it_were_not_odd(oddity, transport, frames, monkeypatch) -> None:
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", INTERVAL)
    cut = PAYLOADS.get(oddity, jpeg_payloads)
    odd = ODDITIES.get(oddity, StandardServer)
    server = patient(odd)([*map(cut, frames)], INTERVAL)
    with server, watching(server, transport) as watcher:
        watcher.client.observer = noted = Remarks()
        watcher.set_up()
        watcher.client._dialogue.timeout = TIMEOUT
        watcher.play()
        received = [frame.data for frame in watcher.frames]
        server.wait(lambda: len(signs_of_life(server)) >= 2)
        forgiven = watcher.client.forgiven
        watcher.client.exitClient()
        server.wait(lambda: server.of("TEARDOWN"))
        assert watcher.client.error == ""
        assert_forgiven(forgiven, oddity, transport)
        assert noted.sentences == forgiven
        assert_same_pictures(received, frames)
        assert_good_order(server, transport)
        assert {*reported_sources(server)} == {SSRC}


class Remarks(Observer):
    """An observer of what is forgiven only."""

    def __init__(self):
        self.sentences = []

    def forgave(self, sentence, when):
        self.sentences.append(sentence)


def assert_forgiven(forgiven: list[str], oddity: str, transport: str) -> None:
    pattern = FORGIVEN.get(oddity)
    if pattern is None or (oddity in PORTS and transport == "tcp"):
        assert forgiven == []
    else:
        assert re.search(pattern, forgiven[0])
        assert len(forgiven) == len({*forgiven}) <= 2


def patient(odd: type[StandardServer]) -> type[StandardServer]:
    """The same, but it says goodbye only after a report of what came."""

    class Patient(odd):
        says_goodbye = False

        def stream(self, viewer):
            super().stream(viewer)
            if not viewer.stop.is_set():
                self.wait(lambda: reported_sources(self))
                viewer.send_rtcp(bye())

    return Patient


def reported_sources(server: StandardServer) -> list[int]:
    """The sources of all report blocks so far."""
    return [block.ssrc for data, _ in server.reports for block in report_blocks(data)]


def signs_of_life(server: StandardServer) -> list:
    """But for the first one, OPTIONS is one."""
    return [*server.of("GET_PARAMETER"), *server.of("OPTIONS")[1:]]


def assert_good_order(server: StandardServer, transport: str) -> None:
    assert server.faults == []
    assert server.methods()[-1] == "TEARDOWN"
    left_at = server.of("TEARDOWN")[0].when + INTERVAL
    for report, when in server.reports:
        kinds = {kind for kind, _, _ in rtcp_packets(report)}
        assert when < left_at or BYE in kinds
    first = [method for method in server.methods() if method != "GET_PARAMETER"]
    assert first[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    (setup,) = server.of("SETUP")
    assert ("TCP" in setup.headers["transport"]) == (transport == "tcp")
    for request in [*server.of("TEARDOWN"), *signs_of_life(server)]:
        assert request.headers["session"] == server.session.partition(";")[0]


# --- What needs more than the table ---------------------------------------------------------------


class KnowsNoScale(StandardServer):
    """It says nothing of it, and plays on as before (RFC 2326 section 12.34)."""


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_scale_that_is_not_confirmed_is_not_counted_with(transport, frames) -> None:
    server = KnowsNoScale([*map(jpeg_payloads, frames)], INTERVAL)
    with server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.client.set_speed(2)
        watcher.play()
        (play,) = server.of("PLAY")
        positions = [watcher.client.position_of(frame) for frame in watcher.frames]
    assert play.headers["scale"] == "2"
    assert positions == pytest.approx([number / FPS for number in range(COUNT)])


# --- Lab servers ----------------------------------------------------------------------------------


def of_another_type(packet: bytes) -> bytes:
    """A packet of the same number and time that is no part of the picture: parity, say."""
    return packet[:1] + bytes([127]) + packet[2:12] + bytes(200)


def parity_behind(frames):
    for number, frame in enumerate(frames, 1):
        packet = lab_rtp(frame, number, 0)
        yield [packet, of_another_type(packet)]


def parity_within(frames):
    for number, frame in enumerate(frames, 1):
        pieces = [frame[at : at + 1400] for at in range(0, len(frame), 1400)]
        first, *others = (lab_rtp(piece, number, 100 + number) for piece in pieces)
        yield [first, of_another_type(first), *others]


def datagrams_of_another_version(frames):
    for number, frame in enumerate(frames, 1):
        pieces = [frame[at : at + 1400] for at in range(0, len(frame), 1400)]
        first, *others = (lab_rtp(piece, number, 100 + number) for piece in pieces)
        yield [first, b"\x40" + first[1:], *others]


def digits_before(frames):
    for number, frame in enumerate(frames, 1):
        yield [lab_rtp(f"{len(frame):05}".encode() + frame, number, 0)]


def header_before(size: int):
    """A header of the server's own before each frame: its number, its length, and zeros."""

    def packets(frames):
        for number, frame in enumerate(frames, 1):
            header = (number.to_bytes(2, "big") + len(frame).to_bytes(4, "big")).ljust(size, b"\0")
            yield [lab_rtp(header + frame, number, 0)]

    return packets


def header_before_pieces(size: int):
    """A header before each piece of a frame: the piece's number, and how many there are."""

    def packets(frames):
        sequence = 0
        for frame in frames:
            pieces = [frame[at : at + 1400] for at in range(0, len(frame), 1400)]
            packets = []
            for index, piece in enumerate(pieces):
                header = index.to_bytes(size // 2, "big") + len(pieces).to_bytes(size // 2, "big")
                sequence += 1
                packets.append(lab_rtp(header + piece, sequence, 0))
            yield packets

    return packets


def header_before_the_first_piece(frames):
    sequence = 0
    for frame in frames:
        whole = b"LAB1" + len(frame).to_bytes(4, "big") + frame
        pieces = [whole[at : at + 1400] for at in range(0, len(whole), 1400)]
        yield [lab_rtp(piece, sequence + at, 0) for at, piece in enumerate(pieces, 1)]
        sequence += len(pieces)


def same_numbers(frames):
    for number, frame in enumerate(frames, 1):
        yield [lab_rtp(frame[at : at + 1400], number, 0) for at in range(0, len(frame), 1400)]


def bytes_after_the_end(frames):
    for number, frame in enumerate(frames, 1):
        yield [lab_rtp(frame + b"\0\0\0", number, 0)]


def of_version_0(frames):
    for number, frame in enumerate(frames, 1):
        yield [lab_rtp(frame, number, 0, first_byte=0, payload_type=96)]


class WaitsForReports(PythonLabServer):
    """Java servers that read RTCP in the thread that sends: no frame without a report but one."""

    def __enter__(self):
        self.rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtcp.bind((HOST, 0))
        self.rtcp.settimeout(0.1)
        return super().__enter__()

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.rtcp.close()

    def send_frame(self, outgoing, datagrams, address):
        while self.sent and not (self._paused.is_set() or self._closing.is_set()):
            with suppress(TimeoutError):
                assert self.rtcp.recv(1024)[1] == 201
                break
        super().send_frame(outgoing, datagrams, address)


def test_a_lab_server_that_waits_for_reports_gets_them(frames, monkeypatch) -> None:
    server = WaitsForReports(frames)
    received = []
    with server:
        monkeypatch.setattr(receiver, "LAB_RTCP_PORT", server.rtcp.getsockname()[1])
        monkeypatch.setattr(receiver, "LAB_STALL", 0.2)
        monkeypatch.setattr(receiver, "LAB_REPORT_INTERVAL", 0.02)
        client = Client(None, HOST, server.port, 0, "movie.Mjpeg")
        client.on_frame = lambda frame: received.append(frame.data)
        client.setupMovie()
        assert client.wait_for(lambda: client.state is Client.READY, PLENTY)
        client.playMovie()
        assert client.wait_for(lambda: len(received) == COUNT, PLENTY)
        client.exitClient()
    assert (received, client.error) == (frames, "")


def without_session(number: str, session: str) -> list[bytes]:
    return [f"RTSP/1.0 200 OK\nCSeq: {number}\n".encode()]


LAB_ODDITIES = {
    "parity behind a frame": {"packets": parity_behind},
    "parity within a frame": {"packets": parity_within},
    "datagrams of another version": {"packets": datagrams_of_another_version},
    "no Session": {"reply": without_session},
    "digits before a frame": {"packets": digits_before},
    "header of 6 bytes": {"packets": header_before(6)},
    "header of 8 bytes": {"packets": header_before(8)},
    "header of 12 bytes": {"packets": header_before(12)},
    "header of 6 bytes before each piece": {"packets": header_before_pieces(6)},
    "header of 8 bytes before each piece": {"packets": header_before_pieces(8)},
    "header of 12 bytes before each piece": {"packets": header_before_pieces(12)},
    "header before the first piece": {"packets": header_before_the_first_piece},
    "pieces of the same number": {"packets": same_numbers},
    "bytes after the end": {"packets": bytes_after_the_end},
    "version 0": {"packets": of_version_0},
}


LAB_FORGIVEN = {
    "parity within a frame": ["sequence number.*one more"],
    "datagrams of another version": ["sequence number.*one more"],
    "no Session": ["Session.*missing"],
    "digits before a frame": [r"'\d{5}'"],
    "header of 6 bytes": ["header.*x00"],
    "header of 8 bytes": ["header.*x00"],
    "header of 12 bytes": ["header.*x00"],
    "header of 6 bytes before each piece": ["header.*x00"],
    "header of 8 bytes before each piece": ["header.*x00"],
    "header of 12 bytes before each piece": ["header.*x00"],
    "header before the first piece": ["header.*LAB1"],
    "pieces of the same number": ["sequence number.*one more"],
    "bytes after the end": [r"FFD9.*\\x00\\x00\\x00'"],
    "version 0": ["version.*'0'.*2", "payload type.*'96'.*26"],
}
"""What is said of those that are not right, as patterns; nothing is of the others."""


@pytest.mark.parametrize("oddity", LAB_ODDITIES)
def test_a_lab_server_is_played_as_if_it_were_not_odd(oddity, frames, tmp_path) -> None:
    with PythonLabServer(frames, **LAB_ODDITIES[oddity]) as server:
        run = run_client(
            *(HOST, server.port, 0, "movie.Mjpeg", "--headless", "--json"),
            *("--frames", COUNT, "--save", tmp_path),
        )
        methods = [request.split()[0] for request in server.requests]
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == frames
    assert (run.status, run.report["error"], run.report["lost"]) == (0, None, 0)
    assert methods == [b"SETUP", b"PLAY", b"TEARDOWN"]
    assert run.seconds < PLENTY
    patterns = LAB_FORGIVEN.get(oddity, [])
    assert [*map(re.search, patterns, run.report["forgiven"])].count(None) == 0
    assert len(run.report["forgiven"]) == len(patterns)
    assert run.stderr.splitlines() == [f"Forgiven: {told}" for told in run.report["forgiven"]]
