"""From one PLAY to the next: which frames belong to it, and where they are in the movie."""

from __future__ import annotations

from dataclasses import dataclass

from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.timeline import CLOCK_RATE

# Maximum seconds between RTP-Info's rtptime and the first frame for it to be believed: some servers
# name another stream's, or another clock's.
MAX_LEAD = 5.0


@dataclass(frozen=True)
class PlayStart:
    """Where a stream begins, by the server's reply to PLAY or our request.

    `rtptime` corresponds to `start` seconds into the movie (RTP-Info, Range), and time runs `scale`
    times as fast. `first_number` is the sequence number of the first packet. What the server did
    not state is None.
    """

    start: float = 0.0
    rtptime: int | None = None
    scale: float = 1.0
    first_number: int | None = None


class PlayEpoch:
    """The frames of one PLAY.

    `start` is None for a lab server, which does not state its position: all frames then belong to
    this PLAY, numbered as they came. If the server did not state a possible `rtptime`, the first
    frame's is used. `frame_rate` in frames a second is None if unknown.
    """

    def __init__(
        self,
        start: PlayStart | None = None,
        frame_rate: float | None = None,
        asked_at: float = 0.0,
        forgiveness: Forgiveness | None = None,
    ) -> None:
        """`asked_at` is when PLAY was sent."""
        self.start = start
        self.frame_rate = frame_rate
        self._forgiveness = forgiveness or Forgiveness()
        self.first_frame_delay: float | None = None  # seconds from PLAY to the first frame
        self.misplaced = False  # the last frames were left out: they are before the start
        self._asked_at = asked_at
        self._last: tuple[int, int] | None = None  # timestamp, ticks since the start
        self._number: int | None = None  # of the last frame
        self._before: int | None = None  # ticks, of the last frame that was misplaced
        self._has_begun = False  # a frame of this PLAY has come

    def begin(self, start: PlayStart | None) -> None:
        """Note that PLAY was answered."""
        self.start, self._last, self._number = start, None, None

    def end(self) -> None:
        """End the session. Frames that still wait to be shown keep their positions."""
        self.first_frame_delay, self.misplaced = None, False

    def admit(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames that belong to this PLAY, each with its number in the movie."""
        if self.start is None:
            return frames
        ours = [self._numbered(frame) for frame in frames if not self._is_before(frame)]
        if frames:
            self.misplaced = len(ours) < len(frames)
        return ours

    def arrived(self, frame: Frame) -> None:
        """Note when the first admitted frame came."""
        self.first_frame_delay = frame.arrival - self._asked_at

    def position_of(self, frame: Frame) -> float:
        """Return how far into the movie a frame is, in seconds.

        For a lab server's movie, that is the time since its first frame.
        """
        if self.start is None:
            return frame.media_time
        return self.start.start + self._ticks(frame.timestamp) / CLOCK_RATE * self.start.scale

    def _numbered(self, frame: Frame) -> Frame:
        """The frame with its number in the movie, or in the stream if the rate is unknown.

        Live pictures may come sooner than their rate says; no two get the same number.
        """
        self._last = frame.timestamp, self._ticks(frame.timestamp)
        if self.start is None or self.frame_rate is None:
            return frame
        number, last = round(self.position_of(frame) * self.frame_rate) + 1, self._number
        if last is not None:
            number = max(number, last + 1) if self.start.scale > 0 else min(number, last - 1)
        self._number = number
        return frame if number == frame.number else frame._replace(number=number)

    def _is_before(self, frame: Frame) -> bool:
        """Tell if a frame was still on its way when PLAY began elsewhere.

        After the first that was not, none is: timestamps wrap around, and some never change.
        """
        if not self._has_begun:
            ticks = self._ticks(frame.timestamp)
            comes_nearer = self._before is None or ticks > self._before
            self._has_begun = not (comes_nearer and -CLOCK_RATE < ticks < 0)
            self._before = ticks
        return not self._has_begun

    def _ticks(self, timestamp: int) -> int:
        """The clock ticks since the start. A timestamp is near the last one, over any wraps."""
        if self._last is None:
            rtptime = None if self.start is None else self.start.rtptime
            lead = 0 if rtptime is None else timestamp_delta(timestamp, rtptime)
            if abs(lead) > MAX_LEAD * CLOCK_RATE:
                right = f"near {timestamp}, the timestamp of the first packet"
                self._forgiveness.add("rtptime in RTP-Info", f"{rtptime}", right)
                lead = 0
            self._last = timestamp, lead
        last, ticks = self._last
        return ticks + timestamp_delta(timestamp, last)
