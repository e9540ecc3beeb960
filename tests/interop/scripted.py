"""A scripted RTSP client for what can't be run here: it sends what it is told, byte for byte.

It reads replies, RTP and RTCP with code of its own; only JPEG pictures are put together by ours.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from strip import frame_number_of_jpeg

from rtplab.protocol.rtp.jpegassembler import JpegAssembler
from rtplab.protocol.rtp.rtpjpeg import parse_payload

HOST = "127.0.0.1"
PATIENCE = 5.0  # seconds for a reply, and between two packets
RTP_HEAD = struct.Struct(">BBHII")
SENDER_REPORT, BYE = 200, 203


@dataclass
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class Received:
    """RTP and RTCP packets in the order they came in."""

    rtp: list[bytes] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)

    def rtcp_types(self) -> list[int]:
        """The types of all packets in all compound packets."""
        types = []
        for compound in self.rtcp:
            offset = 0
            while offset < len(compound):
                types.append(compound[offset + 1])
                offset += 4 + 4 * int.from_bytes(compound[offset + 2 : offset + 4], "big")
            assert offset == len(compound)
        return types

    def said_bye(self) -> bool:
        return BYE in self.rtcp_types()

    def headers(self) -> list[tuple[int, ...]]:
        """(first byte, marker and payload type, sequence number, timestamp, SSRC) of all RTP."""
        return [RTP_HEAD.unpack_from(packet) for packet in self.rtp]

    def frames(self) -> list[int]:
        """The numbers of the frames that all of it shows. No packet may be missing."""
        return list(map(frame_number_of_jpeg, self.pictures()))

    def pictures(self) -> list[bytes]:
        """The frames as JPEGs. No packet may be missing."""
        assembler, pictures = JpegAssembler(), []
        for packet, (_, second, _, timestamp, _) in zip(self.rtp, self.headers(), strict=True):
            fragment = parse_payload(packet[RTP_HEAD.size :])
            picture = assembler.add(fragment, timestamp, bool(second & 0x80))
            assert (picture is not None) == bool(second & 0x80), "a frame is not whole"
            if picture is not None:
                pictures.append(picture)
        return pictures


class PortPair:
    """An even UDP port for RTP and the odd one above it for RTCP."""

    def __init__(self) -> None:
        while True:
            self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.rtp.bind((HOST, 0))
            self.number = self.rtp.getsockname()[1]
            try:
                if self.number % 2 == 0:
                    self.rtcp.bind((HOST, self.number + 1))
                    return
            except OSError:
                pass  # somebody else has the odd one
            self.close()

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class ScriptedClient:
    """One RTSP connection, and a pair of UDP ports if it needs them; for a `with` statement."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection((HOST, port), PATIENCE)
        self.ports = PortPair()
        self.received = Received()
        self._waiting = b""

    def __enter__(self) -> ScriptedClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()
        self.ports.close()

    def ask(self, request: str) -> Reply:
        """Send a request, whose lines end as in `request`, and wait for the reply."""
        self.connection.sendall(request.encode())
        while b"\r\n\r\n" not in self._take_interleaved():
            self._receive()
        head, _, self._waiting = self._waiting.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", 0))
        while len(self._waiting) < length:
            self._receive()
        body, self._waiting = self._waiting[:length], self._waiting[length:]
        version, status, _ = status_line.split(" ", 2)
        assert version == "RTSP/1.0"
        return Reply(int(status), headers, body)

    def receive_until(
        self,
        enough: Callable[[], bool],
        every: float = PATIENCE,
        then: Callable[[], object] = object,
    ) -> None:
        """Take RTP and RTCP until `enough`; do `then` every so many seconds."""
        next_time = time.monotonic() + every
        last_packet = time.monotonic()
        while not enough():
            sources = [self.connection, self.ports.rtp, self.ports.rtcp]
            timeout = max(0.0, next_time - time.monotonic())
            for source in select.select(sources, [], [], timeout)[0]:
                last_packet = time.monotonic()
                self._take_from(source)
            if time.monotonic() >= next_time:
                next_time += every
                then()
            assert time.monotonic() - last_packet < PATIENCE, "nothing comes any more"

    def report_by_udp(self, report: bytes, server_port: int) -> None:
        self.ports.rtcp.sendto(report, (HOST, server_port))

    def report_interleaved(self, report: bytes, channel: int = 1) -> None:
        self.connection.sendall(struct.pack(">cBH", b"$", channel, len(report)) + report)

    def _take_from(self, source: socket.socket) -> None:
        if source is self.ports.rtp:
            self.received.rtp.append(source.recv(65536))
        elif source is self.ports.rtcp:
            self.received.rtcp.append(source.recv(65536))
        else:
            self._receive()
            self._take_interleaved()

    def _receive(self) -> None:
        data = self.connection.recv(65536)
        assert data, "the server has hung up"
        self._waiting += data

    def _take_interleaved(self) -> bytes:
        """Put aside the packets of RTP and RTCP; what is left begins with a reply."""
        while self._waiting.startswith(b"$") and len(self._waiting) >= 4:
            _, channel, length = struct.unpack_from(">cBH", self._waiting)
            if len(self._waiting) < 4 + length:
                return b""
            packet = self._waiting[4 : 4 + length]
            (self.received.rtcp if channel % 2 else self.received.rtp).append(packet)
            self._waiting = self._waiting[4 + length :]
        return b"" if self._waiting.startswith(b"$") else self._waiting


def receiver_report(own_ssrc: int, ssrc: int, highest: int) -> bytes:
    """An RTCP receiver report on one sender: nothing lost (RFC 3550 section 6.4.2), and SDES."""
    block = struct.pack(">IIIIII", ssrc, 0, highest, 30, 0, 0)
    report = struct.pack(">BBHI", 0x81, 201, 7, own_ssrc) + block
    name = struct.pack(">BBHIBB", 0x81, 202, 3, own_ssrc, 1, 4) + b"host\0\0"
    return report + name
