"""The playout buffer: frames wait here until they are due, which hides jitter.

A frame's due time depends on its media time alone: the frame with the shortest transit waits for
the whole latency, and a delayed frame waits that much less.

    due = media time + (smallest arrival time - media time of late) + latency
"""

from __future__ import annotations

import threading
from collections import deque

from rtplab.receiving.rtp.frames import Frame

DEFAULT_LATENCY = 0.1  # seconds from arrival to display of the frame with the shortest transit
# Maximum bytes that wait, since a window that is not drawn must not fill the memory: ten seconds of
# 50 Mbit/s, which is 1080p, and more than any sensible latency.
MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 30.0
FRAME_OVERHEAD = 400  # bytes of memory that a frame takes in addition to its JPEG
# Seconds of arrivals over which the minimum is taken: the sender's clock runs faster or slower
# than ours, by up to a millisecond in this time, and routes change.
OFFSET_WINDOW = 10.0


class FrameQueue:
    """A queue of frames; the oldest are dropped if the total size is too large.

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
        """Return the oldest frame. Raises IndexError if the buffer is empty."""
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
    """Frames go in as they arrive, and out when they are due. Any thread may use it."""

    def __init__(self, latency: float = DEFAULT_LATENCY) -> None:
        self.latency = latency
        self._passed_over = 0
        self._frames = FrameQueue()
        self._lock = threading.Lock()  # guards everything
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
        """When the next frame is due; None if no frame is waiting to become due."""
        with self._lock:
            return self._due(self._frames[0]) if self._frames and not self._held else None

    def hold(self) -> None:
        """Release no frame, so that a pause shows at once; frames wait for `release`."""
        with self._lock:
            self._held = True

    def release(self) -> None:
        """Resume after `hold`: waiting frames become due just before those still to arrive."""
        with self._lock:
            if self._held:
                self._held = False
                self._offsets.clear()

    def step(self) -> Frame | None:
        """Return the next frame, due or not."""
        with self._lock:
            return self._frames.popleft() if self._frames else None

    def clear(self) -> None:
        """Forget all frames and their due times, because the stream restarts."""
        with self._lock:
            self._frames.clear()
            self._held = False
            self._offsets.clear()

    @property
    def skipped(self) -> int:
        """Frames that were never shown: a newer one was already due, or the buffer was full."""
        return self._passed_over + self._frames.dropped

    @property
    def waiting(self) -> int:
        """The number of waiting frames."""
        return len(self._frames)

    def fill(self, now: float) -> float:
        """Seconds until the buffer is empty, if nothing more arrives."""
        with self._lock:
            if not self._frames or self._offsets.value is None:
                return 0.0
            return max(0.0, self._due(self._frames[-1]) - now)

    def _due(self, frame: Frame) -> float:
        offset = self._offsets.value
        # None: nothing has arrived since the stream resumed, so it is unknown.
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
