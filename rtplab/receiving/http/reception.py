"""Turns the parts of an HTTP stream into frames: checks, counts and times them."""

from __future__ import annotations

import re

from rtplab.protocol.http.multipart import Part
from rtplab.protocol.rtp.jpeg import START_OF_IMAGE
from rtplab.protocol.rtsp.messages import printable
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.statistics import Statistics
from rtplab.receiving.rtp.timeline import CLOCK_RATE, MediaTimeline

_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,9})?\Z", re.ASCII)


class PictureReception:
    """Takes the parts of one stream and returns its frames. No socket, no clock, no thread.

    `statistics` counts each part as a packet; over TCP none is lost or late.
    """

    def __init__(self) -> None:
        self.statistics = Statistics()
        self.malformed = 0  # parts that are no JPEG
        self.trusts_timestamps = False  # RTP's: there are none
        self.longest_gap = 0.0  # seconds between two frames since the last pause
        self.problem = ""  # why the last part made no frame, as the end of a sentence
        self._timeline = MediaTimeline()
        self._last_frame: float | None = None  # when it was whole

    def receive(self, part: Part, now: float) -> Frame | None:
        """Return the frame that a part makes; None if it is no JPEG."""
        if not part.data.startswith(START_OF_IMAGE):
            self.malformed += 1
            kind = part.headers.get("Content-Type") or "something"
            self.problem = f"the camera sends {printable(kind, 60)}, not JPEG"
            return None
        self.problem = ""
        statistics = self.statistics
        statistics.frames += 1
        timestamp = _timestamp(part.headers.get("X-Timestamp").strip())
        media_time = self._timeline.frame(timestamp, now)
        statistics.arrived(statistics.frames, len(part.data), now)
        statistics.timed(media_time, now)
        if self._last_frame is not None:
            self.longest_gap = max(self.longest_gap, now - self._last_frame)
        self._last_frame = now
        return Frame(part.data, statistics.frames, timestamp, media_time, now)

    def paused(self) -> None:
        """Note that the stream is paused until it is requested again."""
        self.statistics.paused()
        self._timeline.paused()
        self._last_frame, self.longest_gap = None, 0.0


def _timestamp(text: str) -> int:
    """Return a camera's timestamp in ticks of the RTP clock; 0 without one.

    If the timestamp never changes, it is not believed, and the pace is that of the arrivals.
    """
    return int(float(text) * CLOCK_RATE) % 2**32 if _SECONDS.match(text) else 0
