"""What the server says about its movies when it starts, and the addresses to play them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from rtplab.movies.mistakes import CONVERT
from rtplab.movies.movie import Movie, index_cost, open_movie
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp.packet import HEADER_SIZE
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import quoted_name
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.playback import frame_rate

# Bytes of movies that are read for the list: half a second from a slow disk. Further movies are
# listed by name and size; a folder of a thousand must not delay the start.
LISTING_BUDGET = 64 << 20

MAX_VIDEOS = 5  # that are named in a folder without movies
MAX_ADDRESSES = 5  # that are shown: they are examples for the others

# Bytes of one datagram that lab clients receive: 16 of 17 public ones in Java, and 46 of 49 in
# Python. The system truncates longer ones without telling them.
JAVA_BUFFER = 15_000
PYTHON_BUFFER = 20_480


class Listing(NamedTuple):
    """The contents of a folder."""

    lines: list[str]  # about each movie, and about each file that should be one
    names: list[str]  # of those that can be played, as far as is known


def describe_movies(
    library: MovieLibrary, fps: float | None, budget: int = LISTING_BUDGET
) -> Listing:
    """Describe the movies. Raises OSError.

    `fps` is the frame rate of all movies; None means each movie's own.
    There are extra lines for what is wrong with a movie, and for clients that its frames are too
    large for.
    """
    lines = []
    names = []
    for path in library.movies():
        cost = _cost(path)
        if cost <= budget:
            budget -= cost
            problem, movie = _open(path)
            summary, *notes = [problem] if movie is None else _details(movie, fps)
            lines.append(f"  {_name(path)}: {summary}")
            lines += [f"    {note}" for note in notes]
            names += [] if movie is None else [path.name]
        else:
            names.append(path.name)
            lines.append(f"  {_name(path)}: {_size(path)}, indexed on the first request")
    for path in library.folders():
        name = _name(path)
        lines.append(f"  {name}: a folder, not a movie; if it contains pictures, {CONVERT}")
    if not lines:
        lines.append(f"  no movie in {library.folder}: put one there, or use --media")
        for path in library.videos()[:MAX_VIDEOS]:
            lines.append(f"  {_name(path)}: not a movie that can be served; {CONVERT}")
    return Listing(lines, names)


def addresses_to_play(names: list[str], scheme: str, server: str) -> list[str]:
    """Return lines with the addresses of the first movies on a server such as `localhost:5678`."""
    if not names:
        return []
    lines = [f"  {scheme}://{server}/{quoted_name(name)}" for name in names[:MAX_ADDRESSES]]
    left_out = len(names) - len(lines)
    return ["To play, copy an address:", *lines, *([f"  and {left_out} more"] if left_out else [])]


def _name(path: Path) -> str:
    """A file may be called anything, even escape sequences for the terminal."""
    return printable(path.name)


def _cost(path: Path) -> int:
    try:
        return index_cost(path)
    except OSError:
        return 0  # opening it will say why


def _open(path: Path) -> tuple[str, Movie | None]:
    """Return the movie, or what is wrong with it."""
    try:
        return "", open_movie(path)
    except MovieError as error:
        return f"can't be played: {error}", None
    except OSError as error:
        return f"can't be opened: {error.strerror}", None


def _details(movie: Movie, fps: float | None) -> list[str]:
    frames = len(movie.frames)
    rate = frame_rate(movie, fps)
    summary = f"{frames} frames, {movie.width}x{movie.height}, {frames / rate:.1f} s"
    if fps is None and movie.frame_rate is not None:
        summary += f" at {rate:.4g} frames/s"
    return [summary, *filter(None, (movie.damage, too_large_for(movie)))]


def too_large_for(movie: Movie) -> str:
    """Say which lab clients don't receive the movie's largest frames whole, if any."""
    largest = movie.largest
    if largest + HEADER_SIZE > PYTHON_BUFFER:
        clients = "lab clients in Python and Java"
    elif largest + HEADER_SIZE > JAVA_BUFFER:
        clients = "lab clients in Java"
    else:
        return ""
    return f"frames of up to {largest:,} bytes: most {clients} cut them off; make them smaller"


def _size(path: Path) -> str:
    try:
        return f"{os.path.getsize(path) / 1e6:.1f} MB"
    except OSError as error:  # gone since we looked
        return error.strerror or "gone"
