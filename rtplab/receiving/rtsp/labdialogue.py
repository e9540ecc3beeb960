"""The client's requests to a lab server, in a form that nearly all of them understand."""

from __future__ import annotations

import re

from rtplab.protocol.errors import SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import (
    MAX_REASON,
    REASONS,
    Dialect,
    Form,
    Headers,
    Request,
    Response,
    printable,
)
from rtplab.receiving.rtp.frames import LabAssembler
from rtplab.receiving.rtsp.playepoch import PlayStart

# Three lines, each ended by CRLF, no blank line, one space after `client_port=`, one send: 59 of 72
# lab servers that were tried accept this form; no other form has more.
_FORM = Form("\r\n", False)
_MEANT = re.compile(r"did you mean (\S[^?]*)\?")  # in a reason: servers like ours know better


def refusal(method: str, response: Response, name: str) -> SessionError:
    """Say why the server did not do what it was asked."""
    if response.status == 404:
        if name.endswith("/"):
            shown = printable(name)
            return SessionError(
                f"There is no movie in {shown}: add its name, as in {shown}movie.Mjpeg."
            )
        meant = _MEANT.search(printable(response.reason, MAX_REASON))
        advice = f". Did you mean {meant[1]}?" if meant else ": check the name."
        return SessionError(f"The server has no movie named {printable(name)}{advice}")
    if response.status == 401:
        return SessionError(
            "The server asks for a password, which the lab dialect can't send: use its rtsp:// "
            "address."
        )
    reason = printable(response.reason, MAX_REASON) or REASONS.get(response.status, "")
    return SessionError(f"The server refused {method}: {response.status} {reason.rstrip('.')}.")


class LabDialogue:
    """A session in the lab dialect. The movie is all that one can request."""

    dialect = Dialect.LAB
    can_seek = False
    wants_rtcp = False
    rtp_version: int | None = None
    uses_udp = True
    timeout: float | None = None
    duration: float | None = None
    frame_rate: float | None = None
    start: PlayStart | None = None
    refused = ""

    def __init__(self, filename: str, forgiveness: Forgiveness | None = None) -> None:
        self._forgiveness = forgiveness or Forgiveness()
        self.session_id = ""
        self.transport = Transport()
        self._filename = filename
        self._method = ""

    def setup(self, rtp_port: int) -> Request:
        """Ask for the movie, to be sent to our `rtp_port`."""
        return self._request("SETUP", "Transport", f"RTP/UDP; client_port= {rtp_port}")

    def play(self, position: float | None, scale: float) -> Request:
        """Play from the current position: a lab server has no other position or speed."""
        return self._request("PLAY", "Session", self.session_id)

    def pause(self) -> Request:
        """Stop the sending."""
        return self._request("PAUSE", "Session", self.session_id)

    def teardown(self) -> Request:
        """End the session."""
        return self._request("TEARDOWN", "Session", self.session_id)

    def received(self, response: Response) -> None:
        """Take the reply to the last request. Raises SessionError if it is a refusal."""
        if response.status != 200:
            raise refusal(self._method, response, self._filename)
        if self._method == "SETUP":
            self.session_id = response.session
            if not self.session_id:
                self._forgiveness.add("Session in the reply to SETUP", None, "Session: NUMBER")

    def keep_alive(self, is_ignored: bool) -> None:
        """The lab dialect has no keep-alive; an unknown request crashes most lab servers."""

    def kept_alive(self, response: Response) -> None:
        """The lab dialect has none."""

    def answer(self, request: Request) -> None:
        """Return None: a lab server sends no requests."""

    def says_end(self, request: Request) -> bool:
        """Return False: it just stops sending."""
        return False

    def assembler(self) -> LabAssembler:
        """Assemble frames however they are cut and marked."""
        return LabAssembler(self._forgiveness)

    def source(self) -> None:
        """Return None: many lab servers change their SSRC with each packet."""

    def _request(self, method: str, name: str, value: str) -> Request:
        self._method = method
        headers = Headers([(name, value)])
        return Request(method, self._filename, headers, dialect=Dialect.LAB, form=_FORM)
