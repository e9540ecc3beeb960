"""Serving: movies of a folder, and streams whose pictures a program sends."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

from rtplab.api.closing import Closable, closer
from rtplab.protocol.errors import RtpLabError
from rtplab.protocol.rtsp.urls import quoted_name
from rtplab.serving.http.server import HttpServer
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.process.server import RtspServer
from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtsp.service import Service
from rtplab.serving.scaling.listeners import open_both, open_listener

DEFAULT_PORT = 5678
JPEG_QUALITY = 85  # of pictures that are not JPEG yet: Pillow's 75 shows blocks around text


class ServeError(RtpLabError):
    """A server can't be started, or a stream published. The message is a sentence for the user."""


class Publication(Closable):
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


class Serving(Closable):
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
        closer.begin(self)

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
