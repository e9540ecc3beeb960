"""The frames that have been read and cut into packets, until their viewers have them."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence

from rtplab.serving.media.payloads import Payloads

# Bytes of frames that are kept cut into packets: those that are read ahead of the viewers and, as
# far as they fit, those that other viewers may want later. Many seconds of 1920x1080, minutes of
# the lab's movie.
CACHED_BYTES = 64 << 20
# Bytes of frames up to which nothing is evicted for some seconds.
ROOMY_BYTES = CACHED_BYTES // 2
# Bytes that Python needs for a frame and for a packet, besides its own: empty ones would have no
# bound.
FRAME_OVERHEAD = 300
PACKET_OVERHEAD = 50

FrameKey = tuple[int, int, int]  # which open movie, frame number, size of payloads in bytes


class FrameCache:
    """The most recently used frames of all movies, up to CACHED_BYTES. For all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the attributes below; a lookup needs no lock
        self._frames: OrderedDict[FrameKey, Payloads] = OrderedDict()  # newest use last
        self._bytes = 0
        self._counts: Counter[tuple[int, int]] = Counter()  # frames, by movie and size
        self._expected = 0
        # The share of the read-ahead time that fits, 0 to 1: less than 1 if there are more viewers
        # than room. Otherwise frames read for one viewer would evict those of another.
        self.share = 1.0
        self.get = self._frames.get  # without a wrapper: the pacer looks up every frame

    def expect(self, more: int) -> None:
        """Expect this many more (or fewer) bytes to be read ahead. One thread at a time."""
        self._expected += more
        # Twice: a viewer's last request, and its next one.
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
        """Tell if all `count` frames of a movie are kept, and will stay without being used."""
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
