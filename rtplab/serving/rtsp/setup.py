"""From what a client names in DESCRIBE and SETUP to the movie and the session it means."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie, open_movie
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.rtsp import sdp
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import Dialect, printable
from rtplab.serving.admission.descriptors import are_exhausted
from rtplab.serving.media.payloads import Media
from rtplab.serving.media.playback import Playback
from rtplab.serving.rtp.multicast import (
    MulticastChannel,
    multicast_transport,
    open_multicast_sink,
)
from rtplab.serving.rtp.stream import RtpStream
from rtplab.serving.rtsp.resources import TRACK, Resource
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import Session, lab_stream, standard_stream
from rtplab.serving.rtsp.transports import Viewer, choose_transport

logger = logging.getLogger("rtplab.sessionmaker")


@dataclass(frozen=True)
class SessionMaker:
    """Makes the sessions of one client."""

    service: Service
    viewer: Viewer
    name: str  # the client's, in the log

    def open_movie(self, name: str, dialect: Dialect) -> Movie:
        """Open a movie by the name the client gave.

        Raises MessageError 403, 404 or 415, OSError where there is no descriptor left.
        """
        library = self.service.library
        path = library.find_meant(name) if dialect is Dialect.LAB else library.find(name)
        try:
            return open_movie(path)
        except MovieError as error:
            raise MessageError(f"{printable(path.name)} can't be played: {error}", 415) from error
        except OSError as error:
            if are_exhausted(error):
                raise
            reason = error.strerror or "it is no file"
            # It is there, but another program has locked it, or the server may not read it.
            problem = f"{printable(path.name)} can't be opened: {reason}"
            if isinstance(error, FileNotFoundError):
                raise MessageError(problem, 404) from error
            raise MessageError(problem, 403, reason="Movie Locked or Unreadable") from error

    def describe(self, resource: Resource, dialect: Dialect) -> str:
        """Return the movie's session description. Raises MessageError 404 or 415."""
        movie = self.open_movie(resource.name, dialect)
        width, height = self.service.media.rtp_jpeg(movie).size()
        return sdp.describe(
            name=resource.name,
            origin=self.viewer.local_host or "127.0.0.1",
            session_id=movie.modified,
            duration=None if self.service.loop else self._playback(movie).duration,
            frame_rate=self.service.fps,
            width=width,
            height=height,
            control=TRACK,
        )

    def make(
        self, session_id: str, dialect: Dialect, resource: Resource, offered: list[Transport]
    ) -> tuple[Session, MulticastChannel | None]:
        """Open the movie and a way to the client; a session by multicast has a channel.

        Raises MessageError 404, 415 or 461, OSError when no port is free.
        """
        movie = self.open_movie(resource.name, dialect)
        if movie.damage:
            name = printable(resource.name, 80)
            logger.warning("%s watches %s: %s", self.name, name, movie.damage)
        chosen = choose_transport(offered, dialect, self.service.multicast is not None)
        if not chosen.multicast:
            return self._unicast(session_id, dialect, resource, movie, chosen), None
        channel = self._channel(resource, movie)
        return replace(channel.session, session_id=session_id, resource=resource), channel

    def _unicast(
        self,
        session_id: str,
        dialect: Dialect,
        resource: Resource,
        movie: Movie,
        chosen: Transport,
    ) -> Session:
        media = self._media(dialect, movie)  # first: it may refuse, when nothing is open yet
        sink, transport = self.viewer.open_sink(dialect, chosen)
        is_lab = dialect is Dialect.LAB
        stream = lab_stream(sink, self.service.marker) if is_lab else standard_stream(sink)
        transport = replace(transport, ssrc=stream.ssrc)
        return self._session(session_id, dialect, resource, transport, movie, media, stream)

    def _channel(self, resource: Resource, movie: Movie) -> MulticastChannel:
        """Return the movie's one multicast sender, made for the first viewer."""

        def make(group: str, port: int) -> MulticastChannel:
            media = self._media(Dialect.STANDARD, movie)
            stream = standard_stream(open_multicast_sink(self.viewer.local_host, group, port))
            self.service.metrics.stream_began(stream)
            transport = multicast_transport(group, port, stream.ssrc)
            session = self._session("", Dialect.STANDARD, resource, transport, movie, media, stream)
            return MulticastChannel(session, self.service.pacer)

        assert self.service.multicast is not None
        return self.service.multicast.channel(movie.path, make)

    def _session(
        self,
        session_id: str,
        dialect: Dialect,
        resource: Resource,
        transport: Transport,
        movie: Movie,
        media: Media,
        stream: RtpStream,
    ) -> Session:
        playback = self._playback(movie)
        return Session(
            session_id,
            dialect,
            resource,
            transport,
            playback,
            media,
            stream,
            cname=self.service.cname,
            viewer=self.name,
            left_out=self.service.pacer.say_left_out,
        )

    def _media(self, dialect: Dialect, movie: Movie) -> Media:
        if dialect is Dialect.LAB:
            return self.service.media.whole_frames(movie)
        return self.service.media.rtp_jpeg(movie)

    def _playback(self, movie: Movie) -> Playback:
        return Playback(MovieCursor(movie), self.service.fps, self.service.loop)
