"""Where the states and arrows of the diagram stand, and which arrow was gone last. Needs no Tk."""

from __future__ import annotations

from dataclasses import dataclass

from rtplab.protocol.states import State

Place = tuple[float, float]  # shares of the diagram's width and height

PLACES: dict[State, Place] = {
    State.INIT: (0.5, 0.06),
    State.READY: (0.5, 0.5),
    State.PLAYING: (0.5, 0.94),
}


@dataclass(frozen=True)
class Arrow:
    """One transition of the client's diagram."""

    method: str
    source: State
    target: State
    path: tuple[Place, ...]
    label_at: Place


ARROWS = (
    Arrow("SETUP", State.INIT, State.READY, ((0.44, 0.14), (0.44, 0.42)), (0.35, 0.28)),
    Arrow("PLAY", State.READY, State.PLAYING, ((0.44, 0.58), (0.44, 0.86)), (0.36, 0.72)),
    Arrow("PAUSE", State.PLAYING, State.READY, ((0.56, 0.86), (0.56, 0.58)), (0.65, 0.72)),
    Arrow("TEARDOWN", State.READY, State.INIT, ((0.56, 0.42), (0.56, 0.14)), (0.68, 0.28)),
    Arrow(
        "TEARDOWN",
        State.PLAYING,
        State.INIT,
        ((0.645, 0.94), (0.86, 0.9), (0.9, 0.5), (0.86, 0.1), (0.645, 0.06)),
        (0.755, 0.5),
    ),
)


def last_arrow(previous: State, current: State, request: str) -> Arrow | None:
    """The arrow that led to the current state; `request` is the first line of the last request.

    None when no request did: the connection was lost, or the server came to the movie's end.
    """
    gone = previous, current, request.partition(" ")[0]
    return next((a for a in ARROWS if (a.source, a.target, a.method) == gone), None)
