"""What a client needs of a dialogue with a server, whatever the dialect."""

from __future__ import annotations

from typing import Protocol

from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import Dialect, Request, Response
from rtplab.receiving.rtp.reception import Assembler
from rtplab.receiving.rtp.source import SourceChoice
from rtplab.receiving.rtsp.playepoch import PlayStart


class Dialogue(Protocol):
    """The requests of one session, and what the replies to them mean. No clock, no socket."""

    dialect: Dialect
    can_seek: bool  # and play at another speed
    wants_rtcp: bool
    rtp_version: int | None  # of packets that are taken; None: any
    uses_udp: bool
    session_id: str
    transport: Transport  # as the server answered SETUP
    timeout: float | None  # seconds that the server waits for a request; None: for ever
    start: PlayStart | None  # of the last PLAY; None: a server does not say that
    refused: str  # why a server that hangs up now does so, as a sentence; "" where unknown

    @property
    def duration(self) -> float | None:
        """The length of the movie in seconds; None: unknown."""

    @property
    def frame_rate(self) -> float | None:
        """Frames a second of the movie; None: unknown."""

    def setup(self, rtp_port: int) -> Request:
        """Return the first of the requests that set up a session, for our `rtp_port`."""

    def play(self, position: float | None, scale: float) -> Request:
        """Have it sent, from `position` in seconds (None: where it stands), at `scale`."""

    def pause(self) -> Request: ...
    def teardown(self) -> Request: ...

    def received(self, response: Response) -> Request | None:
        """Take the reply to the last request; return the request that must follow, or None.

        Raises SessionError when the server refuses (LoginNeeded: for want of a password), and
        Redirected.
        """

    def keep_alive(self, is_ignored: bool) -> Request | None:
        """Return what tells the server that we are still here; None: it knows no such request.

        `is_ignored` says that the last one was never answered. The reply goes to `kept_alive`.
        """

    def kept_alive(self, response: Response) -> Request | None:
        """Take the reply to a keep-alive; return the one that must follow at once, or None.

        Raises SessionError when the server refuses.
        """

    def answer(self, request: Request) -> Response | None:
        """Answer what the server asks of us; None: nothing is to be answered."""

    def says_end(self, request: Request) -> bool:
        """Tell if a request of the server's says that the movie is over."""

    def assembler(self) -> Assembler:
        """Return what makes frames of the packets that SETUP has agreed on."""

    def source(self) -> SourceChoice | None:
        """Return what chooses the source of those packets; None: all are of one."""
