"""The playout buffer: frames wait here until they are due, so that jitter is not seen."""

from __future__ import annotations

import threading
from collections import deque

from rtplab.receiving.frames import Frame

DEFAULT_LATENCY = 0.1  # seconds from arrival to display of a frame that came as early as any
# Frames that wait at the most: a window that is not drawn must not fill the memory.
MAX_WAITING = 256


class PlayoutBuffer:
    """Frames go in as they come, and out when they are due. Any thread may use it."""

    def __init__(self, latency: float = DEFAULT_LATENCY) -> None:
        self.latency = latency
        self._frames: deque[Frame] = deque(maxlen=MAX_WAITING)
        self._lock = threading.Lock()  # guards all
        self._offset: float | None = None  # smallest arrival time less media time so far

    def put(self, frame: Frame) -> None:
        """Take the next frame of the stream."""
        with self._lock:
            offset = frame.arrival - frame.media_time
            self._offset = offset if self._offset is None else min(self._offset, offset)
            self._frames.append(frame)

    def take(self, now: float) -> Frame | None:
        """Return the newest frame that is due at `now`, and forget those before it."""
        newest = None
        with self._lock:
            while self._frames and self._due(self._frames[0]) <= now:
                newest = self._frames.popleft()
        return newest

    def clear(self) -> None:
        """Forget all frames, and when they were due: the stream begins anew."""
        with self._lock:
            self._frames.clear()
            self._offset = None

    def _due(self, frame: Frame) -> float:
        assert self._offset is not None
        return frame.media_time + self._offset + self.latency
