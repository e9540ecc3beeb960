"""The client's interface to a dialogue with a server, in either dialect."""

from __future__ import annotations

from typing import Protocol

from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import Dialect, Request, Response
from rtplab.receiving.rtp.reception import Assembler
from rtplab.receiving.rtp.source import SourceChoice
from rtplab.receiving.rtsp.playepoch import PlayStart


class Dialogue(Protocol):
    """The requests of one session, and the meaning of the replies. No clock, no socket."""

    dialect: Dialect
    can_seek: bool  # and play at another speed
    wants_rtcp: bool
    rtp_version: int | None  # of accepted packets; None: any
    uses_udp: bool
    session_id: str
    transport: Transport  # as the server answered SETUP
    timeout: float | None  # seconds that the server waits for a request; None: forever
    start: PlayStart | None  # of the last PLAY; None if the server does not state it
    refused: str  # why the server would hang up now, as a sentence; "" if unknown

    @property
    def duration(self) -> float | None:
        """The length of the movie in seconds; None: unknown."""

    @property
    def frame_rate(self) -> float | None:
        """Frames a second of the movie; None: unknown."""

    def setup(self, rtp_port: int) -> Request:
        """Return the first of the requests that set up a session, for our `rtp_port`."""

    def play(self, position: float | None, scale: float) -> Request:
        """Return PLAY, from `position` in seconds (None: the current one), at `scale`."""

    def pause(self) -> Request: ...
    def teardown(self) -> Request: ...

    def received(self, response: Response) -> Request | None:
        """Take the reply to the last request; return the request that must follow, or None.

        Raises SessionError if the server refuses (LoginNeeded if it asks for a password), and
        Redirected.
        """

    def keep_alive(self, is_ignored: bool) -> Request | None:
        """Return a keep-alive; None if the server knows no such request.

        `is_ignored` says that the last one was never answered. The reply goes to `kept_alive`.
        """

    def kept_alive(self, response: Response) -> Request | None:
        """Take the reply to a keep-alive; return the one that must follow at once, or None.

        Raises SessionError when the server refuses.
        """

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request from the server; None if it needs none."""

    def says_end(self, request: Request) -> bool:
        """Tell if a request from the server announces the end of the movie."""

    def assembler(self) -> Assembler:
        """Return the assembler for the packets that SETUP has agreed on."""

    def source(self) -> SourceChoice | None:
        """Return the chooser of those packets' source; None if all are from one."""
