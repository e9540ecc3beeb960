"""A bad network between one client and a server: RTSP passes, RTP and RTCP suffer.

The client talks to the relay as if it were the server:

    client ==== RTSP ====> relay ==== RTSP, the client's UDP ports replaced ====> server
           <=== RTP, RTCP through Impairment ===   one pair of UDP ports   <===

What happens to packets is what the player's own sliders do: one implementation for both.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from collections.abc import Callable

from processes import HOST
from standard_servers import udp_pair

from rtplab.receiving.rtp.impairment import Conditions, Impairment

LARGEST_DATAGRAM = 65_535
_CLIENT_PORT = re.compile(rb"(client_port *[=:] *)(\d+)(-\d+)?", re.IGNORECASE)
_SERVER_PORT = re.compile(rb"(server_port=)(\d+)(-\d+)?")


class Way:
    """One kind of packets in one direction: what comes in goes out by `send`, if it survives."""

    def __init__(self, conditions: Conditions, send: Callable[[bytes], None]) -> None:
        self.impairment = Impairment(conditions)
        self.passed = 0  # packets that came in
        self.harmed: set[bytes] = set()  # timestamps of the RTP packets that were lost
        self._send = send

    def take(self, datagram: bytes, now: float) -> None:
        lost = self.impairment.lost
        self.passed += 1
        self.impairment.add(datagram, now)
        if self.impairment.lost > lost:
            self.harmed.add(datagram[4:8])

    def deliver(self, now: float) -> None:
        for datagram in self.impairment.due(now):
            self._send(datagram)

    @property
    def lost(self) -> float:
        """The share of the packets that was lost."""
        return self.impairment.lost / self.passed if self.passed else 0.0


class Relay:
    """Stands on a port of its own before the server's, for one client in a `with` statement."""

    def __init__(self, server_port: int, conditions: Conditions) -> None:
        self._server = HOST, server_port
        self._conditions = conditions
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._port: int | None = None  # ours, and the next: for the other side's on each side
        self._client_ports: tuple[int, int] | None = None
        self._server_ports: tuple[int, int] | None = None
        self.ways: dict[tuple[str, bool], Way] = {}  # by receiver, and whether it is RTCP
        self._thread = threading.Thread(target=self._work, name="relay")

    def __enter__(self) -> Relay:
        self._watch(self._listener, self._accept)
        self._watch(self._wake_reader, lambda: None)
        self._closing = False
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing = True
        self._wake_writer.send(b"x")
        self._thread.join()
        self._selector.close()
        for end in (*self._sockets, self._wake_writer):
            end.close()

    @property
    def rtp(self) -> Way:
        """The stream on its way to the client."""
        return self.ways["client", False]

    def _work(self) -> None:
        while not self._closing:
            due = [way.impairment.deadline() for way in self.ways.values()]
            moments = [moment for moment in due if moment is not None]
            timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
            for key, _ in self._selector.select(timeout):
                key.data()
            now = time.monotonic()
            for way in self.ways.values():
                way.deliver(now)

    def _watch(self, end: socket.socket, arrived: Callable[[], None]) -> None:
        self._sockets.append(end)
        self._selector.register(end, selectors.EVENT_READ, arrived)

    # ------------------------------------------------------------------ RTSP

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch(client, lambda: self._pass_on(client, server, self._to_server))
        self._watch(server, lambda: self._pass_on(server, client, self._to_client))

    def _pass_on(
        self, source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]
    ) -> None:
        """Hand on what one side has said; tell the other when it has hung up."""
        try:
            data = source.recv(LARGEST_DATAGRAM)
            if data:
                target.sendall(change(data))
                return
        except ConnectionError:
            pass  # then both shall know
        self._selector.unregister(source)
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has hung up as well

    def _to_server(self, data: bytes) -> bytes:
        """Put our ports in the place of the client's."""
        found = _CLIENT_PORT.search(data)
        if found is None:
            return data
        self._client_ports = int(found[2]), int(found[2]) + 1
        self._open_ports()
        return _with_ports(_CLIENT_PORT, data, self._port)

    def _to_client(self, data: bytes) -> bytes:
        """Put our ports in the place of the server's, and the client's own back."""
        found = _SERVER_PORT.search(data)
        if found is None or self._port is None:
            return data
        self._server_ports = int(found[2]), int(found[2]) + 1
        data = _with_ports(_CLIENT_PORT, data, self._client_ports[0])
        return _with_ports(_SERVER_PORT, data, self._port)

    # ------------------------------------------------------------------ RTP and RTCP

    def _open_ports(self) -> None:
        if self._port is not None:
            return
        ports = udp_pair()
        self._port = ports[0].getsockname()[1]
        for index, end in enumerate(ports):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 << 20)
            end.setblocking(False)
            self._open_ways(index, end)
            self._watch(end, lambda index=index, end=end: self._receive(index, end))

    def _open_ways(self, index: int, end: socket.socket) -> None:
        def to_client(datagram: bytes) -> None:
            end.sendto(datagram, (HOST, self._client_ports[index]))

        def to_server(datagram: bytes) -> None:
            if self._server_ports is not None:
                end.sendto(datagram, (HOST, self._server_ports[index]))

        self.ways["client", bool(index)] = Way(self._conditions, to_client)
        self.ways["server", bool(index)] = Way(self._conditions, to_server)

    def _receive(self, index: int, end: socket.socket) -> None:
        while True:
            try:
                datagram, (_, port) = end.recvfrom(LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # ICMP, about what was sent to a port that is closed by now
            receiver = "server" if port == self._client_ports[index] else "client"
            self.ways[receiver, bool(index)].take(datagram, time.monotonic())


def _with_ports(pattern: re.Pattern[bytes], data: bytes, port: int) -> bytes:
    def replaced(found: re.Match[bytes]) -> bytes:
        second = b"-%d" % (port + 1) if found[3] else b""
        return found[1] + b"%d" % port + second

    return pattern.sub(replaced, data)
