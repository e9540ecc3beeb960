"""Where in the movie a received frame belongs, by what the server said in its reply to PLAY."""

from __future__ import annotations

from dataclasses import dataclass

from rtplab.protocol.serial import timestamp_delta
from rtplab.receiving.frames import Frame
from rtplab.receiving.timeline import CLOCK_RATE


@dataclass
class MoviePosition:
    """Since the last PLAY, `rtptime` stands for `start` seconds into the movie (RTP-Info, Range).

    Where the server did not say `rtptime`, the first frame gives it. `frame_rate` in frames a
    second is None where unknown.
    """

    start: float = 0.0
    rtptime: int | None = None
    scale: float = 1.0
    frame_rate: float | None = None

    def of(self, frame: Frame) -> float:
        """Return how far into the movie a frame is, in seconds."""
        if self.rtptime is None:
            self.rtptime = frame.timestamp
        elapsed = timestamp_delta(frame.timestamp, self.rtptime) / CLOCK_RATE
        return self.start + elapsed * self.scale

    def number_of(self, frame: Frame) -> int:
        """Return the frame's number in the movie, or in the stream where the rate is unknown."""
        if self.frame_rate is None:
            return frame.number
        return round(self.of(frame) * self.frame_rate) + 1

    def numbered(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames that belong to this PLAY, each with its number in the movie."""
        return [self._numbered(frame) for frame in frames if not self.is_before(frame)]

    def _numbered(self, frame: Frame) -> Frame:
        number = self.number_of(frame)
        return frame if number == frame.number else frame._replace(number=number)

    def is_before(self, frame: Frame) -> bool:
        """Tell if a frame was still under way when PLAY began somewhere else."""
        if self.rtptime is None:
            return False
        return -CLOCK_RATE < timestamp_delta(frame.timestamp, self.rtptime) < 0
