"""Which frames of a movie a client has saved: each must be whole and equal to the file's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rtplab.protocol.rtp import jpeg

NEARLY_ALL = 0.9


def content(frame: bytes) -> tuple[bytes, ...]:
    """What of a JPEG its picture depends on: RFC 2435 makes the rest anew at the receiver."""
    header = jpeg.parse(frame)
    tables = [header.quantization_tables[part.quantization_table] for part in header.components]
    return frame[header.scan_start : header.scan_end], *tables


def numbers_among(frames: Iterable[bytes], originals: Iterable[bytes]) -> list[int]:
    """The numbers of the frames, from 1. One that is none of the originals is a KeyError."""
    numbers = {content(frame): number for number, frame in enumerate(originals, 1)}
    return [numbers[content(frame)] for frame in frames]


def numbers_of(folder: Path, originals: Iterable[bytes]) -> list[int]:
    """The same of the frames that were saved in `folder`, in the order they came."""
    return numbers_among((path.read_bytes() for path in sorted(folder.iterdir())), originals)


def in_order(shown: list[int]) -> bool:
    """Tell if no frame has come twice and none before an earlier one."""
    return shown == sorted(set(shown))


def share_to_come(log: str) -> float:
    """The share of the frames that must come at least, by what the server has logged.

    It is nearly all. On a machine that is far too busy the server leaves some out, and says so.
    """
    return 0.3 if "skipped" in log else NEARLY_ALL


def complete(shown: list[int], count: int, log: str) -> bool:
    """Tell if `count` frames have come in order, or as many as could; `log` is the server's."""
    return in_order(shown) and len(shown) >= share_to_come(log) * count


def at_the_pace(fps: float, wanted: float, log: str) -> bool:
    """Tell if as many frames have come in a second as were wanted, or could."""
    return share_to_come(log) * wanted / 2 < fps < wanted * 1.05
