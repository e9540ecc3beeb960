"""One sender for many viewers: a movie sent to a multicast group while anybody watches it."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rtplab.protocol.errors import MessageError, RtpLabError
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.rtp.pacer import Pacer, Ticket
from rtplab.serving.rtp.sinks import UdpSink
from rtplab.serving.rtsp.session import Session

TTL = 1  # the local network, and no further

logger = logging.getLogger("rtplab.server")


@dataclass(frozen=True)
class MulticastGroup:
    """The group, and the port of the first movie; each further one has the next pair."""

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


def open_multicast_sink(local_host: str, group: str, port: int) -> UdpSink:
    """Return a sink that sends to `group` by the interface that has `local_host`."""
    sink = UdpSink(local_host, group, port, port + 1)
    for end in sink.sockets:
        if ":" in group:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)
        else:
            end.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
    return sink


def multicast_transport(group: str, port: int, ssrc: int) -> Transport:
    """Return what SETUP answers to a viewer of the group."""
    return Transport(
        multicast=True, destination=group, client_port=(port, port + 1), ttl=TTL, ssrc=ssrc
    )


class MulticastChannel:
    """A movie's one sender. It begins with the first viewer and stops after the last."""

    def __init__(self, session: Session, pacer: Pacer) -> None:
        """Send as `session` says, which no client has for itself."""
        self.session = session
        self._pacer = pacer
        self._lock = threading.Lock()  # guards what follows
        self._viewers: dict[str, Callable[[], None]] = {}
        self._at_end: set[str] = set()  # who has seen the end, and not left since
        self._ticket: Ticket | None = None

    def join(self, viewer: str, ended: Callable[[], None]) -> None:
        """Send for this viewer too, unless the movie has ended for it and it has not left since.

        `ended` is called soon after the end: by then the viewer may have left, and joined again.
        """
        with self._lock:
            if viewer in self._at_end:
                return
            self._viewers[viewer] = ended
            if self._ticket is None:
                self.session.playback.rewind_at_end()
                now = time.monotonic()
                self.session.start_clock(now)
                self._ticket = self._pacer.add(self._send, now)

    def leave(self, viewer: str) -> None:
        """Send no longer for this viewer. May be called twice."""
        with self._lock:
            self._viewers.pop(viewer, None)
            self._at_end.discard(viewer)
            if not self._viewers and self._ticket is not None:
                self._ticket.cancel()
                self._ticket = None
                self.session.playback.cursor.seek(1)

    def has_ended_for(self, viewer: str) -> bool:
        """Tell if the movie has ended while this viewer watched, and it has not left since."""
        with self._lock:
            return viewer in self._at_end

    def close(self) -> None:
        """Free the sockets; no viewer is left."""
        self.session.say_goodbye()
        self.session.stream.sink.close()

    def _send(self) -> float | None:
        """Send the next frame; return when the one after it is due. The pacer calls this."""
        with self._lock:
            if self._ticket is None:
                return None
            try:
                due = self.session.send_next(time.monotonic())
                if due is not None:
                    return due
            except (RtpLabError, OSError) as error:  # the file was cut, or the network is gone
                logger.warning("%s is sent no more: %s", self._name, error)
            except Exception:
                logger.exception("%s is sent no more: the server has failed", self._name)
            self._ticket = None
            viewers, self._viewers = self._viewers, {}
            self._at_end.update(viewers)
            try:
                self.session.say_goodbye()
            except Exception:
                logger.exception("%s ends without a word", self._name)
        for ended in viewers.values():
            try:
                ended()
            except Exception:
                logger.exception("a viewer of %s is not told of its end", self._name)
        return None

    @property
    def _name(self) -> str:
        return f"the multicast of {printable(self.session.resource.name, 80)}"


class MulticastChannels:
    """The channels of a server's movies, made when the first viewer asks."""

    def __init__(self, group: MulticastGroup) -> None:
        self._group = group
        self._channels: dict[str, MulticastChannel] = {}  # by the movie's path
        self._lock = threading.Lock()  # guards _channels

    def channel(self, path: str, make: Callable[[str, int], MulticastChannel]) -> MulticastChannel:
        """Return the movie's channel; `make` is called with group and port for a new one.

        Raises MessageError 453 when there are no ports left for another.
        """
        with self._lock:
            if path not in self._channels:
                port = self._group.port + 2 * len(self._channels)
                if port > 65534:
                    raise MessageError("too many movies for one multicast group", 453)
                self._channels[path] = make(self._group.group, port)
            return self._channels[path]

    def close(self) -> None:
        """Close all channels. May be called twice."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
