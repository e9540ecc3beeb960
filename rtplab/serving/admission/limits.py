"""Limits for each client and for all clients together, so that none disturbs the others."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import NamedTuple

from rtplab.protocol.rtsp.parser import MAX_BODY, MAX_HEAD
from rtplab.serving.admission.access import address_key

logger = logging.getLogger("rtplab.server")


@dataclass(frozen=True)
class Limits:
    """The bounds of one server process; each can be set on the server's command line."""

    # A thread and up to three descriptors each; one core was measured to serve 2,000 viewers.
    connections: int = 4096
    # A whole school, or a load test, may have one address; half is left for everyone else.
    connections_per_address: int = 2048
    # As many as connections: for operators who know how many viewers the line carries.
    sessions: int = 4096
    # A player sends less than one; dragging the slider sends about ten.
    requests_per_second: int = 100
    # On all connections of the address: 1,000 players that start in the same second send 3,000.
    requests_per_address: int = 2000
    # Seconds from a request's first byte to its last: a person may type it.
    request_timeout: int = 60
    # Seconds that a connection may do nothing before it has a session: lab clients connect when
    # they start, and set up when their user presses a button.
    idle_timeout: int = 600
    # Bytes of a request's head. Real ones have less than 1,000; a long Authorization fits.
    header_size: int = MAX_HEAD
    # Bytes of a request's body, which is read only to find the next request.
    body_size: int = MAX_BODY
    # KiB that may wait for a client that does not read; a quarter of it for frames, which are
    # dropped beyond that. 256 KiB are half a second of a 4 Mbit/s stream.
    queue: int = 1024
    # Bytes of an IP packet, in the standard dialect: what Ethernet carries.
    mtu: int = 1500

    @property
    def queue_bytes(self) -> int:
        """Bytes that may wait in all: a client that never reads its replies is disconnected."""
        return self.queue * 1024

    @property
    def frame_bytes(self) -> int:
        """Bytes that may wait before frames are dropped."""
        return self.queue_bytes // 4


class Bound(NamedTuple):
    """The help text of a limit's option, and the range of its values."""

    meaning: str
    unit: str = ""
    lowest: int = 1
    highest: int = 1_000_000  # more is not a limit

    def parse(self, text: str) -> int:
        """Read a value. Raises ValueError with a sentence."""
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(self.highest))
        if not is_number or not self.lowest <= int(text) <= self.highest:
            kind = f"number of {self.unit}" if self.unit else "number"
            raise ValueError(f"{text!r} is not a {kind} from {self.lowest} to {self.highest}")
        return int(text)


BOUNDS = {
    "connections": Bound("connections at once"),
    "connections_per_address": Bound("connections from one address at once"),
    "sessions": Bound("sessions at once"),
    "requests_per_second": Bound("requests per second from one connection; more are slowed down"),
    "requests_per_address": Bound("requests per second from one address; more are slowed down"),
    "request_timeout": Bound("that one request may take to arrive", "seconds"),
    "idle_timeout": Bound("without a request before SETUP", "seconds"),
    # Less, and a request of the lab with a long path would not fit.
    "header_size": Bound("of a request's head", "bytes", lowest=512),
    "body_size": Bound("of a request's body", "bytes", lowest=0),
    # Less, and a quarter of it would hold no two frames of the demonstration movie.
    "queue": Bound("that may wait for a client that does not read", "KiB", lowest=64),
    # Less, and the headers of RTP/JPEG's first packet, 212 bytes, would leave too little.
    "mtu": Bound("of the largest IP packet, standard dialect only", "bytes", 300, 65_535),
}


def name_of(field: str) -> str:
    """Return a limit's name on the command line."""
    return field.replace("_", "-")


class Pace:
    """Limits a rate of messages: a second's worth at once, then evenly."""

    def __init__(self, per_second: int) -> None:
        self._interval = 1 / per_second
        self._next = 0.0  # when the next message would be due if they came evenly

    def delay(self, now: float) -> float:
        """Count a message; return how many seconds it must wait."""
        if self._next < now:
            self._next = now
        self._next += self._interval
        ahead = self._next - now
        return ahead - 1.0 if ahead > 1.0 else 0.0


@dataclass
class _Address:
    """What one address uses at the moment."""

    pace: Pace
    connections: int = 0
    is_slowed: bool = False  # at least once, which has been logged


class Admission:
    """The connections of each address, and its rate of requests. For all control threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()  # guards the addresses and what they have
        self._addresses: dict[str, _Address] = {}  # those that have a connection

    def enter(self, host: str) -> bool:
        """Count a connection unless its address has too many; return whether it was admitted."""
        key = address_key(host)
        with self._lock:
            address = self._addresses.get(key) or _Address(Pace(self._limits.requests_per_address))
            if address.connections >= self._limits.connections_per_address:
                return False
            address.connections += 1
            self._addresses[key] = address
            return True

    def delay(self, host: str, pace: Pace, now: float) -> float:
        """Count a request of a connection that has entered; return how many seconds it must wait.

        `pace` is the connection's own; that of its address counts as well.
        """
        own = pace.delay(now)
        with self._lock:
            address = self._addresses[address_key(host)]
            delay = max(own, address.pace.delay(now))
            is_news = delay > 0 and not address.is_slowed
            address.is_slowed |= is_news
        if is_news:
            logger.info("%s sends too many requests: they are delayed", host)
        return delay

    def leave(self, host: str) -> None:
        """Undo an `enter` that was granted."""
        key = address_key(host)
        with self._lock:
            self._addresses[key].connections -= 1
            if not self._addresses[key].connections:
                del self._addresses[key]
