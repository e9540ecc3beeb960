"""Binds the keys of the command table."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from rtplab.player.commands import COMMANDS, Command

_MODIFIERS = 0x4 | 0x8 | 0x40  # Control, Alt, Super: with them a letter means something else
# Widgets that need keys themselves, by their class.
_TYPED_INTO = ("TEntry", "Entry", "TSpinbox")
_PRESSED_WITH_SPACE = ("TButton", "TCheckbutton", "TRadiobutton")
_MOVED_WITH_ARROWS = ("TScale", "Treeview", "TNotebook", "Text", "TRadiobutton")
_ARROWS = ("Left", "Right", "Up", "Down", "Home")


def bind_keys(window: tk.Misc, picture: tk.Misc, run: Callable[[Command], None]) -> None:
    """Have every key of the table run its command, wherever the focus is in the window."""
    for command in COMMANDS:
        for key in command.keys:
            window.bind(_sequence(key), _handler(key, command, picture, run))


def _handler(
    key: str, command: Command, picture: tk.Misc, run: Callable[[Command], None]
) -> Callable[[tk.Event[tk.Misc]], str | None]:
    def handle(event: tk.Event[tk.Misc]) -> str | None:
        modified = int(event.state) & _MODIFIERS and not key.startswith("Control-")
        if modified or _belongs_to_widget(key, event.widget, picture):
            return None
        run(command)
        return "break"

    return handle


def _belongs_to_widget(key: str, widget: tk.Misc, picture: tk.Misc) -> bool:
    if isinstance(widget, str):
        return False  # one that tkinter does not know, such as a menu's
    kind = widget.winfo_class()
    if widget.winfo_toplevel() is not picture.winfo_toplevel():
        return True  # a dialog's
    if key in ("Tab", "Shift-Tab"):  # from anywhere else they move the focus as ever
        return widget not in (picture, picture.winfo_toplevel())
    return (
        (kind in _TYPED_INTO and key != "Escape")
        or (key == "space" and kind in _PRESSED_WITH_SPACE)
        or (key in _ARROWS and kind in _MOVED_WITH_ARROWS)
    )


def _sequence(key: str) -> str:
    """A key of the table as Tk names it: `<Control-Key-o>`, `<Key-R>`."""
    if key == "Shift-Tab":
        return "<<PrevWindow>>"  # X11 has a key symbol of its own for it
    *modifiers, name = key.split("-")
    kept = [modifier for modifier in modifiers if modifier != "Shift"]
    return "<" + "".join(f"{modifier}-" for modifier in kept) + f"Key-{name}>"
