"""Everything that a user can do, as one table: it feeds buttons, menu, keys, tooltips and help.

Needs no Tk. Keys are named as X and Tk name them; `Control-` and `Shift-` stand before them. On a
Mac, Command is pressed where `Control-` stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtplab.player.model.modifiers import main_modifier
from rtplab.player.model.status import PlayerState
from rtplab.protocol.rtsp.states import State

PAGES = ("Messages", "State", "Packet", "Statistics", "Network")  # of the panel
SMALL_STEP = 5.0  # seconds
LARGE_STEP = 60.0
SPEEDS = (0.5, 1.0, 2.0, 4.0)


def _always(now: PlayerState) -> bool:
    return True


def _idle_in(*states: State) -> Callable[[PlayerState], bool]:
    """Enabled in these states, while no request is unanswered."""
    return lambda now: now.state in states and not now.waiting


def _can_seek(now: PlayerState) -> bool:
    return now.seekable and now.state is not State.INIT


def _has_session(now: PlayerState) -> bool:
    return now.state is not State.INIT


def _has_picture(now: PlayerState) -> bool:
    return now.has_picture


@dataclass(frozen=True)
class Command:
    """Something to do: its name in code, its label, its menu, its keys, when it can be done."""

    name: str
    label: str
    menu: str
    keys: tuple[str, ...] = ()
    enabled: Callable[[PlayerState], bool] = _always


# The four of the classic lab; the names are those of its client's buttons.
LAB_COMMANDS = (
    Command("setup", "Setup", "Session", ("F5",), _idle_in(State.INIT)),
    Command("start", "Play", "Session", ("F6",), _idle_in(State.READY)),
    Command("pause", "Pause", "Session", ("F7",), _idle_in(State.PLAYING)),
    Command("teardown", "Teardown", "Session", ("F8",), _idle_in(State.READY, State.PLAYING)),
)

COMMANDS = (
    Command("open", "Open …", "Stream", ("o", "Control-o")),
    Command("new_window", "New window …", "Stream", ("n", "Control-n")),
    Command("snapshot", "Save snapshot", "Stream", ("s",), _has_picture),
    Command("record", "Record", "Stream", ("r",), _has_session),
    Command("save_pcap", "Save capture (pcap) …", "Stream", ("c",)),
    Command("close", "Quit", "Stream", ("q", "Control-q", "Control-w")),
    *LAB_COMMANDS,
    Command("toggle", "Play or pause", "Playback", ("space", "p")),
    Command("step", "One frame", "Playback", ("period",), _has_session),
    Command("back", "Back 5 s", "Playback", ("Left",), _can_seek),
    Command("forward", "Forward 5 s", "Playback", ("Right",), _can_seek),
    Command("far_back", "Back 1 min", "Playback", ("Down",), _can_seek),
    Command("far_forward", "Forward 1 min", "Playback", ("Up",), _can_seek),
    Command("beginning", "To the beginning", "Playback", ("Home",), _can_seek),
    Command("slower", "Slower", "Playback", ("bracketleft",), _can_seek),
    Command("faster", "Faster", "Playback", ("bracketright",), _can_seek),
    Command("normal_speed", "Normal speed", "Playback", ("BackSpace",), _can_seek),
    Command("fullscreen", "Full screen", "View", ("f", "F11")),
    Command("leave_fullscreen", "Leave full screen", "View", ("Escape",)),
    Command("colours", "Light or dark", "View", ("d",)),
    Command("controls", "To the controls", "View", ("Shift-Tab",)),
    Command("menu", "Menu", "View", ("F10", "Menu")),
    Command("help", "Keys", "View", ("question", "F1")),
    Command("panel", "Protocol panel", "Panel", ("i", "Tab")),
    *(
        Command(page.lower(), page, "Panel", (str(number),))
        for number, page in enumerate(PAGES, start=1)
    ),
)

BY_NAME = {command.name: command for command in COMMANDS}
MENUS = ("Stream", "Session", "Playback", "View", "Panel")

_KEY_NAMES = {
    "space": "Space",
    "period": ".",
    "question": "?",
    "bracketleft": "[",
    "bracketright": "]",
    "BackSpace": "Backspace",
    "Escape": "Esc",
    "Left": "←",
    "Right": "→",
    "Up": "↑",
    "Down": "↓",
    "Control": "Ctrl",
    "Command": "Cmd",
}


def key_label(key: str, windowing_system: str) -> str:
    """A key as it is printed on keyboards: `Ctrl+O` (on a Mac `Cmd+O`), `Space`, `?`."""
    *modifiers, name = key.replace("Control", main_modifier(windowing_system)).split("-")
    label = _KEY_NAMES.get(name, name.upper() if modifiers and len(name) == 1 else name)
    return "+".join([_KEY_NAMES.get(modifier, modifier) for modifier in modifiers] + [label])


def tooltip(command: Command, windowing_system: str) -> str:
    """A button's tooltip: what it does, and its first key."""
    label = command.label.removesuffix(" …")
    return f"{label}  ({key_label(command.keys[0], windowing_system)})" if command.keys else label


def next_speed(speed: float, direction: int) -> float:
    """The next faster (1) or slower (-1) of SPEEDS; the last stays."""
    if direction > 0:
        return min((other for other in SPEEDS if other > speed), default=SPEEDS[-1])
    return max((other for other in SPEEDS if other < speed), default=SPEEDS[0])
