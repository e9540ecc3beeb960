"""The whole scene, layer after layer from the sky to the reeds."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

from movie.balloons import draw_balloons
from movie.canvas import BOTTOM, WIDTH, Canvas
from movie.causeway import draw_causeway, draw_lamplight, draw_lamps
from movie.lake import draw_lake, draw_reeds
from movie.land import draw_hills, draw_mountains
from movie.light import Moment
from movie.shore import draw_houses, draw_lighthouse, draw_shore
from movie.sky import draw_clouds, draw_moon, draw_sky, draw_stars, draw_sun
from movie.train import draw_headlight, draw_smoke, draw_train

FAR = (
    draw_sky,
    draw_stars,
    draw_moon,
    draw_sun,
    draw_clouds,
    draw_mountains,
    draw_balloons,
    draw_hills,
    draw_shore,
    draw_houses,
    draw_lighthouse,
)
NEAR = (draw_lamps, draw_causeway, draw_train)
OVER = (draw_smoke, draw_lamplight, draw_headlight, draw_reeds)


def draw_scene(moment: Moment) -> Image.Image:
    """The picture above the strip, in the finished frame's size."""
    canvas, near = Canvas.opaque(), Canvas.transparent()
    for draw_layer in FAR:
        draw_layer(canvas, moment)
    for draw_layer in NEAR:
        draw_layer(near, moment)
    draw_lake(canvas, moment, near.image)
    canvas.image.paste(near.image, mask=near.image)
    for draw_layer in OVER:
        draw_layer(canvas, moment)
    return bloom(canvas.image.resize((WIDTH, BOTTOM), Image.Resampling.BOX), moment)


def bloom(image: Image.Image, moment: Moment) -> Image.Image:
    """After dark, let bright things shine into their surroundings."""
    strength = 3 * moment.light.lamps
    bright = image.point([round(max(0, value - 180) * strength) for value in range(256)] * 3)
    return ImageChops.screen(image, bright.filter(ImageFilter.GaussianBlur(4)))
