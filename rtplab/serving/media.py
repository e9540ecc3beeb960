"""A movie's frames as RTP payloads: whole for lab clients, RFC 2435 fragments for all others."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from rtplab.protocol import jpeg, rtpjpeg
from rtplab.protocol.errors import MessageError, MovieError
from RtpPacket import HEADER_SIZE
from VideoStream import Movie

if TYPE_CHECKING:
    from rtplab.serving.conversion import ConvertedMovie

MAX_UDP_PAYLOAD = 65_507  # bytes: 65,535 less the headers of IPv4 and UDP
MAX_LAB_FRAME = MAX_UDP_PAYLOAD - HEADER_SIZE  # bytes of JPEG that one datagram can hold

# Bytes of one movie's frames that are kept cut into packets, for viewers who follow each other: a
# few seconds of 1920x1080, minutes of what the lab plays.
CACHED_BYTES = 32 << 20
# Frames that must be converted before PLAY is answered, and how long that may take, in seconds.
HEAD_START = 10
HEAD_START_TIMEOUT = 3.0

# Bytes of RTP payload for paths that are narrower than the one the server was set up for: where
# IPv6 promises 1,280 bytes, and the least to which Linux lets a path shrink, which is 552. Few
# sizes, since each frame is cut and kept anew for every size.
NARROW_PAYLOADS = (1220, 492)

# The payloads of one frame's packets: for each a payload header (or none) and a slice of the frame.
Payloads = list[tuple[bytes, memoryview]]


class Media(Protocol):
    """A movie as one kind of RTP payload; all viewers of that kind share it."""

    def prepare(self, number: int) -> None:
        """Get ready for playing from frame `number`; may take a moment."""

    def payloads(self, number: int, limit: int) -> Payloads:
        """Return the payloads of frame `number`, at once; none when it can't be sent.

        `limit` is what the way takes in one piece, in bytes.
        """


class WholeFrames:
    """The lab's payload: a whole JPEG; only one that no datagram can hold is cut."""

    def __init__(self, movie: Movie) -> None:
        self._movie = movie

    def prepare(self, number: int) -> None:
        """Nothing needs to be done before a whole frame is sent."""

    def payloads(self, number: int, limit: int) -> Payloads:
        """Return the frame, in one piece if a datagram holds it. Raises MovieError."""
        frame = self._movie.frame(number)
        starts = range(0, len(frame), MAX_LAB_FRAME)
        return [(b"", frame[start : start + MAX_LAB_FRAME]) for start in starts]


class RtpJpeg:
    """RFC 2435 payloads; a picture that these can't carry is converted first."""

    def __init__(self, movie: Movie, max_payload: int) -> None:
        """Make payloads of at most `max_payload` bytes.

        Raises MessageError 415 when the movie can't be carried at all.
        """
        if not rtpjpeg.fits(movie.width, movie.height):
            raise MessageError(
                f"{movie.width}x{movie.height} pixels are too many: RTP/JPEG carries pictures of "
                f"up to {rtpjpeg.MAX_SIDE}x{rtpjpeg.MAX_SIDE}",
                415,
            )
        self.movie = movie
        self._sizes = (max_payload, *(size for size in NARROW_PAYLOADS if size < max_payload))
        self._cache: OrderedDict[tuple[int, int], Payloads] = OrderedDict()  # by frame and size
        self._cached_bytes = 0
        self._problems: dict[int, str | None] = {}  # by frame, as far as looked at
        self._lock = threading.Lock()  # guards _cache, _cached_bytes and _converted
        self._converted: ConvertedMovie | None = None

    def size(self) -> tuple[int, int]:
        """Return width and height in pixels as they are sent. Raises MovieError."""
        if self._problem(1) is None:
            return self.movie.width, self.movie.height
        return -(-self.movie.width // 8) * 8, -(-self.movie.height // 8) * 8

    def prepare(self, number: int) -> None:
        """Have the next frames converted where they need it."""
        number = min(number, len(self.movie.frames))
        if self._problem(number) is not None:
            self._conversion().prepare(number, HEAD_START, HEAD_START_TIMEOUT)

    def payloads(self, number: int, limit: int) -> Payloads:
        """Return the frame's payloads; none while it is still being converted.

        What is still larger than `limit` will be cut by IP. Raises MovieError when the file has
        been changed, unless the frame was kept.
        """
        size = next((size for size in self._sizes if size <= limit), self._sizes[-1])
        with self._lock:
            cached = self._cache.get((number, size))
        if cached is not None:
            return cached
        made = self._make(number, size)
        if made:
            self._keep((number, size), made)
        return made

    def close(self) -> None:
        """End the conversion, if there is one. May be called twice."""
        with self._lock:
            if self._converted is not None:
                self._converted.close()

    def _keep(self, key: tuple[int, int], made: Payloads) -> None:
        with self._lock:
            self._cache[key] = made
            self._cached_bytes += _size(made)
            while self._cached_bytes > CACHED_BYTES:
                _, oldest = self._cache.popitem(last=False)
                self._cached_bytes -= _size(oldest)

    def _make(self, number: int, size: int) -> Payloads:
        frame: memoryview | bytes | None = self.movie.frame(number)
        if self._problem(number) is not None:
            frame = self._conversion().frame(number)
        return rtpjpeg.packetize(frame, size) if frame is not None else []

    def _problem(self, number: int) -> str | None:
        """Return why RFC 2435 can't carry the frame as it is; None when it can."""
        if number not in self._problems:
            try:
                header = jpeg.parse(self.movie.frame(number))
                self._problems[number] = rtpjpeg.carriable(header)
            except MovieError as error:
                self._problems[number] = str(error)
        return self._problems[number]

    def _conversion(self) -> ConvertedMovie:
        # Imported here, so that a server of ordinary movies runs without Pillow.
        from rtplab.serving.conversion import ConvertedMovie

        with self._lock:
            if self._converted is None:
                self._converted = ConvertedMovie(self.movie)
            return self._converted


def _size(payloads: Payloads) -> int:
    return sum(len(data) for _, data in payloads)


class MediaStore:
    """The RTP/JPEG media of a server's movies, made when the first viewer asks."""

    def __init__(self, max_payload: int) -> None:
        self._max_payload = max_payload
        self._media: dict[str, RtpJpeg] = {}  # by path
        self._lock = threading.Lock()  # guards _media

    def rtp_jpeg(self, movie: Movie) -> RtpJpeg:
        """Return the movie's RTP/JPEG payloads. Raises MessageError 415."""
        with self._lock:
            media = self._media.get(movie.path)
            if media is None or media.movie is not movie:  # the file has been replaced
                if media is not None:
                    media.close()
                media = self._media[movie.path] = RtpJpeg(movie, self._max_payload)
            return media

    def close(self) -> None:
        """End all conversions. May be called twice."""
        with self._lock:
            for media in self._media.values():
                media.close()
