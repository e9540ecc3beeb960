"""The sources of an import's pictures, and the choice of one for a file.

MovieSource      a movie that the server could play itself
AnimationSource  GIF, WebP, APNG and single pictures, by Pillow
FolderSource     a folder of pictures, by Pillow
VideoSource      any video, by ffmpeg (`videos`) or PyAV (`pyav`)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from PIL import Image, ImageOps

from rtplab.importing import pyav, videos
from rtplab.importing.timing import expected, sampled
from rtplab.importing.wanted import ImportingError, Wanted
from rtplab.movies.index import FASTEST
from rtplab.movies.movie import Movie
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtsp.messages import printable

Picture = bytes | Image.Image  # a JPEG as it is, or pixels

DEFAULT_RATE = Fraction(20)  # frames a second if a source does not state it, as in the server

# Formats that Pillow reads with nothing else installed.
_PILLOW_FORMATS = ("GIF", "WEBP", "PNG", "JPEG", "BMP", "TIFF", "PPM")
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ppm"}

# As browsers do with animations: a picture with less than 20 ms is shown for 100.
_SHORTEST, _USUAL = Fraction(20, 1000), Fraction(100, 1000)


class Source(Protocol):
    """Pictures at an even rate; `count` is the expected number, 0 if unknown."""

    rate: Fraction
    count: int

    def pictures(self) -> Iterator[Picture]:
        """Yield all of them, each time from the first on. Raises ImportingError, OSError."""


def open_source(path: Path, wanted: Wanted) -> Source:
    """Return the pictures of the file or folder. Raises ImportingError, OSError."""
    if path.is_dir():
        return FolderSource(path, wanted)
    if not path.stat().st_size:
        raise ImportingError("the file is empty")
    known_to_pillow = is_known_to_pillow(path)
    try:
        movie = Movie(path)
    except MovieError as error:
        problem = str(error)
    else:
        is_photo = len(movie.frames) == 1 and known_to_pillow
        if not is_photo and movie.left_out.bytes < path.stat().st_size / 2:
            return MovieSource(movie, wanted)
        problem = movie.damage
    if known_to_pillow:
        return AnimationSource(path, wanted)
    if videos.is_available():
        return videos.VideoSource(path, wanted)
    if pyav.is_available():
        return pyav.VideoSource(path, wanted)
    raise ImportingError(
        "reading this needs ffmpeg or PyAV: install ffmpeg, or run "
        f"`pip install rtplab[import]` (it is not a movie: {problem})"
    )


class MovieSource:
    """A movie that the server could play itself: its pictures are returned unchanged."""

    def __init__(self, movie: Movie, wanted: Wanted) -> None:
        self._movie = movie
        self._wanted = wanted
        # Without a rate of its own, it has the user's.
        self._own_rate = movie.frame_rate or wanted.fps or DEFAULT_RATE
        self.rate = wanted.fps or self._own_rate
        self.count = expected(len(movie.frames) / self._own_rate, self.rate, wanted)

    def pictures(self) -> Iterator[Picture]:
        numbers = range(1, len(self._movie.frames) + 1)
        shown = ((number / self._own_rate, number) for number in numbers)
        for number in sampled(shown, self.rate, self._wanted):
            yield bytes(self._movie.frame(number))


def is_known_to_pillow(path: Path) -> bool:
    """Tell if Pillow reads the file. Raises OSError if it can't be opened."""
    with open(path, "rb") as file:
        try:
            with Image.open(file, formats=_PILLOW_FORMATS):
                return True
        except Image.DecompressionBombError:
            return True
        except Exception:  # Pillow passes on whatever its parsers stumble over
            return False


class AnimationSource:
    """The pictures of a GIF, WebP or APNG, each for its own duration."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._wanted = wanted
        durations = [seconds for seconds, _ in self._frames(are_needed=False)]
        self.rate = wanted.fps or min(FASTEST, 1 / min(durations))
        if len(durations) == 1:
            self.rate = wanted.fps or DEFAULT_RATE
        self.count = expected(sum(durations, Fraction(0)), self.rate, wanted)

    def pictures(self) -> Iterator[Picture]:
        return sampled(self._shown(), self.rate, self._wanted)

    def _shown(self) -> Iterator[tuple[Fraction, Image.Image]]:
        end = Fraction(0)
        for seconds, picture in self._frames(are_needed=True):
            end += seconds
            yield end, picture

    def _frames(self, are_needed: bool) -> Iterator[tuple[Fraction, Image.Image]]:
        with opened_picture(self._path) as image:
            count = getattr(image, "n_frames", 1)
            for number in range(count):
                try:
                    image.seek(number)
                    image.load()  # some formats state the duration only now
                    picture = pixels(image) if are_needed else image
                except Exception as error:  # Pillow passes on whatever its parsers stumble over
                    raise ImportingError(f"picture {number + 1} is damaged: {error}") from error
                if count == 1:
                    seconds = 1 / (self._wanted.fps or DEFAULT_RATE)
                else:
                    seconds = Fraction(image.info.get("duration") or 0).limit_denominator() / 1000
                yield (seconds if seconds >= _SHORTEST else _USUAL), picture


class FolderSource:
    """The pictures of a folder, in the order of their names, in which 10 comes after 9."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._wanted = wanted
        self._files = sorted(
            (file for file in path.iterdir() if file.suffix.lower() in _PICTURE_SUFFIXES),
            key=lambda file: _natural(file.name),
        )
        if not self._files:
            raise ImportingError("this folder contains no pictures (JPEG, PNG, GIF, WebP, ...)")
        self.rate = wanted.fps or DEFAULT_RATE
        self.count = expected(len(self._files) / self.rate, self.rate, wanted)

    def pictures(self) -> Iterator[Picture]:
        shown = ((number / self.rate, file) for number, file in enumerate(self._files, 1))
        for file in sampled(shown, self.rate, self._wanted):
            with opened_picture(file) as image:
                try:
                    picture = pixels(image)
                except Exception as error:
                    text = f"{printable(file.name)} is damaged: {error}"
                    raise ImportingError(text) from error
            yield picture


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key: numbers by their value, everything else by its letters."""
    parts = re.findall(r"\d+|\D+", name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def opened_picture(path: Path) -> Image.Image:
    """Open a picture with Pillow. Raises ImportingError."""
    name = printable(os.path.basename(path))
    try:
        return Image.open(path, formats=_PILLOW_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImportingError(f"{name} has too many pixels: {error}") from error
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ImportingError(f"{name} can't be read as a picture") from error


def pixels(image: Image.Image) -> Image.Image:
    """Return a picture as it should look: upright, and white where it is transparent."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "P" and "transparency" in upright.info or upright.mode in ("RGBA", "LA"):
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    return upright.convert("RGB")
