"""Converts a picture that RFC 2435 can't carry into one that it can: baseline and 4:2:0."""

from __future__ import annotations

import io
from typing import IO

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtp.rtpjpeg import (
    Large,
    converted_size,
    fits,
    fitting_size,
    unsupported_reason,
)

# For pictures whose own quantization tables can't be used. On the demonstration movie it keeps
# 46 dB (PSNR) of the original, in half the bytes of RGB or CMYK.
FALLBACK_QUALITY = 90

# Progressive pictures have about ten scans, each of which is a pass over all pixels. One that has
# thousands was made to keep the converter busy.
MAX_SCANS = 100
# Pixels of a picture that is decoded, of three bytes each: as many as the largest cameras take.
MAX_PIXELS = 100_000_000


def convert(picture: bytes, file: IO[bytes], large: Large = Large.REFUSED) -> None:
    """Write a JPEG to `file` as RFC 2435 can carry it: unchanged if possible.

    Raises MovieError when it is damaged or too large, before anything is written; any other
    OSError comes from `file`.
    """
    header = jpeg.parse(picture)
    if unsupported_reason(header, large is Large.AS_THEY_ARE) is None:
        file.write(picture[: jpeg.end_of_image(picture)])
        return
    image, own_tables = _decoded(picture, header, large)
    tables = _tables(header, own_tables)
    options = {"quality": FALLBACK_QUALITY} if tables is None else {"qtables": tables}
    _padded(image).save(file, "JPEG", subsampling="4:2:0", **options)


def _decoded(
    picture: bytes, header: jpeg.JpegHeader, large: Large
) -> tuple[Image.Image, dict[int, list[int]]]:
    """The pixels as RGB, and the quantization tables by their ids. Raises MovieError."""
    size = header.width, header.height
    is_large = not fits(*size)
    if is_large and large is Large.REFUSED or size[0] * size[1] > MAX_PIXELS:
        raise MovieError(f"a picture of {header.width}x{header.height} pixels is too large")
    if header.scans > MAX_SCANS:
        raise MovieError(f"the picture has {header.scans} scans")
    try:
        # Not Image.open: this file can only ever be taken for a JPEG.
        image = JpegImageFile(io.BytesIO(picture))
        with image:
            if image.size != size:
                raise ValueError(f"it also claims to have {image.width}x{image.height} pixels")
            tables = image.quantization
            if is_large and large is Large.MADE_SMALLER:
                fitting = fitting_size(*size)
                image.draft("RGB", fitting)  # the decoder shrinks it at no cost
                return image.convert("RGB").resize(fitting), tables
            return image.convert("RGB"), tables
    except Exception as error:  # Pillow passes on whatever its parsers stumble over
        raise MovieError(f"the picture can't be decoded: {error}") from error


def _padded(image: Image.Image) -> Image.Image:
    """The picture with its last column and then its last row repeated up to multiples of 8."""
    width, height = converted_size(*image.size, may_be_large=True)
    canvas = Image.new("RGB", (width, height))
    canvas.paste(image, (0, 0))
    column = canvas.crop((image.width - 1, 0, image.width, height))
    for x in range(image.width, width):
        canvas.paste(column, (x, 0))
    row = canvas.crop((0, image.height - 1, width, image.height))
    for y in range(image.height, height):
        canvas.paste(row, (0, y))
    return canvas


def _tables(
    header: jpeg.JpegHeader, tables: dict[int, list[int]]
) -> tuple[list[int], list[int]] | None:
    """Luma's and chroma's quantization table, from the picture's own; None if unusable.

    Values that were rounded to multiples of these steps hardly change when rounded again, so the
    picture stays as it was (50 dB and more if it was 4:2:0), and so does its size. Chroma that is
    reduced to 4:2:0 gets steps half as large, because it is rounded for the first time.
    """
    components = header.components
    if len(components) not in (1, 3) or header.rgb:
        return None
    luma, *chroma = (tables[component.quantization_table] for component in components)
    if max(map(max, (luma, *chroma))) > 255:
        return None  # 16 bits a value: RTP/JPEG has 8
    if not chroma:
        return luma, luma
    finest = [min(steps) for steps in zip(*chroma, strict=True)]
    if (components[0].horizontal, components[0].vertical) != (2, 2):
        finest = [max(1, step // 2) for step in finest]
    return luma, finest
