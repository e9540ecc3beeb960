"""Simulates a bad network: loss, delay, jitter, reordering, duplicates and a rate limit.

It has no socket and no clock: packets go in with the time, and come out when they are due. The same
seed does the same to the same packets on every machine: the fate of the n-th packet depends only on
the seed and n, and with bursts also on the fate of those before.

Bursts of loss are those of the Gilbert-Elliott model, whose good state loses nothing, and whose bad
state loses every packet:

                     p = loss / (1 - loss) / burst
             good  ---------------------------->  bad
          (arrives) <----------------------------  (lost)
                     r = 1 / burst

So the share of lost packets is `loss` whatever the burst, and on average `burst` packets in a row
are lost. Independent loss is the case r = 1 - loss, p = loss.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

# Maximum bytes in transit; more are lost, as in a router's queue. They suffice for the longest
# delay, ten seconds, at 50 Mbit/s, which is 1080p; the limit on packets alone would be one second
# of it.
MAX_QUEUED = 64 * 1024 * 1024
PACKET_OVERHEAD = 200  # bytes of memory that a packet takes in addition to its data
# Seconds of data that may wait for the rate limit: a sane router queues no more.
MAX_BACKLOG = 1.0
MAX_BURST = 1000  # packets lost in a row on average: a tenth of a second of 100 Mbit/s
# Seconds that a reordered packet is held back: longer than a frame at 20 frames a second, since a
# lab server sends only one packet per frame.
_OVERTAKING = 0.06


@dataclass(frozen=True)
class Conditions:
    """Network conditions. Probabilities are 0 to 1, times in seconds, `rate` in bits per second."""

    loss: float = 0.0
    burst: float = 1.0  # packets lost in a row, on average; 1: each is lost independently
    delay: float = 0.0
    jitter: float = 0.0  # standard deviation of the delay
    reorder: float = 0.0  # probability that a packet is overtaken by the next
    duplicate: float = 0.0
    rate: float = 0.0  # 0: no limit
    seed: int = 1

    @property
    def harmless(self) -> bool:
        """Tell if packets pass unchanged."""
        return replace(self, seed=0, burst=1.0) == replace(Conditions(), seed=0)

    def loss_after(self, was_lost: bool) -> float:
        """The probability of losing a packet, given whether the previous one was lost."""
        if self.loss in (0.0, 1.0):
            return self.loss
        recovery = min(1 / self.burst, 1 - self.loss)
        return 1 - recovery if was_lost else recovery * self.loss / (1 - self.loss)

    @property
    def longest_delay(self) -> float:
        """The delay in seconds that all but one packet in ten thousand stay below."""
        backlog = MAX_BACKLOG if self.rate else 0.0
        return self.delay + 4 * self.jitter + backlog + (_OVERTAKING if self.reorder else 0.0)


def parse_conditions(text: str) -> Conditions:
    """Read `loss=5%,burst=4,delay=30ms,jitter=10ms,reorder=1%,duplicate=1%,rate=2M,seed=1`.

    Raises ValueError with a sentence for the user.
    """
    values: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in _VALUES:
            raise ValueError(f"{name!r} is not one of {', '.join(_VALUES)}")
        try:
            values[name] = _VALUES[name].parse(value.strip())
        except ValueError as error:
            raise ValueError(f"{name}={value}: {error}") from error
    return Conditions(**values)  # type: ignore[arg-type]


class Impairment:
    """A simulated bad network for one direction of one stream."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self._queue: list[tuple[float, int, bytes]] = []  # a heap: when due, order, datagram
        self._queued_bytes = 0
        self._count = 0  # packets received
        self._is_bad = False  # the state of the Gilbert-Elliott model
        self._order = 0
        self._link_free_at = 0.0
        self.lost = 0
        self.duplicated = 0

    @property
    def idle(self) -> bool:
        """Tell if packets may bypass this: no impairment is set and no packet is delayed."""
        return self._harmless and not self._queue

    @property
    def conditions(self) -> Conditions:
        return self._conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        """Change the network conditions. Packets already delayed keep their delivery time."""
        self._conditions = conditions
        self._harmless = conditions.harmless

    def add(self, datagram: bytes, now: float) -> bool:
        """Take a datagram that arrived at `now`; tell if it was queued rather than dropped."""
        self._count += 1
        chance = random.Random((self._conditions.seed << 32) + self._count)
        # Always draw all, in this order, so that changing one condition changes nothing else.
        lost, doubled, overtaken = chance.random(), chance.random(), chance.random()
        wait, wait_of_double = chance.gauss(0, 1), chance.gauss(0, 1)
        self._is_bad = lost < self._conditions.loss_after(self._is_bad)
        if self._is_bad:
            self.lost += 1
            return False
        late = overtaken < self._conditions.reorder
        is_sent = self._send(datagram, now, wait, late)
        if doubled < self._conditions.duplicate:
            self.duplicated += 1
            is_sent |= self._send(datagram, now, wait_of_double, late)
        return is_sent

    def due(self, now: float) -> list[bytes]:
        """Return the datagrams that have passed by `now`, in order."""
        arrived = []
        while self._queue and self._queue[0][0] <= now:
            datagram = heapq.heappop(self._queue)[2]
            self._queued_bytes -= len(datagram) + PACKET_OVERHEAD
            arrived.append(datagram)
        return arrived

    def deadline(self) -> float | None:
        """When the next datagram is due; None if none is queued."""
        return self._queue[0][0] if self._queue else None

    def _send(self, datagram: bytes, now: float, wait: float, late: bool) -> bool:
        leaves = self._leaves_link_at(len(datagram), now)
        size = len(datagram) + PACKET_OVERHEAD
        if leaves is None or self._queued_bytes + size > MAX_QUEUED:
            self.lost += 1
            return False
        delay = max(0.0, self._conditions.delay + wait * self._conditions.jitter)
        self._order += 1
        self._queued_bytes += size
        if late:
            delay += _OVERTAKING
        heapq.heappush(self._queue, (leaves + delay, self._order, datagram))
        return True

    def _leaves_link_at(self, size: int, now: float) -> float | None:
        """When the link has sent a datagram of `size` bytes; None when its queue is full."""
        rate = self._conditions.rate
        if not rate:
            return now
        begins = max(now, self._link_free_at)
        if begins - now > MAX_BACKLOG:
            return None
        self._link_free_at = begins + size * 8 / rate
        return self._link_free_at


def _share(text: str) -> float:
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def _seconds(text: str) -> float:
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))


def _bits_per_second(text: str) -> float:
    factors = {"k": 1e3, "M": 1e6}
    return float(text[:-1]) * factors[text[-1]] if text[-1:] in factors else float(text)


class _Value(NamedTuple):
    """How to read a value, and its sensible bounds."""

    read: Callable[[str], float]
    least: float
    most: float
    right: str  # what the user should give

    def parse(self, text: str) -> float:
        """Read a value. Raises ValueError with a sentence."""
        with suppress(ValueError):
            value = self.read(text)
            if self.least <= value <= self.most:
                return value
        raise ValueError(f"give {self.right}")


_SHARE = _Value(_share, 0, 1, "a share such as 5% or 0.05")
_TIME = _Value(_seconds, 0, 10, "a time such as 30ms, at most 10 s")
_BURST = _Value(
    float, 1, MAX_BURST, f"how many packets are lost in a row on average, 1 to {MAX_BURST}"
)
_RATE = _Value(_bits_per_second, 0, 1e10, "bits per second, such as 500k or 2M")
_SEED = _Value(int, 0, (1 << 31) - 1, "a number from 0 to 2147483647")
_VALUES = {
    **{"loss": _SHARE, "burst": _BURST, "delay": _TIME, "jitter": _TIME},
    **{"reorder": _SHARE, "duplicate": _SHARE, "rate": _RATE, "seed": _SEED},
}
assert list(_VALUES) == [field.name for field in fields(Conditions)]
