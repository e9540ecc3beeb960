"""Scripted servers of the standard (RFC 2326, 3550, 2435) that do as a test says: sockets, no more.

Nothing here uses the code under test: RTP/JPEG payloads are made from Pillow's JPEGs by a
packetiser of its own, and requests are read by a parser of a few lines.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from systems import end_listening

HOST = "127.0.0.1"
FPS = 20
TICKS = 90_000 // FPS
SSRC = 0x1234ABCD
FIRST_SEQUENCE = 65_530  # so that it soon wraps around
FIRST_TIMESTAMP = 0xFFFF_FF00  # likewise
PATIENCE = 5.0

Payloads = list[bytes]
"""The RTP payloads of one picture."""


# --- RTP/JPEG ------------------------------------------------------------------------------------


class Picture(NamedTuple):
    """What RFC 2435 takes out of a JPEG: sides in pixels, tables of 64 bytes in zigzag order."""

    type: int
    width: int
    height: int
    tables: bytes
    restart_interval: int
    scan: bytes


def taken_apart(jpeg: bytes) -> Picture:
    """Read a baseline JPEG of three components, without its end-of-image marker."""
    tables: dict[int, bytes] = {}
    kind = width = height = interval = 0
    offset = 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, offset)
        body = jpeg[offset + 4 : offset + 2 + length]
        offset += 2 + length
        if marker == 0xFFDB:
            for start in range(0, len(body), 65):
                tables[body[start]] = body[start + 1 : start + 65]
        elif marker == 0xFFC0:
            height, width = struct.unpack_from(">HH", body, 1)
            kind = {0x21: 0, 0x22: 1}[body[7]]
        elif marker == 0xFFDD:
            (interval,) = struct.unpack(">H", body)
        elif marker == 0xFFDA:
            break
    if interval:
        kind += 64
    return Picture(kind, width, height, tables[0] + tables[1], interval, jpeg[offset:-2])


def jpeg_payloads(
    jpeg: bytes, *, q: int = 255, tables: bool = True, size: int = 1000, restart_count: int = 0xFFFF
) -> Payloads:
    """Cut a JPEG into payloads of `size` bytes of scan; `tables` False leaves the tables out."""
    picture = taken_apart(jpeg)
    payloads = []
    for offset in range(0, len(picture.scan), size):
        payload = offset.to_bytes(4, "big")
        payload += bytes([picture.type, q, picture.width // 8, picture.height // 8])
        if picture.restart_interval:
            payload += struct.pack(">HH", picture.restart_interval, restart_count)
        if q >= 128 and offset == 0:
            sent = picture.tables if tables else b""
            payload += struct.pack(">BBH", 0, 0, len(sent)) + sent
        payloads.append(payload + picture.scan[offset : offset + size])
    return payloads


def rtp(
    payload: bytes,
    sequence: int,
    timestamp: int,
    *,
    marker: bool = False,
    ssrc: int = SSRC,
    payload_type: int = 26,
) -> bytes:
    """One RTP packet (RFC 3550 section 5.1)."""
    second = payload_type | (0x80 if marker else 0)
    header = (0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return struct.pack(">BBHII", *header) + payload


# --- RTCP ----------------------------------------------------------------------------------------


def sender_report(ntp: int, timestamp: int, packets: int = 0, octets: int = 0) -> bytes:
    """A compound of sender report and CNAME."""
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, SSRC, ntp, timestamp, packets, octets)
    return report + struct.pack(">BBHIBB6sxxxx", 0x81, 202, 4, SSRC, 1, 6, b"script")


def bye(ssrc: int = SSRC) -> bytes:
    """A compound of an empty receiver report and BYE."""
    return struct.pack(">BBHI", 0x80, 201, 1, ssrc) + struct.pack(">BBHI", 0x81, 203, 1, ssrc)


class ReportBlock(NamedTuple):
    """RFC 3550 section 6.4.1, as it stands in the packet."""

    reporter: int
    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


def report_blocks(compound: bytes) -> list[ReportBlock]:
    """All report blocks of the receiver reports in a compound packet."""
    return [
        ReportBlock(
            struct.unpack_from(">I", body)[0],
            *struct.unpack_from(">IB", body, start),
            int.from_bytes(body[start + 5 : start + 8], "big", signed=True),
            *struct.unpack_from(">IIII", body, start + 8),
        )
        for kind, count, body in rtcp_packets(compound)
        if kind == 201
        for start in range(4, 4 + 24 * count, 24)
    ]


def rtcp_packets(compound: bytes) -> list[tuple[int, int, bytes]]:
    """Type, count and body of each packet in a compound one."""
    packets = []
    while compound:
        first, kind, words = struct.unpack_from(">BBH", compound)
        assert first & 0xE0 == 0x80, "version 2, no padding"
        packets.append((kind, first & 0x1F, compound[4 : 4 + 4 * words]))
        compound = compound[4 + 4 * words :]
    return packets


# --- RTSP ----------------------------------------------------------------------------------------


class Request(NamedTuple):
    """One request, as it came; names of headers in lower case."""

    method: str
    uri: str
    headers: dict[str, str]
    when: float


class Viewer:
    """One connection to the server, and the session on it."""

    def __init__(self, server: StandardServer, control: socket.socket) -> None:
        self.server = server
        self.control = control
        self.udp: tuple[int, int] | None = None
        self.channels: tuple[int, int] | None = None
        self.position = 0  # the picture that is sent next
        self.sent = (
            0  # pictures so far: timestamps and sequence numbers go on over pauses and seeks
        )
        self.sequence = FIRST_SEQUENCE
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None
        self._lock = threading.Lock()  # guards what is written to `control`

    def send(self, data: bytes) -> None:
        with self._lock, suppress(OSError):
            self.control.sendall(data)

    def send_rtp(self, packet: bytes) -> None:
        self._send_media(packet, 0)

    def send_rtcp(self, packet: bytes) -> None:
        self._send_media(packet, 1)

    def _send_media(self, packet: bytes, which: int) -> None:
        if self.channels is not None:
            self.send(interleaved(self.channels[which], packet))
        elif self.udp is not None:
            self.server.ports[which].sendto(packet, (HOST, self.udp[which]))

    def start(self) -> None:
        self.halt()
        self.stop.clear()
        self.thread = threading.Thread(target=self.server.stream, args=(self,), name="stream")
        self.thread.start()

    def halt(self) -> None:
        self.stop.set()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()


def interleaved(channel: int, packet: bytes) -> bytes:
    return struct.pack(">cBH", b"$", channel, len(packet)) + packet


class StandardServer:
    """A well-behaved server of one movie, for a `with` statement; tests override what differs.

    `pictures` are sent one every `interval` seconds, each in the packets that `packets` makes;
    after the last one comes BYE.
    """

    control = "trackID=1"
    session = "s-000001;timeout=60"
    says_goodbye = True

    def __init__(self, pictures: Sequence[Payloads] = (), interval: float = 0.004) -> None:
        self.pictures = pictures
        self.interval = interval
        self.requests: list[Request] = []
        self.answers: list[str] = []  # to what the server has asked
        self.reports: list[tuple[bytes, float]] = []  # RTCP from the client, and when it came
        self.changed = threading.Condition()  # guards the three above
        self.viewers: list[Viewer] = []
        self.faults: list[str] = []
        self._threads: list[threading.Thread] = []

    # ------------------------------------------------------------------ running it

    def __enter__(self) -> StandardServer:
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.ports = udp_pair()
        self._start(self._accept)
        self._start(self._read_udp_reports)
        return self

    def __exit__(self, *exc: object) -> None:
        for viewer in self.viewers:
            viewer.stop.set()
            with suppress(OSError):
                viewer.control.shutdown(socket.SHUT_RDWR)
        end_listening(self._listener)
        self.ports[1].sendto(b"", self.ports[1].getsockname())  # wakes its reader
        for thread in self._threads:
            thread.join()
        for viewer in self.viewers:
            viewer.halt()
            viewer.control.close()
        for end in self.ports:
            end.close()

    def _start(self, target, *args) -> None:
        thread = threading.Thread(target=target, args=args, name="scripted server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                control, _ = self._listener.accept()
                control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                viewer = Viewer(self, control)
                self.viewers.append(viewer)
                self._start(self._serve, viewer)

    def _serve(self, viewer: Viewer) -> None:
        buffer = b""
        with suppress(OSError):
            while data := viewer.control.recv(65536):
                buffer = self._take(viewer, buffer + data)
        viewer.halt()

    def _take(self, viewer: Viewer, buffer: bytes) -> bytes:
        """Act on all that is whole; return the rest."""
        while buffer:
            if buffer[:1] == b"$":
                length = 4 + int.from_bytes(buffer[2:4], "big")
                if len(buffer) < max(4, length):
                    break
                self._take_interleaved(viewer, buffer[1], buffer[4:length])
                buffer = buffer[length:]
            else:
                head, blank, rest = buffer.partition(b"\r\n\r\n")
                if not blank:
                    break
                buffer = rest
                self._answer(viewer, head.decode())
        return buffer

    def _take_interleaved(self, viewer: Viewer, channel: int, packet: bytes) -> None:
        if viewer.channels is None or channel != viewer.channels[1]:
            self.faults.append(f"a packet on channel {channel}")
        self._note_report(packet)

    def _read_udp_reports(self) -> None:
        while data := self.ports[1].recv(65536):
            self._note_report(data)

    def _note_report(self, data: bytes) -> None:
        with self.changed:
            self.reports.append((data, time.monotonic()))
            self.changed.notify_all()

    def _answer(self, viewer: Viewer, head: str) -> None:
        if head.startswith("RTSP/"):
            with self.changed:
                self.answers.append(head)
                self.changed.notify_all()
            return
        first, *lines = head.split("\r\n")
        method, uri, version = first.split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        request = Request(method, uri, headers, time.monotonic())
        if version != "RTSP/1.0" or not headers.get("cseq", "").isdigit():
            self.faults.append(head)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        getattr(self, f"do_{method}")(viewer, request)

    # ------------------------------------------------------------------ what tests ask it

    @property
    def url(self) -> str:
        return f"rtsp://{HOST}:{self.port}/movie"

    def methods(self) -> list[str]:
        with self.changed:
            return [request.method for request in self.requests]

    def of(self, method: str) -> list[Request]:
        with self.changed:
            return [request for request in self.requests if request.method == method]

    def wait(self, condition, timeout: float = PATIENCE) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout), (self.requests, self.reports)

    # ------------------------------------------------------------------ replies

    def reply(
        self,
        viewer: Viewer,
        request: Request,
        status: str = "200 OK",
        headers: Iterable[str] = (),
        body: str = "",
    ) -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers['cseq']}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        viewer.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def description(self) -> str:
        """The SDP. `{port}` stands for the server's own port."""
        return "\r\n".join(
            [
                "v=0",
                f"o=- 1 1 IN IP4 {HOST}",
                "s=Scripted",
                f"c=IN IP4 {HOST}",
                "t=0 0",
                "a=control:*",
                f"a=range:npt=0-{len(self.pictures) / FPS:.3f}",
                *self.media_lines(),
                "",
            ]
        )

    def media_lines(self) -> list[str]:
        return [
            "m=video 0 RTP/AVP 26",
            f"a=control:{self.control.format(port=self.port)}",
            f"a=framerate:{FPS}",
        ]

    def base_headers(self) -> list[str]:
        return [f"Content-Base: {self.url}/"]

    def do_OPTIONS(self, viewer: Viewer, request: Request) -> None:
        self.reply(
            viewer,
            request,
            headers=["Public: DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER"],
        )

    def do_DESCRIBE(self, viewer: Viewer, request: Request) -> None:
        headers = ["Content-Type: application/sdp", *self.base_headers()]
        self.reply(viewer, request, headers=headers, body=self.description())

    def do_SETUP(self, viewer: Viewer, request: Request) -> None:
        wanted = request.headers["transport"]
        _, _, pair = wanted.rpartition("=")
        first, second = map(int, pair.split("-"))
        if "TCP" in wanted:
            viewer.channels = first, second
            transport = wanted
        else:
            viewer.udp = first, second
            ports = "-".join(str(end.getsockname()[1]) for end in self.ports)
            transport = f"{wanted};server_port={ports}"
        self.reply(
            viewer,
            request,
            headers=[f"Transport: {transport};ssrc={SSRC:08X}", f"Session: {self.session}"],
        )

    def do_PLAY(self, viewer: Viewer, request: Request) -> None:
        viewer.halt()
        wanted = request.headers.get("range", "")
        if wanted.startswith("npt="):
            viewer.position = round(float(wanted[4:].partition("-")[0]) * FPS)
        self.reply(viewer, request, headers=self.play_headers(viewer, request))
        viewer.start()

    def play_headers(self, viewer: Viewer, request: Request) -> list[str]:
        url = self.of("SETUP")[-1].uri
        return [
            f"Session: {self.session}",
            f"Range: npt={viewer.position / FPS:.3f}-",
            f"RTP-Info: url={url};seq={viewer.sequence & 0xFFFF};rtptime={timestamp_of(viewer)}",
        ]

    def do_PAUSE(self, viewer: Viewer, request: Request) -> None:
        viewer.halt()
        self.reply(viewer, request)

    def do_TEARDOWN(self, viewer: Viewer, request: Request) -> None:
        viewer.halt()
        self.reply(viewer, request)

    def do_GET_PARAMETER(self, viewer: Viewer, request: Request) -> None:
        self.reply(viewer, request)

    # ------------------------------------------------------------------ media

    def stream(self, viewer: Viewer) -> None:
        """Send the pictures from where the viewer stands."""
        while viewer.position < len(self.pictures):
            for packet in self.packets(viewer):
                viewer.send_rtp(packet)
            viewer.position += 1
            viewer.sent += 1
            if viewer.stop.wait(self.interval):
                return
        if self.says_goodbye:
            viewer.send_rtcp(bye())

    def packets(self, viewer: Viewer) -> Iterator[bytes]:
        """The RTP packets of the picture where the viewer stands, in the order of sending."""
        payloads = self.pictures[viewer.position]
        timestamp = timestamp_of(viewer)
        for index, payload in enumerate(payloads, 1):
            yield rtp(payload, viewer.sequence, timestamp, marker=index == len(payloads))
            viewer.sequence += 1


def timestamp_of(viewer: Viewer) -> int:
    """The RTP timestamp of the next picture for this viewer."""
    return (FIRST_TIMESTAMP + viewer.sent * TICKS) & 0xFFFFFFFF


def udp_pair() -> tuple[socket.socket, socket.socket]:
    """An even port for RTP and the odd one above it for RTCP."""
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.bind((HOST, 0))
        number = first.getsockname()[1]
        try:
            if number % 2 == 0:
                second.bind((HOST, number + 1))
                return first, second
        except OSError:
            pass  # somebody else has the odd one
        first.close()
        second.close()
