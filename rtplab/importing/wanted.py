"""The options of an import, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rtplab.protocol.errors import RtpLabError


class ImportingError(RtpLabError):
    """One plain sentence: why a file can't be converted to a movie, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """The options of the command line.

    `size` is in pixels, `max_frame` in bytes (0: no bound), `start` and `duration` in seconds;
    None keeps the source's value, and chooses a good `quality` (1 to 95).
    """

    fps: Fraction | None = None
    size: tuple[int, int] | None = None
    quality: int | None = None
    max_frame: int = 14_500
    start: Fraction = Fraction(0)
    duration: Fraction | None = None
