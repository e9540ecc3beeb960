"""When a client that says nothing is given up."""

from __future__ import annotations

from rtplab.protocol.rtsp.messages import Dialect
from rtplab.serving.rtsp.recording import Recorder
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import Session


class SignsOfLife:
    """What shows that one client is still there. In its control thread; times are seconds.

    Besides requests and reports, a player that takes its frames by TCP is alive: some, such as
    yellowstone, say nothing more after PLAY, and have no need to. Of one that is gone the system
    takes no more frames than it has room for, and finds that out within two minutes.
    """

    def __init__(self, service: Service, now: float) -> None:
        self._service = service
        self.last = now  # when the last sign came
        self._taken = 0  # bytes that its system had taken by then, or at our last check
        self._looked_at = now

    def seen(self, now: float) -> None:
        """A request or a report has come."""
        self.last = now

    def answered(self, taken: int) -> None:
        """A reply has been sent; by now its system has taken this many bytes."""
        self._taken = taken

    def deadline(self, session: Session | None, recorder: Recorder | None) -> float | None:
        """When a silent session ends (RFC 2326 section 12.37); lab clients send no keep-alive.

        A connection without a session is not kept forever either.
        """
        timeout = self._service.session_timeout
        if recorder is not None:
            return max(self.last, recorder.last_arrival) + timeout
        if session is None:
            return self.last + self._service.limits.idle_timeout
        if session.dialect is Dialect.LAB:
            return None
        # We check now and then what it has taken, so that a stalled one ends in time.
        look = self._looked_at + timeout / 4
        return min(self.last + timeout, look) if _takes_frames(session) else self.last + timeout

    def are_over(
        self, session: Session | None, recorder: Recorder | None, taken: int, now: float
    ) -> bool:
        """Tell if the client's time is over, after `deadline`."""
        had_taken, self._taken, self._looked_at = self._taken, taken, now
        if _takes_frames(session) and taken > had_taken:
            self.last = now
        deadline = self.deadline(session, recorder)  # by now a keep-alive may have come
        return deadline is not None and now >= deadline


def _takes_frames(session: Session | None) -> bool:
    return session is not None and session.transport.interleaved is not None
