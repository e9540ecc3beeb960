"""Packets and figures as CSV, for spreadsheets. Needs no Tk."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from rtplab.player.model.packettable import PacketRow

_PACKETS = (
    "time", "sequence_number", "timestamp", "bytes", "marker", "delta_ms", "jitter_ms", "skew_ms",
    "kbit_per_s", "status",
)  # fmt: skip


def packets_csv(rows: Iterable[PacketRow]) -> str:
    """Return packets as CSV (RFC 4180), times as Unix time in seconds."""
    return _csv(
        _PACKETS,
        (
            (
                f"{row.when:.6f}", row.sequence_number, row.timestamp, row.size, int(row.marker),
                f"{1000 * row.delta:.3f}", f"{1000 * row.jitter:.3f}", f"{1000 * row.skew:.3f}",
                f"{row.kbit_per_second:.1f}", row.status,
            )
            for row in rows
        ),
    )  # fmt: skip


def figures_csv(names: Iterable[str], figures: Iterable[tuple[float, ...]]) -> str:
    """Return figures as CSV: a line of names, and a line for each moment."""
    return _csv(names, ((f"{value:.3f}" for value in line) for line in figures))


def _csv(names: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(lines)
    return text.getvalue()
