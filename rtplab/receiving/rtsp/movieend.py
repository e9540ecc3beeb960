"""Has a movie come to its end, when a server hangs up without having said so?"""

from __future__ import annotations

from rtplab.receiving.rtp.frames import Frame

# A server that hangs up so near the end, without BYE, has sent all but what was lost: seconds,
# and the part of a short movie.
NEAR_THE_END, LAST_PART = 1.0, 0.1


class MovieEnd:
    """What a session has shown last, and what the one before had when its server hung up."""

    def __init__(self) -> None:
        self.last_frame: Frame | None = None  # of the session
        self._last_when_lost = b""  # the last picture when a server last hung up while it played

    def begin_session(self) -> None:
        """Another session begins, or there is none."""
        self.last_frame = None

    def is_reached(self, left: float | None, duration: float | None, rate: float | None) -> bool:
        """Tell if a server that hangs up while it plays has come to the movie's end.

        It is near there, or has hung up at the same picture as the last time. `left` and `duration`
        are seconds, `rate` frames a second; None if unknown.
        """
        if self.last_frame is None:
            return False
        before, self._last_when_lost = self._last_when_lost, self.last_frame.data
        if self.last_frame.data == before:
            return True
        if left is None or duration is None:
            return False
        interval = 1 / rate if rate else 0.0
        return left < max(min(NEAR_THE_END, LAST_PART * duration), 1.5 * interval)
