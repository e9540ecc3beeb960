"""The state machine: every state times every method, and what its errors say."""

from __future__ import annotations

import pytest

from rtplab.protocol.errors import MessageError, StateError
from rtplab.protocol.rtsp.states import STATE_CHANGING_METHODS, State, transition

INIT, READY, PLAYING = State.INIT, State.READY, State.PLAYING

# RFC 2326 appendix A.2, with PAUSE in READY and the end of the movie beyond it.
TABLE = {
    (INIT, "SETUP"): READY,
    (INIT, "PLAY"): None,
    (INIT, "PAUSE"): None,
    (INIT, "TEARDOWN"): INIT,
    (INIT, "END"): None,
    (READY, "SETUP"): READY,
    (READY, "PLAY"): PLAYING,
    (READY, "PAUSE"): READY,
    (READY, "TEARDOWN"): INIT,
    (READY, "END"): None,
    (PLAYING, "SETUP"): None,
    (PLAYING, "PLAY"): PLAYING,
    (PLAYING, "PAUSE"): READY,
    (PLAYING, "TEARDOWN"): INIT,
    (PLAYING, "END"): READY,
}
ALLOWED = [key for key, value in TABLE.items() if value is not None]
FORBIDDEN = [key for key, value in TABLE.items() if value is None]
NEUTRAL = ("OPTIONS", "DESCRIBE", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "", "play")


def test_the_table_is_complete():
    assert {state for state, _ in TABLE} == set(State)
    assert {method for _, method in TABLE} == STATE_CHANGING_METHODS
    assert len(TABLE) == len(State) * len(STATE_CHANGING_METHODS)


@pytest.mark.parametrize(("state", "method"), ALLOWED)
def test_allowed(state, method):
    assert transition(state, method) is TABLE[state, method]


@pytest.mark.parametrize(("state", "method"), FORBIDDEN)
def test_forbidden(state, method):
    with pytest.raises(StateError) as caught:
        transition(state, method)
    message = str(caught.value)
    assert isinstance(caught.value, MessageError)
    assert (caught.value.status, caught.value.fatal) == (455, False)
    assert message.startswith(f"{method} ") and f"state {state.name}: only " in message
    allowed = {method for other, method in ALLOWED if other is state} - {
        "END"
    }  # nobody asks for it
    assert set(message.partition(": only ")[2].split(", ")) == allowed


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("method", NEUTRAL)
def test_other_methods_change_nothing(state, method):
    assert transition(state, method) is state


def test_the_numbers_of_the_classic_lab():
    assert (INIT, READY, PLAYING) == (0, 1, 2)
