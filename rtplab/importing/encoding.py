"""Pictures as JPEGs that every client of the lab receives, and RTP/JPEG carries as they are.

Their sides are multiples of 8, of which up to 7 pixels are cut off; the colours are 4:2:0, and the
Huffman tables the standard ones.
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

# A picture that is made smaller shall be small enough at once, though smaller ones cost more bytes
# for each pixel: with half as long sides it has a third of the bytes. And each time it must become
# smaller by something.
_EXPONENT, _MARGIN, _LEAST_STEP = 0.63, 0.97, 0.92
_SMALLEST = 32  # pixels of a side


class TooLarge(Exception):
    """A picture doesn't fit at the lowest quality; `size` in pixels is what may do."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.size = size


def fitted(size: tuple[int, int], box: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size in pixels, multiples of BLOCK, that a picture gets; in `box` if there is one.

    The shape stays, but for what is cut off.
    """
    width, height = size
    scale = min(box[0] / width, box[1] / height) if box is not None else 1.0
    sides = (max(BLOCK, int(side * scale + 1e-6) // BLOCK * BLOCK) for side in (width, height))
    return next(sides), next(sides)


class Encoder:
    """Makes the JPEGs of one movie, all of one size, none larger than they may be."""

    def __init__(self, wanted: Wanted, box: tuple[int, int] | None) -> None:
        """`box` is into how many pixels the pictures must fit, None: as the first one is."""
        self._wanted = wanted
        self._box = box
        self._best = wanted.quality or DEFAULT_QUALITY
        self._lowest = min(LOWEST_QUALITY, self._best)
        self._quality = self._best  # that the picture before got
        self._source_size = (0, 0)  # of the first picture
        self.size = (0, 0)  # of all that are made

    def encode(self, picture: bytes | Image.Image, room: int = 0) -> bytes:
        """Return the JPEG, `room` bytes smaller than it may be.

        Raises TooLarge; ImportingError if the picture is damaged.
        """
        most = self._wanted.max_frame - room if self._wanted.max_frame else math.inf
        if isinstance(picture, bytes):
            if self._may_stay(picture, most):
                return picture
            picture = _decoded(picture)
        return self._encode(self._resized(picture), most)

    def _may_stay(self, picture: bytes, most: float) -> bool:
        """Tell if a JPEG is already as it should be."""
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

        Looked for in growing steps from the quality of the picture before, which is mostly near,
        until both a quality that fits and one that doesn't are known; then between them.
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
