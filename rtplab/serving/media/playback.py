"""A session's position in its movie, and its speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Range

# The bounds of Scale and Speed; the reply to any other value names the one that is used instead.
# Speed also multiplies the bit rate; Scale does not.
SLOWEST = 0.1
FASTEST_SCALE = 8.0
FASTEST_SPEED = 4.0
THOUSAND = 1000  # rates are kept and answered in thousandths, which add up without rounding
DEFAULT_FPS = 20.0  # frames a second of a movie that doesn't say: as in the lab
# Players write times with three decimals; ffmpeg and mpv truncate the rest. So a time that is less
# than this many seconds before a frame means that frame.
TIME_UNIT = 0.001


class Playback:
    """A viewer's way through a movie, at `fps` frames a second.

    Scale 2 shows every second frame, scale 1.5 two of three, scale 0.5 each for twice as long (RFC
    2326 section 12.34); speed 2 sends all frames in half the time (section 12.35). With `loop` the
    movie begins again after its last frame, up to the end that PLAY has named, if it has named one.
    """

    __slots__ = (
        "cursor",
        "fps",
        "scale",
        "speed",
        "frame_duration",
        "_loop",
        "_is_endless",
        "_frame_count",
        "_last_frame",
        "_rounds",
        "_step",
        "_rest",
    )

    def __init__(self, cursor: MovieCursor, fps: float, loop: bool = False) -> None:
        self.cursor = cursor
        self.fps = fps
        self._loop = loop
        self._is_endless = loop
        self._frame_count = len(cursor.movie.frames)
        self._last_frame = self._frame_count
        self._rounds = 0  # how often the movie begins again before its last frame is `_last_frame`
        self.set_pace(1.0, 1.0)

    @property
    def duration(self) -> float:
        """The length of the movie in seconds."""
        return self._frame_count / self.fps

    @property
    def range(self) -> Range:
        """The rest to be played."""
        last = self._rounds * self._frame_count + self._last_frame
        end = None if self._is_endless else last / self.fps
        return Range(self.cursor.number / self.fps, end)

    @property
    def interval(self) -> float:
        """Seconds between frames sent."""
        return self.frame_duration / self.speed

    @property
    def at_end(self) -> bool:
        """Tell if the last requested frame has been returned."""
        return not self._begins_again and self.cursor.number >= self._last_frame

    @property
    def _begins_again(self) -> bool:
        return self._is_endless or self._rounds > 0

    def set_pace(self, scale: float, speed: float) -> None:
        """Go on at this scale and speed, as `served_rate` returns them."""
        self.scale = scale
        self.speed = speed
        self.frame_duration = max(1.0, 1 / scale) / self.fps  # how long each is shown, in seconds
        # The step from one sent frame to the next, and the fraction of a step beyond whole frames;
        # both in thousandths of a frame.
        self._step = max(THOUSAND, round(scale * THOUSAND))
        self._rest = 0

    def select(self, span: Range) -> None:
        """Play `span`. Raises MessageError 457 if that is impossible."""
        start, end = span.start, span.end
        if start is None:
            start = self.cursor.number / self.fps
        first = self._frame_at(start)
        last = self._frame_count if end is None else self._frame_at(end)
        is_empty = end is not None and end <= start
        if self._loop:  # a player that counts on over all rounds means a place in the movie
            rounds = first // self._frame_count * self._frame_count
            first, last = first - rounds, last if end is None else last - rounds
        if is_empty or (start >= self.duration and not self._loop):
            raise MessageError(f"{span.serialise()} is not in 0-{self.duration:.3f}", 457)
        self.cursor.seek(min(first, self._frame_count - 1) + 1)
        self._is_endless = self._loop and end is None
        self._rounds = (last - 1) // self._frame_count if self._loop and last > 0 else 0
        last -= self._rounds * self._frame_count
        self._last_frame = max(min(last, self._frame_count), 1)
        if not self._rounds:
            self._last_frame = max(self._last_frame, self.cursor.number + 1)

    def rewind_at_end(self) -> None:
        """Rewind if everything has been played."""
        if self.at_end:
            self.rewind()

    def rewind(self) -> None:
        """Go to the beginning, and play to the last frame."""
        self.cursor.seek(1)
        self._last_frame, self._rounds, self._rest = self._frame_count, 0, 0

    def advance(self) -> int | None:
        """Return the number of the frame to send now, and move on; None at the end."""
        number = self.cursor.number + 1
        if number > (self._frame_count if self._rounds else self._last_frame):
            if not self._begins_again:
                return None
            self._rounds = max(0, self._rounds - 1)
            number, self._rest = 1, 0
        step, self._rest = divmod(self._rest + self._step, THOUSAND)
        self.cursor.number = min(number + step - 1, self._frame_count)
        return number

    def upcoming(self, count: int) -> Sequence[int]:
        """Return the numbers of the next frames, at most `count` of them."""
        last = self._frame_count if self._rounds else self._last_frame
        numbers = self._numbers(self.cursor.number + 1, self._rest, last, count)
        if len(numbers) == count or not self._begins_again:
            return numbers
        last = self._last_frame if self._rounds == 1 else self._frame_count
        return [*numbers, *self._numbers(1, 0, last, count - len(numbers))]

    def _numbers(self, first: int, rest: int, last: int, count: int) -> Sequence[int]:
        """Return `count` numbers from `first` to `last`, or as many as there are."""
        step, fraction = divmod(self._step, THOUSAND)
        if not fraction:
            return range(first, last + 1, step)[:count]
        numbers = (first + (rest + index * self._step) // THOUSAND for index in range(count))
        return list(takewhile(lambda number: number <= last, numbers))

    def _frame_at(self, seconds: float) -> int:
        """Return how many frames have ended before `seconds`, as players write them."""
        return int((seconds + min(TIME_UNIT, 0.5 / self.fps)) * self.fps)


def frame_rate(movie: Movie | None, fps: float | None) -> float:
    """Return how many frames a second are shown: what the user, the movie or else the lab says."""
    own = movie.frame_rate if movie is not None else None
    return fps or float(own or DEFAULT_FPS)


@lru_cache(maxsize=64)  # most viewers want the normal one
def served_rate(text: str, fastest: float) -> float:
    """Return the rate that serves a Scale or Speed header best; the normal one for nonsense."""
    try:
        wanted = float(text.partition("-")[0])
    except ValueError:
        return 1.0
    if not (math.isfinite(wanted) and wanted > 0):
        return 1.0
    return round(min(max(wanted, SLOWEST), fastest), 3)
