"""The result of one SETUP: a movie, under the client's name for it, sent to one viewer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import lru_cache

from rtplab.protocol.rtsp.headers import Range, RtpInfo, Transport
from rtplab.protocol.rtsp.messages import Dialect, Headers, Request
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.serving.media.playback import FASTEST_SCALE, FASTEST_SPEED, served_rate
from rtplab.serving.rtp.delivery import Delivery

MIN_SESSION_ID = 10_000_000  # RFC 2326 section 3.4 asks for at least eight characters
MAX_SESSION_ID = 2_147_483_647  # the Java clients of the lab read it with Integer.parseInt
TRACK = "trackID=0"  # the only track of each movie, below the movie's URL


@dataclass(frozen=True)
class Resource:
    """A movie's file name, and its URL as the client writes it, with a slash at the end."""

    name: str
    url: str

    @property
    def track_url(self) -> str:
        """The URL of the movie's one track."""
        return self.url + TRACK


def resource_of(request: Request) -> Resource:
    """Return what a request's URI names: `movie`, `rtsp://host/movie/` or `.../trackID=0`.

    Raises MessageError 400 for an absolute URI that is not an RTSP address.
    """
    return _resource(request.uri)


@lru_cache(maxsize=256)  # all viewers of a movie name it alike
def _resource(uri: str) -> Resource:
    uri = uri.partition("?")[0] if "://" in uri else uri
    name = parse_url(uri).name if "://" in uri else uri
    url = uri.rstrip("/")
    if "://" in uri and (name == TRACK or name.endswith(f"/{TRACK}")):
        name = name[: -len(TRACK)].rstrip("/")
        url = url[: -len(TRACK)].rstrip("/")
    return Resource(name, url + "/")


def new_session_id() -> str:
    """Return a random decimal, which is enough: it is good only on its own connection."""
    return str(MIN_SESSION_ID + secrets.randbelow(MAX_SESSION_ID + 1 - MIN_SESSION_ID))


@dataclass(frozen=True, slots=True)
class Session:
    """One viewer's session, from SETUP to TEARDOWN."""

    session_id: str
    dialect: Dialect
    resource: Resource
    transport: Transport  # as answered to SETUP
    delivery: Delivery

    def go_to(self, span: Range, request: Request) -> None:
        """Stop, and apply a PLAY request. Raises MessageError 457."""
        self.delivery.stop()
        scale = served_rate(request.headers.get("Scale", "1"), FASTEST_SCALE)
        speed = served_rate(request.headers.get("Speed", "1"), FASTEST_SPEED)
        self.delivery.select(span, scale, speed)

    def play_headers(self, request: Request) -> Headers:
        """Return the headers of a reply to PLAY: none in the lab dialect."""
        headers = Headers()
        if self.dialect is Dialect.LAB:
            return headers
        info = self.delivery.info()
        headers.add("Range", info.range.serialise())
        for name, value in (("Scale", info.scale), ("Speed", info.speed)):
            if name in request.headers:
                headers.add(name, f"{value:.3f}")
        rtp_info = RtpInfo(self.resource.track_url, info.sequence_number, info.timestamp)
        headers.add("RTP-Info", rtp_info.serialise())
        return headers
