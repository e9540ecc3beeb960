"""Drawing in coordinates of the finished frame: shapes, soft masks, light, moving layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw

from movie.light import Colour, Moment

WIDTH, BOTTOM = 384, 272  # of the scene; the strip with the frame number lies below
SCALE = 3  # everything is drawn this much larger and then reduced, which smooths all edges

SHORELINE = 166  # where the far shore meets the lake
WATERLINE = 226  # where the causeway meets the lake

Point = tuple[float, float]
Paint = Colour | tuple[int, int, int, int]
CLEAR = (0, 0, 0, 0)  # on a transparent canvas: takes away what is there


class Layer(NamedTuple):
    """Things at one distance, which move to the left and reappear."""

    speed: float  # pixels per frame; in the whole loop a multiple of the period
    period: float  # pixels

    def places(self, x: float, moment: Moment, reach: float = 60) -> Iterator[float]:
        """Where something at `x` is visible; it extends at most that far to either side."""
        place = (x - self.speed * moment.frame + reach) % self.period - reach
        while place < WIDTH + reach:
            yield place
            place += self.period


class Canvas:
    """A large image that is drawn on in coordinates of the finished frame."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self._draw = ImageDraw.Draw(image)

    @classmethod
    def opaque(cls) -> Canvas:
        return cls(Image.new("RGB", (WIDTH * SCALE, BOTTOM * SCALE)))

    @classmethod
    def transparent(cls) -> Canvas:
        return cls(Image.new("RGBA", (WIDTH * SCALE, BOTTOM * SCALE)))

    def polygon(self, points: Sequence[Point], colour: Paint) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Paint) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def trapezium(
        self, x: float, top: float, bottom: float, upper: float, lower: float, colour: Paint
    ) -> None:
        """Upright around `x`, with half its widths at top and bottom."""
        corners = [(x - upper, top), (x + upper, top), (x + lower, bottom), (x - lower, bottom)]
        self.polygon(corners, colour)

    def disc(self, x: float, y: float, radius: float, colour: Paint) -> None:
        self.ellipse(x, y, radius, radius, colour)

    def ellipse(self, x: float, y: float, across: float, up: float, colour: Paint) -> None:
        """Around a point, with half its width and height."""
        box = (x - across, y - up, x + across, y + up)
        self._draw.ellipse([side * SCALE for side in box], fill=colour)

    def line(self, points: Sequence[Point], width: float, colour: Paint) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(width * SCALE))

    def wash(self, mask: Image.Image, left: float, top: float, colour: Colour) -> None:
        """Lay a colour over the picture where, and as densely as, the mask says."""
        self.image.paste(colour, (round(left * SCALE), round(top * SCALE)), mask)

    def shine(self, mask: Image.Image, left: float, top: float, colour: Colour) -> None:
        """Add light where the mask says."""
        x, y = round(left * SCALE), round(top * SCALE)
        under = self.image.crop((x, y, x + mask.width, y + mask.height))
        light = Image.new("RGB", mask.size)
        light.paste(colour, mask=mask)
        self.image.paste(ImageChops.screen(under, light), (x, y))

    def glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Add a round light that fades to its rim."""
        self.shine(soft_disc(radius, radius), x - radius, y - radius, colour)


@cache
def soft_disc(across: float, up: float) -> Image.Image:
    """A mask that is opaque in the middle and fades to its rim; half its width and height."""
    distances = Image.radial_gradient("L")
    rim = int(255 / 2**0.5)  # the gradient reaches 255 in the corners
    soft = distances.point([round(255 * max(0, 1 - value / rim) ** 2) for value in range(256)])
    return soft.resize((round(2 * across * SCALE), round(2 * up * SCALE)))


@cache
def light_cone(length: int, width: int) -> Image.Image:
    """A mask that widens and fades from the middle of its left side to the right."""
    size = (length * SCALE, width * SCALE)
    cone = Image.new("L", size)
    draw = ImageDraw.Draw(cone)
    middle = size[1] / 2
    for density in range(16, 256, 16):
        spread = middle * (1 - density / 256)
        draw.polygon([(0, middle), (size[0], middle - spread), (size[0], middle + spread)], density)
    return ImageChops.multiply(cone, Image.linear_gradient("L").rotate(-90).resize(size))


@cache
def fade(width: int, height: int) -> Image.Image:
    """A mask that goes from nothing at the top to opaque at the bottom."""
    return Image.linear_gradient("L").resize((width * SCALE, height * SCALE))


def faded(mask: Image.Image, part: float) -> Image.Image:
    """The mask, less dense."""
    return mask.point([round(value * part) for value in range(256)])
