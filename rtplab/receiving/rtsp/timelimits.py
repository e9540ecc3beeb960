"""How long a client waits for what should come, and how it learns if the server is still there.

    what should come       since                   within                  or else
    a reply                our request             REPLY_TIMEOUT           the user may try again
    a picture              PLAY, the last picture  SILENCE_TIMEOUT or      the user is told what
                                                   three times the         comes instead; if that
                                                   longest gap             is nothing, a keep-alive
                                                                           is sent
    the reply to that      then                    LOSS_TIMEOUT            the session is lost
    a request of ours      the last one            half of what the        a keep-alive is sent
                                                   server waits for one

When one of these ends and something that has come is still to be read, that is read first.

Each class keeps one of these; it has no clock and no thread. Moments are seconds of
`time.monotonic`, and a deadline is None while nothing is awaited.
"""

from __future__ import annotations

from collections.abc import Callable

from rtplab.protocol.rtsp.messages import Dialect, Request, Response
from rtplab.receiving.rtsp.labdialogue import LabDialogue
from rtplab.receiving.rtsp.standarddialogue import StandardDialogue

REPLY_TIMEOUT = 5.0  # seconds that a server may take to answer a request
# Seconds without a picture while playing after which the user is told, or TCP is tried; as many
# times the longest gap between pictures so far, where that is longer; but never more than the last.
SILENCE_TIMEOUT = 5.0
GAPS = 3
LONGEST_SILENCE = 60.0
# Seconds that a silent server may take to say that it is still there: one that stands still for ten
# seconds in all, say as its machine sleeps, keeps the session.
LOSS_TIMEOUT = 6.5
# Seconds late for a look at the clock: then the process was suspended, and what has come meanwhile
# is still to be read.
HELD_UP = 1.0


def is_past(deadline: float | None, now: float) -> bool:
    """Tell if a deadline has passed; one that is None never does."""
    return deadline is not None and now >= deadline


class AwaitedReply:
    """The reply to our last request, of which there is one at a time."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._request = Request("", "")  # the last one
        self._given_up: set[str] = set()  # numbers of requests that were not answered in time
        self._is_extended = False

    @property
    def method(self) -> str:
        """The last request's method."""
        return self._request.method

    def expect(self, request: Request, now: float) -> None:
        """The request has been sent."""
        self._request = request
        self.deadline = now + REPLY_TIMEOUT
        self._is_extended = False

    def extend(self, now: float) -> bool:
        """Once, wait a little longer; tell if so. What has come may be the reply."""
        if self._is_extended:
            return False
        self._is_extended = True
        self.deadline = now + HELD_UP
        return True

    def give_up(self) -> None:
        """Wait no longer. If the reply comes later, it is not taken for the next request's."""
        self.deadline = None
        self._given_up.add(self._request.cseq)

    def take(self, response: Response) -> bool:
        """Tell if this is the reply that is awaited; then none is any more."""
        if self.deadline is None or not self._is_answered_by(response):
            return False
        self.deadline = None
        return True

    def _is_answered_by(self, response: Response) -> bool:
        """RFC 2326 section 12.17: the number tells.

        There are lab servers that send any, so with them the order counts, but for answers to
        requests that we gave up waiting for.
        """
        number = response.cseq.strip()
        if self._request.dialect is Dialect.LAB:
            return number not in self._given_up
        return number in ("", self._request.cseq)


class Silence:
    """The time without a picture while the movie plays."""

    def __init__(self) -> None:
        self._since = 0.0

    def begin(self, now: float) -> None:
        """PLAY is asked for: until now nothing could come."""
        self._since = now

    def limit(self, longest_gap: float) -> float:
        """Return how many seconds there may be none, after gaps of so many seconds."""
        return min(max(SILENCE_TIMEOUT, GAPS * longest_gap), max(SILENCE_TIMEOUT, LONGEST_SILENCE))

    def deadline(self, last_frame: float | None, longest_gap: float = 0.0) -> float:
        """When there will have been none for too long; `last_frame` is when the last one came."""
        return max(self._since, last_frame or 0.0) + self.limit(longest_gap)

    def is_too_long(self, now: float, last_frame: float | None, longest_gap: float = 0.0) -> bool:
        """Tell if there has been none for too long, though we were awake to receive it."""
        deadline = self.deadline(last_frame, longest_gap)
        if now > deadline + HELD_UP:
            self.begin(now)
            return False
        return now >= deadline


class KeepAlive:
    """Tells the server that we are still here, and finds out if the server is.

    A lab server knows no such request, and is never sent one.
    """

    def __init__(
        self, dialogue: LabDialogue | StandardDialogue, send: Callable[[Request], None]
    ) -> None:
        """`send` numbers a request and sends it."""
        self._dialogue = dialogue
        self._send = send
        self._last_request_at = 0.0
        self._number = ""  # of the one that is not answered yet
        self._sent_at = 0.0
        self.loss_deadline: float | None = None  # when a silent server must have answered it
        self._is_extended = False

    def request_sent(self, now: float) -> None:
        """Any request tells the server that we are here."""
        self._last_request_at = now

    def deadline(self) -> float | None:
        """When the next one is to be sent, whatever became of the last one.

        RFC 2326 section 12.37: before the session times out.
        """
        if self._dialogue.timeout is None:
            return None
        return self._last_request_at + self._dialogue.timeout / 2

    def send(self, now: float) -> None:
        """Send one; if the last one was never answered, as a request that every server knows."""
        if isinstance(self._dialogue, StandardDialogue):
            if self._number and now >= self._sent_at + REPLY_TIMEOUT:
                self._dialogue.keep_alive_ignored()
            self._send_numbered(self._dialogue.keep_alive(), now)

    def ask_if_still_there(self, now: float) -> None:
        """Find out if the network is gone: neither side's system would say so for many minutes."""
        if isinstance(self._dialogue, StandardDialogue):
            if not self._number or now >= self._sent_at + REPLY_TIMEOUT:
                self.send(now)
            self.loss_deadline = now + LOSS_TIMEOUT
            self._is_extended = False

    def extend(self, now: float) -> bool:
        """Once, wait a little longer for a silent server; tell if so."""
        if self._is_extended:
            return False
        self._is_extended = True
        self.loss_deadline = now + HELD_UP
        return True

    def server_is_there(self) -> None:
        """Something has come from the server."""
        self.loss_deadline = None

    def take(self, response: Response, now: float) -> bool:
        """Tell if this answers a keep-alive. Raises SessionError when the server refuses it."""
        if not self._number or response.cseq.strip() != self._number:
            return False
        self._answered(response, now)
        return True

    def take_stray(self, response: Response, now: float) -> bool:
        """Take a reply to nothing else: some number it as an earlier one, or not at all.

        Tell if it answers a keep-alive. Raises SessionError when the server refuses that.
        """
        if not self._number:
            return False
        self._answered(response, now)
        return True

    def _answered(self, response: Response, now: float) -> None:
        self._number = ""
        self.server_is_there()
        if isinstance(self._dialogue, StandardDialogue):
            again = self._dialogue.kept_alive(response)
            if again is not None:
                self._send_numbered(again, now)

    def _send_numbered(self, request: Request, now: float) -> None:
        self._sent_at = now
        self._send(request)
        self._number = request.cseq
