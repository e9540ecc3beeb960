"""What all viewers of one soak share: servers, films, figures and the time that is left."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from dataclasses import dataclass, field

from soak.films import Film
from soak.tally import Fault, Tally


@dataclass
class Stage:
    films: list[Film]
    tally: Tally
    plain: int  # the port of the server without TLS and login
    secure: int  # and of the one with both
    tls: ssl.SSLContext  # that trusts it
    patience: float  # seconds that hostile ones wait at the most
    deadline: float = 0.0  # by time.monotonic
    sessions: deque[str] = field(default_factory=lambda: deque(maxlen=50))  # ids of viewers
    server_ports: set[int] = field(default_factory=set)  # for RTP and RTCP, of viewers now

    @property
    def remaining(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    async def rest(self, seconds: float) -> None:
        """Do nothing for so long, or until the soak ends."""
        await asyncio.sleep(min(seconds, self.remaining))

    async def wait(self, event: asyncio.Event, seconds: float, what: str) -> bool:
        """Wait for an event; False when the soak ends first. Raises Fault after `seconds`."""
        sent = time.monotonic()
        try:
            await asyncio.wait_for(event.wait(), min(seconds, self.remaining))
        except asyncio.TimeoutError:
            if self.remaining and not self.tally.beat.held_up_since(sent):
                raise Fault(f"no {what} in {seconds:g} s") from None
        return event.is_set()
