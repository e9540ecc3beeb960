"""One picture of a live stream: made when it is first wanted, and cut once for all its viewers."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.rtp import jpeg, rtpjpeg
from rtplab.serving.media.payloads import MAX_LAB_FRAME, WHOLE, Payloads


class LivePicture:
    """A picture and the time at which it was received, in seconds of clock.steady.

    For all threads: the first one that wants it makes it, and the others wait.
    """

    def __init__(self, make: Callable[[], bytes], moment: float) -> None:
        """`make` returns the JPEG; it is called at most once, when the picture is first wanted."""
        self.moment = moment
        self._make = make
        self._lock = threading.Lock()  # guards the attributes below
        self._jpeg = b""
        self._damage = ""  # why there is no picture
        self._carried = b""  # as RFC 2435 can carry it
        self._cut: dict[int, Payloads] = {}  # by the largest payload in bytes

    def jpeg(self) -> bytes:
        """Return the JPEG up to its end. Raises MovieError if it is damaged or can't be made.

        It may be of any kind; `payloads` has it as RFC 2435 needs it.
        """
        with self._lock:
            return self._made()

    def carried(self) -> bytes:
        """Return the JPEG in a form that RFC 2435 can carry. Raises as `payloads`."""
        with self._lock:
            return self._as_carried()

    def payloads(self, limit: int) -> Payloads:
        """Return RFC 2435 payloads of at most `limit` bytes; with WHOLE those of the lab.

        Raises MovieError if it is damaged or can't be made, MessageError 415 if it can't be
        carried.
        """
        with self._lock:
            payloads = self._cut.get(limit)
            if payloads is None:
                payloads = self._cut[limit] = self._payloads(limit)
            return payloads

    def _made(self) -> bytes:
        if not self._jpeg and not self._damage:
            try:
                made = self._make()
                extent = jpeg.measure(made)
                if extent.problem is not None:
                    raise extent.problem
                self._jpeg = jpeg.completed(made[: extent.end])
            except MovieError as error:
                self._damage = str(error)
            except Exception as error:  # whatever an encoder or its caller stumbles over
                self._damage = f"{type(error).__name__}: {error}"
        if self._damage:
            raise MovieError(self._damage)
        return self._jpeg

    def _payloads(self, limit: int) -> Payloads:
        picture = self._made()
        if limit == WHOLE:
            starts = range(0, len(picture), MAX_LAB_FRAME)
            return [picture[start : start + MAX_LAB_FRAME] for start in starts]
        return rtpjpeg.packetize(self._as_carried(), limit)

    def _as_carried(self) -> bytes:
        if not self._carried:
            picture = self._made()
            header = jpeg.parse(picture)
            can_be_carried = rtpjpeg.unsupported_reason(header) is None
            self._carried = picture if can_be_carried else _converted(picture)
        return self._carried


def _converted(picture: bytes) -> bytes:
    """Return the picture as RFC 2435 can carry it. Raises MovieError, MessageError 415."""
    try:  # imported here, so that pictures without conversion are served without Pillow
        from rtplab.serving.media.transcoding import convert
    except ImportError as error:
        raise MessageError(
            "RTP/JPEG can't carry these pictures, and converting them needs Pillow: "
            "pip install Pillow",
            415,
        ) from error
    output = io.BytesIO()
    convert(picture, output)
    return output.getvalue()
