"""JPEGs decoded for display: bounded, and no larger than they are shown. Needs no Tk."""

from __future__ import annotations

import io

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from rtplab.protocol.errors import MovieError, PacketError
from rtplab.protocol.jpeg import dimensions

# Pixels of a picture that is decoded: 8K video. A JPEG of 631 bytes can claim to be 13000 pixels
# high and wide, and decoding it takes 663 MB.
MAX_PIXELS = 7680 * 4320

# Scans of a picture that is decoded: a progressive one has about ten, each a pass over all of its
# pixels. 16 MB could hold 300,000, which would keep the decoder busy for a quarter of an hour.
MAX_SCANS = 100
_START_OF_SCAN = b"\xff\xda"

Size = tuple[int, int]


def picture_size(jpeg: bytes) -> Size:
    """Width and height of a JPEG in pixels. Raises PacketError when it has none, or too many."""
    try:
        width, height = dimensions(jpeg)
    except MovieError as error:
        raise PacketError(f"not a JPEG: {error}") from error
    _check(width, height)
    return width, height


def decode(jpeg: bytes, size: Size) -> Image.Image:
    """Decode a JPEG to `size`. Raises PacketError when it is damaged or too large."""
    scans = jpeg.count(_START_OF_SCAN)
    if scans > MAX_SCANS:
        raise PacketError(f"a picture of {scans} scans is not decoded")
    try:
        # Not Image.open: this can only be taken for a JPEG, and nobody warns of its size but we.
        image: Image.Image = JpegImageFile(io.BytesIO(jpeg))
        _check(*image.size)
        if image.size != size:
            image.draft(image.mode, size)  # the decoder halves what will be reduced anyway
        image.load()
        return image if image.size == size else image.resize(size, _filter(image.size, size))
    except PacketError:
        raise
    except Exception as error:  # Pillow passes on whatever its parsers stumble over
        raise PacketError(f"a damaged JPEG: {error}") from error


def fitted(picture: Size, room: Size) -> Size:
    """The largest size of the picture's aspect that fits the room."""
    factor = min(room[0] / picture[0], room[1] / picture[1])
    return max(1, round(picture[0] * factor)), max(1, round(picture[1] * factor))


def _check(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise PacketError(f"a picture of {width} x {height} pixels is not decoded")


def _filter(source: Size, target: Size) -> Image.Resampling:
    """A whole multiple stays sharp; anything else is interpolated."""
    if target[0] % source[0] == 0 and target[1] % source[1] == 0:
        return Image.Resampling.NEAREST
    return Image.Resampling.BILINEAR
