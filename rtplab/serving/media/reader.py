"""Reads the frames of one movie ahead of its viewers, so that no other thread waits for the disk.

The pacer sends for all sessions. A disk that has to spin up, or a file server that does not answer,
takes seconds for a read. So each movie that is played has a thread that reads the frames its
viewers will need next, and the pacer only checks whether they are there.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

from rtplab.clock import steady
from rtplab.movies.movie import Movie
from rtplab.protocol.errors import RtpLabError
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.framecache import FrameCache
from rtplab.serving.media.payloads import Media

# Bytes that are read at once, if that many are wanted: on a slow disk each read costs time, not
# each byte. With much more, the viewers of one movie would wait for each other.
READ_SIZE = 256 << 10

# Seconds without anything to read after which the thread ends. It is started again when needed.
IDLE_SECONDS = 10.0

logger = logging.getLogger("rtplab.media")


class Wish(NamedTuple):
    """The frames that a viewer is about to need, in a size of payloads in bytes.

    The first one is due at `due`, in seconds of `clock.steady`, each following one `interval`
    seconds later.
    """

    media: Media
    size: int
    numbers: Sequence[int]
    due: float
    interval: float

    def in_time(self, moment: float) -> Sequence[int]:
        """Return the frames that are due after this moment; at least the last one."""
        gone = int(max(0.0, moment - self.due) / self.interval)
        return self.numbers[min(gone, len(self.numbers) - 1) :]


class _Left(Enum):
    """The rest of a wish."""

    NOTHING = auto()
    MORE_TO_READ = auto()
    TO_BE_CONVERTED = auto()  # and nothing else


class FrameReader:
    """Fulfils the wishes of one movie's viewers in a thread of its own, one read for each in turn.

    `serial` is the movie's in the cache.

    It has more attributes than other classes: one lock guards the wishes and the thread.
    """

    def __init__(self, movie: Movie, serial: int, cache: FrameCache) -> None:
        self.serial = serial
        self.movie_name = printable(os.path.basename(movie.path), 80)  # in the log
        self._movie = movie
        self._cache = cache
        self._failures: dict[int, str] = {}  # errors of frames that can't be read
        self._read_time = 0.0  # seconds that the last read took
        self._denial_reported = False
        # Guards the attributes below. Nothing blocks under it, so the pacer may take it.
        self._changed = threading.Condition()
        self._wishes: OrderedDict[Hashable, Wish] = OrderedDict()  # by viewer, the next one first
        self._unconverted: dict[Hashable, Wish] = {}  # these wait for the converter
        self._conversions = 0  # reported to us
        self._served: Hashable = None  # whose wish is being fulfilled, unless it is forgotten
        self._waiting = 0  # threads in wait_for
        self._thread: threading.Thread | None = None
        self._stopped = False

    # ------------------------------------------------------------------ for the viewers

    def want(self, viewer: Hashable, wish: Wish) -> None:
        """Request these frames, in place of the viewer's earlier ones.

        If the system grants no thread, the next caller tries again.
        """
        with self._changed:
            if self._stopped:
                return
            self._unconverted.pop(viewer, None)
            self._wishes[viewer] = wish
            if self._thread is None:
                self._start()
            else:
                self._changed.notify_all()

    def forget(self, viewer: Hashable) -> None:
        """Stop reading for a viewer."""
        with self._changed:
            self._wishes.pop(viewer, None)
            self._unconverted.pop(viewer, None)
            if self._served is viewer:
                self._served = None

    @property
    def can_read(self) -> bool:
        """Tell if there is a thread, or none was needed."""
        return self._thread is not None or not self._wishes

    def failure(self, number: int) -> str:
        """Return why a frame is not available; "" if no reason is known."""
        return self._failures.get(number, "")

    def retry(self) -> None:
        """Forget past failures."""
        self._failures.clear()

    def wait_for(self, is_there: Callable[[], object], timeout: float) -> None:
        """Wait until reading a frame makes it true, for at most `timeout` seconds."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(
                    lambda: self._stopped or self._thread is None or is_there(), timeout
                )
            finally:
                self._waiting -= 1

    def converted(self) -> None:
        """Note that a frame has been converted: one that somebody waits for may be there."""
        with self._changed:
            self._conversions += 1
            if self._unconverted:
                self._wishes.update(self._unconverted)
                self._unconverted.clear()
                self._changed.notify_all()

    # ------------------------------------------------------------------ the end

    def stop(self) -> None:
        """Make the thread end after the current read. May be called twice."""
        with self._changed:
            self._stopped = True
            self._wishes.clear()
            self._unconverted.clear()
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait until the thread has ended; tell if it has."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    # ------------------------------------------------------------------ the thread

    def _start(self) -> None:
        # A daemon: a read that never returns must not keep the program alive.
        thread = threading.Thread(target=self._run, name="reader", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._denial_reported:
                self._denial_reported = True
                logger.warning("%s: can't read frames for now: %s", self.movie_name, str(error))
        else:
            self._thread = thread

    def _run(self) -> None:
        while (wish := self._next()) is not None:
            conversions = self._conversions
            left = self._fulfil(wish)
            with self._changed:
                viewer, self._served = self._served, None
                if left is _Left.NOTHING or viewer is None or viewer in self._wishes:
                    continue  # the viewer is forgotten, or has another wish by now
                if left is _Left.MORE_TO_READ or conversions != self._conversions:
                    self._wishes[viewer] = wish  # behind the others
                else:
                    self._unconverted[viewer] = wish

    def _next(self) -> Wish | None:
        """Wait for the next wish; None if the thread is to end."""
        with self._changed:
            while not self._stopped:
                if self._wishes:
                    self._served, wish = self._wishes.popitem(last=False)
                    return wish
                if not self._changed.wait(IDLE_SECONDS) and not self._wishes:
                    break
            self._thread = None  # under the lock, so that the next request starts another
            self._changed.notify_all()
            return None

    def _fulfil(self, wish: Wish) -> _Left:
        """Read the next few frames of a wish that are not there yet."""
        numbers = wish.in_time(steady() + self._read_time)
        missing = self._cache.missing(self.serial, numbers, wish.size)
        wanted = deque(number for number in missing if number not in self._failures)
        left = _Left.NOTHING
        converted = [number for number in wanted if wish.media.is_converted(number)]
        for number in converted:
            if not self._settle(wish, number, None):
                left = _Left.TO_BE_CONVERTED  # and so are those that follow: it goes in order
                break
        wanted = deque(number for number in wanted if number not in converted)
        if not wanted:
            return left
        together = self._movie.close_together(list(wanted), READ_SIZE)
        for number, frame in zip(together, self._read(together), strict=False):
            wanted.popleft()
            if not self._settle(wish, number, frame):
                left = _Left.MORE_TO_READ  # after the others: the first conversion is slow
        return _Left.MORE_TO_READ if wanted else left

    def _read(self, numbers: Sequence[int]) -> Iterator[memoryview | OSError]:
        """Yield these frames, or their errors, with one read; fewer if the read fails."""
        began = steady()
        try:
            frames = self._movie.frames_together(numbers)
        except OSError as error:
            if len(numbers) > 1:  # perhaps only one of them is on the damaged part of the disk
                yield from self._read(numbers[:1])
            else:
                yield error
        else:
            self._read_time = steady() - began
            yield from frames

    def _settle(self, wish: Wish, number: int, frame: memoryview | OSError | None) -> bool:
        """Put a frame into the cache, or note why it is missing; False if it isn't converted yet.

        `frame` is None if it is known to need conversion.
        """
        try:
            if isinstance(frame, OSError):
                raise frame
            if frame is None:
                payloads = wish.media.cut_converted(number, wish.size)
            else:
                payloads = wish.media.cut(number, frame, wish.size)
        except Exception as error:
            if not isinstance(error, (RtpLabError, OSError)) and not self._failures:
                logger.exception("%s: frame %d can't be sent", self.movie_name, number)
            self._failures[number] = str(error) or type(error).__name__
            is_settled = True
        else:
            if payloads is not None:
                self._cache.keep((self.serial, number, wish.size), payloads)
            is_settled = payloads is not None
        if self._waiting:
            with self._changed:
                self._changed.notify_all()
        return is_settled
