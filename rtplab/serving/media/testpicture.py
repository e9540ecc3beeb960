"""A moving picture made by the server itself, to try things out: bars, a number and the time."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from rtplab.clock import steady

WIDTH, HEIGHT = 640, 480
FPS = 25.0
NAME = "test"
QUALITY = 80
LETTERS = 44  # pixels high
_BARS = ("#c0c0c0", "#c0c000", "#00c0c0", "#00c000", "#c000c0", "#c00000", "#0000c0")


class TestPicture:
    """Shows a picture FPS times a second, in a thread of its own; drawn only if wanted."""

    __test__ = False  # its name looks like a test's

    def __init__(self, show: Callable[[Callable[[], bytes]], None]) -> None:
        """`show` takes a function that makes the next picture, and returns at once.

        Raises ValueError with a sentence if Pillow is missing.
        """
        try:
            import PIL.ImageDraw  # noqa: F401 - now, not at the first viewer
        except ImportError as error:
            raise ValueError("--test-picture needs Pillow: pip install Pillow") from error
        self._show = show
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test picture")
        self._thread.start()

    def _run(self) -> None:
        began, number = steady(), 0
        while not self._stop.wait(max(0.0, began + number / FPS - steady())):
            number += 1
            moment = time.time()
            self._show(lambda number=number, moment=moment: draw(number, moment))  # type: ignore[misc]

    def close(self) -> None:
        """End the thread. May be called twice."""
        self._stop.set()
        self._thread.join()


def draw(number: int, moment: float) -> bytes:
    """Return the JPEG of one picture; `moment` is the time of day to show, in Unix seconds."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), "black")
    pen = ImageDraw.Draw(image)
    width = WIDTH / len(_BARS)
    for place, colour in enumerate(_BARS):
        pen.rectangle((place * width, 0, (place + 1) * width, HEIGHT * 3 // 4), fill=colour)
    x = number * 4 % WIDTH
    pen.rectangle((x, HEIGHT * 3 // 4 + 8, x + 24, HEIGHT * 3 // 4 + 32), fill="white")
    clock = time.strftime("%H:%M:%S", time.localtime(moment)) + f".{int(moment * 100) % 100:02}"
    _write(image, str(number), (16, HEIGHT - 72))
    _write(image, clock, (WIDTH // 2, HEIGHT - 72))
    output = io.BytesIO()
    image.save(output, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return output.getvalue()


def _write(image: object, text: str, place: tuple[int, int]) -> None:
    from PIL import Image, ImageDraw

    assert isinstance(image, Image.Image)
    font = _font()
    if font is not None:
        ImageDraw.Draw(image).text(place, text, fill="white", font=font)
        return
    small = Image.new("L", (8 * len(text), 12))
    ImageDraw.Draw(small).text((0, 0), text, fill=255)
    large = small.resize((small.width * 4, small.height * 4), Image.Resampling.NEAREST)
    image.paste("white", place, large)


@lru_cache(maxsize=1)
def _font() -> Any:
    """Return Pillow's own font in large letters; None if it has but small ones."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(LETTERS)
    except (TypeError, ImportError):  # before Pillow 10.1, or built without FreeType
        return None
