"""The errors of this project, and who is at fault in each.

    RtpLabError
    |-- MovieError (also an OSError)   a movie file that can't be served
    |-- SessionError                   one sentence for the player's user
    |   `-- ConnectionLost             the connection has ended, and with it the session
    `-- PeerError                      the peer broke the protocol
        |-- MessageError               an RTSP message or header; carries the status to answer with
        |   `-- StateError             a method that the session's state does not allow (455)
        `-- PacketError                an RTP, RTCP or RTP/JPEG packet

Our own misuse raises Python's own errors (ValueError, TypeError).
"""

from __future__ import annotations


class RtpLabError(Exception):
    """The root of every error that this project raises on purpose."""


class MovieError(RtpLabError, OSError):
    """A movie file that is damaged or in an unknown format.

    `offset` is the byte in the file where reading failed.
    """

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class SessionError(RtpLabError):
    """One plain sentence for the user of the player: what went wrong and what to do next."""


class ConnectionLost(SessionError):
    """The connection to the server has ended without having been closed by us."""


class PeerError(RtpLabError):
    """The peer violated the protocol."""


class MessageError(PeerError):
    """An RTSP message that can't be carried out; `status` is the RTSP status to answer with.

    `fatal` says that framing is lost: nothing after it on this connection can be understood.
    `reason` is the phrase to answer with if the status's own says too little.
    """

    def __init__(
        self, message: str, status: int = 400, *, fatal: bool = False, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.fatal = fatal
        self.reason = reason


class StateError(MessageError):
    """A method that is not valid in the session's state (RFC 2326 section 11.3.6, status 455)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 455)


class PacketError(PeerError):
    """A malformed packet: too short, of a wrong version, or with fields that contradict it."""
