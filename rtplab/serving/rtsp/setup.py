"""Resolves the names in DESCRIBE and SETUP to movies and sessions."""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import Movie, open_movie
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.rtp import jpeg
from rtplab.protocol.rtsp import sdp
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import Dialect, printable
from rtplab.protocol.rtsp.urls import question
from rtplab.serving.admission.descriptors import is_resource_exhaustion
from rtplab.serving.media.feed import Feed
from rtplab.serving.media.playback import Playback
from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtp.livegroup import LiveGroup
from rtplab.serving.rtp.multicast import (
    GroupDelivery,
    MulticastChannel,
    MulticastSink,
    multicast_transport,
)
from rtplab.serving.rtp.sinks import InterleavedSink, Sink, UdpSink
from rtplab.serving.rtp.stream import RtpStream, lab_stream, standard_stream
from rtplab.serving.rtp.transmission import Transmission
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import TRACK, Resource, Session

_KNOWS_LARGE = re.compile(r"(?:rtplab|GStreamer)\b", re.IGNORECASE)  # as a User-Agent begins

logger = logging.getLogger("rtplab.setup")


@dataclass(frozen=True)
class ClientEndpoint:
    """Where a client can be reached: over its connection, or at its address from ours."""

    connection: RtspConnection
    local_host: str  # "" if we are not known by one address
    host: str
    name: str  # in the log


def choose_transport(
    offered: list[Transport], dialect: Dialect, *, multicast: bool, encrypted: bool
) -> Transport:
    """Return the first of the offered transports that can be served (RFC 2326 section 12.39).

    Multicast only if the server has `multicast`. On an `encrypted` connection only that connection:
    everybody could read other packets. Raises MessageError 461 if there is none.
    """
    for transport in offered:
        if transport.lower == "TCP":
            possible = dialect is Dialect.STANDARD and not transport.multicast
        elif encrypted:
            possible = False
        else:
            possible = multicast if transport.multicast else transport.client_port is not None
        if possible:
            return transport
    raise MessageError("no supported transport", 461)


def open_sink(
    client: ClientEndpoint, dialect: Dialect, chosen: Transport
) -> tuple[Sink, Transport]:
    """Open a unicast path to the client; return it and SETUP's Transport. Raises OSError.

    Media goes to the host that asked, wherever else `destination` may point.
    """
    ports = chosen.client_port
    if chosen.lower == "TCP" or ports is None:
        channels = chosen.interleaved or (0, 1)
        client.connection.expect_frames()
        sink = InterleavedSink(client.connection, channels)
        return sink, Transport("TCP", interleaved=channels)
    rtcp_port = ports[1] if dialect is Dialect.STANDARD else None
    udp_sink = UdpSink(client.local_host, client.host, ports[0], rtcp_port)
    return udp_sink, Transport("UDP", client_port=ports, server_port=udp_sink.server_port)


def knows_large_pictures(agent: str) -> bool:
    """Tell by its name if a player shows pictures that are too large for RTP/JPEG.

    It must read their size in the description or in an RTP header extension. Others would show
    nothing, and say nothing.
    """
    return bool(_KNOWS_LARGE.match(agent))


@dataclass(frozen=True)
class SessionMaker:
    """Makes the sessions of one client."""

    service: Service
    client: ClientEndpoint
    knows_large: bool = False  # the player shows pictures of over 2,040 pixels

    def open_movie(self, name: str, dialect: Dialect) -> Movie:
        """Open a movie by the client's name for it.

        Raises MessageError 403, 404 or 415, OSError if no descriptor is left.
        """
        library = self.service.library
        try:
            path = library.find_meant(name) if dialect is Dialect.LAB else library.find(name)
        except MessageError as error:
            meant = question(library.similar(name))
            raise MessageError(f"{error}{meant}", error.status) from error
        if name != path.name:
            right = path.relative_to(library.folder or path).as_posix()
            if name.removeprefix("./") != right:
                right = printable(right, 80)
                self.client.connection.forgiveness.add("The movie's name", name, right)
        try:
            return open_movie(path)
        except MovieError as error:
            raise MessageError(f"{printable(path.name)} can't be played: {error}", 415) from error
        except OSError as error:
            if is_resource_exhaustion(error):
                raise
            reason = error.strerror or "it is not a file"
            # It is there, but another program has locked it, or the server may not read it.
            problem = f"{printable(path.name)} can't be opened: {reason}"
            if isinstance(error, FileNotFoundError):
                raise MessageError(problem, 404) from error
            raise MessageError(problem, 403, reason="Movie Locked or Unreadable") from error

    def describe(self, resource: Resource, dialect: Dialect) -> str:
        """Return the movie's session description. Raises MessageError 404 or 415."""
        live = self.service.live.find(resource.name)
        if live is not None:
            return self._describe_live(resource, live)
        movie = self.open_movie(resource.name, dialect)
        with self.service.media.use(movie, self.knows_large) as opened:
            width, height = opened.rtp_jpeg().size()
        rate = self.service.frame_rate(movie)
        return sdp.describe(
            name=resource.name,
            origin=self.client.local_host or "127.0.0.1",
            session_id=movie.modified,
            duration=None if self.service.loop else len(movie.frames) / rate,
            frame_rate=rate,
            width=width,
            height=height,
            control=TRACK,
        )

    def _describe_live(self, resource: Resource, live: LiveStream) -> str:
        """Return a live stream's description. Raises MessageError 415 if it can't be carried."""
        picture = live.picture()
        if picture is None:
            raise MessageError(f"{printable(resource.name, 80)} has not begun", 503)
        try:
            header = jpeg.parse(picture.carried())
        except MovieError as error:
            raise MessageError(f"the last picture can't be sent: {error}", 415) from error
        return sdp.describe(
            name=resource.name,
            origin=self.client.local_host or "127.0.0.1",
            session_id=int(live.began),
            duration=None,
            frame_rate=live.fps,
            width=header.width,
            height=header.height,
            control=TRACK,
        )

    def make(
        self, session_id: str, dialect: Dialect, resource: Resource, offered: list[Transport]
    ) -> Session:
        """Open the movie and a path to the client.

        Raises MessageError 404, 415 or 461, OSError when no port is free.
        """
        service, client = self.service, self.client
        live = service.live.find(resource.name)
        if live is not None:
            return self._watch_live(session_id, dialect, resource, offered, live)
        movie = self.open_movie(resource.name, dialect)
        if movie.damage:
            name = printable(resource.name, 80)
            logger.warning("%s watches %s: %s", client.name, name, movie.damage)
        chosen = choose_transport(
            offered,
            dialect,
            multicast=service.multicast is not None,
            encrypted=client.connection.is_encrypted,
        )
        if chosen.multicast and service.multicast is not None:
            delivery = service.multicast.delivery(
                movie.identity, lambda group, port: self._channel(resource, movie, group, port)
            )
            return self._watch_group(session_id, dialect, resource, delivery)
        is_lab = dialect is Dialect.LAB
        playback = self._playback(movie)
        if is_lab:
            feed = service.media.whole_frames(movie, playback)
        else:  # this may raise, so it comes before anything else is opened
            feed = service.media.rtp_jpeg(movie, playback, self.knows_large)
        try:
            sink, transport = open_sink(client, dialect, chosen)
        except Exception:
            feed.close()
            raise
        if is_lab:
            stream = lab_stream(sink, service.marker)
        else:
            stream = standard_stream(sink, feed.has_extensions)
        transmission = self._transmission(playback, feed, stream, client.name, has_rtcp=not is_lab)
        transport = replace(transport, ssrc=stream.ssrc)
        return Session(session_id, dialect, resource, transport, transmission)

    def _watch_live(
        self,
        session_id: str,
        dialect: Dialect,
        resource: Resource,
        offered: list[Transport],
        live: LiveStream,
    ) -> Session:
        client, channels = self.client, self.service.multicast
        encrypted = client.connection.is_encrypted
        chosen = choose_transport(
            offered, dialect, multicast=channels is not None, encrypted=encrypted
        )
        if chosen.multicast and channels is not None:
            group_delivery = channels.delivery(
                live, lambda group, port: self._group(live, group, port)
            )
            return self._watch_group(session_id, dialect, resource, group_delivery)
        sink, transport = open_sink(client, dialect, chosen)
        if dialect is Dialect.LAB:
            delivery = live.lab_delivery(sink, self.service.marker, client.name)
        else:
            delivery = live.standard_delivery(sink, client.name)
        transport = replace(transport, ssrc=delivery.stream.ssrc)
        return Session(session_id, dialect, resource, transport, delivery)

    def _watch_group(
        self, session_id: str, dialect: Dialect, resource: Resource, delivery: GroupDelivery
    ) -> Session:
        """Make a group's sender reach this client too."""
        try:
            delivery.channel.reach(self.client.local_host)
        except OSError:
            delivery.close()
            raise
        return Session(session_id, dialect, resource, delivery.channel.transport, delivery)

    def _group(self, live: LiveStream, group: str, port: int) -> LiveGroup:
        """Return a sender of the live stream to everyone who joins the group."""
        sink = MulticastSink(group, port)
        try:
            sink.reach(self.client.local_host)
        except OSError:
            sink.close()
            raise
        delivery = live.standard_delivery(sink, f"the multicast of {printable(live.name, 80)}")
        return LiveGroup(delivery, multicast_transport(group, port, delivery.stream.ssrc), sink)

    def _channel(self, resource: Resource, movie: Movie, group: str, port: int) -> MulticastChannel:
        """Return a sender of the movie to everyone who joins the group."""
        playback = self._playback(movie)
        with ExitStack() as undo:
            feed = self.service.media.rtp_jpeg(movie, playback)
            undo.callback(feed.close)
            sink = MulticastSink(group, port)
            undo.callback(sink.close)
            sink.reach(self.client.local_host)
            undo.pop_all()
        stream = standard_stream(sink)
        name = f"the multicast of {printable(resource.name, 80)}"
        transmission = self._transmission(playback, feed, stream, name, has_rtcp=True)
        return MulticastChannel(transmission, multicast_transport(group, port, stream.ssrc), sink)

    def _transmission(
        self, playback: Playback, feed: Feed, stream: RtpStream, viewer: str, has_rtcp: bool
    ) -> Transmission:
        service = self.service
        cname = service.cname if has_rtcp else None
        return Transmission(playback, feed, stream, service.pacer, viewer, cname)

    def _playback(self, movie: Movie) -> Playback:
        return Playback(MovieCursor(movie), self.service.frame_rate(movie), self.service.loop)
