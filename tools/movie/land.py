"""The land far beyond the lake: mountains with snow, and hills in their haze."""

from __future__ import annotations

import math
from collections.abc import Sequence

from movie.canvas import SHORELINE, WIDTH, Canvas, Layer, Point, fade
from movie.light import Colour, Moment, mix

MOUNTAINS = Layer(speed=0.8, period=400)
HILLS = Layer(speed=1.2, period=600)

# x, height, half the width of the foot
PEAKS = (
    (350, 82, 100),
    (128, 76, 96),
    (236, 66, 84),
    (20, 62, 80),
    (300, 52, 64),
    (190, 48, 70),
    (75, 44, 60),
)
HILL_WAVES = ((2, 7), (5, 4), (9, 1.6))


def draw_mountains(canvas: Canvas, moment: Moment) -> None:
    for x, height, foot in PEAKS:
        for place in MOUNTAINS.places(x, moment, reach=100):
            draw_peak(canvas, moment, place, height, foot)
    canvas.wash(fade(WIDTH, 60), 0, SHORELINE - 60, moment.light.haze)


def draw_peak(canvas: Canvas, moment: Moment, x: float, height: float, foot: float) -> None:
    """A lit side on the left, a dark one on the right of a crooked crest, and snow on both."""
    top = SHORELINE - height
    crest = [(0, 0), (3, 0.2), (-2, 0.4), (6, 0.7), (2, 1)]
    points = [(x + dx, top + height * down) for dx, down in crest]
    canvas.trapezium(x, top, SHORELINE, 0, foot, moment.distant(0.30))
    canvas.polygon([*points, (x + foot, SHORELINE)], moment.distant(0.46))
    snow = mix(moment.light.haze, moment.light.cloud, 0.75)
    for side, shade in ((-1, 0.0), (1, 0.5)):
        colour = mix(snow, moment.distant(0.46), shade)
        draw_snow(canvas, (x, top), side * foot / height, height * 0.34, colour)


def draw_snow(canvas: Canvas, top: Point, slope: float, depth: float, colour: Colour) -> None:
    """Snow on one side of a peak, with a torn lower edge."""
    x, y = top
    edge = [(1, 1), (0.72, 0.8), (0.5, 1), (0.3, 0.68), (0, 0.62)]
    points = [(x + slope * depth * out, y + depth * down) for out, down in edge]
    canvas.polygon([top, *points], colour)


def draw_hills(canvas: Canvas, moment: Moment) -> None:
    canvas.polygon(outline(HILLS, 142, HILL_WAVES, moment), moment.distant(0.5))
    canvas.wash(fade(WIDTH, 30), 0, SHORELINE - 30, moment.distant(0.25))


def outline(layer: Layer, base: float, waves: Sequence[Point], moment: Moment) -> list[Point]:
    """Rolling land from the left to the right edge, down to the shoreline."""
    passed = layer.speed * moment.frame
    xs = range(-2, WIDTH + 4, 2)
    ridge = [(float(x), ridge_height(layer, base, waves, x + passed)) for x in xs]
    return [(-2.0, SHORELINE), *ridge, (WIDTH + 2.0, SHORELINE)]


def ridge_height(layer: Layer, base: float, waves: Sequence[Point], x: float) -> float:
    """The y of rolling land: a sum of waves, given by their crests in the period and size."""
    angle = math.tau * x / layer.period
    return base - sum(size * math.sin(crests * angle + crests) for crests, size in waves)
