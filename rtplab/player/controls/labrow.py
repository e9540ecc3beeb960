"""The four buttons of the classic lab, and beside them frame number and state."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.controls.keyboard import windowing_system
from rtplab.player.controls.tooltip import Tooltip
from rtplab.player.look.theme import Theme
from rtplab.player.model.commands import LAB_COMMANDS, Command, tooltip
from rtplab.player.model.status import Situation

_NUMBER_WIDTH = 12  # characters: "Frame 100000"
_STATE_WIDTH = 8


class LabRow(ttk.Frame):
    """`buttons` has them under the names that they have in the classic client."""

    def __init__(self, master: tk.Misc, theme: Theme, run: Callable[[Command], None]) -> None:
        super().__init__(master)
        self._theme = theme
        self._shown: int | None = None
        self.buttons: dict[str, ttk.Button] = {}
        for column, command in enumerate(LAB_COMMANDS):
            self._add_button(command, column, theme, run)
        # Of fixed widths, so that the window stays as wide as it is whatever they show.
        self.number = ttk.Label(self, style="Muted.TLabel", anchor="e", width=_NUMBER_WIDTH)
        self.number.grid(row=0, column=4, sticky="e")
        self.state_name = ttk.Label(self, style="Bold.TLabel", anchor="e", width=_STATE_WIDTH)
        self.state_name.grid(row=0, column=5, sticky="e", padx=(0, theme.px(8)))
        self.columnconfigure(4, weight=1)
        self.bind("<Configure>", lambda event: self.fit(event.width))

    def _add_button(
        self, command: Command, column: int, theme: Theme, run: Callable[[Command], None]
    ) -> None:
        button = ttk.Button(self, text=command.label, command=lambda: run(command))
        button.grid(row=0, column=column, padx=(0, theme.px(6)))
        Tooltip(button, tooltip(command, windowing_system(self)))
        self.buttons[command.name] = button

    @property
    def narrowest(self) -> int:
        """Pixels that the row needs without the frame's number."""
        gaps = self._theme.px(6) * len(self.buttons) + self._theme.px(8)
        widgets = (*self.buttons.values(), self.state_name)
        return sum(widget.winfo_reqwidth() for widget in widgets) + gaps

    def fit(self, width: int) -> None:
        """Leave the frame's number out if there is no room for it in so many pixels."""
        has_room = self.narrowest + self.number.winfo_reqwidth() <= width
        if has_room and not self.number.winfo_manager():
            self.number.grid()
        elif not has_room:
            self.number.grid_remove()

    def show(self, now: Situation) -> None:
        """Bring the buttons in line with the session."""
        self.state_name.configure(text=now.state.name)
        for command in LAB_COMMANDS:
            enabled = command.enabled(now)
            self.buttons[command.name].state(["!disabled" if enabled else "disabled"])

    def show_number(self, number: int | None) -> None:
        """Show the number of the frame that is shown; None: there is none."""
        if number != self._shown:
            self._shown = number
            self.number.configure(text="" if number is None else f"Frame {number}")
