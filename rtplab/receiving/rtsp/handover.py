"""Hands frames on, one after the other, whichever thread they come from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

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
        self._waiting: list[Frame | None] = []  # None is the end of the movie
        self._is_running = False

    def put(self, frames: Sequence[Frame]) -> None:
        """Let frames wait for the next `claim`. The lock is held."""
        self._waiting += frames

    def claim(self, frames: Sequence[Frame | None] = ()) -> list[Frame | None]:
        """Add frames, None for the end of the movie; return what the caller has to `run`.

        That is all that waits, or nothing where another thread is at it, which takes these as well.
        The lock is held.
        """
        self._waiting += frames
        return [] if self._is_running else self._next()

    def run(self, frames: list[Frame | None]) -> None:
        """Hand on what has been claimed, and what comes meanwhile. The lock is not held."""
        try:
            while frames:
                for frame in frames:
                    if frame is None:
                        self._take_end()
                    else:
                        self._take_frame(frame)
                with self._lock:
                    frames = self._next()
        except BaseException:
            with self._lock:
                self._waiting = []
                self._is_running = False
            raise

    def _next(self) -> list[Frame | None]:
        frames, self._waiting = self._waiting, []
        self._is_running = bool(frames)
        return frames
