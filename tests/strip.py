"""Reads the frame number out of a picture of movie.Mjpeg, whatever its scale.

The bottom strip of every frame (1/18 of its height) is 16 cells that spell the frame number in
binary, most significant bit at the left, white 1 and black 0 (see tools/make_movie.py).
"""

from __future__ import annotations

import io

from PIL import Image

CELLS = 16
STRIP_HEIGHT = 16 / 288  # of the picture's height
SAMPLED = 0.4  # of a cell's width and height, around its centre: away from edges that scaling blurs
BLACK_AT_MOST = 80
WHITE_AT_LEAST = 175


def frame_number(image: Image.Image) -> int:
    """The number that the strip spells. `image` shows the whole picture, at any scale and aspect.

    Raises ValueError when a cell is neither clearly white nor clearly black, or all are black.
    """
    grey = image.convert("L")
    number = 0
    for cell in range(CELLS):
        number = number << 1 | _bit(grey, cell)
    if number == 0:
        raise ValueError("the strip is black: no frame of the movie is shown")
    return number


def frame_number_of_jpeg(data: bytes) -> int:
    """As frame_number, of one encoded frame."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return frame_number(image)


def frame_number_in_screenshot(image: Image.Image, box: tuple[int, int, int, int]) -> int:
    """As frame_number, of the part (left, top, right, bottom) that shows the picture."""
    return frame_number(image.crop(box))


def _bit(grey: Image.Image, cell: int) -> int:
    brightness = _mean(grey, cell)
    if brightness <= BLACK_AT_MOST:
        return 0
    if brightness >= WHITE_AT_LEAST:
        return 1
    raise ValueError(f"cell {cell} of the strip is neither white nor black: {brightness} of 255")


def _mean(grey: Image.Image, cell: int) -> int:
    """The mean brightness (0 to 255) of the middle of a cell."""
    cell_width, cell_height = grey.width / CELLS, grey.height * STRIP_HEIGHT
    x, y = (cell + 0.5) * cell_width, grey.height - cell_height / 2
    half_width, half_height = cell_width * SAMPLED / 2, cell_height * SAMPLED / 2
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    mean = grey.resize((1, 1), Image.Resampling.BOX, box=box).getpixel((0, 0))
    assert isinstance(mean, int)
    return mean
