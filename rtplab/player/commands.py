"""Everything that a user can do, as one table. Needs no Tk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtplab.player.status import Situation
from rtplab.protocol.states import State


@dataclass(frozen=True)
class Command:
    """Something to do: its name in code, its label, what it does in a sentence, when it can be."""

    name: str
    label: str
    help: str
    enabled: Callable[[Situation], bool]


def _idle_in(*states: State) -> Callable[[Situation], bool]:
    """Enabled in these states, while no request is unanswered."""
    return lambda now: now.state in states and not now.waiting


# The four of the classic lab; the names are those of its client's buttons.
LAB_COMMANDS = (
    Command("setup", "Setup", "Ask the server for the movie", _idle_in(State.INIT)),
    Command("start", "Play", "Have the movie sent", _idle_in(State.READY)),
    Command("pause", "Pause", "Have the sending stopped", _idle_in(State.PLAYING)),
    Command("teardown", "Teardown", "End the session", _idle_in(State.READY, State.PLAYING)),
)
