"""What a server shows to browsers: its movies and live streams by their names, and who watches."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rtplab.clock import steady
from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie, open_movie
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.http.login import HttpLogin
from rtplab.serving.http.sink import HttpSink
from rtplab.serving.media.payloads import WHOLE
from rtplab.serving.media.playback import Playback
from rtplab.serving.rtp.delivery import Delivery
from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtp.sinks import Counts
from rtplab.serving.rtp.stream import RtpStream, standard_stream
from rtplab.serving.rtp.transmission import Transmission
from rtplab.serving.rtsp.service import Service


@dataclass(frozen=True)
class Found:
    """What a name means: a live stream, or a movie."""

    name: str
    live: LiveStream | None = None
    movie: Movie | None = None


class Site:
    """The same service as on the RTSP port. For the threads of all browsers."""

    def __init__(self, service: Service, rtsp_port: int, names: tuple[str, ...] = ()) -> None:
        """Other players find the server at `rtsp_port`.

        A request's Host must be an IP address, localhost or one of `names`.
        """
        self.service = service
        self.login = HttpLogin(service.users) if service.users is not None else None
        self._rtsp_port = rtsp_port
        self._names = frozenset(name.lower() for name in ("localhost", *names))
        self._lock = threading.Lock()  # guards the attributes below
        self._viewers: Counter[str] = Counter()  # by what they watch
        self._streams: dict[str, RtpStream] = {}  # by the ids of pages

    # ------------------------------------------------------------------ its address

    def is_called(self, host: str) -> bool:
        """Tell if a Host header names this server by an IP address or one of its names.

        A page elsewhere can have its own name lead to our address (DNS rebinding), and would then
        be one with us to a browser: but the browser sends that name.
        """
        name = host.strip().lower()
        before, colon, port = name.rpartition(":")
        if colon and (port.isdigit() or not port) and not before.endswith(":"):
            name = before
        if name.rstrip(".") in self._names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]").partition("%")[0])
        except ValueError:
            return False
        return True

    def rtsp_address(self, host: str, path: str) -> str:
        """Return the address of a page's movie for other players; `host` is that of the page."""
        bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        scheme = "rtsp" if self.service.tls is None else "rtsps"
        return f"{scheme}://{bare}:{self._rtsp_port}{path}"

    # ------------------------------------------------------------------ what there is

    def find(self, name: str) -> Found | None:
        """Return what a name means, or None. Raises MessageError, OSError."""
        live = self.service.live.find(name)
        if live is not None:
            return Found(name, live=live)
        try:
            path = self.service.library.find(name)
        except MessageError as error:
            if error.status == 404:
                return None
            raise
        try:
            return Found(name, movie=open_movie(path))
        except MovieError as error:
            raise MessageError(f"{printable(name, 80)} can't be played: {error}", 415) from error

    def still(self, found: Found) -> bytes:
        """Return one frame: the newest, or the one that would be shown now. Raises MessageError."""
        if found.live is not None:
            picture = found.live.picture()
            if picture is None:
                raise MessageError("The stream has not begun yet.", 503)
            return picture.jpeg()
        assert found.movie is not None
        count = len(found.movie.frames)
        number = 1 + int(steady() * self.service.frame_rate(found.movie)) % count
        with self.service.media.use(found.movie) as opened:
            return b"".join(opened.whole_frames.cut(number, found.movie.frame(number), WHOLE))

    def delivery(self, found: Found, sink: HttpSink, viewer: str) -> Delivery:
        """Return a moving picture on its way to a viewer, who is called `viewer` in the log."""
        if found.live is not None:
            return found.live.delivery(sink, WHOLE, viewer)
        assert found.movie is not None
        service = self.service
        rate = service.frame_rate(found.movie)
        # A page has no button to start again, so the movie loops.
        playback = Playback(MovieCursor(found.movie), rate, loop=True)
        feed, stream = service.media.whole_frames(found.movie, playback), standard_stream(sink)
        return Transmission(playback, feed, stream, service.pacer, viewer, cname=None)

    # ------------------------------------------------------------------ what is watched

    @contextmanager
    def watching(self, name: str, id: str, stream: RtpStream) -> Iterator[None]:
        """Count a viewer in the meantime; its page asks for its figures by `id`."""
        with self._lock:
            self._viewers[name] += 1
            self._streams[id] = stream
        try:
            yield
        finally:
            with self._lock:
                self._viewers[name] -= 1
                if not self._viewers[name]:
                    del self._viewers[name]
                self._streams.pop(id, None)

    def figures(self, found: Found, id: str) -> dict[str, float]:
        """Return the figures of a page's stream, if one is sent, and the number of viewers."""
        with self._lock:
            stream, viewers = self._streams.get(id), self._viewers[found.name]
        sent = stream.sent if stream is not None else Counts()
        return {
            "seconds": round(steady(), 3),
            "sending": stream is not None,
            "frames": sent.frames,
            "bytes": sent.payload,
            "viewers": found.live.viewers if found.live is not None else viewers,
        }
