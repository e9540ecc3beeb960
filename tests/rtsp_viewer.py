"""A viewer written out byte by byte: standard RTSP over one blocking socket, media interleaved."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from types import TracebackType

from processes import HOST

from rtplab.protocol.rtp.rtcp import Bye, parse_compound
from RtpPacket import RtpPacket

LIMIT = 10.0
"""Seconds that an answer or a packet may take."""


@dataclass
class Reply:
    status: int
    head: str
    body: str

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}: *(.*?)\r$", self.head, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""


class RtspViewer:
    """One connection, for a `with` statement. Raises OSError, EOFError when it is lost."""

    def __init__(
        self,
        port: int,
        movie: str = "movie.Mjpeg",
        preface: bytes = b"",
        control: socket.socket | None = None,
    ) -> None:
        """Connect, or take what is connected; `preface` goes before the first request."""
        self.control = control or socket.create_connection((HOST, port), LIMIT)
        self.control.settimeout(LIMIT)
        self.control.sendall(preface)
        self.url = f"rtsp://{HOST}:{port}/{movie}"
        self._cseq = 0
        self._session = ""
        self._input = self.control.makefile("rb")
        self.packets: list[RtpPacket] = []  # taken while a reply was waited for
        self.goodbyes = 0

    def __enter__(self) -> RtspViewer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._input.close()
        self.control.close()

    def ask(self, method: str, *headers: str, track: bool = False) -> Reply:
        self._cseq += 1
        url = f"{self.url}/trackID=0" if track else self.url
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._cseq}", *headers]
        if self._session:
            lines.append(f"Session: {self._session}")
        self.control.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        return self._reply()

    def set_up(self, transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1") -> Reply:
        reply = self.ask("SETUP", f"Transport: {transport}", track=True)
        assert reply.status == 200, reply.head
        self._session = reply.header("Session").partition(";")[0]
        return reply

    def play(self, span: str = "npt=0-") -> Reply:
        reply = self.ask("PLAY", f"Range: {span}")
        assert reply.status == 200, reply.head
        return reply

    def next_packet(self) -> RtpPacket:
        """The next RTP packet; what comes on the RTCP channel is looked at in passing."""
        while not self.packets:
            first = self._read(1)
            assert first == b"$", first
            self._take_frame()
        return self.packets.pop(0)

    def wait_for_goodbye(self) -> None:
        """Take packets until RTCP BYE."""
        while not self.goodbyes:
            assert self._read(1) == b"$"
            self._take_frame()

    def _reply(self) -> Reply:
        while (first := self._read(1)) == b"$":
            self._take_frame()
        head = first
        while not head.endswith(b"\r\n\r\n"):
            line = self._input.readline()
            if not line:
                raise EOFError("the server has hung up")
            head += line
        text = head.decode()
        length = re.search(r"Content-Length: (\d+)", text)
        body = self._read(int(length[1])).decode() if length else ""
        return Reply(int(text.split()[1]), text, body)

    def _take_frame(self) -> None:
        channel = self._read(1)[0]
        data = self._read(int.from_bytes(self._read(2), "big"))
        if channel % 2:
            self.goodbyes += sum(isinstance(packet, Bye) for packet in parse_compound(data))
            return
        packet = RtpPacket()
        packet.decode(data)
        self.packets.append(packet)

    def _read(self, size: int) -> bytes:
        data = self._input.read(size)
        if len(data) < size:
            raise EOFError("the server has hung up")
        return data
