"""What the server says of its movies when it starts."""

from __future__ import annotations

import os
from pathlib import Path

from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtsp import printable
from rtplab.serving.library import MovieLibrary
from VideoStream import index_cost, open_movie

# Bytes of movies that are read for the list: half a second from a slow disk. Beyond, a movie is
# listed by name and size; a folder of a thousand must not delay the start.
LISTING_BUDGET = 64 << 20


def describe_movies(library: MovieLibrary, fps: float, budget: int = LISTING_BUDGET) -> list[str]:
    """Return a line about each movie, and about each file that should be one. Raises OSError."""
    lines = []
    for path in library.movies():
        cost = _cost(path)
        if cost <= budget:
            budget -= cost
            lines.append(f"  {_name(path)}: {_details(path, fps)}")
        else:
            lines.append(f"  {_name(path)}: {_size(path)}, indexed when first asked for")
    return lines or [f"  no movie in {library.folder}: put one there, or use --media"]


def _name(path: Path) -> str:
    """A file may be called anything, even escape sequences for the terminal."""
    return printable(path.name)


def _cost(path: Path) -> int:
    try:
        return index_cost(path)
    except OSError:
        return 0  # to open it says why


def _details(path: Path, fps: float) -> str:
    try:
        movie = open_movie(path)
    except MovieError as error:
        return f"can't be played: {error}"
    except OSError as error:
        return f"can't be opened: {error.strerror}"
    frames = len(movie.frames)
    damage = f" ({movie.damage})" if movie.damage else ""
    return f"{frames} frames, {movie.width}x{movie.height}, {frames / fps:.1f} s{damage}"


def _size(path: Path) -> str:
    return f"{os.path.getsize(path) / 1e6:.1f} MB"
