"""From what a client offers in Transport to the sink that serves it (RFC 2326 section 12.39)."""

from __future__ import annotations

from dataclasses import dataclass

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import Dialect
from rtplab.serving.rtp.sinks import InterleavedSink, Sink, UdpSink
from rtplab.serving.rtsp.connection import RtspConnection


def choose_transport(
    offered: list[Transport], dialect: Dialect, multicast: bool = False
) -> Transport:
    """Return the first of the offered ways that can be served, in the client's order.

    Raises MessageError 461 when there is none.
    """
    for transport in offered:
        if transport.multicast:
            possible = multicast and transport.lower == "UDP"
        elif transport.lower == "UDP":
            possible = transport.client_port is not None
        else:
            possible = dialect is Dialect.STANDARD
        if possible:
            return transport
    raise MessageError("no transport that can be served", 461)


@dataclass(frozen=True)
class Viewer:
    """Where a client can be reached: by its connection, or from our address at its own."""

    connection: RtspConnection
    local_host: str
    host: str

    def open_sink(self, dialect: Dialect, chosen: Transport) -> tuple[Sink, Transport]:
        """Open a unicast way to the client; return it, and what SETUP answers. Raises OSError.

        Media goes to the host that asked, wherever else `destination` may point.
        """
        if chosen.lower == "TCP" or chosen.client_port is None:
            channels = chosen.interleaved or (0, 1)
            sink = InterleavedSink(self.connection, channels)
            return sink, Transport("TCP", interleaved=channels)
        ports = chosen.client_port
        rtcp_port = ports[1] if dialect is Dialect.STANDARD else None
        udp_sink = UdpSink(self.local_host, self.host, ports[0], rtcp_port)
        return udp_sink, Transport("UDP", client_port=ports, server_port=udp_sink.server_port)
