"""A movie's frames as RTP payloads: whole for lab clients, RFC 2435 fragments for all others."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
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

# Frames that must be converted before PLAY is answered.
HEAD_START = 10

# Bytes of RTP payload for paths that are narrower than the server's own line: for the 1,280 bytes
# that IPv6 guarantees, and for 552, the least to which Linux lets a path shrink. Few sizes, since
# each frame is cut and kept once per size.
NARROW_PAYLOADS = (1220, 492)

WHOLE = 0  # instead of a size of payload: not cut for any packet

logger = logging.getLogger("rtplab.media")

Payloads = list[bytes]  # of one frame's packets, with their payload headers


class Media(Protocol):
    """A movie as one kind of RTP payload; all viewers of that kind share it.

    The methods that read or convert are called by the reader's thread and by control threads.
    """

    has_extensions: bool  # a frame's first payload may begin with one of the RTP header

    movie: Movie

    def size_for(self, limit: int) -> int:
        """Return the payload size for a path that takes `limit` bytes in one piece.

        IP fragments anything that is still larger.
        """

    def is_converted(self, number: int) -> bool:
        """Tell if the frame is known to be sent in converted form."""

    def cut(self, number: int, frame: memoryview, size: int) -> Payloads | None:
        """Return the payloads of a frame that has been read; none if it is damaged.

        None if it must be converted, which `is_converted` knows from then on. Raises MovieError.
        """

    def cut_converted(self, number: int, size: int) -> Payloads | None:
        """As `cut`, for a frame that needs conversion; None if that is not done yet.

        Raises MovieError, and MessageError 415 when that is impossible.
        """

    def prepare(self, number: int, timeout: float) -> None:
        """Wait for frame `number`, and some that follow, if they are converted.

        Raises MessageError 415 when that is impossible.
        """


_logged_as_damaged: WeakSet[Movie] = WeakSet()


def _log_damaged(movie: Movie, number: int, error: MovieError) -> None:
    """Log, once per movie, that a frame is skipped: the index does not examine all of them."""
    if movie not in _logged_as_damaged:
        _logged_as_damaged.add(movie)
        name = printable(os.path.basename(movie.path), 80)
        logger.warning("%s: frame %d is skipped, and perhaps others: %s", name, number, str(error))


class WholeFrames:
    """The lab's payload: a whole JPEG, which is cut only if no datagram can hold it.

    A damaged one is skipped, and bytes after its end aren't sent.
    """

    has_extensions = False

    def __init__(self, movie: Movie) -> None:
        self.movie = movie
        self._measurer = jpeg.Measurer()

    def size_for(self, limit: int) -> int:
        """Frames stay whole, whatever the path takes."""
        return WHOLE

    def is_converted(self, number: int) -> bool:
        """No frame is."""
        return False

    def cut(self, number: int, frame: memoryview, size: int) -> Payloads:
        """Return the frame, in one piece if a datagram holds it; none if it is damaged."""
        end, problem, _ = self._measurer.measure(frame)
        if problem is not None:
            _log_damaged(self.movie, number, problem)
            end = 0
        starts = range(0, end, MAX_LAB_FRAME)
        return [bytes(frame[start : min(start + MAX_LAB_FRAME, end)]) for start in starts]

    def cut_converted(self, number: int, size: int) -> Payloads:
        """No frame is converted."""
        return []

    def prepare(self, number: int, timeout: float) -> None:
        """Nothing needs to be done."""


class RtpJpeg:
    """RFC 2435 payloads; a picture that these can't carry is converted first."""

    def __init__(
        self,
        movie: Movie,
        max_payload: int,
        converted: Callable[[], None],
        large: Large = Large.REFUSED,
    ) -> None:
        """Cut frames into payloads of at most `max_payload` bytes, less for narrow paths.

        `large` says how to treat large pictures.

        `converted` is called for each frame that has been. Raises MessageError 415 when the movie
        can't be carried at all.
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
        self._problems: dict[int, str | None] = {}  # by frame, as far as examined
        self._damaged: set[int] = set()  # frames that can't be converted either
        self._tell_converted = converted
        self._lock = threading.Lock()  # guards _conversion
        self._conversion: ConvertedMovie | None = None

    def size(self) -> tuple[int, int]:
        """Return width and height in pixels as they are sent.

        Raises MovieError, and MessageError 415 when the first frame can't be converted.
        """
        if 1 not in self._problems:
            self._carriable_header(1, self.movie.frame(1))
        if self._problems[1] is None:
            return self.movie.width, self.movie.height
        self._convert()  # if this is impossible, better to know now than at PLAY
        return rtpjpeg.converted_size(self.movie.width, self.movie.height, self.has_extensions)

    def size_for(self, limit: int) -> int:
        """Return the largest of the few payload sizes that the path takes."""
        return next((size for size in self._sizes if size <= limit), self._sizes[-1])

    def is_converted(self, number: int) -> bool:
        """Tell if it is known that RFC 2435 can't carry the frame as it is."""
        return self._problems.get(number) is not None

    def prepare(self, number: int, timeout: float) -> None:
        """Wait until the next frames are converted, if they need it. Raises MessageError 415."""
        if self.is_converted(number) and number not in self._damaged:
            self._convert().prepare(number, HEAD_START, timeout)

    def cut(self, number: int, frame: memoryview, size: int) -> Payloads | None:
        """Return the frame's payloads, whose size must be one that `size_for` returns."""
        header = self._carriable_header(number, frame)
        if header is not None:
            return rtpjpeg.packetize(frame, size, header)
        return [] if number in self._damaged else None

    def cut_converted(self, number: int, size: int) -> Payloads | None:
        """Return a converted frame's payloads. Raises MovieError if no more is converted."""
        if number in self._damaged:
            return []
        conversion = self._convert()
        # Checked first, because the frame may be converted at this very moment.
        is_settled, is_lost = conversion.is_settled(number), conversion.has_lost(number)
        converted = conversion.frame(number)
        if converted is not None:
            return rtpjpeg.packetize(converted, size, jpeg.parse(converted))
        if is_lost or is_settled and conversion.has_lost(number):
            raise MovieError(f"frame {number} can no longer be converted")
        return [] if is_settled else None

    def stop(self) -> None:
        """End the conversion soon, if there is one, and free its disk space."""
        with self._lock:
            conversion = self._conversion
        if conversion is not None:
            conversion.stop()

    def join(self, timeout: float) -> bool:
        """Wait until the conversion has ended; tell if it has."""
        return self._conversion is None or self._conversion.join(timeout)

    def _carriable_header(self, number: int, frame: memoryview) -> jpeg.JpegHeader | None:
        """Return the frame's header if RFC 2435 can carry it; note why when it can't."""
        try:
            header = jpeg.parse(frame)
            self._problems[number] = rtpjpeg.unsupported_reason(header, self.has_extensions)
        except MovieError as error:
            self._problems[number] = str(error)
            self._damaged.add(number)
            _log_damaged(self.movie, number, error)
        return header if self._problems[number] is None else None

    def _convert(self) -> ConvertedMovie:
        """Return the converter of the pictures. Raises MessageError 415 without Pillow."""
        try:  # imported here, so that a server of ordinary movies needs no Pillow
            from rtplab.serving.media.conversion import ConvertedMovie
        except ImportError as error:
            raise MessageError(
                f"{printable(os.path.basename(self.movie.path), 80)} has pictures that RTP/JPEG "
                "can't carry, and converting them needs Pillow: pip install Pillow",
                415,
            ) from error

        with self._lock:
            if self._conversion is None:
                self._conversion = ConvertedMovie(self.movie, self._tell_converted, self._large)
            return self._conversion
