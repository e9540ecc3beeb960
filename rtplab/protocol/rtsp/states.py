"""The session state machine of RFC 2326 appendix A, for server and client alike.

        SETUP              PLAY
INIT ----------> READY ----------> PLAYING
 ^                 ^                  |
 |                 +------ PAUSE -----+   (or the end of the movie, on the server)
 +----------- TEARDOWN, from anywhere
"""

from __future__ import annotations

from enum import IntEnum

from rtplab.protocol.errors import StateError


class State(IntEnum):
    """The state of one session; the numbers are those of the classic lab."""

    INIT = 0
    READY = 1
    PLAYING = 2


# Not a method: the movie is over, or nothing more of it can be sent.
END = "END"

TRANSITIONS: dict[State, dict[str, State]] = {
    State.INIT: {
        "SETUP": State.READY,
        "TEARDOWN": State.INIT,
    },
    State.READY: {
        "SETUP": State.READY,
        "PLAY": State.PLAYING,
        # Appendix A has no PAUSE in READY. But a server goes there by itself at the end of a movie,
        # which its client can't know yet, so a PAUSE is not wrong.
        "PAUSE": State.READY,
        "TEARDOWN": State.INIT,
    },
    State.PLAYING: {
        # SETUP is refused here: RFC 2326 section 10.4 lets a server refuse to change the transport
        # of a playing stream.
        "PLAY": State.PLAYING,
        "PAUSE": State.READY,
        "TEARDOWN": State.INIT,
        END: State.READY,
    },
}

STATE_CHANGING_METHODS = frozenset(m for moves in TRANSITIONS.values() for m in moves)


def transition(state: State, method: str) -> State:
    """Return the state that a successful `method` leads to.

    Methods that never change the state (OPTIONS, DESCRIBE, ...) lead where they started.
    Raises StateError (455) when the state does not allow the method.
    """
    if method not in STATE_CHANGING_METHODS:
        return state
    allowed = TRANSITIONS[state]
    if method not in allowed:
        methods = ", ".join(name for name in allowed if name != END)
        raise StateError(f"{method} is not valid in state {state.name}: only {methods}")
    return allowed[method]
