"""Which modifiers are held, by the bits that Tk gives with a key. Needs no Tk.

    bit       X11                  Windows        Mac
    0x1       Shift                Shift          Shift
    0x2       Caps Lock            Caps Lock      Caps Lock
    0x4       Control              Control        Control
    0x8       Mod1: Alt            Num Lock       Command
    0x10      Mod2: Num Lock                      Option
    0x20      Mod3: Scroll Lock    Scroll Lock    the key is of the number pad, as arrows are
    0x40      Mod4: Super                         Fn, and all arrows and function keys
    0x80      Mod5: AltGr
    0x20000                        Alt

Which key of an X server is a modifier is the user's choice; these are everybody's.
"""

from __future__ import annotations

from enum import Flag, auto


class Modifier(Flag):
    """What is held while a key is pressed. Locks and Fn are none: they leave a key what it is."""

    NONE = 0
    SHIFT = auto()
    CONTROL = auto()
    ALT = auto()
    ALT_GR = auto()  # writes the signs that a keyboard has no key for; on a Mac, Option does
    COMMAND = auto()
    SUPER = auto()


_MEANINGS = {
    "x11": {
        0x1: Modifier.SHIFT,
        0x4: Modifier.CONTROL,
        0x8: Modifier.ALT,
        0x40: Modifier.SUPER,
    },
    "win32": {
        0x1: Modifier.SHIFT,
        0x4: Modifier.CONTROL,
        0x20000: Modifier.ALT,
    },
    "aqua": {
        0x1: Modifier.SHIFT,
        0x4: Modifier.CONTROL,
        0x8: Modifier.COMMAND,
        0x10: Modifier.ALT_GR,
    },
}
ARROWS = ("Left", "Right", "Up", "Down")
# Signs among our keys that some keyboards have behind AltGr: [ and ] on a German one.
_SIGNS = ("bracketleft", "bracketright", "braceleft", "braceright", "period", "comma", "question")


def held(windowing_system: str, state: int) -> Modifier:
    """Return what is held, by Tk's windowing system (x11, win32, aqua) and an event's state."""
    found = Modifier.NONE
    for bit, modifier in _MEANINGS[windowing_system].items():
        if state & bit:
            found |= modifier
    # AltGr of Windows is Control and Alt. On X11 it has changed the key's name already.
    both = Modifier.CONTROL | Modifier.ALT
    if windowing_system == "win32" and both in found:
        found = found & ~both | Modifier.ALT_GR
    return found


def main_modifier(windowing_system: str) -> str:
    """Return what `Control-` in the table of commands is there, by Tk's name."""
    return "Command" if windowing_system == "aqua" else "Control"


def is_meant(key: str, windowing_system: str, state: int) -> bool:
    """Tell if a key of the table of commands is meant, now that its symbol has come with `state`.

    Shift tells small letters from capitals, as Caps Lock changes the symbol, too, and small steps
    from large ones. Of other keys it is a part: a question mark needs it on one keyboard, a digit
    on another.
    """
    *wanted, name = key.split("-")
    now = held(windowing_system, state)
    tells_shift = name in ARROWS or (len(name) == 1 and name.isalpha())
    if tells_shift and (Modifier.SHIFT in now) is not ("Shift" in wanted):
        return False
    if name in _SIGNS:
        now &= ~Modifier.ALT_GR
    main = Modifier[main_modifier(windowing_system).upper()]
    return now & ~Modifier.SHIFT == (main if "Control" in wanted else Modifier.NONE)


def sequences(key: str, windowing_system: str) -> list[str]:
    """Return the sequences of Tk by which a key of the table may come: `<Control-Key-o>`.

    A letter may come as a capital, because of Caps Lock.
    """
    *wanted, name = key.split("-")
    prefix = f"{main_modifier(windowing_system)}-" if "Control" in wanted else ""
    names = {name.lower(), name.upper()} if len(name) == 1 else {name}
    return [f"<{prefix}Key-{each}>" for each in sorted(names)]
