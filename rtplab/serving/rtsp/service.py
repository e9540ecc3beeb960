"""What all workers of one server share."""

from __future__ import annotations

import secrets
import ssl
import threading
from dataclasses import dataclass, field

from rtplab.protocol.rtp.packet import HEADER_SIZE
from rtplab.serving.admission.access import Access
from rtplab.serving.admission.limits import Admission, Limits
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.payloads import MediaStore
from rtplab.serving.rtp.multicast import MulticastChannels
from rtplab.serving.rtp.pacer import Pacer
from rtplab.serving.rtsp.threads import ThreadPool
from rtplab.serving.scaling.metrics import Metrics
from rtplab.serving.scaling.proxies import TrustedProxies

DEFAULT_FPS = 20.0  # frames a second: the movie files of the lab do not say
DEFAULT_MTU = 1500  # bytes of an IP packet: Ethernet's
_IP_AND_UDP = 48  # bytes of header: 40 of IPv6, which is the longer, and 8 of UDP
SESSION_TIMEOUT = 60.0  # seconds (RFC 2326 section 12.37)


def max_payload(mtu: int) -> int:
    """Return the largest RTP payload, in bytes, that fits into IP packets of `mtu` bytes."""
    return mtu - _IP_AND_UDP - HEADER_SIZE


@dataclass
class Service:
    """The movies, the pacer and the settings that a server gives to its workers."""

    library: MovieLibrary = field(default_factory=lambda: MovieLibrary("."))
    media: MediaStore = field(default_factory=lambda: MediaStore(max_payload(DEFAULT_MTU)))
    pacer: Pacer = field(default_factory=Pacer)
    threads: ThreadPool = field(default_factory=ThreadPool)
    fps: float = DEFAULT_FPS
    loop: bool = False  # begin a movie again at its end
    marker: bool = False  # set the marker on every frame's last packet in the lab dialect
    multicast: MulticastChannels | None = None  # off unless asked for
    proxies: TrustedProxies | None = None  # None: clients come themselves
    access: Access | None = None  # None: whoever comes may watch
    tls: ssl.SSLContext | None = None  # RTSP and interleaved media inside TLS
    session_timeout: float = SESSION_TIMEOUT  # seconds; standard dialect only
    # Our name in RTCP. Random, as RFC 7022 section 4.2 has it: it tells nobody who we are.
    cname: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(init=False)
    admission: Admission = field(init=False)
    seats: threading.Semaphore = field(init=False)  # every session takes one

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.pacer)
        self.admission = Admission(self.limits)
        self.seats = threading.Semaphore(self.limits.sessions)

    def close(self) -> None:
        """Stop the idle threads, the pacer and the conversions. May be called twice."""
        self.threads.close()
        self.pacer.close()
        if self.multicast is not None:
            self.multicast.close()
        self.media.close()
