"""Everything that a user can do, as one table: it feeds buttons, menu, keys, tooltips and help.

Needs no Tk. Keys are named as X and Tk name them; `Control-` and `Shift-` stand before them. On a
Mac, Command is pressed where `Control-` stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtplab.player.model.modifiers import main_modifier
from rtplab.player.model.status import PlayerState
from rtplab.protocol.rtsp.states import State

PAGES = (
    "Messages",
    "State",
    "Packet",
    "Statistics",
    "Network",
    "Ladder",
    "Timeline",
    "Loss",
)  # of the panel
SECOND = 1.0
SMALL_STEP = 5.0  # seconds
LARGE_STEP = 60.0
SLOWEST, FASTEST = 0.1, 8.0  # speeds, also of our server (RFC 2326 section 12.34)
SPEEDS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 4.0, 8.0)  # to choose from
SPEED_STEP = 1.1  # as in mpv
ZOOMS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)  # of all text


WhyNot = Callable[[PlayerState], str]  # a reason, or "" if there is none


def _always(now: PlayerState) -> str:
    return ""


def _idle_in(*states: State) -> WhyNot:
    """Can be done in these states, while no request is unanswered."""

    def why_not(now: PlayerState) -> str:
        if now.waiting:
            return "the server has not answered yet"
        return "" if now.state in states else _IN[now.state]

    return why_not


_IN = {
    State.INIT: "there is no session: press Setup",
    State.READY: "there is a session, and nothing plays",
    State.PLAYING: "it is playing",
}


def _needs_length(now: PlayerState) -> str:
    return _needs_session(now) or (
        "" if now.seekable else "the server does not say how long the movie is"
    )


def _needs_session(now: PlayerState) -> str:
    return _IN[State.INIT] if now.state is State.INIT else ""


def _needs_picture(now: PlayerState) -> str:
    return "" if now.has_picture else "there is no picture yet"


@dataclass(frozen=True)
class Command:
    """Something to do: its name in code, its label, its menu, its keys, why it can't be done."""

    name: str
    label: str
    menu: str
    keys: tuple[str, ...] = ()
    why_not: WhyNot = _always

    def enabled(self, now: PlayerState) -> bool:
        """Tell if it can be done now."""
        return not self.why_not(now)


# The four of the classic lab; the names are those of its client's buttons.
LAB_COMMANDS = (
    Command("setup", "Setup", "Session", ("F5",), _idle_in(State.INIT)),
    Command("start", "Play", "Session", ("F6",), _idle_in(State.READY)),
    Command("pause", "Pause", "Session", ("F7",), _idle_in(State.PLAYING)),
    Command("teardown", "Teardown", "Session", ("F8",), _idle_in(State.READY, State.PLAYING)),
)

COMMANDS = (
    Command("open", "Open …", "Stream", ("o", "Control-o")),
    Command("paste", "Open what was copied", "Stream", ("Control-v",)),
    Command("new_window", "New window …", "Stream", ("n", "Control-n")),
    Command("snapshot", "Save snapshot", "Stream", ("s",), _needs_picture),
    Command("record", "Record", "Stream", ("r",), _needs_session),
    Command("save_pcap", "Save capture (pcapng) …", "Stream", ("c",)),
    Command("close", "Quit", "Stream", ("q", "Control-q", "Control-w")),
    *LAB_COMMANDS,
    Command("toggle", "Play or pause", "Playback", ("space", "p")),
    Command("step", "One frame on", "Playback", ("period",), _needs_session),
    Command("step_back", "One frame back", "Playback", ("comma",), _needs_length),
    Command("back", "Back 5 s", "Playback", ("Left",), _needs_length),
    Command("forward", "Forward 5 s", "Playback", ("Right",), _needs_length),
    Command("second_back", "Back 1 s", "Playback", ("Shift-Left",), _needs_length),
    Command("second_forward", "Forward 1 s", "Playback", ("Shift-Right",), _needs_length),
    Command("far_back", "Back 1 min", "Playback", ("Down",), _needs_length),
    Command("far_forward", "Forward 1 min", "Playback", ("Up",), _needs_length),
    Command("beginning", "To the beginning", "Playback", ("Home",), _needs_length),
    Command("end", "To the end", "Playback", ("End",), _needs_length),
    Command("loop", "Mark A, then B", "Playback", ("l",), _needs_length),
    Command("loop_movie", "Repeat the movie", "Playback", ("Shift-l",)),
    Command("slower", "Slower by 10 %", "Playback", ("bracketleft",), _needs_length),
    Command("faster", "Faster by 10 %", "Playback", ("bracketright",), _needs_length),
    Command("half_speed", "Half as fast", "Playback", ("braceleft",), _needs_length),
    Command("double_speed", "Twice as fast", "Playback", ("braceright",), _needs_length),
    Command("normal_speed", "Normal speed", "Playback", ("BackSpace",), _needs_length),
    Command("fullscreen", "Full screen", "View", ("f", "F11")),
    Command("leave_fullscreen", "Leave full screen", "View", ("Escape",)),
    Command("larger", "Larger text", "View", ("Control-plus", "Control-equal")),
    Command("smaller", "Smaller text", "View", ("Control-minus",)),
    Command("usual_size", "Usual text", "View", ("Control-0",)),
    Command("on_top", "Always on top", "View", ("Shift-t",)),
    Command("colours", "Light or dark", "View", ("d",)),
    Command("menu", "Menu", "View", ("F10", "Menu")),
    Command("help", "Keys", "View", ("question", "F1")),
    Command("panel", "Protocol panel", "Panel", ("i",)),
    Command("citations", "Open a cited RFC …", "Panel", ("Shift-r",)),
    Command("panel_alone", "Panel in the whole window", "Panel", ("Shift-i",)),
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
    "comma": ",",
    "plus": "+",
    "minus": "-",
    "equal": "=",
    "question": "?",
    "bracketleft": "[",
    "bracketright": "]",
    "braceleft": "{",
    "braceright": "}",
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


def tooltip(command: Command, windowing_system: str, now: PlayerState | None = None) -> str:
    """A button's tooltip: what it does, its first key, and why it can't be done now."""
    text = command.label.removesuffix(" …")
    if command.keys:
        text += f"  ({key_label(command.keys[0], windowing_system)})"
    reason = "" if now is None else command.why_not(now)
    return f"{text}: {reason}" if reason else text


def changed_speed(speed: float, factor: float) -> float:
    """A speed times a factor, within what there is; a few steps and as many back change nothing."""
    return min(max(round(speed * factor, 3), SLOWEST), FASTEST)


def next_of(values: Sequence[float], value: float, direction: int) -> float:
    """The next larger (1) or smaller (-1) of growing values; the last stays."""
    if direction > 0:
        return min((other for other in values if other > value), default=values[-1])
    return max((other for other in values if other < value), default=values[0])
