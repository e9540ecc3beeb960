"""What the server does, in figures: for the status line and for Prometheus.

Nothing is counted for this on the way of a packet but what the streams count anyway: the sums are
made when somebody asks.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass

from rtplab.serving.rtp.pacer import Pacer
from rtplab.serving.rtp.stream import CLOCK_RATE, RtpStream
from rtplab.serving.rtsp.session import Session

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_STATM = "/proc/self/statm"


@dataclass(frozen=True)
class Snapshot:
    """The figures of one moment. `frames`, `packets`, `payload` and `left_out` are counted from the
    start; the last are frames that were not sent, as they came too late.

    `when` is in seconds of time.monotonic, `payload` in bytes of RTP payload, as RTCP counts them.
    Loss (0 to 1) and jitter (seconds) are what the viewers' last receiver reports say, mean and
    worst of the `reporting` ones. `lateness` is the pacer's 99th percentile in seconds, `memory`
    in bytes (0: not known).
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
    left_out: int = 0


class Metrics:
    """Knows the sessions and the streams of a server. For all threads."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._lock = threading.Lock()  # guards what follows
        self._sessions: dict[int, Session] = {}
        self._streams: dict[int, RtpStream] = {}
        self._ended = (0, 0, 0)  # frames, packets and payload of the streams that are no more

    def session_began(self, session: Session) -> None:
        """Count a viewer."""
        with self._lock:
            self._sessions[id(session)] = session

    def session_ended(self, session: Session) -> None:
        """Count a viewer no longer."""
        with self._lock:
            self._sessions.pop(id(session), None)

    def stream_began(self, stream: RtpStream) -> None:
        """Count what a stream sends; one of multicast is counted once."""
        with self._lock:
            self._streams[id(stream)] = stream

    def stream_ended(self, stream: RtpStream) -> None:
        """Keep the counts of a stream that sends no more."""
        with self._lock:
            if self._streams.pop(id(stream), None) is not None:
                self._ended = _sums([self._ended, _counts(stream)])

    def snapshot(self) -> Snapshot:
        """Return the figures of now."""
        with self._lock:
            sessions = list(self._sessions.values())
            sums = _sums([self._ended, *map(_counts, self._streams.values())])
        reports = [session.last_report for session in sessions if session.last_report]
        losses = [report.fraction_lost / 256 for report in reports]
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
            self._pacer.left_out,
        )


def _counts(stream: RtpStream) -> tuple[int, int, int]:
    return stream.frames_sent, stream.packets_sent, stream.bytes_sent


def _sums(counts: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    frames, packets, payload = map(sum, zip(*counts, strict=True))
    return frames, packets, payload


def _mean_and_worst(values: list[float]) -> tuple[float, float]:
    return (sum(values) / len(values), max(values)) if values else (0.0, 0.0)


def resident_bytes() -> int:
    """Return the memory of the process in bytes; 0 where the system does not say.

    Where there is no /proc, as on macOS, it is the most that it ever had.
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


def status_line(before: Snapshot, now: Snapshot) -> str:
    """Say in one line what has been done since `before`, and how it is now."""
    seconds = max(now.when - before.when, 1e-3)
    parts = [
        f"{now.sessions} sessions",
        f"{(now.frames - before.frames) / seconds:.1f} frames/s",
        f"{(now.payload - before.payload) * 8 / seconds / 1e6:.2f} Mbit/s",
        _reception(now),
        f"pacer p99 {now.lateness * 1000:.1f} ms late",
    ]
    return ", ".join(parts) + (f", {now.memory / 1e6:.0f} MB" if now.memory else "")


def _reception(now: Snapshot) -> str:
    if not now.reporting:
        return "no reports of loss"
    return (
        f"loss {now.loss:.1%} (worst {now.worst_loss:.1%}), jitter {now.jitter * 1000:.1f} ms "
        f"(worst {now.worst_jitter * 1000:.1f}) by {now.reporting} reports"
    )


class StatusReporter:
    """Prints the status line every `interval` seconds (None: never), and when it is asked to."""

    def __init__(self, metrics: Metrics, interval: float | None, label: str) -> None:
        self._metrics = metrics
        self._interval = interval
        self._label = label
        self._before = metrics.snapshot()
        self._asked = False

    def ask(self) -> None:
        """Have the line printed soon. May be called from a signal handler."""
        self._asked = True

    def seconds_left(self) -> float | None:
        """Return how long it is until the next line; None if that is not known."""
        if self._interval is None:
            return None
        return max(0.0, self._before.when + self._interval - time.monotonic())

    def print_if_due(self) -> None:
        """Print the line, if it is time or somebody has asked."""
        if self._asked or self.seconds_left() == 0.0:
            self._asked = False
            now = self._metrics.snapshot()
            print(f"{self._label}: {status_line(self._before, now)}", flush=True)
            self._before = now
