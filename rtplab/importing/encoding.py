"""Encodes pictures as JPEGs that every lab client receives and RTP/JPEG carries unchanged.

Their sides are multiples of 8 (up to 7 pixels are cut off), the colours are 4:2:0, and the Huffman
tables are the standard ones.
"""

from __future__ import annotations

import io
import math

from PIL import Image, ImageOps

from rtplab.importing.wanted import ImportingError, Wanted
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.rtpjpeg import unsupported_reason

BLOCK = 8  # pixels: what RTP/JPEG counts sides in

DEFAULT_QUALITY = 85
LOWEST_QUALITY = 40  # below it a smaller picture looks better

# A picture that is scaled down should be small enough at once, although small pictures cost more
# bytes per pixel: with half the sides it has a third of the bytes. And each time it must shrink by
# at least this.
_EXPONENT, _MARGIN, _LEAST_STEP = 0.63, 0.97, 0.92
_SMALLEST = 32  # pixels of a side


class TooLarge(Exception):
    """A picture doesn't fit at the lowest quality; `size` in pixels may be small enough."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.size = size


def fitted(size: tuple[int, int], box: tuple[int, int] | None) -> tuple[int, int]:
    """Return a picture's new size in pixels, multiples of BLOCK; within `box` if there is one.

    The aspect ratio stays, except for what is cut off.
    """
    width, height = size
    scale = min(box[0] / width, box[1] / height) if box is not None else 1.0
    sides = (max(BLOCK, int(side * scale + 1e-6) // BLOCK * BLOCK) for side in (width, height))
    return next(sides), next(sides)


class Encoder:
    """Makes the JPEGs of one movie, all of one size, none above the limit."""

    def __init__(self, wanted: Wanted, box: tuple[int, int] | None) -> None:
        """`box` is the size in pixels that pictures must fit into; None: the first picture's."""
        self._wanted = wanted
        self._box = box
        self._best = wanted.quality or DEFAULT_QUALITY
        self._lowest = min(LOWEST_QUALITY, self._best)
        self._quality = self._best  # of the previous picture
        self._source_size = (0, 0)  # of the first picture
        self.size = (0, 0)  # of all that are made

    def encode(self, picture: bytes | Image.Image, room: int = 0) -> bytes:
        """Return the JPEG, at least `room` bytes below the limit.

        Raises TooLarge; ImportingError if the picture is damaged.
        """
        most = self._wanted.max_frame - room if self._wanted.max_frame else math.inf
        if isinstance(picture, bytes):
            if self._may_stay(picture, most):
                return picture
            picture = _decoded(picture)
        return self._encode(self._resized(picture), most)

    def _may_stay(self, picture: bytes, most: float) -> bool:
        """Tell if a JPEG can stay as it is."""
        if self._box is not None or self._wanted.quality is not None or len(picture) > most:
            return False
        try:
            header = jpeg.parse(picture)
        except MovieError:
            return False
        size = header.width, header.height
        if unsupported_reason(header) is not None or self.size not in ((0, 0), size):
            return False
        self._source_size = self.size = size
        return True

    def _resized(self, image: Image.Image) -> Image.Image:
        if self.size == (0, 0):
            self._source_size = image.size
            self.size = fitted(image.size, self._box)
        if image.size != self._source_size:  # it has changed within the movie
            image = ImageOps.pad(image, self._source_size, Image.Resampling.BICUBIC)
        width, height = self.size
        if self._box is None and width <= image.width and height <= image.height:
            left, top = (image.width - width) // 2, (image.height - height) // 2
            return image.crop((left, top, left + width, top + height))
        return ImageOps.fit(image, self.size, Image.Resampling.BICUBIC)

    def _encode(self, image: Image.Image, most: float) -> bytes:
        """Encode as well as it fits.

        The search takes growing steps from the previous picture's quality, which is usually close,
        until it knows a quality that fits and one that doesn't; then it continues between them.
        """
        low, high, quality, step = self._lowest, self._best, self._quality, 1
        best, is_bounded = b"", False
        while low <= high:
            data = _jpeg(image, quality)
            if len(data) <= most:
                best, self._quality, low = data, quality, quality + 1
                quality = (low + high + 1) // 2 if is_bounded else min(quality + step, high)
            else:
                is_bounded, high = True, quality - 1
                quality = (low + high + 1) // 2 if best else max(quality - step, low)
            step *= 2
        if not best:
            raise TooLarge(self._smaller(len(data), most))
        return best

    def _smaller(self, length: int, most: float) -> tuple[int, int]:
        scale = min(_LEAST_STEP, (max(0.0, most) / length) ** _EXPONENT * _MARGIN)
        width, height = (int(side * scale) for side in self.size)
        if min(width, height) < min(_SMALLEST, *self.size):
            raise ImportingError(
                f"{self._wanted.max_frame:,} bytes are too few for one frame: raise --max-frame"
            )
        return width, height


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return file.getvalue()


def _decoded(picture: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG",)) as image:
            decoded: Image.Image = image.convert("RGB")
            return decoded
    except Exception as error:  # Pillow passes on whatever its parsers stumble over
        raise ImportingError(f"a picture can't be decoded: {error}") from error
