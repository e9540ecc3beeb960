"""Requests, of RTSP or HTTP, and the replies to them, as they were seen. Needs no Tk."""

from __future__ import annotations

import re
from collections import deque

from rtplab.receiving.files.capture import CapturedMessage

_MAX_WAITING = 32  # requests whose replies are still awaited; more are not under way at a time
_CSEQ = re.compile(rb"^cseq[ \t]*:?[ \t]*(\d{1,10})\b", re.IGNORECASE | re.MULTILINE)


def is_reply(message: CapturedMessage) -> bool:
    """Tell a reply from a request."""
    return message.data[:5].upper() in (b"RTSP/", b"HTTP/")


def first_line(message: CapturedMessage) -> str:
    """The request line or the status line."""
    return message.data.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace").strip()


def cseq_of(message: CapturedMessage) -> int | None:
    """The number of a request, or of the request that a reply is to; None where it says none."""
    found = _CSEQ.search(message.data)
    return int(found[1]) if found else None


class RoundTrips:
    """Pairs replies with requests. Takes the messages of one client in their order."""

    def __init__(self) -> None:
        self._waiting: deque[CapturedMessage] = deque(maxlen=_MAX_WAITING)

    def take(self, message: CapturedMessage) -> float | None:
        """Return the seconds from the request to this reply, as the client has measured them.

        None for a request, and for a reply without a request. A reply without the CSeq of a
        request is one to the oldest, as lab servers answer.
        """
        if not is_reply(message):
            self._waiting.append(message)
            return None
        asked = [request for request in self._waiting if request.sent is not message.sent]
        number = cseq_of(message)
        same = [request for request in asked if cseq_of(request) == number]
        if not asked:
            return None
        request = same[-1] if same else asked[0]
        self._waiting.remove(request)
        return message.when - request.when


def seconds_text(seconds: float) -> str:
    """A short time as it is mostly written: `0.45 ms`, `12.3 ms`, `1.25 s`."""
    milliseconds = 1000 * seconds
    if milliseconds >= 1000:
        return f"{seconds:.2f} s"
    return f"{milliseconds:.2f} ms" if milliseconds < 10 else f"{milliseconds:.1f} ms"
