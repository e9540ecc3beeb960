"""What a reply's status must be, in whatever state: RTSP sessions as a model, for both dialects.

It is written from RFC 2326 and from how the lab's programs behave, and knows nothing of the
server's code. A session that was asked to stop somewhere may have reached its end: then a viewer
can't know, and the model has two states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

INIT, READY, PLAYING = "INIT", "READY", "PLAYING"
MOVIE = "movie.Mjpeg"

GOOD_TRANSPORT, BAD_TRANSPORT, UNKNOWN_TRANSPORT = "good", "bad", "unknown"
NO_RANGE, ENDLESS, WITH_END, BAD_RANGE = "none", "npt=0.5-", "npt=0.1-0.3", "npt=5-5"


@dataclass(frozen=True)
class Ask:
    """One request: what it says, as far as its answer depends on it."""

    method: str
    lab: bool
    movie: str = MOVIE
    session: str = ""  # the id that it names; empty: none
    transport: str = GOOD_TRANSPORT
    span: str = NO_RANGE
    speed: bool = False  # it asks for another pace
    body: bytes = b""


@dataclass
class Model:
    """One connection's session, as a viewer knows it."""

    session_id: str = ""
    states: frozenset[str] = field(default_factory=lambda: frozenset([INIT]))

    def answers(self, ask: Ask) -> set[int]:
        """Every status that the answer to `ask` may have."""
        refusals = _lab_refusals if ask.lab else _standard_refusals
        return {next(refusals(self, ask, state), 200) for state in self.states}

    def answered(self, ask: Ask, status: int, session_id: str) -> None:
        """Take the answer's status, and the session that it names."""
        fitting = [s for s in self.states if replace_state(self, s).answers(ask) == {status}]
        self.states = frozenset(fitting)
        if status != 200:
            return
        if ask.method == "SETUP":
            self.states, self.session_id = frozenset([READY]), session_id
        elif ask.method == "PLAY":
            self.states = self._after_play(ask)
        elif ask.method == "PAUSE":
            self.states = frozenset([READY])
        elif ask.method == "TEARDOWN":
            self.states, self.session_id = frozenset([INIT]), ""

    def _after_play(self, ask: Ask) -> frozenset[str]:
        goes_on = ask.span == NO_RANGE and not ask.speed
        if ask.span == WITH_END or (goes_on and self.states == {READY, PLAYING}):
            return frozenset([READY, PLAYING])
        return frozenset([PLAYING])


def replace_state(model: Model, state: str) -> Model:
    return replace(model, states=frozenset([state]))


def _standard_refusals(model: Model, ask: Ask, state: str) -> Iterator[int]:
    """The refusals that apply, the one that is answered first."""
    is_own = bool(model.session_id) and ask.session == model.session_id
    if ask.method not in STANDARD_METHODS:
        yield 501
    if ask.method in ("PLAY", "PAUSE", "TEARDOWN") and not is_own:
        yield 454
    if ask.method in ("GET_PARAMETER", "SET_PARAMETER") and ask.session and not is_own:
        yield 454
    if ask.method in ("GET_PARAMETER", "SET_PARAMETER") and ask.body:
        yield 451
    if ask.method == "PLAY" and ask.span == BAD_RANGE:
        yield 457
    if ask.method == "SETUP":
        yield from _setup_refusals(model, ask, state)
    if ask.method in ("DESCRIBE", "SETUP") and ask.movie != MOVIE:
        yield 404


def _setup_refusals(model: Model, ask: Ask, state: str) -> Iterator[int]:
    if state == PLAYING:
        yield 455
    if model.session_id and not ask.lab:
        if not ask.session:
            yield 455
        elif ask.session != model.session_id:
            yield 454
    if ask.transport == BAD_TRANSPORT:
        yield 400
    if ask.transport == UNKNOWN_TRANSPORT:
        yield 461


def _lab_refusals(model: Model, ask: Ask, state: str) -> Iterator[int]:
    """Lab clients may leave the session out: a connection has but one."""
    if ask.method not in STANDARD_METHODS:
        yield 501
    if ask.method in ("PLAY", "PAUSE") and state == INIT:
        yield 455
    if ask.method in ("PLAY", "PAUSE", "TEARDOWN") and model.session_id:
        if ask.session and ask.session != model.session_id:
            yield 454
    if ask.method == "SETUP":
        yield from _setup_refusals(model, ask, state)
    if ask.method == "SETUP" and ask.movie != MOVIE:
        yield 404


STANDARD_METHODS = (
    *("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN"),
    *("GET_PARAMETER", "SET_PARAMETER"),
)
