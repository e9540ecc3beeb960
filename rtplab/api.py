"""The library: `play` a stream of any server, `serve` and `publish` one, from any thread.

This is the package's public interface for other programs; docs/LIBRARY.md describes it. Both
sides use the same engines as the commands.
"""

from __future__ import annotations

import io
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from rtplab.protocol.errors import MessageError, RtpLabError
from rtplab.protocol.rtsp.states import State
from rtplab.protocol.rtsp.urls import meant_address, question, quoted_name
from rtplab.receiving.http.client import HttpClient
from rtplab.receiving.opening import client_for
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.receiving.rtsp.watch import TimeLimits
from rtplab.serving.http.server import HttpServer
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.process.server import RtspServer
from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtsp.service import Service
from rtplab.serving.scaling.listeners import open_both, open_listener

if TYPE_CHECKING:
    from PIL import Image

DEFAULT_PORT = 5678
# Frames queued for a program that takes them too slowly: about three seconds.
MAX_WAITING = 64
# Longest single wait in seconds, since Ctrl+C does not interrupt one on Windows.
LONGEST_WAIT = 0.2
# Seconds from a lost connection to the next try, if reconnects are asked for.
RECONNECT_AFTER = 1.0
JPEG_QUALITY = 85  # of pictures that are not JPEG yet: Pillow's 75 shows blocks around text


Client = RtspClient | HttpClient

_Self = TypeVar("_Self", bound="_Closed")


class PlayError(RtpLabError):
    """A stream can't be played, or broke off. The message is a sentence for the user."""


class ServeError(RtpLabError):
    """A server can't be started, or a stream published. The message is a sentence for the user."""


class _Closed:
    """What `with` closes at its end."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Closer:
    """Closes streams and servers left open when the main thread ends, or no longer referenced.

    Python waits for every thread that is not a daemon when the main thread has ended, and asks
    `atexit` only afterwards. And the garbage collector may run in any thread, also in the one that
    is to be ended, and under any lock: it can only hand on what it finds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the attributes below
        self._open: weakref.WeakSet[Frames | Serving] = weakref.WeakSet()
        self._has_begun = False
        self._forgotten: SimpleQueue[Client | None] = SimpleQueue()  # None: it is the end

    def begin(self, what: Frames | Serving) -> None:
        """Close this at the end, unless it has been closed by then."""
        with self._lock:
            self._open.add(what)
            if not self._has_begun:
                self._has_begun = True
                for work in (self._close, self._wait_for_the_end):
                    threading.Thread(target=work, name="closer", daemon=True).start()

    def tear_down(self, client: Client) -> None:
        """End the session of a client soon. The garbage collector may call this."""
        self._forgotten.put(client)

    def _wait_for_the_end(self) -> None:
        threading.main_thread().join()
        self._forgotten.put(None)

    def _close(self) -> None:
        while (client := self._forgotten.get()) is not None:
            client.tear_down()
            del client
        for what in list(self._open):
            what.close()


_closer = _Closer()


# --- Playing -------------------------------------------------------------------------------------


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


class Frames(_Closed, Iterator[PlayedFrame]):
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
        _closer.begin(self)
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
            _closer.tear_down(self._client)


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
        return MovieSource(address, port or DEFAULT_PORT, movie or "", transport, trust)

    try:
        source()
    except MessageError as error:
        raise ValueError(f"{error}{question(meant_address(address))}") from error
    return Frames(source, timeout, reconnect)


# --- Serving -------------------------------------------------------------------------------------


class Publication(_Closed):
    """A stream that this program publishes to all its viewers. Thread-safe."""

    def __init__(self, live: LiveStream) -> None:
        self._live = live

    @property
    def name(self) -> str:
        """The stream's name in its address."""
        return self._live.name

    @property
    def viewers(self) -> int:
        """The number of current viewers. If there are none, no picture is encoded."""
        return self._live.viewers

    @property
    def skipped(self) -> int:
        """The number of pictures not sent: the next one came too soon, or they were damaged."""
        return self._live.skipped

    def send(self, picture: Any) -> None:
        """Send a picture: JPEG bytes, a Pillow image, or a numpy array of height x width x RGB.

        The picture is copied, so it may be changed afterwards. Raises TypeError or ValueError for
        anything else, and ServeError after `close`.
        """
        if self._live.is_closed:
            raise ServeError(f"{self._live.name} has been closed: publish it again.")
        self._live.show(_maker(picture))

    def close(self) -> None:
        """End the stream: its viewers are told. May be called twice."""
        self._live.close()


def _maker(picture: Any) -> Callable[[], bytes]:
    """Copy a picture; return what makes a JPEG of the copy."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        jpeg = bytes(picture)
        if jpeg[:2] != b"\xff\xd8":
            raise ValueError("these bytes are not a JPEG, which starts with FFD8")
        return lambda: jpeg
    if hasattr(picture, "convert") and hasattr(picture, "copy"):
        image = picture.copy()
        return lambda: _encoded(image)
    if hasattr(picture, "__array_interface__"):
        return _array_maker(picture)
    raise TypeError(
        f"a picture must be JPEG bytes, a Pillow image or an array, not {type(picture).__name__}"
    )


def _array_maker(array: Any) -> Callable[[], bytes]:
    shape, dtype = array.shape, str(array.dtype)
    has_shape = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    if dtype != "uint8" or not has_shape or 0 in shape:
        raise ValueError(
            "an array needs dtype uint8 and the shape (height, width, 3) in RGB, or (height, width)"
            f" in grey; this one has {dtype} and {shape}"
        )
    pixels, mode = array.tobytes(), "L" if len(shape) == 2 else "RGB"

    def make() -> bytes:
        from PIL import Image

        return _encoded(Image.frombytes(mode, (shape[1], shape[0]), pixels))

    return make


def _encoded(image: Any) -> bytes:
    output = io.BytesIO()
    image.convert("RGB").save(output, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return output.getvalue()


class Serving(_Closed):
    """A server that runs in threads of this program until it is closed."""

    def __init__(
        self, server: RtspServer, host: str, port: int, browsers: HttpServer | None
    ) -> None:
        self.host = host
        self.port = port
        self.http_port = browsers.port if browsers is not None else None
        self._server = server
        self._browsers = browsers
        self._thread = threading.Thread(target=self._serve, name="server", daemon=True)
        self._thread.start()
        _closer.begin(self)

    def _serve(self) -> None:
        """Run in a thread that holds this object: a program need not keep it until its end."""
        self._server.serve()

    def publish(self, name: str, fps: float = 25.0) -> Publication:
        """Publish a stream at rtsp://HOST:PORT/NAME; send about `fps` pictures per second to it.

        Raises ServeError if the name is taken or the server closed, ValueError if `name` or `fps`
        is not valid.
        """
        if not name or any(not one.isprintable() or one in "/\\?#" for one in name):
            raise ValueError(
                f"{name!r} is not a valid stream name: use printable characters other than / \\ ? #"
            )
        _check_rate(fps)
        if not self._thread.is_alive():
            raise ServeError("The server has been closed: start another one.")
        try:
            return Publication(self._server.service.live.publish(name, fps))
        except ValueError as error:
            raise ServeError(f"{error}: close the other one first.") from error

    def url(self, name: str) -> str:
        """Return the address at which a player on this machine finds `name`."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.host, self.host)
        return f"rtsp://{f'[{host}]' if ':' in host else host}:{self.port}/{quoted_name(name)}"

    def close(self) -> None:
        """End all sessions and streams, and free the port. May be called twice."""
        if self._browsers is not None:
            self._browsers.close()
        self._server.stop()
        self._thread.join()


def _check_rate(fps: float) -> None:
    if not 0 < fps <= 1000:
        raise ValueError(f"fps must be above 0 and at most 1000, not {fps!r}")


def serve(
    port: int = DEFAULT_PORT,
    media: str | None = None,
    *,
    host: str | None = None,
    fps: float | None = None,
    loop: bool = False,
    http: int | None = None,
) -> Serving:
    """Start a server for published streams, and for the movies in the folder `media` if given.

    Port 0 takes a free port; `Serving.port` has its number. Every host that can reach this machine
    may watch; with `host="127.0.0.1"` only this machine. Movies play at `fps` frames per second
    (None: the movie's own rate, else 20), and restart at their end with `loop`. `http` is a port
    for browsers.
    Raises ServeError, and ValueError for a port or a rate that can't be.
    """
    for number in (port, http):
        if number is not None and not 0 <= number <= 65535:
            raise ValueError(f"a port must be from 0 to 65535, not {number!r}")
    if fps is not None:
        _check_rate(fps)
    try:
        library = MovieLibrary(media)
        library.movies()
    except OSError as error:
        raise ServeError(f"The folder {media} can't be read ({error.strerror}).") from error
    server = RtspServer(Service(library, fps=fps, loop=loop))
    browsers, wanted = None, port
    try:
        found = server.listen(host, port)
        if http is not None:
            wanted = http
            listeners = [open_listener(host, http)] if host is not None else open_both(http)
            browsers = HttpServer(server.service, listeners, found[1])
    except OSError as error:
        server.close()
        raise ServeError(
            f"Can't listen on port {wanted} of {host or 'this machine'} "
            f"({error.strerror or error}): name another port or host; port 0 is a free one."
        ) from error
    return Serving(server, *found, browsers)
