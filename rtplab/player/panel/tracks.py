"""The meaning of the network sliders' positions. Needs no Tk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from rtplab.receiving.rtp.impairment import Conditions

_PER_DECADE = 20  # steps of the rate limit from 100 kbit/s to 1 Mbit/s, and so on
_LOWEST_RATE = 1e5  # bits a second
_LONGEST_BURST = 21  # packets
_RATE_STEPS = 3 * _PER_DECADE  # to 100 Mbit/s; one more step means no limit


@dataclass(frozen=True)
class Track:
    """A slider for one of the Conditions, or for the latency; its positions are in `unit`."""

    name: str
    label: str
    largest: float  # position
    step: float
    unit: str
    per: float  # units in 1 of its value

    def position_of(self, value: float) -> float:
        """Where the knob is for a value of Conditions."""
        return value * self.per

    def value_at(self, position: float) -> float:
        """The value of Conditions where the knob is, in whole steps."""
        return round(position / self.step) * self.step / self.per

    def text(self, value: float) -> str:
        """The text next to the slider for a value of Conditions."""
        return f"{value * self.per:.4g} {self.unit}"


class RateTrack(Track):
    """From 100 kbit/s to 100 Mbit/s, each step a tenth more; at the far end there is no limit."""

    def __init__(self) -> None:
        super().__init__("rate", "Rate limit", _RATE_STEPS + 1, 1, "bit/s", 1)

    def position_of(self, value: float) -> float:
        if not value:
            return self.largest
        return min(max(_PER_DECADE * math.log10(value / _LOWEST_RATE), 0.0), _RATE_STEPS)

    def value_at(self, position: float) -> float:
        if round(position) > _RATE_STEPS:
            return 0.0
        return float(f"{_LOWEST_RATE * 10 ** (round(position) / _PER_DECADE):.2g}")

    def text(self, value: float) -> str:
        if not value:
            return "no limit"
        return f"{value / 1e6:.4g} Mbit/s" if value >= 1e6 else f"{value / 1e3:.4g} kbit/s"


class BurstTrack(Track):
    """From single packets to _LONGEST_BURST in a row."""

    def __init__(self) -> None:
        super().__init__("burst", "Loss in bursts", _LONGEST_BURST - 1, 1, "packets", 1)

    def position_of(self, value: float) -> float:
        return min(value - 1, self.largest)

    def value_at(self, position: float) -> float:
        return 1.0 + round(position)

    def text(self, value: float) -> str:
        return "no bursts" if value <= 1 else super().text(value)


class Preset(NamedTuple):
    """A typical network. The seed is not part of it."""

    name: str
    conditions: Conditions


# Typical values, neither the best nor the worst.
PRESETS = (
    Preset(
        "Wi-Fi",
        Conditions(loss=0.01, burst=3, delay=0.005, jitter=0.004, rate=30e6),
    ),
    Preset("LTE", Conditions(loss=0.005, burst=2, delay=0.04, jitter=0.012, rate=12e6)),
    Preset(
        "DSL in the evening",
        Conditions(loss=0.02, burst=6, delay=0.03, jitter=0.018, rate=6e6),
    ),
    Preset("Satellite", Conditions(loss=0.01, burst=5, delay=0.28, jitter=0.008, rate=10e6)),
)

LATENCY = Track("latency", "Playout delay", 1000, 10, "ms", 1000)

TRACKS = (
    Track("loss", "Loss", 50, 0.5, "%", 100),
    BurstTrack(),
    Track("delay", "Delay", 500, 5, "ms", 1000),
    Track("jitter", "Jitter", 200, 2, "ms", 1000),
    Track("reorder", "Reordering", 50, 1, "%", 100),
    Track("duplicate", "Duplicates", 50, 1, "%", 100),
    RateTrack(),
)
