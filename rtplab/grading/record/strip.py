"""Reads the frame's number from a picture: the strip of 16 cells at its bottom.

The strip is the lowest 1/18 of the picture, and spells the number in binary, the most significant
bit at the left, white 1 and black 0. Pictures come at any scale.
"""

from __future__ import annotations

from collections.abc import Callable

CELLS = 16
STRIP_HEIGHT = 16 / 288  # of the picture's height
SAMPLED = 0.4  # of a cell's width and height, around its centre: away from edges that scaling blurs
BLACK_AT_MOST = 80
WHITE_AT_LEAST = 175

Brightness = Callable[[float, float, float, float], float]
"""The mean (0 to 255) within left, top, right and bottom, in pixels of the picture."""


def frame_number(width: float, height: float, brightness: Brightness) -> int:
    """The number that the strip of a picture spells.

    Raises ValueError when a cell is neither clearly white nor clearly black, or all are black.
    """
    number = 0
    cell_width, cell_height = width / CELLS, height * STRIP_HEIGHT
    half_width, half_height = cell_width * SAMPLED / 2, cell_height * SAMPLED / 2
    for cell in range(CELLS):
        x, y = (cell + 0.5) * cell_width, height - cell_height / 2
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        number = number << 1 | _bit(brightness(*box), cell)
    if number == 0:
        raise ValueError("the strip is black: no frame of the movie is shown")
    return number


def _bit(brightness: float, cell: int) -> int:
    if brightness <= BLACK_AT_MOST:
        return 0
    if brightness >= WHITE_AT_LEAST:
        return 1
    raise ValueError(
        f"cell {cell} of the strip is neither white nor black: {round(brightness)} of 255"
    )
