"""What the server does, in figures: for the status line and for Prometheus.

Nothing extra is counted on a packet's path: the streams count anyway, and the sums are made when
somebody asks.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from statistics import median

from rtplab.serving.rtp.pacer import Pacer
from rtplab.serving.rtp.sinks import Counts
from rtplab.serving.rtp.stream import CLOCK_RATE, RtpStream
from rtplab.serving.rtsp.session import Session

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_STATM = "/proc/self/statm"


@dataclass(frozen=True)
class Snapshot:
    """The figures of one moment. `frames`, `packets`, `payload` and `skipped` are counted from the
    start; the last are frames that were not sent, as they came too late.

    `when` is in seconds of time.monotonic, `payload` in bytes of RTP payload, as RTCP counts them.
    Loss (0 to 1) and jitter (seconds) are what the viewers' last receiver reports say, mean and
    worst of the `reporting` ones; the round trip (seconds) is median and worst of the `timed` ones,
    whose reports refer to one of the server's. `lateness` is the pacer's 99th percentile in
    seconds, `memory` in bytes (0: not known).
    """

    when: float
    sessions: int = 0
    frames: int = 0
    packets: int = 0
    payload: int = 0
    reporting: int = 0
    loss: float = 0.0
    worst_loss: float = 0.0
    jitter: float = 0.0
    worst_jitter: float = 0.0
    lateness: float = 0.0
    memory: int = 0
    skipped: int = 0
    timed: int = 0
    round_trip: float = 0.0
    worst_round_trip: float = 0.0


class Metrics:
    """Tracks the sessions of a server, and thus its streams. For all threads. It is an Observer."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._lock = threading.Lock()  # guards the attributes below
        self._sessions: dict[int, Session] = {}
        self._streams: dict[int, RtpStream] = {}
        self._shares: Counter[int] = Counter()  # sessions per stream: several with multicast
        self._ended = Counts()  # of streams that have ended

    def session_began(self, session: Session) -> None:
        """Count a viewer, and its stream's traffic; a stream that several share counts once."""
        stream = session.delivery.stream
        with self._lock:
            self._sessions[id(session)] = session
            self._streams[id(stream)] = stream
            self._shares[id(stream)] += 1

    def session_ended(self, session: Session) -> None:
        """Stop counting a viewer; keep the counts of a stream that has no other."""
        stream = session.delivery.stream
        with self._lock:
            if self._sessions.pop(id(session), None) is None:
                return
            self._shares[id(stream)] -= 1
            if not self._shares[id(stream)]:
                del self._shares[id(stream)], self._streams[id(stream)]
                self._ended = _sum(self._ended, stream.sent)

    def snapshot(self) -> Snapshot:
        """Return the current figures."""
        with self._lock:
            sessions = list(self._sessions.values())
            sums = reduce(_sum, (stream.sent for stream in self._streams.values()), self._ended)
        reports = [report for one in sessions if (report := one.delivery.last_report)]
        losses = [report.fraction_lost / 256 for report in reports]
        trips = [trip for one in sessions if (trip := one.delivery.round_trip) is not None]
        jitters = [report.jitter / CLOCK_RATE for report in reports]
        return Snapshot(
            time.monotonic(),
            len(sessions),
            *sums,
            len(reports),
            *_mean_and_worst(losses),
            *_mean_and_worst(jitters),
            self._pacer.lateness(0.99),
            resident_bytes(),
            self._pacer.skipped,
            len(trips),
            median(trips) if trips else 0.0,
            max(trips, default=0.0),
        )


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(
        one.frames + other.frames, one.packets + other.packets, one.payload + other.payload
    )


def _mean_and_worst(values: list[float]) -> tuple[float, float]:
    return (sum(values) / len(values), max(values)) if values else (0.0, 0.0)


def resident_bytes() -> int:
    """Return the memory of the process in bytes; 0 where the system does not say.

    Without /proc, as on macOS, it is the largest value so far.
    """
    try:
        with open(_STATM, encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return _peak_bytes()
    return pages * (resource.getpagesize() if resource else 4096)


def _peak_bytes() -> int:
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
