"""Where in its loop the movie is, and the colours of that time of day."""

from __future__ import annotations

import math
from typing import NamedTuple

FRAMES = 500

Colour = tuple[int, int, int]


class Light(NamedTuple):
    """The colours of one time of day."""

    zenith: Colour
    sky: Colour
    horizon: Colour
    haze: Colour  # what far things fade into
    land: Colour  # what near things look like
    cloud: Colour
    ambient: Colour  # multiplies the colours of painted things
    lamps: float  # 0 by day, 1 when every lamp is lit
    stars: float  # 0 by day, 1 when all are visible


GOLDEN = Light(
    zenith=(58, 72, 140),
    sky=(206, 118, 122),
    horizon=(255, 206, 132),
    haze=(222, 146, 122),
    land=(62, 44, 62),
    cloud=(255, 184, 150),
    ambient=(255, 206, 172),
    lamps=0.4,
    stars=0.0,
)
DUSK = Light(
    zenith=(24, 26, 78),
    sky=(112, 62, 122),
    horizon=(238, 126, 104),
    haze=(124, 78, 120),
    land=(30, 26, 52),
    cloud=(168, 86, 122),
    ambient=(150, 118, 160),
    lamps=0.9,
    stars=0.3,
)
NIGHT = Light(
    zenith=(6, 10, 36),
    sky=(16, 30, 74),
    horizon=(50, 78, 130),
    haze=(38, 60, 106),
    land=(8, 14, 32),
    cloud=(76, 96, 150),
    ambient=(74, 90, 138),
    lamps=1.0,
    stars=1.0,
)
DAWN = Light(
    zenith=(60, 88, 158),
    sky=(184, 142, 184),
    horizon=(255, 192, 160),
    haze=(190, 150, 180),
    land=(52, 54, 84),
    cloud=(255, 196, 188),
    ambient=(214, 184, 204),
    lamps=0.5,
    stars=0.1,
)
DAY = Light(
    zenith=(34, 106, 190),
    sky=(98, 168, 226),
    horizon=(208, 234, 242),
    haze=(164, 204, 224),
    land=(40, 98, 76),
    cloud=(255, 255, 255),
    ambient=(255, 255, 255),
    lamps=0.0,
    stars=0.0,
)
AFTERNOON = Light(
    zenith=(42, 92, 172),
    sky=(160, 172, 204),
    horizon=(255, 228, 176),
    haze=(210, 190, 174),
    land=(62, 82, 72),
    cloud=(255, 240, 220),
    ambient=(255, 238, 214),
    lamps=0.1,
    stars=0.0,
)

# Times are parts of the loop, which begins in the evening and ends in the next.
HOURS = (
    (0.0, GOLDEN),
    (0.10, DUSK),
    (0.22, NIGHT),
    (0.54, NIGHT),
    (0.64, DAWN),
    (0.74, DAY),
    (0.86, DAY),
    (0.94, AFTERNOON),
    (1.0, GOLDEN),
)


class Moment(NamedTuple):
    """One frame's place in the loop and the light that falls on it."""

    frame: int  # from 0
    light: Light

    @property
    def phase(self) -> float:
        """The part of the loop that is over, from 0 to less than 1."""
        return self.frame / FRAMES

    def wave(self, turns: int, offset: float = 0.0) -> float:
        """A sine with `turns` whole periods in the loop; `offset` in radians."""
        return math.sin(math.tau * turns * self.phase + offset)

    def between(self, begin: float, end: float) -> float | None:
        """How far (0 to 1) we are between two times; None outside. `end` may be above 1."""
        part = (self.phase - begin) % 1.0 / (end - begin)
        return part if part < 1.0 else None

    def lit(self, colour: Colour) -> Colour:
        """A painted thing's colour in this light."""
        red, green, blue = (a * b // 255 for a, b in zip(colour, self.light.ambient, strict=True))
        return red, green, blue

    def lamp(self, unlit: Colour, shining: Colour) -> Colour:
        """The colour of something that shines after dark."""
        return mix(self.lit(unlit), shining, self.light.lamps)

    def distant(self, nearness: float) -> Colour:
        """The colour of land: all haze at nearness 0, none at 1."""
        return mix(self.light.haze, self.light.land, nearness)


def moment_of(number: int) -> Moment:
    """The moment of frame `number`, counted from 1."""
    frame = (number - 1) % FRAMES
    return Moment(frame, light_at(frame / FRAMES))


def light_at(phase: float) -> Light:
    """The light of a time, between the two hours around it."""
    following = next(index for index, (hour, _) in enumerate(HOURS) if hour > phase)
    (begin, before), (end, after) = HOURS[following - 1], HOURS[following]
    part = (phase - begin) / (end - begin)
    return Light(
        zenith=mix(before.zenith, after.zenith, part),
        sky=mix(before.sky, after.sky, part),
        horizon=mix(before.horizon, after.horizon, part),
        haze=mix(before.haze, after.haze, part),
        land=mix(before.land, after.land, part),
        cloud=mix(before.cloud, after.cloud, part),
        ambient=mix(before.ambient, after.ambient, part),
        lamps=before.lamps + (after.lamps - before.lamps) * part,
        stars=before.stars + (after.stars - before.stars) * part,
    )


def mix(first: Colour, second: Colour, part: float) -> Colour:
    """The first colour with `part` (0 to 1) of the second in it."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


def dimmed(colour: Colour, part: float) -> Colour:
    """Less of a light."""
    return mix((0, 0, 0), colour, part)
