"""The state that all workers of one server share."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rtplab.movies.movie import Movie
from rtplab.protocol.rtp.packet import HEADER_SIZE
from rtplab.serving.admission.access import UserDatabase
from rtplab.serving.admission.limits import Admission, Limits
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.playback import frame_rate
from rtplab.serving.media.store import MediaStore
from rtplab.serving.rtp.livestreams import LiveStreams
from rtplab.serving.rtp.multicast import MulticastChannels
from rtplab.serving.rtp.pacer import Pacer
from rtplab.serving.rtsp.session import Session
from rtplab.serving.rtsp.threads import ThreadPool

_IP_AND_UDP = 48  # bytes of header: 40 of IPv6, which is the longer, and 8 of UDP
SESSION_TIMEOUT = 60.0  # seconds (RFC 2326 section 12.37)


class Observer(Protocol):
    """Is told when sessions begin and end, by all control threads."""

    def session_began(self, session: Session) -> None:
        """A session has been set up."""

    def session_ended(self, session: Session) -> None:
        """A session that was set up is over."""


# Returns the address of the client for which a new connection speaks, given its socket and the host
# it comes from; None if for itself. May read a proxy's header. Raises OSError, PeerError.
ClientAddress = Callable[[socket.socket, str], tuple[str, int] | None]


@dataclass
class Service:
    """The movies, the pacer and the settings that a server shares with its workers."""

    library: MovieLibrary = field(default_factory=lambda: MovieLibrary("."))
    pacer: Pacer = field(default_factory=Pacer)
    threads: ThreadPool = field(default_factory=ThreadPool)
    fps: float | None = None  # of all movies; None means each movie's own, else 20
    loop: bool = False  # restart each movie when it ends
    marker: bool = False  # set the marker on every frame's last packet in the lab dialect
    shrink: bool = False  # make pictures smaller for viewers for whom they are too large
    publishing: bool = False  # clients may publish streams: ANNOUNCE and RECORD
    wait: float = 0.0  # seconds for which a stream waits for its publisher to come back
    multicast: MulticastChannels | None = None  # off unless asked for
    users: UserDatabase | None = None  # None: anybody may watch
    tls: ssl.SSLContext | None = None  # RTSP and interleaved media inside TLS
    session_timeout: float = SESSION_TIMEOUT  # seconds; standard dialect only
    # Our name in RTCP. Random, as in RFC 7022 section 4.2: it tells nobody who we are.
    cname: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    limits: Limits = field(default_factory=Limits)
    observer: Observer | None = None
    client_address: ClientAddress | None = None  # None: clients connect directly
    media: MediaStore = field(init=False)
    live: LiveStreams = field(init=False)
    admission: Admission = field(init=False)
    session_slots: threading.Semaphore = field(init=False)  # every session takes one

    def __post_init__(self) -> None:
        max_payload = self.limits.mtu - _IP_AND_UDP - HEADER_SIZE
        self.media = MediaStore(max_payload, self.shrink)
        self.live = LiveStreams(max_payload, self.cname)
        self.admission = Admission(self.limits)
        self.session_slots = threading.Semaphore(self.limits.sessions)

    def frame_rate(self, movie: Movie | None) -> float:
        """Return the frame rate for a movie; for None, the default."""
        return frame_rate(movie, self.fps)

    def names(self) -> list[tuple[str, bool]]:
        """Return all that can be watched, live streams first; each with a flag for live.

        Raises OSError if the folder can't be read.
        """
        live = self.live.names()
        movies = [path.name for path in self.library.movies() if path.name not in live]
        return [*((name, True) for name in live), *((name, False) for name in movies)]

    def close(self) -> None:
        """Stop idle threads, live streams, the pacer and conversions. May be called twice."""
        self.threads.close()
        self.live.close()
        self.pacer.close()
        if self.multicast is not None:
            self.multicast.close()
        self.media.close()
