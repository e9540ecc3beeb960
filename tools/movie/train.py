"""The train: engine, tender and carriages, its smoke and its headlight."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from random import Random

from PIL import Image

from movie.canvas import SCALE, Canvas, faded, light_cone, soft_disc
from movie.causeway import RAIL, SPEED
from movie.light import FRAMES, Colour, Moment, dimmed, mix

CARRIAGES, CARRIAGE_LENGTH, GAP = 4, 62, 3
ENGINE_LENGTH, TENDER_LENGTH = 66, 24
DRIVER_TURNS = 50  # in the loop
DRIVER_RADIUS = FRAMES * SPEED / (math.tau * DRIVER_TURNS)

GREEN, RED, CRIMSON = (26, 82, 64), (176, 44, 44), (150, 34, 44)
BRASS, CREAM = (226, 180, 92), (238, 222, 190)
BLACK, IRON, STEEL = (38, 38, 46), (58, 56, 62), (206, 208, 214)


def front_of_train(moment: Moment) -> float:
    """The x of the buffers; the train now gains on the camera and now falls back."""
    return 326 + 12 * moment.wave(2)


def draw_train(canvas: Canvas, moment: Moment) -> None:
    x = front_of_train(moment)
    draw_engine(canvas, moment, x)
    x -= ENGINE_LENGTH + 2
    draw_tender(canvas, moment, x)
    x -= TENDER_LENGTH + GAP
    for index in range(CARRIAGES):
        sway = 0.35 * moment.wave(40, index * 1.3)
        draw_carriage(canvas, moment, x, RAIL + sway)
        x -= CARRIAGE_LENGTH + GAP


def draw_carriage(canvas: Canvas, moment: Moment, right: float, rail: float) -> None:
    left, middle = right - CARRIAGE_LENGTH, right - CARRIAGE_LENGTH / 2
    canvas.box(left - GAP, rail - 8, left, rail - 5, moment.lit(BLACK))
    canvas.box(left + 3, rail - 5, right - 3, rail - 3, moment.lit(BLACK))
    for wheel in (8, 17, CARRIAGE_LENGTH - 17, CARRIAGE_LENGTH - 8):
        draw_wheel(canvas, moment, left + wheel, rail, 3, IRON)
    canvas.box(left, rail - 23, right, rail - 5, moment.lit(CRIMSON))
    canvas.box(left, rail - 21, right, rail - 12.5, moment.lit(CREAM))
    canvas.box(left, rail - 11.5, right, rail - 10.7, moment.lit(BRASS))
    half = CARRIAGE_LENGTH / 2
    canvas.trapezium(middle, rail - 25.6, rail - 23, half - 1.5, half + 1, moment.lit(IRON))
    glass = moment.lamp((62, 86, 110), (255, 206, 118))
    for window in range(6):
        x = left + 3.6 + 9.4 * window
        canvas.box(x, rail - 20, x + 7.8, rail - 13.6, glass)


def draw_tender(canvas: Canvas, moment: Moment, right: float) -> None:
    left = right - TENDER_LENGTH
    for wheel in (5, 12, 19):
        draw_wheel(canvas, moment, left + wheel, RAIL, 3.2, RED)
    canvas.ellipse((left + right) / 2, RAIL - 18, 9, 3.4, moment.lit(BLACK))
    canvas.box(left, RAIL - 18, right, RAIL - 5, moment.lit(GREEN))
    canvas.box(left, RAIL - 16.6, right, RAIL - 15.8, moment.lit(BRASS))
    canvas.box(left - 3, RAIL - 7, right + 3, RAIL - 5, moment.lit(BLACK))


# --- The engine -----------------------------------------------------------------------------------


def draw_engine(canvas: Canvas, moment: Moment, front: float) -> None:
    back = front - ENGINE_LENGTH
    canvas.box(back, RAIL - 9, front - 3, RAIL - 6, moment.lit(CRIMSON))
    draw_boiler(canvas, moment, back + 16, front - 14)
    draw_smokebox(canvas, moment, front)
    draw_cab(canvas, moment, back)
    draw_running_gear(canvas, moment, back)
    catcher = [(front - 5, RAIL - 9), (front + 2, RAIL - 1), (front - 7, RAIL - 1)]
    canvas.polygon(catcher, moment.lit(RED))
    canvas.disc(front - 3.4, RAIL - 16, 2.4, moment.lamp((220, 220, 210), (255, 248, 214)))


def draw_boiler(canvas: Canvas, moment: Moment, left: float, right: float) -> None:
    canvas.box(left, RAIL - 20, right, RAIL - 8, moment.lit(GREEN))
    canvas.box(left, RAIL - 18.6, right, RAIL - 17.2, moment.lit((74, 142, 114)))
    for band in (10, 20, 30):
        canvas.box(left + band, RAIL - 20, left + band + 1, RAIL - 8, moment.lit(BRASS))
    canvas.ellipse(left + 16, RAIL - 20, 4, 4.2, moment.lit(BRASS))


def draw_smokebox(canvas: Canvas, moment: Moment, front: float) -> None:
    black = moment.lit(BLACK)
    canvas.box(front - 15, RAIL - 21, front - 4, RAIL - 8, black)
    canvas.trapezium(front - 10, RAIL - 29, RAIL - 21, 3.6, 2.4, black)
    canvas.box(front - 14, RAIL - 30, front - 6, RAIL - 28.6, moment.lit(BRASS))


def draw_cab(canvas: Canvas, moment: Moment, back: float) -> None:
    canvas.box(back, RAIL - 25, back + 17, RAIL - 8, moment.lit(GREEN))
    fire = moment.lamp((60, 76, 88), (255, 168, 84))
    canvas.box(back + 4, RAIL - 22, back + 11, RAIL - 16, fire)
    canvas.box(back, RAIL - 12.4, back + 17, RAIL - 11.6, moment.lit(BRASS))
    canvas.box(back - 2, RAIL - 27, back + 19, RAIL - 25, moment.lit(BLACK))


def draw_running_gear(canvas: Canvas, moment: Moment, back: float) -> None:
    """Three coupled drivers with their rods, and the small wheels in front."""
    axles = [back + 10 + 14 * index for index in range(3)]
    for x in axles:
        draw_wheel(canvas, moment, x, RAIL, DRIVER_RADIUS, RED)
    for x in (back + 53, back + 60):
        draw_wheel(canvas, moment, x, RAIL, 3, RED)
    steel, height = moment.lit(STEEL), RAIL - DRIVER_RADIUS
    dx = 3.4 * moment.wave(DRIVER_TURNS, math.pi / 2)
    y = height + 3.4 * moment.wave(DRIVER_TURNS)
    canvas.line([(axles[0] + dx - 1, y), (axles[2] + dx + 1, y)], 1.4, steel)
    canvas.line([(axles[2] + dx, y), (back + 54, height - 0.5)], 1.2, steel)
    canvas.box(back + 51, height - 2.6, back + 60, height + 2, moment.lit(BLACK))


def draw_wheel(
    canvas: Canvas, moment: Moment, x: float, rail: float, radius: float, colour: Colour
) -> None:
    y, rim = rail - radius, moment.lit(colour)
    canvas.disc(x, y, radius, rim)
    canvas.disc(x, y, radius * 0.74, moment.lit((30, 28, 34)))
    turns = round(FRAMES * SPEED / (math.tau * radius))
    for offset in (0.0, math.pi / 2):
        dx = radius * 0.8 * moment.wave(turns, offset + math.pi / 2)
        dy = radius * 0.8 * moment.wave(turns, offset)
        canvas.line([(x - dx, y - dy), (x + dx, y + dy)], 0.9, rim)
    canvas.disc(x, y, radius * 0.22, rim)


# --- Smoke and light, which lie over everything ---------------------------------------------------

PUFF_EVERY, PUFF_LIFE = 4, 120  # frames


def draw_smoke(canvas: Canvas, moment: Moment) -> None:
    for age, seed in puffs(moment.frame):
        chance = Random(seed)
        x = front_of_train(moment) - 10 - 3.0 * age + chance.uniform(-2, 2)
        rise = 32 + 20 * (1 - math.exp(-age / 12)) + 0.2 * age * chance.uniform(0.7, 1.3)
        mask = puff_mask(age)
        half = mask.width / SCALE / 2
        haze = 0.15 + 0.5 * age / PUFF_LIFE
        colour = mix(moment.lit((244, 242, 244)), moment.light.haze, haze)
        canvas.wash(mask, x - half, RAIL - rise - half, colour)


def puffs(frame: int) -> Iterator[tuple[int, int]]:
    """Age in frames and seed of every puff in the air, the oldest first."""
    oldest = PUFF_LIFE - PUFF_EVERY + frame % PUFF_EVERY
    for age in range(oldest, -1, -PUFF_EVERY):
        yield age, (frame - age) // PUFF_EVERY % (FRAMES // PUFF_EVERY)


@cache
def puff_mask(age: int) -> Image.Image:
    """A puff that swells quickly at first and thins out."""
    radius = 5 + 9 * (1 - math.exp(-age / 20)) + 0.1 * age
    dense = soft_disc(radius, radius).point([min(255, 4 * value) for value in range(256)])
    return faded(dense, 0.85 * (1 - age / PUFF_LIFE))


def draw_headlight(canvas: Canvas, moment: Moment) -> None:
    x, y, lamps = front_of_train(moment) - 3, RAIL - 16, moment.light.lamps
    canvas.shine(faded(light_cone(90, 60), 0.7 * lamps), x, y - 30, (255, 236, 184))
    canvas.glow(x, y, 16, dimmed((255, 226, 170), lamps))
