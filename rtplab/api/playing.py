"""Playing: the pictures of any server, one after the other."""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtplab.api.closing import Closable, closer
from rtplab.protocol.errors import MessageError, RtpLabError
from rtplab.protocol.rtsp.states import State
from rtplab.protocol.rtsp.urls import meant_address, question
from rtplab.receiving.http.client import HttpClient
from rtplab.receiving.opening import client_for
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.receiving.rtsp.watch import TimeLimits

if TYPE_CHECKING:
    from PIL import Image

LAB_PORT = 5678  # of a lab server whose port is not given
# Frames queued for a program that takes them too slowly: about three seconds.
MAX_WAITING = 64
# Longest single wait in seconds, since Ctrl+C does not interrupt one on Windows.
LONGEST_WAIT = 0.2
# Seconds from a lost connection to the next try, if reconnects are asked for.
RECONNECT_AFTER = 1.0

Client = RtspClient | HttpClient


class PlayError(RtpLabError):
    """A stream can't be played, or broke off. The message is a sentence for the user."""


@dataclass(frozen=True)
class PlayedFrame:
    """One picture as it was received.

    `number` counts frames from 1, including lost ones where that can be known. `time` is the
    picture's position in the movie, in seconds.
    """

    jpeg: bytes = field(repr=False)
    number: int
    time: float

    def image(self) -> Image.Image:
        """Return the picture, decoded by Pillow. Raises OSError if it is damaged."""
        from PIL import Image

        image = Image.open(io.BytesIO(self.jpeg), formats=("JPEG",))
        image.load()
        return image


class _Inbox:
    """Frames between the thread that receives and the one that iterates."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards the attributes below
        self._frames: deque[Frame] = deque()
        self.dropped = 0  # the oldest ones, where too many waited

    def put(self, frame: Frame) -> None:
        with self._changed:
            if len(self._frames) >= MAX_WAITING:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame)
            self._changed.notify()

    def take(self, seconds: float) -> Frame | None:
        """Return the oldest frame; None if none arrives within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames, seconds)
            return self._frames.popleft() if self._frames else None


class Frames(Closable, Iterator[PlayedFrame]):
    """Iterates over the frames of a stream as they arrive. It ends with the movie.

    Its session and threads are freed at its end, by `close` or `with`, or when it is garbage
    collected. Raises PlayError if it can't continue.
    """

    def __init__(self, source: Callable[[], MovieSource], timeout: float, reconnect: bool) -> None:
        self._client: Client | None = None
        self._source = source
        self._timeout = timeout
        self._reconnect = reconnect
        self._inbox = _Inbox()
        self._is_closed = False

    @property
    def dropped(self) -> int:
        """The number of frames dropped because the program did not take them in time."""
        return self._inbox.dropped

    def __iter__(self) -> Frames:
        return self

    def __next__(self) -> PlayedFrame:
        while not self._is_closed:
            try:
                if self._client is None:
                    self._begin()
                frame = self._next_frame()
            except PlayError:
                self._end_session()
                if not self._reconnect:
                    self._is_closed = True
                    raise
                time.sleep(RECONNECT_AFTER)
            except BaseException:  # Ctrl+C: a caller that catches it may not call again
                self.close()
                raise
            else:
                if frame is not None:
                    return PlayedFrame(frame.data, frame.number, frame.media_time)
                self.close()
        raise StopIteration

    def _begin(self) -> None:
        """Set up and play. Raises PlayError."""
        closer.begin(self)
        limits = TimeLimits(connect=self._timeout, reply=self._timeout, silence=self._timeout)
        client = self._client = client_for(self._source(), limits=limits)
        client.on_frame = self._inbox.put
        client.set_up()
        _wait(
            client,
            lambda: self._is_closed or client.state is not State.INIT or bool(client.error),
        )
        if self._is_closed:  # by another thread, before it could see this client
            self._end_session()
            return
        if client.state is not State.READY:
            raise PlayError(client.error)
        client.play_movie()

    def _next_frame(self) -> Frame | None:
        """Wait for the next frame; None at the end, or once it is closed. Raises PlayError."""
        client = self._client
        while client is not None and not self._is_closed:
            frame = self._inbox.take(LONGEST_WAIT)
            if frame is not None:
                return frame
            if client.error:
                raise PlayError(client.error)
            if client.ended:
                return self._inbox.take(0.0)
        return None

    def _end_session(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.tear_down()

    def close(self) -> None:
        """End the session. May be called twice, and from any thread: the iteration ends then."""
        self._is_closed = True
        self._end_session()

    def __del__(self) -> None:
        if self._client is not None:
            closer.call_soon(self._client.tear_down)


def _wait(client: Client, condition: Callable[[], bool]) -> None:
    while not client.wait_for(condition, LONGEST_WAIT):
        pass


def play(
    address: str,
    port: int | None = None,
    movie: str | None = None,
    *,
    transport: str = "auto",
    timeout: float = 5.0,
    reconnect: bool = False,
    cafile: str | None = None,
    insecure: bool = False,
) -> Frames:
    """Play `rtsp://host/movie`, `http://camera/stream`, or a lab server's movie by host, port and
    file name.

    `transport` is "auto", "udp" or "tcp" (rtsp:// only). `timeout` is how many seconds to wait
    for the server and for the first picture. With `reconnect` it reconnects whenever the stream
    is lost, and never raises PlayError. `cafile` and `insecure` are for rtsps:// with a certificate
    that the system does not know. Nothing is sent before the first frame is asked for. Raises
    ValueError if the address is invalid.
    """
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(f"timeout must be above 0 seconds, not {timeout!r}")
    if transport not in ("auto", "udp", "tcp"):
        raise ValueError(f"transport must be 'auto', 'udp' or 'tcp', not {transport!r}")
    if "://" not in address and (port is None or movie is None):
        raise ValueError(
            f"{address!r} is not an address such as rtsp://host/movie; "
            "for a lab server, pass host, port and file name"
            f"{question(meant_address(address))}"
        )

    def source() -> MovieSource:
        trust = TlsTrust(cafile, insecure)
        if "://" in address:
            return MovieSource("", 0, address, transport, trust)
        return MovieSource(address, port or LAB_PORT, movie or "", transport, trust)

    try:
        source()
    except MessageError as error:
        raise ValueError(f"{error}{question(meant_address(address))}") from error
    return Frames(source, timeout, reconnect)
