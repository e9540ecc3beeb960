"""The status line on the server's standard output."""

from __future__ import annotations

import logging
import time

from rtplab.console import say
from rtplab.serving.scaling.metrics import Metrics, Snapshot

logger = logging.getLogger("rtplab.server")


def status_line(before: Snapshot, now: Snapshot) -> str:
    """Return one line about the work since `before`, and the current state."""
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
    told = (
        f"loss {now.loss:.1%} (worst {now.worst_loss:.1%}), jitter {now.jitter * 1000:.1f} ms "
        f"(worst {now.worst_jitter * 1000:.1f}) by {now.reporting} reports"
    )
    if now.timed:
        told += f", round trip {now.round_trip * 1000:.1f} ms"
        told += f" (worst {now.worst_round_trip * 1000:.1f})"
    return told


class StatusReporter:
    """Prints the status line every `interval` seconds (None: never), and on request."""

    def __init__(self, metrics: Metrics, interval: float | None, label: str) -> None:
        self._metrics = metrics
        self._interval = interval
        self._label = label
        self._before = metrics.snapshot()
        self._asked = False

    def ask(self) -> None:
        """Request the line soon. May be called from a signal handler."""
        self._asked = True

    def seconds_left(self) -> float | None:
        """Return the seconds until the next line; None if none is scheduled."""
        if self._interval is None:
            return None
        return max(0.0, self._before.when + self._interval - time.monotonic())

    def print_if_due(self) -> None:
        """Print the line if it is due or was requested."""
        if self._asked or self.seconds_left() == 0.0:
            self._asked = False
            now = self._metrics.snapshot()
            if not say(f"{self._label}: {status_line(self._before, now)}"):
                logger.warning(
                    "standard output was closed: the status line is printed only on request"
                )
                self._interval = None
            self._before = now
