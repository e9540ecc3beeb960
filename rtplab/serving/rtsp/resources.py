"""What a request is about: the movie, or its one track, by whatever name the client gave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rtplab.protocol.rtsp.messages import Request
from rtplab.protocol.rtsp.urls import parse_url

TRACK = "trackID=0"  # what the one track of every movie is called below the movie's URL


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

    Raises MessageError 400 for an absolute URI that is no RTSP address.
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
