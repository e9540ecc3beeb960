"""Binds the keys of the command table, and the mouse wheel."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from rtplab.player.controls.bindings import Bindings
from rtplab.player.look.theme import Theme
from rtplab.player.model.commands import BY_NAME, COMMANDS, Command
from rtplab.player.model.modifiers import ARROWS, is_meant, sequences

# Classes of widgets that use some keys themselves.
_TYPED_INTO = ("TEntry", "Entry", "TSpinbox")
_PRESSED_WITH_SPACE = ("TButton", "TCheckbutton", "TRadiobutton")
_MOVED_WITH_ARROWS = ("TScale", "Treeview", "TNotebook", "Text", "TRadiobutton")
_MOVING = (*ARROWS, "Home", "End")


def bind_keys(bindings: Bindings, picture: tk.Misc, run: Callable[[Command], None]) -> None:
    """Bind every key of the table to its command, wherever the focus is in the window."""
    system = Theme.of(picture).windowing_system
    bound: dict[str, list[tuple[str, Command]]] = {}
    for command in COMMANDS:
        for key in command.keys:
            for sequence in sequences(key, system):
                bound.setdefault(sequence, []).append((key, command))
    for sequence, meanings in bound.items():
        bindings.add(sequence, _handler(meanings, system, picture, run))


def bind_wheel(widget: tk.Misc, run: Callable[[Command], None]) -> None:
    """Let the wheel over a widget seek: forward when turned up, back when turned down."""

    def turned(event: tk.Event[tk.Misc]) -> None:
        run(BY_NAME["forward" if event.delta > 0 or event.num == 4 else "back"])

    # X11 knows the wheel as two buttons.
    for sequence in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
        widget.bind(sequence, turned)


def _handler(
    meanings: list[tuple[str, Command]],
    system: str,
    picture: tk.Misc,
    run: Callable[[Command], None],
) -> Callable[[tk.Event[tk.Misc]], str | None]:
    """Return the handler of a sequence; the modifiers decide which of the keys is meant."""

    def handle(event: tk.Event[tk.Misc]) -> str | None:
        for key, command in meanings:
            if is_meant(key, system, int(event.state)):
                if _belongs_to_widget(key, event.widget, picture):
                    return None
                run(command)
                return "break"
        return None

    return handle


def _belongs_to_widget(key: str, widget: tk.Misc, picture: tk.Misc) -> bool:
    if isinstance(widget, str):
        return False  # one that tkinter does not know, such as a menu's
    kind = widget.winfo_class()
    if widget.winfo_toplevel() is not picture.winfo_toplevel():
        return True  # a dialog's
    return (
        (kind in _TYPED_INTO and key != "Escape")
        or (key == "space" and kind in _PRESSED_WITH_SPACE)
        or (key.rpartition("-")[2] in _MOVING and kind in _MOVED_WITH_ARROWS)
    )
