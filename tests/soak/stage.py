"""What all viewers of one soak share: servers, films, figures and the time that is left."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from dataclasses import dataclass, field

from soak.films import Film
from soak.tally import Tally

PATIENCE = 10.0  # seconds beyond the time that something may take
LONGEST_LEAP = 2.0  # seconds of frames that a server without time may leave out at once
EXCUSE = 0.3  # seconds: as long must the load stand still before its sockets may overflow


@dataclass
class Stage:
    films: list[Film]
    slow_film: Film  # which has more bytes a second than those who watch it take
    tally: Tally
    plain: int  # the port of the server without TLS and login
    http: int  # and its port for browsers
    secure: int  # and of the one with both
    tls: ssl.SSLContext  # that trusts it
    patience: float  # seconds that hostile ones wait at the most
    deadline: float = 0.0  # by time.monotonic
    sessions: deque[str] = field(default_factory=lambda: deque(maxlen=50))  # ids of viewers
    published: set[str] = field(default_factory=set)  # live streams that behave, now
    server_ports: set[int] = field(default_factory=set)  # for RTP and RTCP, of viewers now

    @property
    def remaining(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    async def rest(self, seconds: float) -> None:
        """Do nothing for so long, or until the soak ends."""
        await asyncio.sleep(min(seconds, self.remaining))

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event; tell if it has come. The end of the soak comes first, maybe."""
        try:
            await asyncio.wait_for(event.wait(), min(seconds, self.remaining))
        except asyncio.TimeoutError:
            pass
        return event.is_set()
