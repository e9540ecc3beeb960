"""A scripted client of the standard (RFC 2326): sends what a test says, keeps all that comes.

Sockets only; nothing here uses the code under test but the reader of RTCP in standard_servers.
"""

from __future__ import annotations

import io
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from PIL import Image
from standard_servers import Picture, interleaved, rtcp_packets, udp_pair

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Seconds that whatever a test waits for may take."""
BYE = 203


class Reply(NamedTuple):
    """One reply; `raw` is all of it as it came."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def __getitem__(self, name):
        """The value of the header `name`, regardless of case; "" when there is none."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")

    @property
    def session(self) -> str:
        return self["Session"].partition(";")[0]

    @property
    def transport(self) -> dict[str, str]:
        """The parameters of the Transport header."""
        parts = [part.partition("=") for part in self["Transport"].split(";")]
        return {name: value for name, _, value in parts}


class RtpHeader(NamedTuple):
    """What an RTP packet says of itself."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def read_rtp(packet: bytes) -> RtpHeader:
    first, second, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", packet)
    assert first == 0x80, "version 2, nothing else"
    return RtpHeader(second > 127, second & 127, sequence, timestamp, ssrc, packet[12:])


def put_together(packets: list[RtpHeader]) -> list[Picture]:
    """The pictures of the packets, which must be whole and in order (RFC 2435)."""
    pictures, scan, tables = [], b"", b""
    for packet in packets:
        word, kind, q, width, height = struct.unpack_from(">IBBBB", packet.payload)
        rest, interval = packet.payload[8:], 0
        assert word == len(scan), "the next fragment"
        if kind & 64:
            interval = int.from_bytes(rest[:2], "big")
            rest = rest[4:]
        if word == 0:
            assert (q, rest[:4]) == (255, b"\0\0\0\x80")
            tables, rest = rest[4:132], rest[132:]
        scan += rest
        if packet.marker:
            pictures.append(Picture(kind, width * 8, height * 8, tables, interval, scan))
            scan = b""
    return pictures


class StandardClient:
    """A connection, two UDP ports and what has come on all of them, for a `with` statement."""

    def __init__(
        self, port: int, movie: str = "movie.Mjpeg", control: socket.socket | None = None
    ) -> None:
        """Connect, or take what is connected."""
        self.root = f"rtsp://{HOST}:{port}"
        self.url = f"{self.root}/{movie}"
        self.control = control or socket.create_connection((HOST, port), PATIENCE)
        self.rtp, self.rtcp = udp_pair()
        for end in (self.rtp, self.rtcp):
            end.setblocking(False)
        self.client_ports = self.rtp.getsockname()[1], self.rtcp.getsockname()[1]
        self.server_ports = (0, 0)
        self.channels: tuple[int, int] | None = None
        self.session = ""
        self.cseq = 0
        self.replies: list[Reply] = []
        self.frames: list[tuple[int, bytes]] = []  # interleaved ones: channel and packet
        self.datagrams: tuple[list[bytes], list[bytes]] = ([], [])
        self.start = 0  # the RTP timestamp where a test began to play
        self.closed = False
        self._buffer = b""

    def __enter__(self) -> StandardClient:
        return self

    def __exit__(self, *exc: object) -> None:
        for end in (self.control, self.rtp, self.rtcp):
            end.close()

    # ------------------------------------------------------------------ asking

    def request(self, method: str, uri: str | None = None, *headers: str, body: str = "") -> bytes:
        """The bytes of the next request."""
        self.cseq += 1
        lines = [f"{method} {uri or self.url} RTSP/1.0", f"CSeq: {self.cseq}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def ask(self, method: str, uri: str | None = None, *headers: str, body: str = "") -> Reply:
        """Send a request and return its reply."""
        self.control.sendall(self.request(method, uri, *headers, body=body))
        return self.next_reply()

    def ask_in_session(self, method: str, *headers: str, uri: str | None = None) -> Reply:
        return self.ask(method, uri, f"Session: {self.session}", *headers)

    def send_raw(self, data: bytes) -> Reply:
        self.control.sendall(data)
        return self.next_reply()

    def set_up(self, transport: str, uri: str | None = None, *headers: str) -> Reply:
        """SETUP by "udp", "tcp" or what else stands in a Transport header."""
        first, second = self.client_ports
        known = {
            "udp": f"RTP/AVP;unicast;client_port={first}-{second}",
            "tcp": "RTP/AVP/TCP;unicast;interleaved=0-1",
        }
        wanted = known.get(transport, transport)
        reply = self.ask("SETUP", uri or f"{self.url}/trackID=0", f"Transport: {wanted}", *headers)
        if reply.status == 200:
            self.session = reply.session
            if "interleaved" in reply.transport:
                first, _, second = reply.transport["interleaved"].partition("-")
                self.channels = int(first), int(second)
            elif "server_port" in reply.transport:
                first, _, second = reply.transport["server_port"].partition("-")
                self.server_ports = int(first), int(second)
        return reply

    def play(self, *headers: str) -> Reply:
        return self.ask_in_session("PLAY", *headers)

    def watch(self, transport: str = "tcp", span: str = "npt=0-") -> Reply:
        """SETUP and PLAY, which must both be granted; return the reply to PLAY."""
        reply = self.set_up(transport)
        assert reply.status == 200, reply
        reply = self.play(f"Range: {span}")
        assert reply.status == 200, reply
        return reply

    def send_rtcp(self, packet: bytes) -> None:
        if self.channels is not None:
            self.control.sendall(interleaved(self.channels[1], packet))
        else:
            self.rtcp.sendto(packet, (HOST, self.server_ports[1]))

    # ------------------------------------------------------------------ hearing

    def next_reply(self) -> Reply:
        """Raises EOFError if the server hangs up instead, TimeoutError if it does not answer."""
        self._wait_or_raise(lambda: self.replies, "reply")
        return self.replies.pop(0)

    def next_packet(self) -> RtpHeader:
        """Take the next interleaved RTP packet off `frames`. Raises what `next_reply` does."""
        assert self.channels is not None
        self._wait_or_raise(lambda: self.media(0), "packet")
        packet = self.media(0)[0]
        self.frames.remove((self.channels[0], packet))
        return read_rtp(packet)

    def _wait_or_raise(self, condition: Callable[[], object], what: str) -> None:
        self.wait(lambda: condition() or self.closed)
        if not condition():
            if self.closed:
                raise EOFError("the server has hung up")
            raise TimeoutError(f"no {what}")

    def wait(self, condition: Callable[[], object], timeout: float = PATIENCE) -> bool:
        """Take what comes until `condition` holds; tell if it does."""
        deadline = time.monotonic() + timeout
        while not condition() and time.monotonic() < deadline:
            self.take()
        return bool(condition())

    def take(self) -> None:
        """Take what has come, or comes within a moment."""
        ends = [self.rtp, self.rtcp] + ([] if self.closed else [self.control])
        ready, _, _ = select.select(ends, [], [], 0.05)
        if self.control in ready:
            self._take_from_control()
        for end, datagrams in zip((self.rtp, self.rtcp), self.datagrams, strict=True):
            if end in ready:
                with suppress(OSError):  # nothing more, or an ICMP message
                    while True:
                        datagrams.append(end.recv(65536))

    def _take_from_control(self) -> None:
        try:
            data = self.control.recv(65536)
        except ConnectionError:
            data = b""
        self.closed = not data
        self._buffer += data
        self._take_apart()

    def _take_apart(self) -> None:
        while self._buffer:
            if self._buffer[0] == 0x24:
                end = 4 + int.from_bytes(self._buffer[2:4], "big")
                if len(self._buffer) < max(4, end):
                    return
                self.frames.append((self._buffer[1], self._buffer[4:end]))
            else:
                assert b"RTSP/1.0".startswith(self._buffer[:8]), f"lost at {self._buffer[:80]!r}"
                head, blank, rest = self._buffer.partition(b"\r\n\r\n")
                if not blank:
                    return
                lines = head.decode().split("\r\n")
                fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
                length = int(dict(fields).get("Content-Length", 0))
                if len(rest) < length:
                    return
                end = len(head) + 4 + length
                _, status, reason = lines[0].split(" ", 2)
                raw = self._buffer[:end]
                self.replies.append(Reply(int(status), reason, fields, rest[:length], raw))
            self._buffer = self._buffer[end:]

    @property
    def rtp_packets(self) -> list[RtpHeader]:
        """All RTP so far, by whichever way it came."""
        return [read_rtp(packet) for packet in self.media(0)]

    @property
    def rtcp_packets(self) -> list[bytes]:
        """All RTCP so far: compound packets."""
        return self.media(1)

    def media(self, which: int) -> list[bytes]:
        """All RTP (0) or RTCP (1) so far, by whichever way it came."""
        if self.channels is None:
            return list(self.datagrams[which])
        return [packet for channel, packet in self.frames if channel == self.channels[which]]

    @property
    def pictures(self) -> int:
        """How many pictures have come to their end."""
        return sum(packet.marker for packet in self.rtp_packets)

    def wait_for_pictures(self, count: int) -> None:
        assert self.wait(lambda: self.pictures >= count), (self.pictures, self.closed)

    def forget_media(self) -> None:
        self.frames.clear()
        for datagrams in self.datagrams:
            datagrams.clear()


def goodbyes(client: StandardClient) -> list[int]:
    """The sources that have said BYE."""
    packets = [packet for data in client.rtcp_packets for packet in rtcp_packets(data)]
    return [int.from_bytes(body[:4], "big") for kind, _, body in packets if kind == BYE]


def picture_of(size: tuple[int, int], **options) -> bytes:
    """A JPEG of one colour."""
    output = io.BytesIO()
    Image.new("RGB", size, "teal").save(output, "JPEG", **{"subsampling": 2} | options)
    return output.getvalue()
