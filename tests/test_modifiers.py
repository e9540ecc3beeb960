"""Modifiers on X11, Windows and the Mac, by the bits that Tk gives there."""

from __future__ import annotations

import pytest

from rtplab.player.model.commands import COMMANDS
from rtplab.player.model.modifiers import Modifier, held, is_meant, sequences

SHIFT, LOCK, CONTROL = 0x1, 0x2, 0x4
MOD1, MOD2, MOD3, MOD4, MOD5 = 0x8, 0x10, 0x20, 0x40, 0x80
WINDOWS_ALT, WINDOWS_EXTENDED = 0x20000, 0x40000
SYSTEMS = ("x11", "win32", "aqua")
# The locks, and what a Mac says of every arrow and function key.
HARMLESS = {
    "x11": (LOCK, MOD2, MOD3, LOCK | MOD2 | MOD3),
    "win32": (LOCK, MOD1, MOD3, LOCK | MOD1 | MOD3, WINDOWS_EXTENDED, WINDOWS_EXTENDED | MOD1),
    "aqua": (LOCK, MOD3, MOD4, LOCK | MOD3 | MOD4),
}
MAIN = {"x11": CONTROL, "win32": CONTROL, "aqua": MOD1}
OTHERS = {
    "x11": (CONTROL, MOD1, MOD4, CONTROL | MOD1),
    "win32": (CONTROL, WINDOWS_ALT, CONTROL | WINDOWS_ALT),
    "aqua": (CONTROL, MOD1, MOD2, MOD1 | MOD2),
}
KEYS = [key for command in COMMANDS for key in command.keys]


@pytest.mark.parametrize(
    ("system", "state", "modifiers"),
    [
        ("x11", 0, Modifier.NONE),
        ("x11", SHIFT, Modifier.SHIFT),
        ("x11", CONTROL | SHIFT, Modifier.CONTROL | Modifier.SHIFT),
        ("x11", MOD1, Modifier.ALT),
        ("x11", MOD2, Modifier.NONE),
        ("x11", MOD4, Modifier.SUPER),
        ("x11", CONTROL | MOD1, Modifier.CONTROL | Modifier.ALT),
        ("win32", MOD1, Modifier.NONE),
        ("win32", MOD3, Modifier.NONE),
        ("win32", CONTROL | MOD1, Modifier.CONTROL),
        ("win32", WINDOWS_ALT, Modifier.ALT),
        ("win32", CONTROL | WINDOWS_ALT | MOD1, Modifier.ALT_GR),
        ("aqua", CONTROL, Modifier.CONTROL),
        ("aqua", MOD1, Modifier.COMMAND),
        ("aqua", MOD2, Modifier.ALT_GR),
        ("aqua", MOD3 | MOD4, Modifier.NONE),
    ],
)
def test_what_is_held(system, state, modifiers):
    assert held(system, state) == modifiers


def own_state(key: str, system: str) -> int:
    """The bits that come with a key as it is meant."""
    *wanted, _ = key.split("-")
    return (SHIFT if "Shift" in wanted else 0) | (MAIN[system] if "Control" in wanted else 0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_key_works_whatever_lock_is_on(system):
    for key in KEYS:
        state = own_state(key, system)
        assert is_meant(key, system, state), key
        for harmless in HARMLESS[system]:
            assert is_meant(key, system, state | harmless), key


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_key_works_with_another_modifier(system):
    signs = ("bracketleft", "bracketright", "braceleft", "braceright", "period", "comma")
    for key in KEYS:
        if "-" in key:
            continue
        for other in OTHERS[system]:
            is_alt_gr = held(system, other) is Modifier.ALT_GR
            assert is_meant(key, system, other) is (is_alt_gr and key in (*signs, "question")), key


@pytest.mark.parametrize("system", SYSTEMS)
def test_capitals_are_what_shift_makes_and_not_caps_lock(system):
    for lock in (0, LOCK):
        assert is_meant("r", system, lock) and not is_meant("Shift-R", system, lock)
        assert is_meant("Shift-R", system, lock | SHIFT) and not is_meant("r", system, lock | SHIFT)


def test_the_main_modifier_is_command_on_a_mac():
    assert is_meant("Control-o", "aqua", MOD1) and not is_meant("Control-o", "aqua", CONTROL)
    assert not is_meant("Control-o", "win32", CONTROL | WINDOWS_ALT)
    assert sequences("Control-o", "aqua") == ["<Command-Key-O>", "<Command-Key-o>"]
    assert sequences("Control-o", "x11") == ["<Control-Key-O>", "<Control-Key-o>"]


def test_a_letter_may_come_as_a_capital():
    assert sequences("s", "x11") == sequences("Shift-S", "x11") == ["<Key-S>", "<Key-s>"]
    assert sequences("F5", "x11") == ["<Key-F5>"]
    assert sequences("1", "x11") == ["<Key-1>"]
