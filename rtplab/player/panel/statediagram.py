"""The places of states and arrows in the diagram, and the last transition. Needs no Tk."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtplab.protocol.rtsp.states import State

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


def last_arrow(previous: State, current: State, ended: bool, lost: bool) -> Arrow | None:
    """Return the arrow that led to the current state; None if none has.

    If no request led there, it is labelled with what did: the movie's end, or a lost server.
    """
    gone = next((a for a in ARROWS if (a.source, a.target) == (previous, current)), None)
    if gone is not None and ended and current is State.READY:
        return replace(gone, method="BYE")
    if gone is not None and lost:
        return replace(gone, method="lost")
    return gone
