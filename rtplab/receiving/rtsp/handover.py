"""Hands frames on, one after the other, whichever thread they come from."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from rtplab.receiving.rtp.frames import Frame


class Handover:
    """The frames that are to be shown, and the end of the movie, in the order in which they came.

    Frames that were early come from the thread that reads the reply to PLAY, all others from the
    one that receives. One of them hands on at a time, and without a lock: the consumer may call us.
    """

    def __init__(
        self,
        lock: threading.Condition,
        take_frame: Callable[[Frame], None],
        take_end: Callable[[], None],
    ) -> None:
        """`lock` guards what waits here."""
        self._lock = lock
        self._take_frame = take_frame
        self._take_end = take_end
        self._waiting: deque[Frame | None] = deque()  # None is the end of the movie
        self._is_running = False

    def add(self, frames: Iterable[Frame | None]) -> None:
        """Let these be handed on by the next `run`; None says that the movie has ended."""
        with self._lock:
            self._waiting.extend(frames)

    def run(self) -> None:
        """Hand on all that waits; where another thread is at it, that takes these as well."""
        with self._lock:
            if self._is_running or not self._waiting:
                return
            self._is_running = True
        try:
            while True:
                with self._lock:
                    if not self._waiting:
                        self._is_running = False
                        return
                    frame = self._waiting.popleft()
                if frame is None:
                    self._take_end()
                else:
                    self._take_frame(frame)
        except BaseException:
            with self._lock:
                self._waiting.clear()
                self._is_running = False
            raise
