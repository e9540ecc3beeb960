"""Where a session stands in its movie, and how fast it goes through it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Range

# What Scale and Speed may be; any other value is answered with the one that is used instead.
RATES = (0.5, 1.0, 2.0, 4.0)
# Players write times with three decimals, and ffmpeg and mpv cut off what comes after: so many
# seconds before a frame begins, that frame is meant.
TIME_UNIT = 0.001


class Playback:
    """A viewer's way through a movie, at `fps` frames a second.

    Scale 2 shows every second frame, scale 0.5 each for twice as long (RFC 2326 section 12.34);
    speed 2 sends all frames in half the time (section 12.35). With `loop` the movie begins again
    after its last frame, until the end that PLAY has named, if it has: that may be rounds away.
    """

    __slots__ = (
        "cursor",
        "fps",
        "scale",
        "speed",
        "frame_duration",
        "_loop",
        "_rounds_left",
        "_last_frame",
        "_step",
    )

    def __init__(self, cursor: MovieCursor, fps: float, loop: bool = False) -> None:
        self.cursor = cursor
        self.fps = fps
        self._loop = loop
        self._rounds_left = math.inf if loop else 0  # times to begin again before the end
        self._last_frame = self._frame_count
        self.set_pace(1.0, 1.0)

    @property
    def _frame_count(self) -> int:
        return len(self.cursor.movie.frames)

    @property
    def duration(self) -> float:
        """The length of the movie in seconds."""
        return self._frame_count / self.fps

    @property
    def range(self) -> Range:
        """What is still to be played."""
        start, rounds = self.cursor.number / self.fps, self._rounds_left
        if rounds == math.inf:
            return Range(start)
        return Range(start, (rounds * self._frame_count + self._last_frame) / self.fps)

    @property
    def interval(self) -> float:
        """Seconds from one frame that is sent to the next."""
        return self.frame_duration / self.speed

    @property
    def at_end(self) -> bool:
        """Tell if the last frame that was asked for has been given."""
        return not self._rounds_left and self.cursor.number >= self._last_frame

    def set_pace(self, scale: float, speed: float) -> None:
        """Go on at this scale and speed, each one of RATES."""
        self.scale = scale
        self.speed = speed
        self.frame_duration = max(1.0, 1 / scale) / self.fps  # how long each is shown, in seconds
        self._step = max(1, int(scale))  # from one frame that is sent to the next

    def select(self, span: Range) -> None:
        """Go where `span` begins and end where it ends. Raises MessageError 457 if it can't be."""
        start, end = span.start, span.end
        if start is None:
            start = self.cursor.number / self.fps
        first = self._frame_at(start)
        last = self._frame_count if end is None else self._frame_at(end)
        is_empty = end is not None and end <= start
        if self._loop:  # a player that counts on, round after round, means the place in the movie
            rounds = first // self._frame_count * self._frame_count
            first, last = first - rounds, last if end is None else last - rounds
        if is_empty or (start >= self.duration and not self._loop):
            raise MessageError(f"{span.serialise()} is not in 0-{self.duration:.3f}", 457)
        self.cursor.seek(min(first, self._frame_count - 1) + 1)
        last = max(last, self.cursor.number + 1)
        if not self._loop:
            self._last_frame = min(last, self._frame_count)
        elif end is None:
            self._rounds_left, self._last_frame = math.inf, self._frame_count
        else:
            self._rounds_left = (last - 1) // self._frame_count
            self._last_frame = last - self._rounds_left * self._frame_count

    def rewind_at_end(self) -> None:
        """Begin again if all has been played."""
        if self.at_end:
            self.cursor.seek(1)
            self._last_frame = self._frame_count
            self._rounds_left = math.inf if self._loop else 0

    def advance(self) -> int | None:
        """Return the number of the frame to be sent now, and go on; None at the end."""
        number = self.cursor.number + 1
        if number > (self._frame_count if self._rounds_left else self._last_frame):
            if not self._rounds_left:
                return None
            self._rounds_left -= 1
            number = 1
        self.cursor.seek(number + self._step)
        return number

    def upcoming(self, count: int) -> Sequence[int]:
        """Return the numbers of the next frames, at most `count` of them."""
        first, rounds = self.cursor.number + 1, self._rounds_left
        last = self._frame_count if rounds else self._last_frame
        numbers = range(first, last + 1, self._step)[:count]
        if len(numbers) == count or not rounds:
            return numbers
        last = self._frame_count if rounds > 1 else self._last_frame
        return [*numbers, *range(1, last + 1, self._step)[: count - len(numbers)]]

    def _frame_at(self, seconds: float) -> int:
        """Return how many frames have begun and ended before `seconds`, as players write them."""
        return int((seconds + min(TIME_UNIT, 0.5 / self.fps)) * self.fps)


def nearest_rate(text: str) -> float:
    """Return the rate that serves a Scale or Speed header best; the normal one for nonsense."""
    try:
        wanted = float(text.partition("-")[0])
    except ValueError:
        return 1.0
    return wanted if wanted in RATES else 1.0
