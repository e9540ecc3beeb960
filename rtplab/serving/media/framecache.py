"""The frames that have been read and cut into packets, until their viewers have them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from rtplab.serving.media.payloads import Payloads

# Bytes of frames that are kept cut into packets: those that are read ahead of the viewers, and as
# many as still fit of what others may want after them. Many seconds of 1920x1080, minutes of what
# the lab plays.
CACHED_BYTES = 64 << 20
# Bytes that Python needs for a frame and for a packet, beside its own: empty ones would have no
# bound.
FRAME_OVERHEAD = 300
PACKET_OVERHEAD = 50

FrameKey = tuple[int, int, int]  # which open movie, frame number, size of payloads in bytes


class FrameCache:
    """The frames of all movies that were wanted last, up to CACHED_BYTES. For all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows; a mere look needs none
        self._frames: OrderedDict[FrameKey, Payloads] = OrderedDict()  # wanted last at the end
        self._bytes = 0
        self._expected = 0
        # For what share of the time frames can be read ahead, 0 to 1: less if more viewers watch
        # than there is room for. Or what is read for one would push out what is read for another.
        self.share = 1.0
        self.get = self._frames.get  # without a step between: the pacer looks for every frame

    def expect(self, more: int) -> None:
        """Expect so many bytes more, or less, to be read ahead. One thread at a time may do it."""
        self._expected += more
        # Twice: what a viewer has asked for last, and what it asks for next.
        self.share = min(1.0, CACHED_BYTES / max(1, 2 * self._expected))

    def keep(self, key: FrameKey, payloads: Payloads) -> None:
        """Keep a frame's payloads, and let go of those that were wanted longest ago."""
        with self._lock:
            if key in self._frames:
                return
            self._frames[key] = payloads
            self._bytes += _cost(payloads)
            while self._bytes > CACHED_BYTES:
                _, oldest = self._frames.popitem(last=False)
                self._bytes -= _cost(oldest)

    def missing(self, movie: int, numbers: Iterable[int], size: int) -> Sequence[int]:
        """Return which of these frames are not kept; those that are will stay a while."""
        frames, missing = self._frames, []
        with self._lock:
            for number in numbers:
                try:
                    frames.move_to_end((movie, number, size))
                except KeyError:
                    missing.append(number)
        return missing

    def drop(self, movie: int) -> None:
        """Let go of all frames of a movie that is closed."""
        with self._lock:
            for key in [key for key in self._frames if key[0] == movie]:
                self._bytes -= _cost(self._frames.pop(key))


def _cost(payloads: Payloads) -> int:
    return FRAME_OVERHEAD + sum(map(len, payloads)) + PACKET_OVERHEAD * len(payloads)
