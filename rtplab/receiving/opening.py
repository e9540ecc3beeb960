"""Chooses the client for an address."""

from __future__ import annotations

from rtplab.receiving.http.client import HttpClient
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.watch import TimeLimits


def client_for(
    source: MovieSource,
    rtp_port: int = 0,
    for_window: bool = False,
    limits: TimeLimits | None = None,
) -> RtspClient | HttpClient:
    """Return the client for a source: HTTP for http:// addresses, else RTSP."""
    if source.is_http:
        return HttpClient(source, for_window, limits)
    return RtspClient(source, rtp_port, for_window, limits)
