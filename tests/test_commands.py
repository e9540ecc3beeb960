"""The command table: names, keys and when each command can be used."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from movies import ROOT

from rtplab.player.model.commands import (
    BY_NAME,
    COMMANDS,
    LAB_COMMANDS,
    MENUS,
    SPEED_STEP,
    SPEEDS,
    changed_speed,
    key_label,
    tooltip,
)
from rtplab.player.model.status import PlayerState
from rtplab.protocol.rtsp.states import State

NEED_NO_TK = (
    "look.icons look.palette model.commands model.controller model.history model.modifiers "
    "model.status model.traffic model.folders model.loop model.citations model.shapes model.svg "
    "model.bundles "
    "model.exchanges model.keylist model.ladder model.ladderfeed model.ladderrow model.ladderview "
    "model.lettering model.packetchoice model.packetview model.plotdata model.plotview "
    "panel.statediagram panel.tracks picture.decoding"
).split()


def enabled_in(**state) -> set[str]:
    now = PlayerState(**state)
    return {command.name for command in COMMANDS if command.enabled(now)}


def test_every_name_and_every_key_is_there_once():
    assert max(Counter(command.name for command in COMMANDS).values()) == 1
    assert max(Counter(key for command in COMMANDS for key in command.keys).values()) == 1
    assert {command.menu for command in COMMANDS} == set(MENUS)


def test_the_keys_are_those_of_mpv_and_vlc():
    expected = {
        "space": "toggle",
        "Left": "back",
        "Right": "forward",
        "Up": "far_forward",
        "Down": "far_back",
        "f": "fullscreen",
        "Escape": "leave_fullscreen",
        "q": "close",
        "s": "snapshot",
        "period": "step",
        "comma": "step_back",
        "Shift-Left": "second_back",
        "End": "end",
        "l": "loop",
        "Shift-l": "loop_movie",
        "i": "panel",
        "question": "help",
    }
    keys = {key: command.name for command in COMMANDS for key in command.keys}
    assert {key: keys[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (State.INIT, {"setup"}),
        (State.READY, {"start", "teardown"}),
        (State.PLAYING, {"pause", "teardown"}),
    ],
)
def test_the_lab_buttons_follow_the_state_diagram(state, names):
    lab = {command.name for command in LAB_COMMANDS}
    assert enabled_in(state=state) & lab == names
    assert enabled_in(state=state, waiting=True) & lab == set()


def test_seeking_needs_a_session_whose_length_is_known():
    assert "forward" not in enabled_in(state=State.PLAYING)
    assert "forward" not in enabled_in(state=State.INIT, seekable=True)
    assert {"forward", "far_back", "faster"} <= enabled_in(state=State.READY, seekable=True)


def test_a_snapshot_needs_a_picture():
    assert "snapshot" not in enabled_in(state=State.PLAYING)
    assert "snapshot" in enabled_in(state=State.READY, has_picture=True)


def test_what_is_always_possible():
    always = {"open", "new_window", "close", "fullscreen", "panel", "help", "colours", "menu"}
    assert always <= enabled_in(waiting=True)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("space", "Space"),
        ("Control-o", "Ctrl+O"),
        ("question", "?"),
        ("Shift-Left", "Shift+←"),
        ("Left", "←"),
        ("F5", "F5"),
        ("s", "s"),
    ],
)
def test_keys_are_named_as_on_keyboards(key, label):
    assert key_label(key, "x11") == key_label(key, "win32") == label
    assert key_label(key, "aqua") == label.replace("Ctrl", "Cmd")


def test_a_tooltip_names_what_and_key():
    assert tooltip(BY_NAME["snapshot"], "x11") == "Save snapshot  (s)"
    assert tooltip(BY_NAME["open"], "aqua") == "Open  (o)"


def test_a_tooltip_says_why_a_command_can_not_be_used():
    now = PlayerState(state=State.PLAYING)
    assert tooltip(BY_NAME["setup"], "x11", now).endswith("it is playing")
    assert tooltip(BY_NAME["pause"], "x11", now) == tooltip(BY_NAME["pause"], "x11")
    assert "how long" in tooltip(BY_NAME["forward"], "x11", now)
    assert "not answered" in tooltip(BY_NAME["pause"], "x11", now._replace(waiting=True))


def test_speeds_go_up_and_down_and_stay_at_the_ends():
    assert changed_speed(1.0, SPEED_STEP) == 1.1
    assert changed_speed(1.0, 2) == 2.0
    assert changed_speed(SPEEDS[-1], SPEED_STEP) == SPEEDS[-1]
    assert changed_speed(SPEEDS[0], 1 / SPEED_STEP) == SPEEDS[0]


@pytest.mark.parametrize("factor", [SPEED_STEP, 1 / SPEED_STEP, 2, 1 / 2])
def test_as_many_steps_back_lead_to_the_normal_speed(factor):
    speed = 1.0
    for step in (factor, factor, factor, 1 / factor, 1 / factor, 1 / factor):
        speed = changed_speed(speed, step)
    assert speed == 1.0


@pytest.mark.parametrize("module", NEED_NO_TK)
def test_no_tk_is_imported(module):
    code = f"import sys, rtplab.player.{module}; sys.exit('tkinter' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
