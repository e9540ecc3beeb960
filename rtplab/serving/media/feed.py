"""The frames of a movie for one viewer, or for one group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rtplab.clock import steady
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.serving.media.framecache import FrameCache
from rtplab.serving.media.payloads import Media, Payloads
from rtplab.serving.media.playback import Playback
from rtplab.serving.media.reader import FrameReader, Wish

# Seconds for which frames are read ahead. A disk read may take this long without the viewer
# noticing; most disks are that fast even if they must spin up first, or are behind a network.
AHEAD_SECONDS = 2.0
LEAST_AHEAD = 2  # frames, however far apart they are and however many viewers there are
# Maximum seconds that PLAY waits for its first frame. Players give up after five.
HEAD_START_TIMEOUT = 3.0
# Seconds of frames that should be there when PLAY begins, and the longest wait for them after the
# first: on a busy machine the reader's thread may be too late for the next ones.
HEAD_START = 0.25
HEAD_START_PATIENCE = 0.2
UNKNOWN = -1  # a payload size in bytes for which no frame is kept


class Feed:
    """Returns a viewer's frames, if they have been read by then, and requests the next ones.

    Not thread-safe: except `prepare`, it is used under the transmission's lock.
    """

    __slots__ = (
        "_media",
        "_playback",
        "_reader",
        "_cache",
        "_free",
        "_kept",
        "_serial",
        "_limit",
        "_size",
        "_last_size",
        "_until_asked",
    )

    def __init__(
        self,
        media: Media,
        playback: Playback,
        reader: FrameReader,
        cache: FrameCache,
        free: Callable[[], None],
    ) -> None:
        """Follow `playback` through `media`. `free` is called once, at the end."""
        self._media = media
        self._playback = playback
        self._reader = reader
        self._cache = cache
        self._free: Callable[[], None] | None = free
        self._kept = cache.get
        self._serial = reader.serial
        self._limit = -1
        self._size = self._last_size = UNKNOWN
        self._until_asked = 0  # frames left until the next ones are requested

    @property
    def has_extensions(self) -> bool:
        """Tell if a frame's first payload may begin with an extension of the RTP header."""
        return self._media.has_extensions

    def frame(self, number: int, limit: int) -> Payloads | None:
        """Return a frame's payloads, at once; none if it is damaged, None if it isn't there yet.

        `limit` is what the path takes in one piece, in bytes. Raises MovieError when the frame
        is not available: the file has changed or can't be read, or pictures can't be converted.
        """
        if limit != self._limit:
            self._take_limit(limit)
        self._until_asked -= 1
        if self._until_asked <= 0:
            self._ask(steady() + self._playback.interval)
        payloads = self._kept((self._serial, number, self._size))
        return self._missing(number) if payloads is None else payloads

    def prepare(self, limit: int) -> None:
        """Wait until the next frame is there, and a moment for those that follow.

        It gives up after HEAD_START_TIMEOUT. Raises MessageError 415 when the frame can't be
        converted, 503 when nothing can be read.
        """
        if limit != self._limit:
            self._take_limit(limit)
        self._until_asked = 0  # playback may continue elsewhere
        deadline = steady() + HEAD_START_TIMEOUT
        count = math.ceil(HEAD_START / self._playback.interval)
        following = self._playback.upcoming(count)
        if all(map(self._is_kept, following)):
            return
        number = following[0]
        self._reader.retry()
        self._want(following, deadline)  # no more yet: each frame is cut while this one waits
        self._reader.wait_for(
            lambda: self._is_there(number) or self._media.is_converted(number), HEAD_START_TIMEOUT
        )
        if self._media.is_converted(number) and not self._is_kept(number):
            self._media.prepare(number, max(0.0, deadline - steady()))
            self._want(following, deadline)
            self._reader.wait_for(lambda: self._is_there(number), max(0.0, deadline - steady()))
        self._reader.wait_for(lambda: all(map(self._is_there, following)), HEAD_START_PATIENCE)
        if not self._reader.can_read:
            raise MessageError("the system has no thread left to read the movie", 503)

    @property
    def why_missing(self) -> str:
        """Why a frame is not there, for the log."""
        return f"{self._reader.movie_name} can't be read, or converted, as fast as it is played"

    def close(self) -> None:
        """Stop reading. May be called twice."""
        free, self._free = self._free, None
        if free is not None:
            self._reader.forget(self)
            free()

    def _take_limit(self, limit: int) -> None:
        """Request payloads of another size; until they come, those of the last size are used."""
        self._limit, self._last_size = limit, self._size
        self._size = self._media.size_for(limit)
        self._until_asked = 0

    def _ask(self, due: float) -> None:
        """Request the next frames, the first of which is due then."""
        interval = self._playback.interval
        count = max(LEAST_AHEAD, math.ceil(AHEAD_SECONDS * self._cache.share / interval))
        self._until_asked = count // 2
        if self._cache.has_all(self._serial, len(self._media.movie.frames), self._size):
            return
        numbers = self._playback.upcoming(count)
        if numbers and self._cache.missing(self._serial, numbers, self._size):
            self._want(numbers, due)

    def _want(self, numbers: Sequence[int], due: float) -> None:
        interval = self._playback.interval
        self._reader.want(self, Wish(self._media, self._size, numbers, due, interval))

    def _is_kept(self, number: int) -> bool:
        return self._kept((self._serial, number, self._size)) is not None

    def _is_there(self, number: int) -> bool:
        return self._is_kept(number) or bool(self._reader.failure(number))

    def _missing(self, number: int) -> Payloads | None:
        if failure := self._reader.failure(number):
            raise MovieError(failure)
        return self._kept((self._serial, number, self._last_size))
