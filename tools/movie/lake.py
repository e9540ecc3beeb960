"""The lake: reflections, ripples, the glitter below sun and moon, and reeds in front."""

from __future__ import annotations

import math
from random import Random

from PIL import Image

from movie.canvas import (
    BOTTOM,
    SCALE,
    SHORELINE,
    WATERLINE,
    WIDTH,
    Canvas,
    Layer,
    fade,
    faded,
    soft_disc,
)
from movie.light import Colour, Moment, dimmed, mix
from movie.sky import elevation, moon_place, sun_place

DEPTH = BOTTOM - SHORELINE
MIRRORED_LAND = 140  # pixels above the shoreline, squeezed into DEPTH
MIRRORED_NEAR = 68  # pixels above the waterline, squeezed into what is below it

REED_BED = Layer(speed=8.0, period=4000)


def draw_lake(canvas: Canvas, moment: Moment, near: Image.Image) -> None:
    """The water, after everything beyond it; `near` stands in it, on transparent ground."""
    water = Canvas(mirrored_land(canvas.image))
    deep = mix(moment.light.zenith, moment.light.land, 0.5)
    water.wash(faded(fade(WIDTH, DEPTH), 0.6), 0, 0, deep)
    draw_glitter(water, moment)
    lay_mirrored(water.image, near)
    canvas.image.paste(rippled(water.image, moment), (0, SHORELINE * SCALE))


def mirrored_land(image: Image.Image) -> Image.Image:
    """Land and sky upside down, sharp at the shore and soft near the viewer."""
    top = SHORELINE - MIRRORED_LAND
    land = image.crop((0, top * SCALE, WIDTH * SCALE, SHORELINE * SCALE))
    flipped = land.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    sharp = flipped.resize((WIDTH * SCALE, DEPTH * SCALE))
    soft = sharp.resize((WIDTH // 2, DEPTH // 4)).resize(sharp.size)
    return Image.composite(soft, sharp, fade(WIDTH, DEPTH))


def lay_mirrored(water: Image.Image, near: Image.Image) -> None:
    """Mirror causeway and train, blurred by reducing the resolution."""
    tall = BOTTOM - WATERLINE
    top = WATERLINE - MIRRORED_NEAR
    above = near.crop((0, top * SCALE, WIDTH * SCALE, WATERLINE * SCALE))
    flipped = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    soft = flipped.resize((WIDTH // 2, tall // 3)).resize((WIDTH * SCALE, tall * SCALE))
    mask = faded(soft.getchannel("A"), 0.6)
    water.paste(soft.convert("RGB"), (0, (WATERLINE - SHORELINE) * SCALE), mask)


def rippled(water: Image.Image, moment: Moment) -> Image.Image:
    """The water with every row shifted a little, more so near the viewer."""
    result = water.copy()
    for row in range(DEPTH):
        nearness = row / DEPTH
        swell = moment.wave(30, row * 0.9 / (0.3 + nearness)) + 0.6 * moment.wave(-43, row * 0.63)
        shift = round(SCALE * (0.3 + 0.8 * nearness) * swell)
        strip = water.crop((0, row * SCALE, WIDTH * SCALE, (row + 1) * SCALE))
        result.paste(strip, (shift, row * SCALE))
    return result


# --- Glitter --------------------------------------------------------------------------------------


def draw_glitter(water: Canvas, moment: Moment) -> None:
    """Sparks below the sun, golden when it is low, and silver ones below the moon."""
    for place, low, high in (
        (sun_place(moment), (255, 190, 110), (90, 90, 80)),
        (moon_place(moment), (120, 130, 150), (120, 130, 150)),
    ):
        if place is not None:
            height = elevation(place[1])
            colour = dimmed(mix(low, high, height), min(1.0, 4 * height))
            draw_sparks(water, moment, place[0], colour)


def draw_sparks(water: Canvas, moment: Moment, x: float, colour: Colour) -> None:
    chance = Random(5)
    for _ in range(90):
        row = chance.uniform(1, DEPTH - 2)
        place = x + chance.gauss(0, 5 + row * 0.24)
        strength = moment.wave(chance.randrange(12, 40), chance.uniform(0, math.tau))
        if strength > 0:
            across = 3 + row // 8
            water.shine(faded(soft_disc(across, 1.2), strength), place - across, row - 1.2, colour)


# --- Reeds ----------------------------------------------------------------------------------------


def make_reeds() -> list[tuple[float, float, float]]:
    """Blades in clumps: x, height and bend."""
    chance = Random(8)
    clumps = [REED_BED.period / 12 * (clump + chance.uniform(-0.3, 0.3)) for clump in range(12)]
    xs = [chance.gauss(x, 14) for x in clumps for _ in range(chance.randrange(7, 14))]
    return [(x, chance.uniform(14, 38), chance.uniform(-6, 6)) for x in xs]


REEDS = make_reeds()


def draw_reeds(canvas: Canvas, moment: Moment) -> None:
    """Reeds on the near bank, which pass faster than everything else."""
    colour = mix(moment.light.land, (6, 8, 12), 0.55)
    for x, height, bend in REEDS:
        for place in REED_BED.places(x, moment):
            draw_reed(canvas, place, height, bend + 2 * moment.wave(20, x / 20), colour)


def draw_reed(canvas: Canvas, x: float, height: float, bend: float, colour: Colour) -> None:
    middle, knee = BOTTOM - height / 2, x + bend * 0.3
    blade = [(x - 1.1, BOTTOM), (knee - 0.8, middle), (x + bend, BOTTOM - height)]
    canvas.polygon([*blade, (knee + 0.8, middle), (x + 1.1, BOTTOM)], colour)
