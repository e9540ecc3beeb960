"""The causeway across the lake: arches of stone, rails and lamps."""

from __future__ import annotations

from movie.canvas import BOTTOM, CLEAR, WATERLINE, WIDTH, Canvas, Layer, Paint
from movie.light import Moment, dimmed

RAIL = 202  # the top of the rails
SPEED = 4.0  # pixels that the train travels per frame
ARCHES = Layer(SPEED, period=50)
LAMPS = Layer(SPEED, period=200)
LAMP_TOP = RAIL - 36


def draw_causeway(canvas: Canvas, moment: Moment) -> None:
    """On transparent ground, down to the waterline."""
    stone, shade = moment.lit((150, 138, 128)), moment.lit((84, 76, 78))
    canvas.box(0, RAIL + 1, WIDTH, WATERLINE, stone)
    for x in ARCHES.places(0, moment):
        draw_arch(canvas, x, 20, 10, shade)
        draw_arch(canvas, x + 1.5, 18.5, 8.5, CLEAR)
    canvas.box(0, WATERLINE, WIDTH, BOTTOM, CLEAR)
    canvas.box(0, RAIL, WIDTH, RAIL + 1, moment.lit((70, 64, 66)))
    canvas.box(0, RAIL + 1, WIDTH, RAIL + 3.4, moment.lit((186, 174, 160)))
    canvas.box(0, RAIL + 3.4, WIDTH, RAIL + 4.4, shade)


def draw_arch(canvas: Canvas, x: float, half: float, rise: float, paint: Paint) -> None:
    spring = RAIL + 17
    canvas.ellipse(x, spring, half, rise, paint)
    canvas.box(x - half, spring, x + half, BOTTOM, paint)


def draw_lamps(canvas: Canvas, moment: Moment) -> None:
    iron = moment.lit((52, 54, 64))
    for x in LAMPS.places(30, moment):
        canvas.box(x - 0.7, LAMP_TOP, x + 0.7, RAIL, iron)
        canvas.box(x - 1.5, RAIL - 6, x + 1.5, RAIL, iron)
        canvas.ellipse(x, LAMP_TOP, 2.4, 2.8, moment.lamp((214, 220, 224), (255, 232, 170)))
        canvas.trapezium(x, LAMP_TOP - 5, LAMP_TOP - 2, 0, 3, iron)


def draw_lamplight(canvas: Canvas, moment: Moment) -> None:
    for x in LAMPS.places(30, moment):
        canvas.glow(x, LAMP_TOP, 30, dimmed((150, 112, 60), moment.light.lamps))
