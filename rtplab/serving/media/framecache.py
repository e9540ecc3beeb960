"""The frames that have been read and cut into packets, until their viewers have them."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence

from rtplab.serving.media.payloads import Payloads

# Bytes of frames that are kept cut into packets: those that are read ahead of the viewers, and as
# many as still fit of what others may want after them. Many seconds of 1920x1080, minutes of what
# the lab plays.
CACHED_BYTES = 64 << 20
# Bytes of frames up to which nothing will be pushed out for some seconds.
ROOMY_BYTES = CACHED_BYTES // 2
# Bytes that Python needs for a frame and for a packet, besides its own: empty ones would have no
# bound.
FRAME_OVERHEAD = 300
PACKET_OVERHEAD = 50

FrameKey = tuple[int, int, int]  # which open movie, frame number, size of payloads in bytes


class FrameCache:
    """The frames of all movies that were wanted last, up to CACHED_BYTES. For all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the attributes below; a mere look needs none
        self._frames: OrderedDict[FrameKey, Payloads] = OrderedDict()  # wanted last at the end
        self._bytes = 0
        self._counts: Counter[tuple[int, int]] = Counter()  # frames, by movie and size
        self._expected = 0
        # For what share of the time frames can be read ahead, 0 to 1: less if more viewers watch
        # than there is room for. Or what is read for one would push out what is read for another.
        self.share = 1.0
        self.get = self._frames.get  # without a step between: the pacer looks for every frame

    def expect(self, more: int) -> None:
        """Expect this many more (or fewer) bytes to be read ahead. One thread at a time."""
        self._expected += more
        # Twice: what a viewer has asked for last, and what it asks for next.
        self.share = min(1.0, CACHED_BYTES / max(1, 2 * self._expected))

    def keep(self, key: FrameKey, payloads: Payloads) -> None:
        """Keep a frame's payloads, and discard those used least recently."""
        with self._lock:
            if key in self._frames:
                return
            self._frames[key] = payloads
            self._bytes += _cost(payloads)
            self._counts[key[0], key[2]] += 1
            while self._bytes > CACHED_BYTES:
                self._let_go(next(iter(self._frames)))

    def has_all(self, movie: int, count: int, size: int) -> bool:
        """Tell if all `count` frames of a movie are kept, and will stay without being asked for."""
        return self._counts[movie, size] >= count and self._bytes < ROOMY_BYTES

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
        """Discard all frames of a movie that is closed."""
        with self._lock:
            for key in [key for key in self._frames if key[0] == movie]:
                self._let_go(key)

    def _let_go(self, key: FrameKey) -> None:
        movie, _, size = key
        self._bytes -= _cost(self._frames.pop(key))
        self._counts[movie, size] -= 1
        if not self._counts[movie, size]:
            del self._counts[movie, size]


def _cost(payloads: Payloads) -> int:
    return FRAME_OVERHEAD + sum(map(len, payloads)) + PACKET_OVERHEAD * len(payloads)
