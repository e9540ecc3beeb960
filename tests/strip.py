"""Reads the frame number out of a picture of movie.Mjpeg, whatever its scale.

How the number is written is in rtplab/grading/record/strip.py; this is for pictures of Pillow.
"""

from __future__ import annotations

import io

from PIL import Image

from rtplab.grading.record import strip


def frame_number(image: Image.Image) -> int:
    """The number that the strip spells. `image` shows the whole picture, at any scale and aspect.

    Raises ValueError when a cell is neither clearly white nor clearly black, or all are black.
    """
    grey = image.convert("L")

    def brightness(left: float, top: float, right: float, bottom: float) -> int:
        box = (left, top, right, bottom)
        mean = grey.resize((1, 1), Image.Resampling.BOX, box=box).getpixel((0, 0))
        assert isinstance(mean, int)
        return mean

    return strip.frame_number(grey.width, grey.height, brightness)


def frame_number_of_jpeg(data: bytes) -> int:
    """As frame_number, of one encoded frame."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return frame_number(image)


def frame_number_in_screenshot(image: Image.Image, box: tuple[int, int, int, int]) -> int:
    """As frame_number, of the part (left, top, right, bottom) that shows the picture."""
    return frame_number(image.crop(box))
