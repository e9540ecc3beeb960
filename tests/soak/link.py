"""The RTSP connection of a viewer who behaves, and its UDP ports. No code under test."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from soak.tally import Fault, Tally

HOST = "127.0.0.1"
PATIENCE = 20.0  # seconds until a reply is given up: then it is no longer a matter of load
LARGEST = 65_536
DATAGRAMS_AT_ONCE = 64  # so that no socket keeps all others waiting
ROOM = 4 << 20  # bytes that wait for a viewer; what the system grants to root alone
LINUX_SO_RCVBUFFORCE, LINUX_SO_MEMINFO, DROPS = 33, 55, 8


@dataclass(frozen=True)
class Reply:
    status: int
    fields: list[tuple[str, str]]  # names in small letters
    body: bytes

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def parameter(self, header: str, name: str) -> str:
        """A parameter in a header such as Transport; "" when it has none."""
        parts = [part.strip().partition("=") for part in self[header].split(";")]
        return next((value for key, _, value in parts if key == name), "")


class Link(asyncio.Protocol):
    """A connection: one request at a time, and what the server sends in between."""

    def __init__(self, tally: Tally, on_media: Callable[[int, bytes], None]) -> None:
        self._tally = tally
        self._on_media = on_media
        self._buffer = b""
        self._awaited: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None
        self.broken: Exception | None = None  # why this connection is of no use any more

    async def connect(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        name = HOST if tls else None
        opening = loop.create_connection(lambda: self, HOST, port, ssl=tls, server_hostname=name)
        try:
            await asyncio.wait_for(opening, PATIENCE)
        except (OSError, asyncio.TimeoutError) as error:
            raise Fault(f"no connection: {error or 'it takes too long'}") from error

    async def ask(self, method: str, request: bytes) -> Reply:
        """Send a request; return its reply. Raises Fault."""
        self.check()
        assert self._transport is not None
        self._awaited = asyncio.get_running_loop().create_future()
        sent = time.monotonic()
        self._transport.write(request)
        self._tally.requests[method] += 1
        try:
            reply = await asyncio.wait_for(self._awaited, PATIENCE)
        except asyncio.TimeoutError:
            raise Fault(f"no reply to {method} in {PATIENCE:g} s") from None
        finally:
            self._awaited = None
        self._tally.reply(sent)
        return reply

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def check(self) -> None:
        """Raises what has broken the connection."""
        if self.broken is not None:
            raise self.broken

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def hang_up(self) -> None:
        """Vanish without a word: TCP says that there is nobody here."""
        if self._transport is not None:
            end = self._transport.get_extra_info("socket")
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    # ------------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            self._buffer = self._buffer[self._take_apart() :]
        except Fault as fault:
            self._break(fault)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._break(Fault(f"the server has hung up: {error or 'without a word'}"))

    def _break(self, fault: Fault) -> None:
        self.broken = self.broken or fault
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(self.broken)

    # ------------------------------------------------------------------ reading

    def _take_apart(self) -> int:
        """Take all that is whole; return how many bytes that was."""
        position = 0
        while position < len(self._buffer):
            if self._buffer[position] == 0x24:
                end = self._take_frame(position)
            else:
                end = self._take_reply(position)
            if end == position:
                break
            position = end
        return position

    def _take_frame(self, position: int) -> int:
        if len(self._buffer) < position + 4:
            return position
        channel, length = struct.unpack_from(">BH", self._buffer, position + 1)
        end = position + 4 + int(length)
        if len(self._buffer) < end:
            return position
        self._on_media(channel, self._buffer[position + 4 : end])
        return end

    def _take_reply(self, position: int) -> int:
        if not self._buffer[position : position + 5] == b"RTSP/"[: len(self._buffer) - position]:
            raise Fault(f"framing is lost at {self._buffer[position : position + 40]!r}")
        end = self._buffer.find(b"\r\n\r\n", position) + 4
        if end < 4:
            return position
        reply = _reply(self._buffer[position:end])
        length = int(reply["content-length"] or 0)
        if len(self._buffer) < end + length:
            return position
        self._give(replace(reply, body=self._buffer[end : end + length]))
        return end + length

    def _give(self, reply: Reply) -> None:
        if self._awaited is None or self._awaited.done():
            raise Fault("a reply that nobody asked for")
        self._awaited.set_result(reply)


class LabLink(Link):
    """The lab's programs take what one recv gives for one reply."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally, lambda channel, packet: None)

    def _take_apart(self) -> int:
        self._give(_reply(self._buffer))
        return len(self._buffer)


def _reply(head: bytes) -> Reply:
    lines = head.decode().splitlines()
    pairs = [line.partition(":") for line in lines[1:] if line]
    fields = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    try:
        return Reply(int(lines[0].split(" ")[1]), fields, b"")
    except (IndexError, ValueError) as error:
        raise Fault(f"no reply: {head[:80]!r}") from error


class Port:
    """A UDP port: `arrived` is called with each datagram."""

    def __init__(self, arrived: Callable[[bytes], None], group: str = "", number: int = 0) -> None:
        """Listen on a port of ours, or on that of a multicast group. Raises OSError."""
        self._arrived = arrived
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._make_room()
            if group:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((group or HOST, number))
            if group:
                member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(HOST))
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self.number = int(self.socket.getsockname()[1])
        self.fault: Fault | None = None
        asyncio.get_running_loop().add_reader(self.socket, self.take_some)

    def _make_room(self) -> None:
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, LINUX_SO_RCVBUFFORCE, ROOM)
        except OSError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)

    def take_some(self) -> None:
        """Called by the loop."""
        self._take(DATAGRAMS_AT_ONCE)

    def take_all(self) -> None:
        """Take all that has come before now."""
        self._take(LARGEST)

    def _take(self, most: int) -> None:
        for _ in range(most):
            try:
                datagram = self.socket.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # an ICMP message
                continue
            try:
                self._arrived(datagram)
            except Fault as fault:
                self.fault = self.fault or fault

    @property
    def dropped(self) -> int:
        """How many datagrams this socket had no room for."""
        figures = self.socket.getsockopt(socket.SOL_SOCKET, LINUX_SO_MEMINFO, 4 * (DROPS + 1))
        return int(struct.unpack(f"={len(figures) // 4}I", figures)[DROPS])

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()


def open_pair(rtp: Callable[[bytes], None], rtcp: Callable[[bytes], None]) -> tuple[Port, Port]:
    """An even port and the odd one above it."""
    for _ in range(100):
        first = Port(rtp)
        try:
            if first.number % 2 == 0:
                return first, Port(rtcp, number=first.number + 1)
        except OSError:
            pass
        first.close()
    raise OSError("no pair of UDP ports is free")
