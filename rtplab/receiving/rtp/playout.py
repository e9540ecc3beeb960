"""The playout buffer: frames wait here until they are due, so that jitter is not seen.

When a frame is due follows from its media time alone: the frame that was fastest on its way waits
the whole latency, one that was delayed waits that much less.

    due = media time + (smallest arrival time - media time of late) + latency
"""

from __future__ import annotations

import threading
from collections import deque

from rtplab.receiving.rtp.frames import Frame

DEFAULT_LATENCY = 0.1  # seconds from arrival to display of a frame that came as early as any
# What waits at the most, as a window that is not drawn must not fill the memory: ten seconds of
# 50 Mbit/s, which is 1080p, and more seconds than anybody asks for as latency.
MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 30.0
FRAME_OVERHEAD = 400  # bytes of memory that a frame takes beside its JPEG
# Seconds of arrivals that the smallest is taken from: the sender's clock runs faster or slower
# than ours, by up to a millisecond in this time, and routes change.
OFFSET_WINDOW = 10.0


class FrameQueue:
    """Frames in their order, of which the oldest are dropped when they are too much together.

    The newest one stays, whatever its size. It has no lock.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]

    def append(self, frame: Frame) -> None:
        """Take the next frame."""
        frames = self._frames
        frames.append(frame)
        self._bytes += _size(frame)
        while len(frames) > 1 and (
            self._bytes > MAX_BYTES or frame.media_time - frames[0].media_time > MAX_SECONDS
        ):
            self.popleft()
            self.dropped += 1

    def popleft(self) -> Frame:
        """Return the oldest frame. Raises IndexError when there is none."""
        frame = self._frames.popleft()
        self._bytes -= _size(frame)
        return frame

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()
        self._bytes = 0


def _size(frame: Frame) -> int:
    return len(frame.data) + FRAME_OVERHEAD


class PlayoutBuffer:
    """Frames go in as they come, and out when they are due. Any thread may use it."""

    def __init__(self, latency: float = DEFAULT_LATENCY) -> None:
        self.latency = latency
        self._passed_over = 0
        self._frames = FrameQueue()
        self._lock = threading.Lock()  # guards all
        self._held = False
        self._offsets = RecentMinimum(OFFSET_WINDOW)

    def put(self, frame: Frame) -> None:
        """Take the next frame of the stream."""
        with self._lock:
            self._offsets.add(frame.arrival - frame.media_time, frame.arrival)
            self._frames.append(frame)

    def take(self, now: float) -> Frame | None:
        """Return the newest frame that is due at `now`, and forget those before it."""
        newest = None
        with self._lock:
            while self._frames and not self._held and self._due(self._frames[0]) <= now:
                self._passed_over += newest is not None
                newest = self._frames.popleft()
        return newest

    def next_due(self) -> float | None:
        """When the next frame is due; None when there is none that will be."""
        with self._lock:
            return self._due(self._frames[0]) if self._frames and not self._held else None

    def hold(self) -> None:
        """Let no frame out, so that a pause is seen at once; they wait for `release`."""
        with self._lock:
            self._held = True

    def release(self) -> None:
        """Go on after `hold`: what waits is due just before what is yet to come."""
        with self._lock:
            if self._held:
                self._held = False
                self._offsets.clear()

    def step(self) -> Frame | None:
        """Return the next frame, due or not."""
        with self._lock:
            return self._frames.popleft() if self._frames else None

    def clear(self) -> None:
        """Forget all frames, and when they were due: the stream begins anew."""
        with self._lock:
            self._frames.clear()
            self._held = False
            self._offsets.clear()

    @property
    def skipped(self) -> int:
        """Frames that were never shown: a newer one was due already, or too much waited."""
        return self._passed_over + self._frames.dropped

    @property
    def waiting(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    def fill(self, now: float) -> float:
        """Seconds until the buffer is empty, if nothing more comes."""
        with self._lock:
            if not self._frames or self._offsets.value is None:
                return 0.0
            return max(0.0, self._due(self._frames[-1]) - now)

    def _due(self, frame: Frame) -> float:
        offset = self._offsets.value
        # None: nothing has come since the stream went on, so nobody knows yet.
        return float("inf") if offset is None else frame.media_time + offset + self.latency


class RecentMinimum:
    """The smallest value of the last one to two windows, which are in seconds."""

    def __init__(self, window: float) -> None:
        self._window = window
        self.clear()

    def clear(self) -> None:
        self.value: float | None = None
        self._previous: float | None = None
        self._current: float | None = None
        self._began = 0.0

    def add(self, value: float, now: float) -> None:
        if self._current is None or now - self._began >= self._window:
            self._previous, self._current, self._began = self._current, value, now
        else:
            self._current = min(self._current, value)
        previous, current = self._previous, self._current
        self.value = current if previous is None else min(previous, current)
