"""What a client waits for, and what to do if it does not arrive.

    what should come       since                   within                   or else
    a reply                our request             reply                    Due.NO_REPLY
    a picture              PLAY, the last picture  silence, or three times  Due.NO_PICTURE,
                                                   the longest gap          and again
    the reply to a         a silence               loss                     Due.LOST
    keep-alive
    a request of ours      the last one            half of what the server  Due.KEEP_ALIVE
                                                   waits for one

If a time limit passes while received data is still unread, that data is read first.

This module has no clock, socket or thread. The caller passes the time, in seconds of any steady
clock. A deadline is None if nothing is awaited.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from rtplab.protocol.rtsp.messages import Dialect, Request, Response

_NUMBER = re.compile(r"[1-9]\d{0,9}\Z", re.ASCII)  # of one of our requests

MAX_LATE = 64  # keep-alives whose replies may be late: minutes of them

# A stream may pause for this many times the longest gap between two of its pictures so far.
GAPS = 3
# If a check is this many seconds late, the process was suspended: read the data that has queued
# up before judging.
HELD_UP = 1.0


@dataclass(frozen=True)
class TimeLimits:
    """How long a client waits for a server, in seconds."""

    connect: float = 5.0  # for the connection, and as long again for TLS on it
    reply: float = 5.0
    # Without a picture while playing; then the user gets a message, or TCP is tried. A stream with
    # long gaps between its pictures may be silent for longer, but never beyond `longest_silence`.
    silence: float = 5.0
    longest_silence: float = 60.0
    # For a silent server to show that it is still there: one that stops for ten seconds in all, for
    # example because its machine sleeps, keeps the session.
    loss: float = 6.5
    teardown: float = 1.0  # for the reply to TEARDOWN; after it we disconnect anyway


class Due(Enum):
    """What the client must act on if nothing arrives."""

    NO_REPLY = auto()  # the awaited reply did not arrive, and is no longer awaited
    NO_PICTURE = auto()
    KEEP_ALIVE = auto()  # a keep-alive must be sent
    LOST = auto()  # the server has not shown that it is still there


class Answers(Enum):
    """The request that a reply belongs to."""

    REQUEST = auto()  # the one whose reply is awaited
    KEEP_ALIVE = auto()
    NOTHING = auto()


class Expected(NamedTuple):
    """What to expect from the server now."""

    session: bool = False  # there is a session, which must be kept alive
    pictures: bool = False  # it is playing
    longest_gap: float = 0.0  # seconds between two pictures so far
    delay: float = 0.0  # seconds by which arriving packets are delayed on purpose


class Watch:
    """Tracks what one server owes us, and says which action is due. One request is open at a time.

    `session_timeout` is how long the server waits for a request, in seconds; None: forever.
    """

    def __init__(self, limits: TimeLimits) -> None:
        self.limits = limits
        self.session_timeout: float | None = None
        self._request = Request("", "")  # the last one whose reply was awaited
        self.answered = ""  # the number of the request that the last reply was for
        self._given_up: set[str] = set()  # numbers of requests that were not answered in time
        self._deadlines: dict[Due, float] = {}  # of NO_REPLY and LOST, while there is one
        self._put_off: set[Due] = set()  # those that have already been postponed
        self._silent_since = 0.0
        self._last_request_at = 0.0
        self._keep_alive = ""  # the number of the unanswered one
        self._keep_alive_at = 0.0  # when it was sent
        self._late: deque[str] = deque(maxlen=MAX_LATE)  # earlier unanswered ones

    # ------------------------------------------------------------------ requests sent

    def sent(self, now: float) -> None:
        """A request has been sent. Any request keeps the session alive."""
        self._last_request_at = now

    def expect_reply(self, request: Request, now: float) -> None:
        """A request has been sent, and its reply is awaited."""
        self._request = request
        self._expect(Due.NO_REPLY, now + self.limits.reply)

    def keep_alive_sent(self, request: Request, now: float) -> None:
        """A keep-alive has been sent."""
        if self._keep_alive:
            self._late.append(self._keep_alive)
        self._keep_alive, self._keep_alive_at = request.cseq, now

    def expect_sign_of_life(self, now: float) -> None:
        """Note that a request was sent because the server may be gone: no system would tell us."""
        self._expect(Due.LOST, now + self.limits.loss)

    def begin_session(self) -> None:
        """Forget the last session: SETUP follows, perhaps to another server."""
        self.session_timeout = None
        self._keep_alive = ""
        self._deadlines.pop(Due.LOST, None)

    def begin_playing(self, now: float) -> None:
        """Note that PLAY has been sent: no picture could arrive before."""
        self._silent_since = now

    # ------------------------------------------------------------------ replies and frames

    def is_alive(self) -> None:
        """Something arrived that proves that the server is still there."""
        self._deadlines.pop(Due.LOST, None)

    def picture(self, arrival: float) -> None:
        """A picture has arrived."""
        if arrival > self._silent_since:
            self._silent_since = arrival
        if self._deadlines:
            self.is_alive()

    def take(self, response: Response) -> Answers:
        """Take a reply; return the request that it answers, which is then settled.

        RFC 2326 section 12.17: the number decides. Some lab servers send any number, so with them
        the order counts, except for requests that we no longer wait for. Some give the reply to a
        keep-alive an earlier number, or none.
        """
        self.is_alive()
        number = response.cseq.strip()
        is_numbered = bool(self._keep_alive) and number == self._keep_alive
        if not is_numbered and self.awaits_reply and self._is_for_request(number, response.status):
            del self._deadlines[Due.NO_REPLY]
            self.answered = self._request.cseq
            return Answers.REQUEST
        if not self._keep_alive:
            return Answers.NOTHING
        is_late = number in self._late
        self.answered, self._keep_alive = number if is_late else self._keep_alive, ""
        return Answers.KEEP_ALIVE

    def _is_for_request(self, number: str, status: int) -> bool:
        """Micro-RTSP's refusals have the number of an earlier request that it has answered."""
        if self._request.dialect is Dialect.LAB:
            return number not in self._given_up
        if number in ("", self._request.cseq):
            return True
        is_ours = bool(_NUMBER.match(number)) and int(number) < int(self._request.cseq)
        is_unanswered = number in self._given_up or number in self._late
        return status >= 400 and is_ours and not is_unanswered and not self._keep_alive

    # ------------------------------------------------------------------ deadlines

    @property
    def awaits_reply(self) -> bool:
        """Tell if the last request is unanswered."""
        return Due.NO_REPLY in self._deadlines

    @property
    def unanswered_method(self) -> str:
        """The method of the last request whose reply was awaited."""
        return self._request.method

    def silence_limit(self, expected: Expected) -> float:
        """Return how many seconds may pass without a picture."""
        limits = self.limits
        longest = max(limits.silence, limits.longest_silence)
        return min(max(limits.silence, GAPS * expected.longest_gap), longest) + expected.delay

    def keep_alive_is_ignored(self, now: float) -> bool:
        """Tell if the last keep-alive was not answered in time."""
        return bool(self._keep_alive) and now >= self._keep_alive_at + self.limits.reply

    def is_asking(self, now: float) -> bool:
        """Tell if there is an unanswered keep-alive whose reply may still come."""
        return bool(self._keep_alive) and not self.keep_alive_is_ignored(now)

    def deadline(self, expected: Expected) -> float | None:
        """When to call `check` if nothing arrives; None: never."""
        deadlines = list(self._deadlines.values())
        if expected.session and self.session_timeout is not None:
            deadlines.append(self._keep_alive_deadline(self.session_timeout))
        if expected.pictures:
            deadlines.append(self._silent_since + self.silence_limit(expected))
        return min(deadlines, default=None)

    def check(
        self, now: float, expected: Expected, has_more: Callable[[], bool] = lambda: False
    ) -> list[Due]:
        """Return the action that is due. `has_more` tells if received data is still unread."""
        due = []
        if self._has_passed(Due.NO_REPLY, now, has_more):
            self._given_up.add(
                self._request.cseq
            )  # if it arrives later, it must not be taken for another reply
            due.append(Due.NO_REPLY)
        if expected.pictures and self._is_silent(now, self.silence_limit(expected)):
            self._silent_since = now  # the message shown then may become outdated
            due.append(Due.NO_PICTURE)
        timeout = self.session_timeout
        if expected.session and timeout is not None and now >= self._keep_alive_deadline(timeout):
            due.append(Due.KEEP_ALIVE)
        if self._has_passed(Due.LOST, now, has_more):
            due.append(Due.LOST)
        return due

    def _expect(self, due: Due, deadline: float) -> None:
        self._deadlines[due] = deadline
        self._put_off.discard(due)

    def _has_passed(self, due: Due, now: float, has_more: Callable[[], bool]) -> bool:
        """Tell if a deadline has passed; it is postponed once if there is more to read."""
        deadline = self._deadlines.get(due)
        if deadline is None or now < deadline:
            return False
        if due not in self._put_off and has_more():
            self._put_off.add(due)
            self._deadlines[due] = now + HELD_UP
            return False
        del self._deadlines[due]
        return True

    def _is_silent(self, now: float, limit: float) -> bool:
        """Tell if no picture has come for too long, although we were awake to receive it."""
        if now > self._silent_since + limit + HELD_UP:
            self._silent_since = now
            return False
        return now >= self._silent_since + limit

    def _keep_alive_deadline(self, session_timeout: float) -> float:
        """RFC 2326 section 12.37: before the session times out, even if the last failed."""
        return self._last_request_at + session_timeout / 2
