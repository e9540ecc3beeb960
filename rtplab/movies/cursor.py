"""A position in a movie; each viewer has its own."""

from __future__ import annotations

from rtplab.movies.movie import Movie


class MovieCursor:
    """Goes through the frames of a movie; `number` is the last returned frame's, 0 at first."""

    __slots__ = ("movie", "number")

    def __init__(self, movie: Movie) -> None:
        self.movie = movie
        self.number = 0

    def next_frame(self) -> bytes:
        """Return the next frame, or b"" at the end. Raises MovieError if the file has changed."""
        if self.number >= len(self.movie.frames):
            return b""
        frame = self.movie.frame(self.number + 1)
        self.number += 1
        return bytes(frame)

    def seek(self, frame_number: int) -> None:
        """Make `frame_number`, counted from 1, the next frame."""
        self.number = min(max(frame_number - 1, 0), len(self.movie.frames))
