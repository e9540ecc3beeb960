"""One sender for many viewers: it sends to a multicast group while anyone watches."""

from __future__ import annotations

import ipaddress
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from rtplab.clock import steady
from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Range, Transport
from rtplab.serving.rtp.datagrams import PacketParts
from rtplab.serving.rtp.delivery import PlayInfo
from rtplab.serving.rtp.sinks import Counts, UdpSink, ViewerGone
from rtplab.serving.rtp.stream import RtpStream
from rtplab.serving.rtp.transmission import BYE_DELAY, Transmission

TTL = 1  # the local network, and no further
LAST_PORT = 65_534  # the last even one

# Seconds from BYE to the next round, whose frames a busy viewer of the last must not see first.
ROUND_PAUSE = 0.2
GOODBYE_POLL = 0.05  # seconds between checks whether BYE has been said

logger = logging.getLogger("rtplab.server")


@dataclass(frozen=True)
class MulticastGroup:
    """The group, and the port of the first movie; each further movie gets the next pair."""

    group: str
    port: int


def parse_group(text: str) -> MulticastGroup:
    """Read GROUP:PORT. Raises ValueError with a sentence."""
    group, _, port = text.rpartition(":")
    address = ipaddress.ip_address(group.strip("[]"))
    if not address.is_multicast:
        raise ValueError(f"{group} is not a multicast address, such as 239.1.2.3")
    if not (port.isascii() and port.isdigit() and 1024 <= int(port) <= 65000) or int(port) % 2:
        raise ValueError(f"{port} is not an even port from 1024 to 65000")
    return MulticastGroup(str(address), int(port))


class MulticastSink:
    """Sends packets to a group, once for each network that viewers use."""

    max_burst = UdpSink.max_burst
    is_lossy = True
    report_socket = None  # reports go to the group

    def __init__(self, group: str, port: int) -> None:
        self._group = group
        self._port = port
        self._sinks: dict[str, UdpSink] = {}  # by our address in the network; replaced as a whole
        self.max_payload = 0  # bytes that all the paths take

    def reach(self, local_host: str) -> None:
        """Send also by the interface with `local_host`; "" means the default one. Raises OSError.

        An address outside the group's family can't be used as a source.
        """
        if (":" in local_host) != (":" in self._group):
            local_host = ""
        if local_host in self._sinks:
            return
        sink = UdpSink(local_host, self._group, self._port, self._port + 1)
        for end in sink.sockets:
            if ":" in self._group:
                end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)
            else:
                end.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
        self._sinks = {**self._sinks, local_host: sink}
        self._find_max_payload()

    @property
    def not_sent(self) -> Counts:
        """Packets dropped on every path; some networks may have dropped more."""
        dropped = [sink.not_sent for sink in self._sinks.values()]
        return min(dropped, key=lambda one: one.packets, default=Counts())

    def _find_max_payload(self) -> None:
        self.max_payload = min(sink.max_payload for sink in self._sinks.values())

    def send(self, packets: list[PacketParts]) -> None:
        """Send packets of one frame. Raises ViewerGone if no network takes them any longer."""
        sinks, refusals = self._sinks.values(), []
        for sink in sinks:
            try:
                sink.send(packets)
            except ViewerGone as error:
                refusals.append(error)
        if len(refusals) == len(sinks):
            raise refusals[0]
        self._find_max_payload()

    def send_report(self, report: bytes) -> None:
        """Send an RTCP compound packet."""
        for sink in self._sinks.values():
            sink.send_report(report)

    def receive_report(self) -> bytes:
        """Return nothing: reports go to the group."""
        return b""

    def close(self) -> None:
        """Free the sockets. May be called twice."""
        for sink in self._sinks.values():
            sink.close()


def multicast_transport(group: str, port: int, ssrc: int) -> Transport:
    """Return the Transport that SETUP answers to a viewer of the group."""
    return Transport(
        multicast=True, destination=group, client_port=(port, port + 1), ttl=TTL, ssrc=ssrc
    )


class Channel(Protocol):
    """The one sender of a movie or a live stream to its group."""

    transport: Transport  # as SETUP answers each of its viewers
    sessions: int  # sessions set up; guarded by the lock of MulticastChannels

    @property
    def stream(self) -> RtpStream: ...
    @property
    def cursor(self) -> MovieCursor | None: ...
    def reach(self, local_host: str) -> None: ...
    def select(self, delivery: GroupDelivery) -> None: ...
    def info(self) -> PlayInfo: ...
    def prepare(self) -> None: ...
    def join(self, delivery: GroupDelivery) -> None: ...
    def leave(self, delivery: GroupDelivery) -> None: ...
    def close(self) -> None: ...


class MulticastChannel:
    """A movie's one sender. It starts with the first viewer who plays and stops after the last."""

    def __init__(
        self, transmission: Transmission, transport: Transport, sink: MulticastSink
    ) -> None:
        """Send to the group by `sink`; SETUP answers each of its viewers with `transport`."""
        self.transmission = transmission
        self.transport = transport
        self._sink = sink
        self.sessions = 0  # sessions set up; guarded by the lock of MulticastChannels
        self._lock = threading.Lock()  # guards who watches, from the start of sending to its end
        # From `select`, before PLAY's reply, to the end; in the order in which they came.
        self._watching: dict[GroupDelivery, None] = {}

    @property
    def stream(self) -> RtpStream:
        """The packet numbering."""
        return self.transmission.stream

    @property
    def cursor(self) -> MovieCursor:
        """Its position in its movie."""
        return self.transmission.cursor

    def info(self) -> PlayInfo:
        """Return the values for the reply to PLAY."""
        return self.transmission.info()

    def prepare(self) -> None:
        """Get the next frames ready, and wait until the last round's BYE is over.

        Viewers who saw the end wait for that BYE; those who play next would take it for the end of
        the next round. Raises MessageError 415.
        """
        self.transmission.prepare()
        patience = steady() + BYE_DELAY
        while steady() < min(self.transmission.goodbye_at, patience) + ROUND_PAUSE:
            time.sleep(GOODBYE_POLL)

    def close(self) -> None:
        """Send BYE and free its resources."""
        self.transmission.close()

    def reach(self, local_host: str) -> None:
        """Send also to viewers who reach us at this address. Raises OSError."""
        with self._lock:
            self._sink.reach(local_host)

    def select(self, delivery: GroupDelivery) -> None:
        """Expect this viewer; rewind if nobody else watches, as all viewers see the same."""
        with self._lock:
            if not self._watching:
                self.transmission.playback.rewind()
            self._watching[delivery] = None

    def join(self, delivery: GroupDelivery) -> None:
        """Send for this delivery, too, unless all has ended since it was selected."""
        with self._lock:
            if delivery in self._watching and not self.transmission.is_sending:
                if self.transmission.goodbye_at == math.inf:  # they must not wait for nothing
                    self.transmission.say_goodbye()
                self.transmission.stop()  # no more BYE needs to be repeated
                self.transmission.start_soon(self._send, lambda is_gone: None)

    def leave(self, delivery: GroupDelivery) -> None:
        """Stop sending for this delivery. May be called twice."""
        with self._lock:
            delivery.has_ended = False
            self._watching.pop(delivery, None)
            if not self._watching and self.transmission.is_sending:
                self.transmission.stop()

    def _send(self) -> float | None:
        """Send the next frame; return when the one after it is due. The pacer calls this."""
        with self._lock:
            due = self.transmission.send_next()
            if not self.transmission.has_ended:
                return due
            watched, self._watching = self._watching, {}
            for delivery in watched:
                delivery.has_ended = True
        for delivery in watched:  # without the lock: their sessions have locks of their own
            delivery.tell()
        return None


class GroupDelivery:
    """A channel for one viewer. It is a Delivery."""

    report_socket = None  # reports go to the group

    def __init__(self, channel: Channel, free: Callable[[Channel], None]) -> None:
        """`free` is called once, when the delivery is given up."""
        self.channel = channel
        self.has_ended = False  # while this viewer watched, and not stopped since
        self._free: Callable[[Channel], None] | None = free
        self._ended: Callable[[bool], None] | None = None

    @property
    def stream(self) -> RtpStream:
        """The channel's stream."""
        return self.channel.stream

    @property
    def cursor(self) -> MovieCursor | None:
        """The channel's position in its movie; None without a movie."""
        return self.channel.cursor

    @property
    def last_report(self) -> None:
        """Always None: viewers report to the group."""

    @property
    def round_trip(self) -> None:
        """Always None: the reports do not tell it."""

    def select(self, span: Range, scale: float, speed: float) -> None:
        """Stay where the channel is: all its viewers see the same."""
        self.channel.select(self)

    def info(self) -> PlayInfo:
        """Return the values for the reply to PLAY."""
        return self.channel.info()

    def prepare(self) -> None:
        """Get the next frames ready. Raises MessageError 415."""
        self.channel.prepare()

    def start(self, send: Callable[[], float | None], ended: Callable[[bool], None]) -> None:
        """Start watching; the channel has its own `send`."""
        self._ended = ended
        self.channel.join(self)
        if self.has_ended:  # before we could be told
            self.tell()

    def tell(self) -> None:
        """Tell the session of the end. It may have stopped meanwhile, and started again."""
        ended = self._ended
        try:
            if ended is not None:
                ended(False)
        except Exception:
            logger.exception("a multicast viewer could not be told that the stream ended")

    def send_next(self) -> float | None:
        """Do nothing: the channel sends by itself."""
        return None

    def stop(self) -> None:
        """Stop watching. May be called twice."""
        self._ended = None
        self.channel.leave(self)

    def take_report(self, data: bytes) -> bool:
        """Do nothing."""
        return False

    def receive_report(self) -> bool:
        """Always None: viewers report to the group."""
        return False

    def close(self) -> None:
        """Release the delivery; the others go on. May be called twice."""
        self.stop()
        free, self._free = self._free, None
        if free is not None:
            free(self.channel)


class MulticastChannels:
    """The channels of a server, each made for its first viewer and freed after the last.

    A movie is identified by its file: if that is replaced, new viewers get a new channel. A live
    stream is identified by itself.
    """

    def __init__(self, group: MulticastGroup) -> None:
        self._group = group
        self._channels: dict[Hashable, Channel] = {}  # by what they send
        self._lock = threading.Lock()  # guards _channels and their session counts

    def delivery(self, sent: Hashable, make: Callable[[str, int], Channel]) -> GroupDelivery:
        """Return a delivery of what is `sent`: the identity of a movie, or a live stream.

        `make` is called with group and port for a new channel.

        Raises MessageError 453 if no ports are left, and whatever `make` raises.
        """
        with self._lock:
            channel = self._channels.get(sent)
            if channel is None:
                channel = make(self._group.group, self._free_port())
                self._channels[sent] = channel
            channel.sessions += 1
        return GroupDelivery(channel, self._give_up)

    def _free_port(self) -> int:
        taken = {channel.transport.client_port for channel in self._channels.values()}
        for port in range(self._group.port, LAST_PORT + 1, 2):
            if (port, port + 1) not in taken:
                return port
        raise MessageError("too many streams for one multicast group", 453)

    def _give_up(self, channel: Channel) -> None:
        """Free the channel after its last viewer."""
        with self._lock:
            channel.sessions -= 1
            if channel.sessions:
                return
            for sent in [key for key, one in self._channels.items() if one is channel]:
                del self._channels[sent]
        channel.close()

    def close(self) -> None:
        """Close all channels. May be called twice."""
        with self._lock:
            channels = list(self._channels.values())
            self._channels.clear()
        for channel in channels:
            channel.close()
