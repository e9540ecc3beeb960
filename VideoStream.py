"""A movie file turned into JPEG frames.

The file of the lab has a frame's length in 5 ASCII digits before each:

    00009 <9 bytes of JPEG> 00012 <12 bytes of JPEG> ...

So a frame is read in two steps: five bytes, which are a number, and then as many bytes as that. A
VideoStream gives any frame that the five digits announce, JPEG or not. Of other files it gives the
pictures: bare JPEGs one after the other, as `ffmpeg -f mjpeg` writes them, multipart dumps, AVI.

The steps are done in rtplab/movies/lab.py, once for all frames of a file: then many viewers can
share it, and each can go to any frame. How a server judges pictures is there, too.
"""

from __future__ import annotations

import os

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie, open_movie


class VideoStream:
    """A viewer's position in a movie file."""

    def __init__(self, filename: str | os.PathLike[str], cursor: MovieCursor | None = None) -> None:
        """Open the movie, unless a server has done so and goes through it by `cursor`.

        Raises OSError when it can't be opened or is not a movie.
        """
        self.filename = filename
        self._cursor = cursor or MovieCursor(open_movie(filename, any_frame=True))

    @property
    def movie(self) -> Movie:
        """The file, opened and indexed."""
        return self._cursor.movie

    def nextFrame(self) -> bytes:
        """Return the next frame, or b"" at the end. Raises MovieError when the file has changed."""
        return self._cursor.next_frame()

    def frameNbr(self) -> int:
        """Return the number of the frame that nextFrame gave last; 0 before the first."""
        return self._cursor.number

    def seek(self, frame_number: int) -> None:
        """Make `frame_number`, counted from 1, the next frame."""
        self._cursor.seek(frame_number)
