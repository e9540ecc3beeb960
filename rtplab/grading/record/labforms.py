"""The forms of our lab client's requests and our lab server's replies, and their ladder.

The first form of each list is the Python handout's. The doctor and editions name the others.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestForm:
    """How three lines are written."""

    end: str = "\n"
    tail: str = ""
    """Behind the last line."""
    transport: str = "Transport: RTP/UDP; client_port= {port}"
    uri: str = "{movie}"
    is_older: bool = False
    """As older handouts have it: the number alone in the second line, and no header names."""

    def write(
        self, method: str, movie: str, number: int, port: int = 0, session: str = ""
    ) -> bytes:
        if self.is_older:
            third = f"\n RTSP/1.0 RTP/UDP {port}" if method == "SETUP" else ""
            return f"{method} {movie}\n{number}{third}".encode()
        third = self.transport.format(port=port) if method == "SETUP" else f"Session: {session}"
        first = f"{method} {self.uri.format(movie=movie)} RTSP/1.0"
        return (self.end.join((first, f"CSeq: {number}", third)) + self.tail).encode()


REQUEST_FORMS: dict[str, RequestForm] = {
    "python": RequestForm(),
    "java": RequestForm("\r\n", "\r\n"),
    "lf-ended": RequestForm("\n", "\n"),
    "lf-blank": RequestForm("\n", "\n\n"),
    "crlf-blank": RequestForm("\r\n", "\r\n\r\n"),
    "no-space": RequestForm(transport="Transport: RTP/UDP; client_port={port}"),
    "older": RequestForm(is_older=True),
    "rtp-avp": RequestForm("\r\n", "\r\n\r\n", "Transport: RTP/AVP;unicast;client_port={port}"),
}


@dataclass(frozen=True)
class ReplyForm:
    """How a reply is written."""

    end: str = "\n"
    tail: str = ""

    def write(self, status: int, number: str, session: str, pieces: int = 1) -> list[bytes]:
        """The reply, in this many pieces of one length."""
        reason = {200: "OK", 404: "NOT FOUND", 500: "CON_ERR"}.get(status, "Error")
        lines = (f"RTSP/1.0 {status} {reason}", f"CSeq: {number}", f"Session: {session}")
        data = (self.end.join(lines) + self.tail).encode()
        size = -(-len(data) // pieces)
        return [data[at : at + size] for at in range(0, len(data), size)]


REPLY_FORMS: dict[str, ReplyForm] = {
    "python": ReplyForm(),
    "java": ReplyForm("\r\n", "\r\n"),
    "lf-ended": ReplyForm("\n", "\n"),
    "lf-blank": ReplyForm("\n", "\n\n"),
    "crlf-blank": ReplyForm("\r\n", "\r\n\r\n"),
}
