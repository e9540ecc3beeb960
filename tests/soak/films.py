"""The films of the soak: what the servers have, and what each frame must be when it arrives."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field
from pathlib import Path

from movies import MOVIE, frames_of, write_movie
from PIL import Image, ImageChops, ImageStat
from standard_servers import Picture, taken_apart

from rtplab.protocol.rtp.jpegassembler import jpeg_headers

FPS = 20
SHORT = 50  # frames: 2.5 s, so that many viewers see its end
# Mean difference of two pictures, per sample of 0 to 255, where one was made from the other by
# decoding and coding it again: about 1 here, while another frame of the film differs by 5 and more.
CONVERSION_LOSS = 3.0


@dataclass
class Film:
    """A film as its file has it, and as RFC 2435 carries it.

    A picture is None while the server alone knows how it has converted it: the first that comes
    is compared with the file's by its looks, and all others with the first.
    """

    name: str
    frames: list[bytes]
    pictures: list[Picture | None]
    _numbers: dict[bytes, list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def seconds(self) -> float:
        return len(self) / FPS

    def has_frame(self, number: int, jpeg: bytes) -> bool:
        """Whether frame `number`, counted from 1, is this one."""
        return self.frames[number - 1] == jpeg

    def has_picture(self, number: int, picture: Picture) -> bool:
        expected = self.pictures[number - 1]
        if expected is None and _look_alike(self.frames[number - 1], picture):
            self.pictures[number - 1] = expected = picture
        return expected == picture

    def number_of(self, picture: Picture) -> int:
        """The number of the frame that is this picture; 0 when it is none or several."""
        if not self._numbers and None not in self.pictures:
            for number, known in enumerate(self.pictures, 1):
                self._numbers.setdefault(known.scan if known else b"", []).append(number)
        numbers = self._numbers.get(picture.scan, [])
        return numbers[0] if len(numbers) == 1 else 0


def make_films(folder: Path) -> list[Film]:
    """Write the films' files into a folder."""
    demonstration = frames_of(MOVIE)
    films = [
        _carriable("movie.Mjpeg", demonstration),
        _carriable("short.Mjpeg", demonstration[:SHORT]),
        _carriable("large.Mjpeg", [_noise(number) for number in range(30)]),
        _carriable("restarts.Mjpeg", _drawn(40, subsampling=1, restart_marker_blocks=5)),
        _converted("progressive.Mjpeg", _drawn(30, progressive=True, quality=90)),
    ]
    for film in films:
        write_movie(folder / film.name, film.frames)
        write_movie(folder / "videos" / film.name, film.frames)  # some lab programs say so
    return films


def make_slow_film(folder: Path) -> Film:
    """Write the file of a film of 1920x1080, 3 MB a second, into the same folder."""
    film = _carriable("full-hd.Mjpeg", [_full_hd(number) for number in range(50)])
    write_movie(folder / film.name, film.frames)
    return film


def _carriable(name: str, frames: list[bytes]) -> Film:
    return Film(name, frames, [taken_apart(frame) for frame in frames])


def _converted(name: str, frames: list[bytes]) -> Film:
    return Film(name, frames, [None] * len(frames))


def _noise(seed: int) -> bytes:
    """A frame of some 75 KB: two datagrams in the lab dialect, two bursts in the standard."""
    pixels = random.Random(seed).randbytes(320 * 320 * 3)
    return _jpeg(Image.frombytes("RGB", (320, 320), pixels), quality=75)


def _full_hd(seed: int) -> bytes:
    """A frame of 1920x1080 and some 150 KB: noise in blocks."""
    pixels = random.Random(seed).randbytes(480 * 270 * 3)
    picture = Image.frombytes("RGB", (480, 270), pixels).resize((1920, 1080), Image.BILINEAR)
    return _jpeg(picture, quality=8)


def _drawn(count: int, **options: object) -> list[bytes]:
    """Frames that all differ: a gradient that turns, over a bar that moves."""
    gradient = Image.linear_gradient("L").resize((320, 240))
    frames = []
    for number in range(count):
        turned = gradient.rotate(number * 360 / count)
        moved = ImageChops.offset(gradient, number * 320 // count, 0)
        frames.append(_jpeg(Image.merge("RGB", (turned, moved, gradient)), **options))
    return frames


def _jpeg(picture: Image.Image, **options: object) -> bytes:
    output = io.BytesIO()
    picture.save(output, "JPEG", **options)
    return output.getvalue()


def _look_alike(jpeg: bytes, picture: Picture) -> bool:
    headers = jpeg_headers(
        picture.type, picture.width, picture.height, picture.tables, picture.restart_interval
    )
    with Image.open(io.BytesIO(jpeg)) as ours:
        with Image.open(io.BytesIO(headers + picture.scan + b"\xff\xd9")) as theirs:
            difference = ImageChops.difference(ours.convert("RGB"), theirs.convert("RGB"))
    return max(ImageStat.Stat(difference).mean) < CONVERSION_LOSS
