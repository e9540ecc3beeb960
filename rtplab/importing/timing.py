"""Turns pictures with individual durations into pictures at a constant rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

from rtplab.importing.wanted import Wanted

_T = TypeVar("_T")


def sampled(
    shown: Iterable[tuple[Fraction, _T]],
    rate: Fraction,
    wanted: Wanted,
    slack: Fraction = Fraction(0),
) -> Iterator[_T]:
    """Yield the picture shown at each beat of `rate`; each has the time in seconds when it ends.

    These times may be up to `slack` too late, because some files round them.
    """
    beats = 0
    for end, picture in shown:
        while wanted.start + beats / rate + slack < end:
            if wanted.duration is not None and beats / rate >= wanted.duration:
                return
            yield picture
            beats += 1


def expected(seconds: Fraction, rate: Fraction, wanted: Wanted) -> int:
    """Return the number of pictures at `rate` in this many seconds of the source."""
    seconds = max(Fraction(0), seconds - wanted.start)
    if wanted.duration is not None:
        seconds = min(seconds, wanted.duration)
    return -int(-seconds * rate // 1)
