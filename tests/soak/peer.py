"""What the hostile ones have in their hands: a bare connection to a server."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from soak.link import HOST
from soak.stage import Stage
from soak.tally import Fault

REPLY_LIMIT = 10.0  # seconds


class Peer:
    """A bare connection. That the server hangs up on it is what it deserves."""

    def __init__(self, end: socket.socket, port: int) -> None:
        self._socket = end
        self._base = f"rtsp://{HOST}:{port}/"
        self._cseq = 0
        self.server_ports: list[int] = []

    async def send(self, data: bytes) -> None:
        """As far as it is taken within a moment."""
        with suppress(OSError, asyncio.TimeoutError):
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_sendall(self._socket, data), 0.5)

    async def hear(self, seconds: float) -> bytes:
        try:
            loop = asyncio.get_running_loop()
            return await asyncio.wait_for(loop.sock_recv(self._socket, 65_536), seconds)
        except (OSError, asyncio.TimeoutError):
            return b""

    def request(self, method: str, name: str, *headers: str) -> bytes:
        self._cseq += 1
        uri = name if name == "*" else self._base + name
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._cseq}", *headers, "", ""]
        return "\r\n".join(lines).encode()

    async def ask(self, method: str, name: str, *headers: str) -> bytes:
        await self.send(self.request(method, name, *headers))
        return await self.hear(REPLY_LIMIT)

    async def set_up(self, name: str, transport: str) -> str:
        """Make a session; return the header that names it. Raises Fault."""
        reply = (await self.ask("SETUP", name, transport)).decode()
        if not reply.startswith("RTSP/1.0 200"):
            raise Fault(f"SETUP with {transport} is answered with {reply[:60]!r}")
        fields = dict(line.split(": ", 1) for line in reply.splitlines() if ": " in line)
        for part in fields["Transport"].split(";"):
            if part.startswith("server_port="):
                self.server_ports = [int(port) for port in part[12:].split("-")]
        return "Session: " + fields["Session"].partition(";")[0]

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@asynccontextmanager
async def connected(
    stage: Stage, rng: random.Random, room: int = 0, port: int = 0
) -> AsyncIterator[Peer]:
    """Connect to a port, or to any of the servers; `room` bytes are received before it is full."""
    port = port or rng.choice((stage.plain, stage.secure))
    with socket.socket() as end:
        end.setblocking(False)
        if room:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        try:
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_connect(end, (HOST, port)), REPLY_LIMIT)
        except (OSError, asyncio.TimeoutError) as error:
            raise Fault(f"no connection: {error!r}") from error
        yield Peer(end, port)
