"""What a window needs of a client: RtspClient and HttpClient have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rtplab.protocol.rtsp.states import State
from rtplab.receiving.files.capture import Endpoints
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.impairment import Impairment
from rtplab.receiving.rtp.playout import PlayoutBuffer
from rtplab.receiving.rtp.statistics import Received


class PlayerClient(Protocol):
    """One session with one server. No method blocks; the results show in the attributes."""

    error: str  # the last failure, a sentence, or ""
    is_lost: bool  # `error` says that the connection was lost
    notice: str  # what else the user should know, likewise
    on_frame: Callable[[Frame], None] | None  # called in the receiving thread
    observer: Observer | None  # told of all that goes over the wire, in the client's threads

    @property
    def state(self) -> State: ...
    @property
    def ended(self) -> bool:
        """The server has said that the movie is over."""

    @property
    def needs_password(self) -> bool:
        """The server has asked for one: `log_in` gives it."""

    @property
    def needs_basic(self) -> bool:
        """And takes it only in a form that everybody on the way can read."""

    @property
    def playout(self) -> PlayoutBuffer: ...
    @property
    def impairment(self) -> Impairment: ...
    @property
    def reception(self) -> Received: ...
    @property
    def endpoints(self) -> Endpoints | None: ...
    @property
    def duration(self) -> float | None:
        """Seconds, if the server states it; otherwise seeking is not possible."""

    @property
    def frame_rate(self) -> float | None: ...
    @property
    def scale(self) -> float:
        """How many times the normal speed the server plays at."""

    @property
    def movie_name(self) -> str:
        """The file name or the address, without a password."""

    @property
    def server_host(self) -> str: ...
    @property
    def server_port(self) -> int: ...
    @property
    def user_name(self) -> str: ...

    def set_up(self) -> None: ...
    def play_movie(self) -> None: ...
    def pause_movie(self) -> None: ...
    def tear_down(self) -> None: ...
    def seek(self, seconds: float) -> None: ...
    def set_speed(self, scale: float) -> None: ...
    def set_latency(self, seconds: float) -> None: ...
    def log_in(self, user: str, password: str, allow_basic: bool = False) -> None: ...
    def close(self) -> None: ...

    def is_waiting(self) -> bool:
        """Tell if a request is still unanswered, or the connection is still being made."""

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, `timeout` seconds at the most; return if it does."""

    def position_of(self, frame: Frame) -> float:
        """Return how far into the movie a frame is, in seconds."""
