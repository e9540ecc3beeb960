"""Hot-air balloons: they rise with the sun and land when the lamps are lit."""

from __future__ import annotations

import math
from typing import NamedTuple

from movie.canvas import SHORELINE, Canvas
from movie.light import Colour, Moment, mix

TAKE_OFF, LANDING = 0.62, 1.12
BASKET = (90, 40, 30)


class Balloon(NamedTuple):
    """One balloon and its flight."""

    begin: float  # x
    end: float
    rise: float
    radius: float
    haze: float  # 0 to 1
    colours: tuple[Colour, Colour]


BALLOONS = (
    Balloon(352, 296, 62, 7, 0.32, ((240, 150, 50), (250, 236, 200))),
    Balloon(80, 24, 70, 9, 0.25, ((44, 128, 164), (244, 240, 228))),
    Balloon(260, 130, 86, 15, 0.1, ((226, 66, 56), (252, 196, 84))),
)


def draw_balloons(canvas: Canvas, moment: Moment) -> None:
    part = moment.between(TAKE_OFF, LANDING)
    if part is None:
        return
    for balloon in BALLOONS:
        x = balloon.begin + (balloon.end - balloon.begin) * part
        x += 2 * moment.wave(5, balloon.radius)
        y = SHORELINE + 24 - (balloon.rise + 24) * math.sin(math.pi * part) ** 0.6
        draw_balloon(canvas, moment, balloon, x, y)


def draw_balloon(canvas: Canvas, moment: Moment, balloon: Balloon, x: float, y: float) -> None:
    """Ropes and basket, then the gores of the envelope from the widest to the narrowest."""
    radius = balloon.radius
    first, second, basket = (
        mix(moment.lit(colour), moment.light.haze, balloon.haze)
        for colour in (*balloon.colours, BASKET)
    )
    for side in (-1, 1):
        ropes = [(x + side * radius * 0.48, y + radius), (x + side * radius * 0.2, y + 2 * radius)]
        canvas.line(ropes, 0.4, basket)
    canvas.trapezium(x, y + radius * 1.85, y + radius * 2.2, radius * 0.22, radius * 0.2, basket)
    for half, colour in ((1.0, first), (0.68, second), (0.32, first)):
        across = radius * half
        canvas.ellipse(x, y, across, radius, colour)
        shoulder, mouth = y + radius * 0.45, y + radius * 1.4
        canvas.trapezium(x, shoulder, mouth, across * 0.9, across * 0.42, colour)
