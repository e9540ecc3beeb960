"""The open movies: each stays open while it is watched, and a little longer."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from rtplab.movies.movie import Movie
from rtplab.movies.moviefile import Identity
from rtplab.protocol.rtp import rtpjpeg
from rtplab.protocol.rtp.rtpjpeg import Large
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.feed import AHEAD_SECONDS, Feed
from rtplab.serving.media.framecache import FrameCache
from rtplab.serving.media.payloads import Media, RtpJpeg, WholeFrames
from rtplab.serving.media.playback import Playback
from rtplab.serving.media.reader import FrameReader

# Unwatched movies stay open for this many seconds, and at most this many of them:
# players ask for a movie by DESCRIBE before they set it up, and a viewer may want it
# again. Each costs a descriptor, its index, and its converted pictures.
IDLE_SECONDS = 20.0
MAX_IDLE = 16

# Seconds that pending reads have to return when the server shuts down.
CLOSE_PATIENCE = 1.0

logger = logging.getLogger("rtplab.media")


_Key = tuple[Identity, bool]  # of the file, and whether large pictures stay as they are


class OpenMovie:
    """One open movie: its reader, and its frames in the forms requested."""

    def __init__(
        self,
        key: _Key,
        movie: Movie,
        large: Large,
        serial: int,
        cache: FrameCache,
        max_payload: int,
    ) -> None:
        """`key` is the movie's in the store, `serial` in the cache.

        RTP/JPEG payloads have at most `max_payload` bytes; `large` says how to treat large pictures
        there.
        """
        self.key = key
        self.movie = movie
        self._large = large
        self.reader = FrameReader(movie, serial, cache)
        self.whole_frames = WholeFrames(movie)
        self.users = 0
        self.was_watched = False
        self.expected = 0  # bytes that its viewers need in the cache
        self._frames_ahead = 0.0
        self._max_payload = max_payload
        self._lock = threading.Lock()  # guards _rtp_jpeg
        self._rtp_jpeg: RtpJpeg | None = None

    def rtp_jpeg(self) -> RtpJpeg:
        """Return the movie's RTP/JPEG payloads. Raises MessageError 415."""
        with self._lock:
            if self._rtp_jpeg is None:
                self._rtp_jpeg = RtpJpeg(
                    self.movie, self._max_payload, self.reader.converted, self._large
                )
            return self._rtp_jpeg

    def expect(self, frames: float) -> int:
        """Expect this many more frames to be read ahead; return how many more bytes that makes."""
        self._frames_ahead += frames
        count = min(self._frames_ahead, len(self.movie.frames))
        before, self.expected = self.expected, round(count * self._frame_size())
        return self.expected - before

    def _frame_size(self) -> float:
        """Return the approximate size of a frame in bytes."""
        frames = self.movie.frames
        (first, _), (last, length) = frames[0], frames[-1]
        return (last + length - first) / len(frames)

    def stop(self) -> None:
        """Make the threads end soon, which also closes the file. May be called twice."""
        self.reader.stop()
        if self._rtp_jpeg is not None:
            self._rtp_jpeg.stop()

    def join(self, deadline: float) -> bool:
        """Wait for the threads until then, by time.monotonic; tell if they have ended."""
        joins = [self.reader.join] + ([self._rtp_jpeg.join] if self._rtp_jpeg else [])
        return all([join(max(0.0, deadline - time.monotonic())) for join in joins])


class MediaStore:
    """The open movies of a server, and the cache of frames that they share. For all threads.

    A movie is known by the identity of its file: if that is replaced, its viewers go on, and others
    get the new one. A movie with large pictures is opened once for each form of them.
    """

    def __init__(self, max_payload: int, shrink: bool = False) -> None:
        """RTP/JPEG payloads have at most `max_payload` bytes.

        `shrink` says if pictures that are too large for a viewer are made smaller.
        """
        self._max_payload = max_payload
        self._large = Large.MADE_SMALLER if shrink else Large.REFUSED
        self._cache = FrameCache()
        self._serials = count(1)
        # Guards the attributes below; nothing blocks under it.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._open: dict[_Key, OpenMovie] = {}
        self._idle: OrderedDict[_Key, float] = OrderedDict()  # since when; longest first
        self._sweeper: threading.Thread | None = None  # while something is idle
        self._closing = False

    @contextmanager
    def use(self, movie: Movie, knows_large: bool = False) -> Iterator[OpenMovie]:
        """Keep a movie open in the meantime, for a viewer who knows large pictures or doesn't."""
        opened = self._take(movie, self._large_for(movie, knows_large))
        try:
            yield opened
        finally:
            self._give_back(opened)

    def whole_frames(self, movie: Movie, playback: Playback) -> Feed:
        """Return a feed of whole frames, for lab clients; the caller closes it."""
        opened = self._take(movie, self._large)
        return self._feed(opened, opened.whole_frames, playback)

    def rtp_jpeg(self, movie: Movie, playback: Playback, knows_large: bool = False) -> Feed:
        """Return a feed of RTP/JPEG payloads; the caller closes it. Raises MessageError 415.

        `knows_large` tells if the viewer finds the size of pictures too large for RTP/JPEG.
        """
        opened = self._take(movie, self._large_for(movie, knows_large))
        try:
            media = opened.rtp_jpeg()
        except Exception:
            self._give_back(opened)
            raise
        return self._feed(opened, media, playback)

    def _large_for(self, movie: Movie, knows_large: bool) -> Large:
        is_large = not rtpjpeg.fits(movie.width, movie.height)
        return Large.AS_THEY_ARE if knows_large and is_large else self._large

    def _feed(self, opened: OpenMovie, media: Media, playback: Playback) -> Feed:
        opened.was_watched = True
        frames = AHEAD_SECONDS * playback.fps
        self._expect(opened, frames)

        def free() -> None:
            self._expect(opened, -frames)
            self._give_back(opened)

        return Feed(media, playback, opened.reader, self._cache, free)

    def _expect(self, opened: OpenMovie, frames: float) -> None:
        with self._lock:
            self._cache.expect(opened.expect(frames))

    def _take(self, movie: Movie, large: Large) -> OpenMovie:
        key = movie.identity, large is Large.AS_THEY_ARE
        with self._lock:
            opened = self._open.get(key)
            if opened is None:
                serial = next(self._serials)
                opened = OpenMovie(key, movie, large, serial, self._cache, self._max_payload)
                self._open[key] = opened
            self._idle.pop(key, None)
            opened.users += 1
            if self._closing:
                opened.stop()
            return opened

    def _give_back(self, opened: OpenMovie) -> None:
        with self._lock:
            opened.users -= 1
            if opened.users or self._closing:
                return
            self._idle[opened.key] = time.monotonic()
            dropped = self._drop_longest() if len(self._idle) > MAX_IDLE else None
            if self._sweeper is None:
                self._start_sweeping()
        if dropped is not None:
            self._close(dropped)

    def _drop_longest(self) -> OpenMovie:
        """Forget the entries idle longest. Call with the lock held."""
        key, _ = self._idle.popitem(last=False)
        return self._open.pop(key)

    def _close(self, dropped: OpenMovie) -> None:
        dropped.stop()
        if dropped.was_watched:
            self._cache.drop(dropped.reader.serial)

    # ------------------------------------------------------------------ unwatched movies

    def _start_sweeping(self) -> None:
        sweeper = threading.Thread(target=self._sweep, name="sweeper", daemon=True)
        try:
            sweeper.start()
        except RuntimeError as error:  # the next movie that becomes idle tries again
            logger.debug("can't close unwatched movies for now: %s", str(error))
        else:
            self._sweeper = sweeper

    def _sweep(self) -> None:
        """Close movies that have been idle long enough, until none is idle."""
        while (dropped := self._wait_for_old()) is not None:
            self._close(dropped)
            del dropped  # otherwise it would stay open until the next

    def _wait_for_old(self) -> OpenMovie | None:
        with self._lock:
            while self._idle and not self._closing:
                left = next(iter(self._idle.values())) + IDLE_SECONDS - time.monotonic()
                if left <= 0:
                    return self._drop_longest()
                self._changed.wait(left)
            self._sweeper = None
            return None

    # ------------------------------------------------------------------ the end

    def stop(self) -> None:
        """Stop reading and converting; release all threads that wait."""
        with self._lock:
            self._closing = True
            self._changed.notify_all()
            movies = list(self._open.values())
        for opened in movies:
            opened.stop()

    def close(self) -> None:
        """Close all movies; give up on reads that do not return. May be called twice."""
        self.stop()
        with self._lock:
            sweeper, movies = self._sweeper, list(self._open.values())
            self._open.clear()
            self._idle.clear()
        if sweeper is not None:
            sweeper.join()
        deadline = time.monotonic() + CLOSE_PATIENCE
        for opened in movies:
            if not opened.join(deadline):
                name = printable(os.path.basename(opened.movie.path), 80)
                logger.warning("%s: gave up on a read that does not return", name)
