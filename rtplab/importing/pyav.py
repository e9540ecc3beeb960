"""Pictures of any video, by PyAV: for those who have no ffmpeg (`pip install rtplab[import]`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from rtplab.importing.timing import expected, sampled
from rtplab.importing.videos import TEXT_FORMATS
from rtplab.importing.wanted import ImportingError, Wanted
from rtplab.movies.index import FASTEST, SLOWEST


def is_available() -> bool:
    """Tell if PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class VideoSource:
    """The first stream of pictures, upright, with square pixels, at an even rate."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        """Open the file. Raises ImportingError."""
        self._path = path
        self._wanted = wanted
        with self._open() as container:
            if container.format.name in TEXT_FORMATS:
                raise ImportingError("it contains no pictures")
            stream = _first_stream(container)
            self._own_rate = _rate(stream)
            self.rate = wanted.fps or self._own_rate
            duration = Fraction(container.duration or 0, 1_000_000)
        self.count = expected(duration, self.rate, wanted) if duration else 0

    def _open(self) -> Any:
        import av

        try:
            return av.open(f"file:{self._path}")
        except Exception as error:  # PyAV has an exception for each of FFmpeg's errors
            raise ImportingError(f"PyAV can't read it: {_words(error)}") from error

    def pictures(self) -> Iterator[Image.Image]:
        """Yield all pictures."""
        with self._open() as container:
            slack = 1 / (4 * self._own_rate)
            yield from sampled(self._shown(container), self.rate, self._wanted, slack)

    def _shown(self, container: Any) -> Iterator[tuple[Fraction, Image.Image]]:
        """Yield each picture with the time in seconds at which the next one replaces it."""
        stream = _first_stream(container)
        first = Fraction((stream.start_time or 0) * stream.time_base)
        if self._wanted.start:
            container.seek(int((first + self._wanted.start) / stream.time_base), stream=stream)
        held: Any = None
        time = Fraction(0)
        try:
            for frame in container.decode(stream):
                if frame.pts is not None:
                    time = Fraction(frame.pts * stream.time_base) - first
                if held is not None and time > self._wanted.start:
                    yield time, _pixels(held, stream)
                held = frame
        except Exception as error:
            text = f"it is damaged at {float(time):.1f} s: {_words(error)}"
            raise ImportingError(text) from error
        if held is not None:
            yield max(time, self._wanted.start) + 1 / self._own_rate, _pixels(held, stream)


def _first_stream(container: Any) -> Any:
    if not container.streams.video:
        raise ImportingError("it contains no pictures")
    return container.streams.video[0]


def _rate(stream: Any) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and SLOWEST <= rate <= FASTEST:
            return Fraction(rate).limit_denominator(1001)
    raise ImportingError("its frame rate is unknown: set it with --fps")


def _pixels(frame: Any, stream: Any) -> Image.Image:
    picture: Image.Image = frame.to_image()
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        picture = picture.resize((max(1, round(picture.width * aspect)), picture.height))
    rotation = getattr(frame, "rotation", 0)
    return picture.rotate(rotation, expand=True) if rotation else picture


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
