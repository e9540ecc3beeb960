"""From what a client offers in Transport to the sink that serves it (RFC 2326 section 12.39)."""

from __future__ import annotations

from dataclasses import dataclass

from rtplab.protocol.errors import MessageError
from rtplab.protocol.headers import Transport
from rtplab.protocol.rtsp import Dialect
from rtplab.serving.connection import RtspConnection
from rtplab.serving.sinks import InterleavedSink, Sink, UdpSink


@dataclass(frozen=True)
class Viewer:
    """Where a client can be reached: by its connection, or from our address at its own."""

    connection: RtspConnection
    local_host: str
    host: str

    def open_sink(self, dialect: Dialect, offered: list[Transport]) -> tuple[Sink, Transport]:
        """Open the first of the offered ways that can be served; return what SETUP answers.

        Raises MessageError 461 when there is none, OSError when no port is free.
        """
        for transport in offered:
            if transport.multicast:
                continue
            if transport.lower == "UDP" and transport.client_port:
                return self._open_udp(dialect, transport.client_port)
            if transport.lower == "TCP" and dialect is Dialect.STANDARD:
                channels = transport.interleaved or (0, 1)
                sink = InterleavedSink(self.connection, channels)
                return sink, Transport("TCP", interleaved=channels)
        raise MessageError("no transport that can be served", 461)

    def _open_udp(self, dialect: Dialect, ports: tuple[int, int]) -> tuple[Sink, Transport]:
        """Media goes to the host that asked, wherever else `destination` may point."""
        rtcp_port = ports[1] if dialect is Dialect.STANDARD else None
        sink = UdpSink(self.local_host, self.host, ports[0], rtcp_port)
        return sink, Transport("UDP", client_port=ports, server_port=sink.server_port)
