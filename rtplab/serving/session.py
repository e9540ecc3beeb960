"""What one SETUP makes: a stream to one viewer, and where that viewer stands in the movie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from rtplab.protocol.headers import Transport
from rtplab.protocol.rtsp import Dialect
from rtplab.serving.media import Media
from rtplab.serving.playback import Playback
from rtplab.serving.sinks import Sink
from rtplab.serving.stream import RtpStream

MAX_SESSION_ID = 2_147_483_647  # the Java clients of the lab read it with Integer.parseInt


def new_session_id() -> str:
    """Return a random decimal: enough, as it is good only on the connection that made it."""
    return str(1 + secrets.randbelow(MAX_SESSION_ID))


@dataclass
class Session:
    """One viewer's session, from SETUP to TEARDOWN."""

    session_id: str
    dialect: Dialect
    url: str  # of the whole movie, as the client writes it, with a slash at the end
    track_url: str  # of the stream that was set up
    transport: Transport
    playback: Playback
    media: Media
    stream: RtpStream


def lab_stream(sink: Sink, marker: bool) -> RtpStream:
    """Return a stream numbered as lab clients need it: from 1, a number a frame."""
    return RtpStream(
        sink,
        ssrc=secrets.randbits(32),
        sequence_number=1,
        first_timestamp=0,
        mark_single_packets=marker,
    )


def standard_stream(sink: Sink) -> RtpStream:
    """Return a stream that begins at random numbers (RFC 3550 section 5.1)."""
    return RtpStream(
        sink,
        ssrc=secrets.randbits(32),
        sequence_number=secrets.randbits(16),
        first_timestamp=secrets.randbits(32),
        mark_single_packets=True,
    )
