"""What the server says of its movies when it starts."""

from __future__ import annotations

import os
from pathlib import Path

from rtplab.movies.mistakes import CONVERT
from rtplab.movies.movie import Movie, index_cost, open_movie
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp.packet import HEADER_SIZE
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.playback import frame_rate

# Bytes of movies that are read for the list: half a second from a slow disk. Beyond, a movie is
# listed by name and size; a folder of a thousand must not delay the start.
LISTING_BUDGET = 64 << 20

# Bytes of one datagram that lab clients receive: 16 of 17 public ones in Java, and 46 of 49 in
# Python. What is longer the system cuts off, and they are not told.
JAVA_BUFFER = 15_000
PYTHON_BUFFER = 20_480


def describe_movies(
    library: MovieLibrary, fps: float | None, budget: int = LISTING_BUDGET
) -> list[str]:
    """Return a line about each movie, and about each file that should be one. Raises OSError.

    `fps` is the frame rate of all movies, None: what each of them says.
    What is wrong with a movie, and whom its frames are too large for, has lines of its own.
    """
    lines = []
    for path in library.movies():
        cost = _cost(path)
        if cost <= budget:
            budget -= cost
            summary, *notes = _details(path, fps)
            lines.append(f"  {_name(path)}: {summary}")
            lines += [f"    {note}" for note in notes]
        else:
            lines.append(f"  {_name(path)}: {_size(path)}, indexed when first asked for")
    for path in library.folders():
        name = _name(path)
        lines.append(f"  {name}: a folder, no movie; if pictures are in it, {CONVERT}")
    if not lines:
        lines.append(f"  no movie in {library.folder}: put one there, or use --media")
    return lines


def _name(path: Path) -> str:
    """A file may be called anything, even escape sequences for the terminal."""
    return printable(path.name)


def _cost(path: Path) -> int:
    try:
        return index_cost(path)
    except OSError:
        return 0  # to open it says why


def _details(path: Path, fps: float | None) -> list[str]:
    try:
        movie = open_movie(path)
    except MovieError as error:
        return [f"can't be played: {error}"]
    except OSError as error:
        return [f"can't be opened: {error.strerror}"]
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
