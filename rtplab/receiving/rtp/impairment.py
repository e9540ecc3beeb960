"""A bad network, made on purpose: loss, delay, jitter, reordering, duplicates and a rate limit.

It has no socket and no clock: packets go in with the time, and come out when they are due. The same
seed does the same to the same packets, whatever the machine: what happens to the n-th packet is
drawn from the seed and n alone; with bursts, it also depends on what happened to those before.

Bursts of loss are those of the Gilbert-Elliott model, whose good state loses nothing, and whose bad
state loses every packet:

                     p = loss / (1 - loss) / burst
             good  ---------------------------->  bad
          (arrives) <----------------------------  (lost)
                     r = 1 / burst

So the share of lost packets is `loss` whatever the burst, and as many as `burst` are lost in a row
on average. Independent loss is the case r = 1 - loss, p = loss.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

# Bytes under way at the most; what comes beyond is lost, as in a router's queue. The longest delay,
# ten seconds, of 50 Mbit/s, which is 1080p; a count of packets would be a second of it.
MAX_QUEUED = 64 * 1024 * 1024
PACKET_OVERHEAD = 200  # bytes of memory that a packet takes beside its own
# Seconds of data that may wait for the rate limit: a router with more is a broken one.
MAX_BACKLOG = 1.0
MAX_BURST = 1000  # packets lost in a row on average: a tenth of a second of 100 Mbit/s
# Seconds that a reordered packet is held back: longer than from one frame to the next at 20
# frames a second, since a lab server sends but one packet a frame.
_OVERTAKING = 0.06


@dataclass(frozen=True)
class Conditions:
    """What the network does. Probabilities are 0 to 1, times seconds, `rate` bits a second."""

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
        """Tell if packets pass as they come."""
        return replace(self, seed=0, burst=1.0) == replace(Conditions(), seed=0)

    def loss_after(self, was_lost: bool) -> float:
        """The probability that a packet is lost, by what became of the one before."""
        if self.loss in (0.0, 1.0):
            return self.loss
        recovery = min(1 / self.burst, 1 - self.loss)
        return 1 - recovery if was_lost else recovery * self.loss / (1 - self.loss)

    @property
    def longest_delay(self) -> float:
        """Seconds by which what comes may be late, all but one packet in ten thousand."""
        backlog = MAX_BACKLOG if self.rate else 0.0
        return self.delay + 4 * self.jitter + backlog + (_OVERTAKING if self.reorder else 0.0)


def parse_conditions(text: str) -> Conditions:
    """Read `loss=5%,burst=4,delay=30ms,jitter=10ms,reorder=1%,duplicate=1%,rate=2M,seed=1`.

    Raises ValueError with a sentence that says what is wrong.
    """
    values: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in _READERS:
            raise ValueError(f"{name!r} is none of {', '.join(_READERS)}")
        try:
            values[name] = _READERS[name](value.strip())
        except ValueError as error:
            raise ValueError(f"{name}={value}: {error}") from error
    return Conditions(**values)  # type: ignore[arg-type]


class Impairment:
    """What a bad network does to one direction of one stream."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self._queue: list[tuple[float, int, bytes]] = []  # a heap: when due, order, datagram
        self._queued_bytes = 0
        self._count = 0  # packets that came
        self._is_bad = False  # the state of the Gilbert-Elliott model
        self._order = 0
        self._link_free_at = 0.0
        self.lost = 0
        self.duplicated = 0

    @property
    def idle(self) -> bool:
        """Tell if packets may go past: nothing is to be done to them, and none is under way."""
        return self._harmless and not self._queue

    @property
    def conditions(self) -> Conditions:
        return self._conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        """Change the weather; what is under way stays under way."""
        self._conditions = conditions
        self._harmless = conditions.harmless

    def add(self, datagram: bytes, now: float) -> bool:
        """Take a datagram that arrived at `now`; tell if it is on its way, and not dropped."""
        self._count += 1
        chance = random.Random((self._conditions.seed << 32) + self._count)
        # Always drawn all, and in this order: to change one condition changes nothing else.
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
        """Return the datagrams that have come through by `now`, in their order."""
        arrived = []
        while self._queue and self._queue[0][0] <= now:
            datagram = heapq.heappop(self._queue)[2]
            self._queued_bytes -= len(datagram) + PACKET_OVERHEAD
            arrived.append(datagram)
        return arrived

    def deadline(self) -> float | None:
        """When the next datagram is due; None: nothing is under way."""
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


def _probability(text: str) -> float:
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= value <= 1:
        raise ValueError("give a share such as 5% or 0.05")
    return value


def _burst(text: str) -> float:
    value = float(text)
    if not 1 <= value <= MAX_BURST:
        raise ValueError(f"give how many packets are lost in a row on average, 1 to {MAX_BURST}")
    return value


def _time(text: str) -> float:
    if text.endswith("ms"):
        value = float(text[:-2]) / 1000
    else:
        value = float(text.removesuffix("s"))
    if not 0 <= value <= 10:
        raise ValueError("give a time such as 30ms, of 10 s at the most")
    return value


def _rate(text: str) -> float:
    factors = {"k": 1e3, "M": 1e6}
    value = float(text[:-1]) * factors[text[-1]] if text[-1:] in factors else float(text)
    if not 0 <= value <= 1e10:
        raise ValueError("give bits a second, such as 500k or 2M")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1 << 31:
        raise ValueError("give a number from 0 to 2147483647")
    return value


_READERS: dict[str, Callable[[str], float]] = {
    "loss": _probability,
    "burst": _burst,
    "delay": _time,
    "jitter": _time,
    "reorder": _probability,
    "duplicate": _probability,
    "rate": _rate,
    "seed": _seed,
}
assert list(_READERS) == [field.name for field in fields(Conditions)]
