"""Movie files for the tests: read, cut and made in the lab's format.

A movie is a row of frames, each a five-digit decimal length and that many bytes of JPEG.
"""

from __future__ import annotations

import io
import itertools
import random
import struct
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
MOVIE = ROOT / "movie.Mjpeg"


def frames_of(path: Path | str) -> list[bytes]:
    """The JPEG frames of a lab movie, in order."""
    data = Path(path).read_bytes()
    frames, offset = [], 0
    while offset < len(data):
        length = int(data[offset : offset + 5])
        frames.append(data[offset + 5 : offset + 5 + length])
        offset += 5 + length
    return frames


def write_movie(path: Path, frames: Iterable[bytes]) -> Path:
    """Write `frames` as a lab movie and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(b"%05d%s" % (len(frame), frame) for frame in frames))
    return path


def jpeg_of_size(size: int, seed: int = 0) -> bytes:
    """A decodable JPEG of exactly `size` bytes: a noisy picture, filled up with a comment segment.

    The size is reached by one comment (FFFE, two bytes of length) behind the start of image.
    """
    side = 16
    jpeg = _noise(side, seed)
    while len(bigger := _noise(side + 16, seed)) <= size - 4:
        side, jpeg = side + 16, bigger
    missing = size - len(jpeg) - 4
    if not 0 <= missing <= 0xFFFF - 2:
        raise ValueError(f"no JPEG of {size} bytes")
    comment = b"\xff\xfe" + (missing + 2).to_bytes(2, "big") + b"." * missing
    return jpeg[:2] + comment + jpeg[2:]


def _noise(side: int, seed: int) -> bytes:
    pixels = random.Random(seed).randbytes(side * side * 3)
    output = io.BytesIO()
    Image.frombytes("RGB", (side, side), pixels).save(output, "JPEG", quality=75)
    return output.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a RIFF file, with the byte that makes it even."""
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def avi_header(rate: int = 25, scale: int = 1, codec: bytes = b"MJPG", first: bytes = b"") -> bytes:
    """The headers of an AVI file with one stream of pictures behind those in `first`."""
    avih = struct.pack("<10I", 1_000_000 * scale // max(rate, 1), *[0] * 9) + bytes(16)
    strh = b"vids" + codec + struct.pack("<3I", 0, 0, 0) + struct.pack("<2I", scale, rate)
    strf = struct.pack("<3IHH", 40, 384, 288, 1, 24) + codec + bytes(20)
    stream = b"strl" + chunk(b"strh", strh + bytes(28)) + chunk(b"strf", strf)
    return chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + first + chunk(b"LIST", stream))


def avi_of(movi: bytes, header: bytes | None = None) -> bytes:
    """An AVI file of these chunks of `movi`."""
    header = avi_header() if header is None else header
    return chunk(b"RIFF", b"AVI " + header + chunk(b"LIST", b"movi" + movi))


def multipart_of(frames: Iterable[bytes], fields: Iterable[bytes] | None = None) -> bytes:
    """A multipart dump; `fields` are further header lines of each part."""
    more = itertools.repeat(b"") if fields is None else fields
    return b"".join(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n%b\r\n%b\r\n"
        % (len(frame), line, frame)
        for frame, line in zip(frames, more, strict=False)
    )
