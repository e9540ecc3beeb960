"""A movie's frames as RTP payloads: whole for lab clients, RFC 2435 fragments for all others."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from rtplab.movies.movie import Movie
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.rtp import jpeg, rtpjpeg
from rtplab.protocol.rtp.packet import HEADER_SIZE
from rtplab.protocol.rtp.rtpjpeg import Large
from rtplab.protocol.rtsp.messages import printable

if TYPE_CHECKING:
    from rtplab.serving.media.conversion import ConvertedMovie

MAX_UDP_PAYLOAD = 65_507  # bytes: 65,535 less the headers of IPv4 and UDP
MAX_LAB_FRAME = MAX_UDP_PAYLOAD - HEADER_SIZE  # bytes of JPEG that one datagram can hold

# Bytes of frames that are kept cut into packets, for viewers who follow each other: many seconds of
# 1920x1080, minutes of what the lab plays.
CACHED_BYTES = 64 << 20
# Frames that must be converted before PLAY is answered, and how long that may take, in seconds.
HEAD_START = 10
HEAD_START_TIMEOUT = 3.0

# Bytes of RTP payload for paths that are narrower than the one the server was set up for: where
# IPv6 promises 1,280 bytes, and the least to which Linux lets a path shrink, which is 552. Few
# sizes, since each frame is cut and kept anew for every size.
NARROW_PAYLOADS = (1220, 492)

WHOLE = 0  # in the cache: not cut for any size of packet

logger = logging.getLogger("rtplab.media")

Payloads = list[bytes]  # of one frame's packets, with their payload headers


_FrameKey = tuple[object, int, int]  # which file, frame number, largest payload in bytes


class Media(Protocol):
    """A movie as one kind of RTP payload; all viewers of that kind share it."""

    has_extensions: bool  # a frame's first payload may begin with one of the RTP header

    def prepare(self, number: int) -> None:
        """Get ready for playing from frame `number`; may take a moment."""

    def payloads(self, number: int, limit: int) -> Payloads:
        """Return the payloads of frame `number`, at once; none when it can't be sent.

        `limit` is what the way takes in one piece, in bytes.
        """


class FrameCache:
    """The frames of all movies that were cut last, up to CACHED_BYTES. For all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows; a mere look needs none
        self._frames: OrderedDict[_FrameKey, Payloads] = OrderedDict()
        self._bytes = 0

    def get(self, key: _FrameKey) -> Payloads | None:
        """Return the frame's payloads, if they are kept."""
        return self._frames.get(key)

    def keep(self, key: _FrameKey, payloads: Payloads) -> None:
        """Keep a frame's payloads, and let go of the oldest where there are too many."""
        with self._lock:
            if key in self._frames:
                return  # two viewers came to it at the same time
            self._frames[key] = payloads
            self._bytes += sum(map(len, payloads))
            while self._bytes > CACHED_BYTES:
                _, oldest = self._frames.popitem(last=False)
                self._bytes -= sum(map(len, oldest))


_logged_as_damaged: WeakSet[Movie] = WeakSet()


def _log_damaged(movie: Movie, number: int, error: MovieError) -> None:
    """Log, once for each movie, that a frame is left out: the index doesn't look into all."""
    if movie not in _logged_as_damaged:
        _logged_as_damaged.add(movie)
        name = printable(os.path.basename(movie.path), 80)
        logger.warning("%s: frame %d, and maybe more, is left out: %s", name, number, str(error))


class WholeFrames:
    """The lab's payload: a whole JPEG; only one that no datagram can hold is cut.

    A damaged one is left out, and what stands after its end isn't sent.
    """

    has_extensions = False

    def __init__(self, movie: Movie, cache: FrameCache) -> None:
        self._movie = movie
        self._cache = cache

    def prepare(self, number: int) -> None:
        """Nothing needs to be done before a whole frame is sent."""

    def payloads(self, number: int, limit: int) -> Payloads:
        """Return the frame, in one piece if a datagram holds it; none if it is damaged.

        Raises MovieError when the file has been changed.
        """
        key = (self._movie.identity, number, WHOLE)
        payloads = self._cache.get(key)
        if payloads is None:
            frame = self._movie.frame(number)
            end, problem, _ = jpeg.measure(frame)
            if problem is not None:
                _log_damaged(self._movie, number, problem)
                end = 0
            starts = range(0, end, MAX_LAB_FRAME)
            payloads = [bytes(frame[start : min(start + MAX_LAB_FRAME, end)]) for start in starts]
            self._cache.keep(key, payloads)
        return payloads


class RtpJpeg:
    """RFC 2435 payloads; a picture that these can't carry is converted first."""

    def __init__(
        self, movie: Movie, max_payload: int, cache: FrameCache, large: Large = Large.REFUSED
    ) -> None:
        """Make payloads of at most `max_payload` bytes; `large` is what becomes of large pictures.

        Raises MessageError 415 when the movie can't be carried at all.
        """
        is_large = not rtpjpeg.fits(movie.width, movie.height)
        if is_large and large is Large.REFUSED:
            raise MessageError(
                f"{movie.width}x{movie.height} pixels are more than the "
                f"{rtpjpeg.MAX_SIDE}x{rtpjpeg.MAX_SIDE} of RTP/JPEG: play it with rtplab or "
                "GStreamer, or start the server with --shrink",
                415,
            )
        self.movie = movie
        self.has_extensions = is_large and large is Large.AS_THEY_ARE
        self._large = large
        self._sizes = (max_payload, *(size for size in NARROW_PAYLOADS if size < max_payload))
        self._cache = cache
        self._problems: dict[int, str | None] = {}  # by frame, as far as looked at
        self._damaged: set[int] = set()  # frames that can't be converted either
        self._lock = threading.Lock()  # guards _converted
        self._converted: ConvertedMovie | None = None

    def size(self) -> tuple[int, int]:
        """Return width and height in pixels as they are sent.

        Raises MovieError, and MessageError 415 when the first frame can't be converted.
        """
        if self._problem(1) is None:
            return self.movie.width, self.movie.height
        self._conversion()  # if it is impossible, better told now than at PLAY
        return rtpjpeg.converted_size(self.movie.width, self.movie.height, self.has_extensions)

    def prepare(self, number: int) -> None:
        """Have the next frames converted where they need it. Raises MessageError 415."""
        number = min(number, len(self.movie.frames))
        with suppress(MovieError):  # a frame that is gone is met when it is to be sent
            if self._problem(number) is not None and number not in self._damaged:
                self._conversion().prepare(number, HEAD_START, HEAD_START_TIMEOUT)

    def payloads(self, number: int, limit: int) -> Payloads:
        """Return the frame's payloads; none if it is damaged, or is still being converted.

        What is still larger than `limit` will be cut by IP. Raises MovieError when the file has
        been changed, unless the frame was kept, or when pictures are converted no more;
        MessageError 415 when none can be.
        """
        size = self._sizes[0] if limit >= self._sizes[0] else self._narrow(limit)
        key = ((self.movie.identity, self._large), number, size)
        payloads = self._cache.get(key)
        if payloads is None:
            payloads = self._make(number, size)
            if payloads:
                self._cache.keep(key, payloads)
        return payloads

    def close(self) -> None:
        """End the conversion, if there is one. May be called twice."""
        with self._lock:
            if self._converted is not None:
                self._converted.close()

    def _narrow(self, limit: int) -> int:
        return next((size for size in self._sizes if size <= limit), self._sizes[-1])

    def _make(self, number: int, size: int) -> Payloads:
        if self._problems.get(number) is None:
            frame = self.movie.frame(number)
            header = self._look_at(number, frame)
            if header is not None:
                return rtpjpeg.packetize(frame, size, header)
        if number in self._damaged:
            return []
        conversion = self._conversion()
        converted = conversion.frame(number)
        if converted is not None:
            return rtpjpeg.packetize(converted, size, jpeg.parse(converted))
        if conversion.has_lost(number):
            raise MovieError(f"frame {number} can't be converted any more")
        return []

    def _problem(self, number: int) -> str | None:
        """Return why RFC 2435 can't carry the frame as it is, or None. Raises MovieError."""
        if number not in self._problems:
            self._look_at(number, self.movie.frame(number))
        return self._problems[number]

    def _look_at(self, number: int, frame: memoryview) -> jpeg.JpegHeader | None:
        """Return the frame's header if RFC 2435 can carry it; note why when it can't."""
        try:
            header = jpeg.parse(frame)
            self._problems[number] = rtpjpeg.unsupported_reason(header, self.has_extensions)
        except MovieError as error:
            self._problems[number] = str(error)
            self._damaged.add(number)
            _log_damaged(self.movie, number, error)
        return header if self._problems[number] is None else None

    def _conversion(self) -> ConvertedMovie:
        """Return what converts the pictures. Raises MessageError 415 without Pillow."""
        try:  # here, so that a server of ordinary movies runs without
            from rtplab.serving.media.conversion import ConvertedMovie
        except ImportError as error:
            raise MessageError(
                f"{printable(os.path.basename(self.movie.path), 80)} has pictures that RTP/JPEG "
                "can't carry, and to convert them takes Pillow: pip install Pillow",
                415,
            ) from error

        with self._lock:
            if self._converted is None:
                self._converted = ConvertedMovie(self.movie, self._large)
            return self._converted


class MediaStore:
    """The media of a server's movies, and the cache of frames that they share."""

    def __init__(self, max_payload: int, shrink: bool = False) -> None:
        """`shrink` says if pictures that are too large for a viewer are made smaller."""
        self._max_payload = max_payload
        self._shrink = shrink
        self._cache = FrameCache()
        self._media: dict[tuple[str, Large], RtpJpeg] = {}  # by path
        self._lock = threading.Lock()  # guards _media

    def whole_frames(self, movie: Movie) -> WholeFrames:
        """Return the movie's whole frames, for lab clients."""
        return WholeFrames(movie, self._cache)

    def rtp_jpeg(self, movie: Movie, knows_large: bool = False) -> RtpJpeg:
        """Return the movie's RTP/JPEG payloads. Raises MessageError 415.

        `knows_large` tells if the viewer finds the size of pictures that are too large to say it.
        """
        large = Large.MADE_SMALLER if self._shrink else Large.REFUSED
        if knows_large and not rtpjpeg.fits(movie.width, movie.height):
            large = Large.AS_THEY_ARE
        key = movie.path, large
        with self._lock:
            media = self._media.get(key)
            if media is None or media.movie is not movie:  # the file has been replaced
                if media is not None:
                    media.close()
                media = RtpJpeg(movie, self._max_payload, self._cache, large)
                self._media[key] = media
            return media

    def close(self) -> None:
        """End all conversions. May be called twice."""
        with self._lock:
            for media in self._media.values():
                media.close()
