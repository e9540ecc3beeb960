"""The sky: stars, moon, sun and clouds."""

from __future__ import annotations

import math
from functools import cache
from random import Random

from PIL import Image

from movie.canvas import SCALE, SHORELINE, WIDTH, Canvas, Point, faded, soft_disc
from movie.light import Colour, Light, Moment, dimmed, mix

SUNRISE, SUNSET = 0.60, 1.08
MOONRISE, MOONSET = 0.16, 0.64


def draw_sky(canvas: Canvas, moment: Moment) -> None:
    rows = SHORELINE * SCALE
    column = Image.new("RGB", (1, rows))
    column.putdata([sky_colour(moment.light, row / rows) for row in range(rows)])
    canvas.image.paste(column.resize((WIDTH * SCALE, rows)))


def sky_colour(light: Light, depth: float) -> Colour:
    """From the zenith (0) down to the horizon (1)."""
    if depth < 0.5:
        return mix(light.zenith, light.sky, 2 * depth)
    return mix(light.sky, light.horizon, 2 * depth - 1)


# --- Stars ----------------------------------------------------------------------------------------


def make_stars() -> list[tuple[float, float, float, float]]:
    """Of each star x, y, size (0 to 1) and when it twinkles (radians)."""
    chance = Random(3)
    ranges = ((0, WIDTH + 60), (0, 130), (0, 1), (0, math.tau))
    stars = [[chance.uniform(*limits) for limits in ranges] for _ in range(150)]
    return [(x, y, size**3, twinkle) for x, y, size, twinkle in stars]


STARS = make_stars()


def draw_stars(canvas: Canvas, moment: Moment) -> None:
    light = moment.light
    if not light.stars:
        return
    for x, y, size, twinkle in STARS:
        strength = (0.45 + 0.55 * size) * (0.8 + 0.2 * moment.wave(25, twinkle))
        colour = mix(sky_colour(light, y / SHORELINE), (255, 250, 235), light.stars * strength)
        canvas.disc(x - 60 * moment.phase, y + 8 * moment.phase, 0.45 + 0.6 * size, colour)


# --- Sun and moon ---------------------------------------------------------------------------------


def sun_place(moment: Moment) -> Point | None:
    part = moment.between(SUNRISE, SUNSET)
    if part is None:
        return None
    return 30 + 300 * part, SHORELINE + 14 - 142 * math.sin(math.pi * part)


def moon_place(moment: Moment) -> Point | None:
    part = moment.between(MOONRISE, MOONSET)
    if part is None:
        return None
    return 120 + 230 * part, SHORELINE + 14 - 132 * math.sin(math.pi * part)


def elevation(y: float) -> float:
    """How high something stands: 0 where it rises, 1 at its highest."""
    return max(0.0, min(1.0, (SHORELINE + 14 - y) / 132))


def draw_sun(canvas: Canvas, moment: Moment) -> None:
    place = sun_place(moment)
    if place is None:
        return
    height = elevation(place[1])
    strength = min(1.0, 4 * height)
    canvas.glow(*place, 150, dimmed(mix((176, 84, 20), (60, 60, 50), height), strength))
    canvas.glow(*place, 60, dimmed(mix((255, 150, 60), (160, 160, 130), height), strength))
    canvas.disc(*place, 13, mix((255, 196, 110), (255, 252, 236), height))


def draw_moon(canvas: Canvas, moment: Moment) -> None:
    place = moon_place(moment)
    if place is None:
        return
    x, y = place
    strength = min(1.0, 4 * elevation(y))
    canvas.glow(x, y, 80, dimmed((46, 60, 92), strength))
    canvas.glow(x, y, 32, dimmed((90, 104, 130), strength))
    canvas.disc(x, y, 12, (246, 242, 222))
    for dx, dy, radius in ((-4, -3, 3.2), (3.5, 2, 2.6), (-2, 5, 2.0), (5, -5, 1.5)):
        canvas.disc(x + dx, y + dy, radius, (218, 214, 200))


# --- Clouds ---------------------------------------------------------------------------------------

CLOUDS = ((20, 36), (150, 62), (250, 22), (330, 50), (90, 10), (210, 74))


def draw_clouds(canvas: Canvas, moment: Moment) -> None:
    """Each cloud drifts slowly, and gathers and dissolves once in the loop."""
    for index, (x, y) in enumerate(CLOUDS):
        age = (moment.phase + index / len(CLOUDS)) % 1.0
        mask = faded(cloud_mask(index), 0.85 * math.sin(math.pi * age) ** 2)
        canvas.wash(mask, x - 70 * age, y, moment.light.cloud)


@cache
def cloud_mask(seed: int) -> Image.Image:
    """A long flat cloud, 160 by 60: puffs that are lower towards its ends."""
    chance = Random(seed)
    mask = Image.new("L", (160 * SCALE, 60 * SCALE))
    for _ in range(16):
        along = chance.gauss(0, 0.3)
        across, up = chance.uniform(14, 34), chance.uniform(4, 13) * math.exp(-2 * along**2)
        left, top = 80 + 70 * along - across, 34 - up * 1.5
        puff = faded(soft_disc(across, up), 0.75)
        mask.paste(255, (round(left * SCALE), round(top * SCALE)), puff)
    return mask
