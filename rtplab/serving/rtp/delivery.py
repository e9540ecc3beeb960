"""What a session starts and stops, and what reports its end, whatever the source of pictures."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol

from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.rtp.rtcp import ReportBlock
from rtplab.protocol.rtsp.headers import Range
from rtplab.serving.rtp.stream import RtpStream


class PlayInfo(NamedTuple):
    """The values in the reply to PLAY: the part to be played, and the next packet's numbers."""

    range: Range
    scale: float
    speed: float
    sequence_number: int
    timestamp: int


class Delivery(Protocol):
    """One viewer's stream: a Transmission of its own, or a place in a multicast channel.

    It is either idle or started. After it has ended by itself, it must be stopped before it can
    start again. The control thread calls everything but `send_next`; only `prepare` blocks.
    """

    @property
    def stream(self) -> RtpStream:
        """The packets as they are numbered; several viewers may share it."""

    @property
    def report_socket(self) -> socket.socket | None:
        """Where the viewer's RTCP arrives, if not in the RTSP connection."""

    @property
    def cursor(self) -> MovieCursor | None:
        """Its position in the movie; None without a movie."""

    @property
    def has_ended(self) -> bool:
        """Tell if it has reached its end since it was started."""

    @property
    def last_report(self) -> ReportBlock | None:
        """What the viewer has last reported of its reception."""

    @property
    def round_trip(self) -> float | None:
        """Seconds to the viewer and back, by its reports; None until they tell it."""

    def select(self, span: Range, scale: float, speed: float) -> None:
        """Go where `span` says, at this pace; while idle. Raises MessageError 457."""

    def info(self) -> PlayInfo:
        """Return the values for the reply to PLAY."""

    def prepare(self) -> None:
        """Get the next frames ready; may take a moment. Raises MessageError 415."""

    def start(self, send: Callable[[], float | None], ended: Callable[[bool], None]) -> None:
        """Begin to send, unless it has begun, or ended and not been stopped.

        `send` is what the pacer is to call, most often `send_next`. `ended` is called once at the
        end, by any thread; with True if the viewer is gone.
        """

    def send_next(self) -> float | None:
        """Send what is due; return when more is, in seconds of `clock.steady`, or None."""

    def stop(self) -> None:
        """Stop sending; `start` goes on with the next frame. May be called twice."""

    def take_report(self, data: bytes) -> bool:
        """Note what the viewer reports; tell if `data` was RTCP at all."""

    def receive_report(self) -> bool:
        """Take a report off `report_socket`; tell if it was RTCP at all."""

    def close(self) -> None:
        """Say BYE, unless others share the stream, and free its resources."""
