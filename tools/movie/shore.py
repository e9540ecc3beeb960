"""The far shore of the lake: pines, houses and a lighthouse."""

from __future__ import annotations

import math
from random import Random

from PIL import Image

from movie.canvas import SCALE, SHORELINE, Canvas, Layer, Point, faded, light_cone
from movie.land import outline, ridge_height
from movie.light import Colour, Moment, dimmed

SHORE = Layer(speed=1.6, period=800)
BANK, BANK_WAVES = 157, ((1, 3.0), (3, 2.5), (7, 1.2))

LIGHTHOUSE = 560  # x
HOUSES = (
    (60, 1.0),  # x, size
    (74, 0.8),
    (96, 1.1),
    (330, 0.9),
    (346, 1.1),
    (366, 0.8),
    (640, 1.0),
    (655, 0.8),
)


def make_pines() -> list[tuple[float, float, float]]:
    """Pines in groups: x, y of the foot, height."""
    chance = Random(11)
    groups = [chance.uniform(0, SHORE.period) for _ in range(9)]
    xs = [chance.gauss(chance.choice(groups), 22) for _ in range(110)]
    return [(x, ridge_height(SHORE, BANK, BANK_WAVES, x) + 2, chance.uniform(6, 15)) for x in xs]


PINES = make_pines()


def draw_shore(canvas: Canvas, moment: Moment) -> None:
    dark = moment.distant(0.86)
    canvas.polygon(outline(SHORE, BANK, BANK_WAVES, moment), dark)
    for x, foot, height in PINES:
        for place in SHORE.places(x, moment):
            draw_pine(canvas, (place, foot), height, dark)


def draw_pine(canvas: Canvas, foot: Point, height: float, colour: Colour) -> None:
    x, y = foot
    for tier in range(3):
        top = y - height * (1 - 0.22 * tier)
        canvas.trapezium(x, top, top + height * 0.42, 0, height * (0.12 + 0.07 * tier), colour)


def draw_houses(canvas: Canvas, moment: Moment) -> None:
    for x, size in HOUSES:
        for place in SHORE.places(x, moment):
            draw_house(canvas, moment, place, size)


def draw_house(canvas: Canvas, moment: Moment, x: float, size: float) -> None:
    half, ground = 5.5 * size, SHORELINE - 4
    eaves = ground - 6 * size
    canvas.box(x - half, eaves, x + half, ground, moment.lit((226, 214, 196)))
    canvas.trapezium(x, eaves - 4.5 * size, eaves, 0, half + 1, moment.lit((150, 62, 48)))
    window = moment.lamp((80, 96, 110), (255, 208, 120))
    for middle in (x - 2.5 * size, x + 2.5 * size):
        canvas.box(middle - 1.2 * size, eaves + 1.8, middle + 1.2 * size, ground - 1.8, window)


# --- The lighthouse -------------------------------------------------------------------------------


def draw_lighthouse(canvas: Canvas, moment: Moment) -> None:
    for x in SHORE.places(LIGHTHOUSE, moment, reach=200):
        draw_tower(canvas, moment, x)
        draw_beams(canvas, moment, x, SHORELINE - 40)


def draw_tower(canvas: Canvas, moment: Moment, x: float) -> None:
    white, red = moment.lit((244, 240, 232)), moment.lit((196, 50, 44))
    foot = SHORELINE - 7
    canvas.trapezium(x, foot, SHORELINE, 12, 23, moment.distant(0.95))
    for band in range(5):
        low, half = foot - 6 * band, 4.2 - 0.32 * band
        canvas.trapezium(x, low - 6, low, half - 0.3, half, red if band % 2 else white)
    canvas.box(x - 3.6, foot - 31, x + 3.6, foot - 30, moment.lit((60, 60, 70)))
    lantern = moment.lamp((150, 170, 180), (255, 246, 200))
    canvas.box(x - 2, foot - 35, x + 2, foot - 31, lantern)
    canvas.trapezium(x, foot - 39, foot - 35, 0, 3, red)


def draw_beams(canvas: Canvas, moment: Moment, x: float, y: float) -> None:
    """Two opposite beams that turn around the lantern, ten times in the loop."""
    strength = moment.light.lamps * moment.light.stars
    reach, width = round(200 * abs(moment.wave(10, math.pi / 2))), 20
    if reach and strength:
        cone = faded(light_cone(200, width), 0.8 * strength)
        right = cone.resize((reach * SCALE, width * SCALE))
        left = right.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        canvas.shine(right, x, y - width / 2, (255, 240, 190))
        canvas.shine(left, x - reach, y - width / 2, (255, 240, 190))
    flash = max(0.0, moment.wave(10)) ** 6  # when a beam points at us
    canvas.glow(x, y, 26 + round(24 * flash), dimmed((255, 232, 170), strength))
