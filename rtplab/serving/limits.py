"""What one client may use, and all of them together, so that the others are served as if alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields

from rtplab.serving.access import address_key


@dataclass(frozen=True)
class Limits:
    """The bounds; each has an option of the server's command line."""

    # A thread and up to three descriptors each; one core was measured to serve 2,000 viewers.
    connections: int = 4096
    # A whole school, or a load test, may come from one address; half is left for all others.
    connections_per_address: int = 2048
    # A player sends less than one, a viewer who drags the slider about ten.
    requests_per_second: int = 100
    # Seconds from a request's first byte to its last: a person may type it.
    request_timeout: int = 60
    # Seconds that a connection may do nothing before it has a session: lab clients connect when
    # they start, and set up when their user presses a button.
    idle_timeout: int = 600
    # KiB that may wait for a client that does not read; a quarter of it for frames, which are
    # dropped beyond that. 256 KiB are half a second of a 4 Mbit/s stream.
    queue: int = 1024

    @property
    def queue_bytes(self) -> int:
        """What may wait in all: a client that never reads its replies is cut off."""
        return self.queue * 1024

    @property
    def frame_bytes(self) -> int:
        """What may wait before frames are dropped."""
        return self.queue_bytes // 4


HELP = {
    "connections": "connections at once (default: %(default)s)",
    "connections_per_address": "of one address (default: %(default)s)",
    "requests_per_second": "of one connection; more are slowed down (default: %(default)s)",
    "request_timeout": "seconds that one request may take to arrive (default: %(default)s)",
    "idle_timeout": "seconds without a request before SETUP (default: %(default)s)",
    "queue": "KiB that may wait for a client that does not read (default: %(default)s)",
}


def option_of(name: str) -> str:
    """Return the command line's name of a limit."""
    return "--" + ("" if "timeout" in name else "max-") + name.replace("_", "-")


def limit_names() -> list[str]:
    """Return the names of all limits."""
    return [limit.name for limit in fields(Limits)]


class Admission:
    """How many connections each address has. For all control threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()  # guards the counts
        self._counts: dict[str, int] = {}

    def enter(self, host: str) -> bool:
        """Count a connection, unless its address has as many as it may; tell if so."""
        key = address_key(host)
        with self._lock:
            count = self._counts.get(key, 0)
            if count >= self._most:
                return False
            self._counts[key] = count + 1
            return True

    def leave(self, host: str) -> None:
        """Undo an `enter` that was granted."""
        key = address_key(host)
        with self._lock:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]


class Pace:
    """How fast one connection's messages are taken: a second's worth at once, then evenly."""

    def __init__(self, per_second: int) -> None:
        self._interval = 1 / per_second
        self._next = 0.0  # when the next message would be due if they came evenly

    def delay(self, now: float) -> float:
        """Count a message; return how many seconds it must wait."""
        self._next = max(self._next, now) + self._interval
        return max(0.0, self._next - now - 1.0)
