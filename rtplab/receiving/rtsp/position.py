"""Where in the movie a received frame belongs, by what the server said in its reply to PLAY."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.timeline import CLOCK_RATE

# Seconds between RTP-Info's rtptime and the first frame within which it is believed: some servers
# name one of another stream, or of another clock.
MAX_LEAD = 5.0


@dataclass
class MoviePosition:
    """Since the last PLAY, `rtptime` stands for `start` seconds into the movie (RTP-Info, Range).

    Where the server did not say `rtptime`, or one that can't be, the first frame gives it.
    `frame_rate` in frames a second is None where unknown.
    """

    start: float = 0.0
    rtptime: int | None = None
    scale: float = 1.0
    frame_rate: float | None = None
    _last: tuple[int, int] | None = field(default=None, init=False)  # timestamp, ticks since PLAY
    _before: int | None = field(default=None, init=False)  # likewise, of one that is_before
    _has_begun: bool = field(default=False, init=False)  # a frame of this PLAY has come

    def of(self, frame: Frame) -> float:
        """Return how far into the movie a frame is, in seconds."""
        return self.start + self._ticks(frame.timestamp) / CLOCK_RATE * self.scale

    def number_of(self, frame: Frame) -> int:
        """Return the frame's number in the movie, or in the stream where the rate is unknown."""
        if self.frame_rate is None:
            return frame.number
        return round(self.of(frame) * self.frame_rate) + 1

    def numbered(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames that belong to this PLAY, each with its number in the movie."""
        return [self._numbered(frame) for frame in frames if not self.is_before(frame)]

    def _numbered(self, frame: Frame) -> Frame:
        self._last = frame.timestamp, self._ticks(frame.timestamp)
        number = self.number_of(frame)
        return frame if number == frame.number else frame._replace(number=number)

    def _ticks(self, timestamp: int) -> int:
        """The clock ticks since PLAY. A timestamp is near the last one, over any wraps."""
        if self._last is None:
            self._last = timestamp, self._first_ticks(timestamp)
        last, ticks = self._last
        return ticks + timestamp_delta(timestamp, last)

    def _first_ticks(self, timestamp: int) -> int:
        lead = 0 if self.rtptime is None else timestamp_delta(timestamp, self.rtptime)
        return lead if abs(lead) <= MAX_LEAD * CLOCK_RATE else 0

    def is_before(self, frame: Frame) -> bool:
        """Tell if a frame was still under way when PLAY began somewhere else.

        Once one was not, no later one was: timestamps wrap around, and some never change.
        """
        if not self._has_begun:
            ticks = self._ticks(frame.timestamp)
            comes_nearer = self._before is None or ticks > self._before
            self._has_begun = not (comes_nearer and -CLOCK_RATE < ticks < 0)
            self._before = ticks
        return not self._has_begun
