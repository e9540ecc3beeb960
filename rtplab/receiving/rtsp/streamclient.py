"""What the clients of RTSP and of HTTP have in common, whatever they play from."""

from __future__ import annotations

import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from rtplab.clock import steady
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.files.capture import Endpoints, LiveCapture
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.playout import PlayoutBuffer
from rtplab.receiving.rtp.rtpsocket import Clock
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.watch import TimeLimits

THE_END = "The movie has ended."

# Seconds: on Windows nothing interrupts a wait for another thread, and Ctrl+C comes after it.
LONGEST_WAIT = 0.2 if sys.platform == "win32" else threading.TIMEOUT_MAX

logger = logging.getLogger("rtplab.client")


class StreamClient(ABC):
    """Who is asked for what, how that stands, and to whom frames and events go.

    It has more attributes than other classes, because a window, a run without one and the library
    read and set those without an underscore.

    `state` is the session's state. `error` is the last failure, and `notice` is other news for the
    user: each is a sentence or "". `on_frame` is called with each Frame in the receiving thread,
    and `observer` is told of everything on the wire.
    """

    state = State.INIT

    def __init__(
        self,
        source: MovieSource,
        for_window: bool,
        limits: TimeLimits | None,
        clock: Clock,
        changed: threading.Condition,
    ) -> None:
        """`changed` guards the state; it is notified of every change. `clock` is in seconds."""
        self.state = State.INIT
        self.for_window = for_window
        self.error = ""
        self.is_lost = False  # `error` says that the connection was lost
        self.notice = ""
        self.needs_password = False  # the server has asked for one: `log_in` gives it
        self.needs_basic = False  # and accepts it only unencrypted
        self.ended = False  # the server has said that the movie is over
        self.on_frame: Callable[[Frame], None] | None = None
        self.observer: Observer | None = None
        self.playout = PlayoutBuffer()
        self._source = source
        self._limits = limits or TimeLimits()
        self._clock = clock
        self._changed = changed
        self._forgiveness = Forgiveness()

    @abstractmethod
    def set_up(self) -> None:
        """Begin a session. Only in INIT."""

    @property
    @abstractmethod
    def endpoints(self) -> Endpoints | None:
        """The addresses of the current or last session; None before the first."""

    def log_in(self, user: str, password: str, allow_basic: bool = False) -> None:
        """Set up as this user, in answer to `needs_password`.

        `allow_basic` allows an unencrypted password, in answer to `needs_basic`.
        """
        self._source.log_in(user, password, allow_basic)
        self.set_up()

    @property
    def movie_name(self) -> str:
        """The movie's file name or address, without a password."""
        return self._source.name

    @property
    def server_host(self) -> str:
        """The server's name or address."""
        return self._source.host

    @property
    def server_port(self) -> int:
        """The server's port."""
        return self._source.port

    @property
    def user_name(self) -> str:
        """The user name for logging in, or ""."""
        return self._source.login.user

    @property
    def forgiven(self) -> list[str]:
        """The server's mistakes that were forgiven in the current or last session."""
        return self._forgiveness.sentences

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait at most `timeout` seconds for `condition`; return whether it holds."""
        deadline = steady() + timeout
        with self._changed:
            while not self._changed.wait_for(condition, min(timeout, LONGEST_WAIT)):
                timeout = deadline - steady()
                if timeout <= 0:
                    return False
        return True

    def capture_to(self, capture: LiveCapture) -> None:
        """Capture all traffic from the next SETUP on; of HTTP, requests and heads of replies."""
        self.observer = capture.observe(lambda: self.endpoints, self.observer)

    def _hand_on(self, frame: Frame) -> None:
        """Give a frame to the window, and to the `on_frame` callback. Without the lock."""
        if self.for_window:  # only the window takes them out again
            self.playout.put(frame)
        on_frame = self.on_frame  # the user's thread may remove it at any moment
        if on_frame is not None:
            on_frame(frame)

    def _fail(self, sentence: str, is_lost: bool = False) -> None:
        with self._changed:
            self.error, self.is_lost = sentence, is_lost
            self._changed.notify_all()

    def _forgave(self, sentence: str) -> None:
        """A mistake of the server was forgiven: tell the log and the panel."""
        logger.warning("Forgiven: %s", sentence)
        observer = self.observer
        if observer is not None:
            observer.forgave(sentence, time.time())
