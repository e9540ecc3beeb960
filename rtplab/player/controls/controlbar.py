"""The controls under the picture: the bar for playing and seeking, and the classic lab's row."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.controls.menu import PopupMenu, build_speed_menu, speed_label
from rtplab.player.controls.slider import SeekSlider
from rtplab.player.controls.tooltip import Tooltip
from rtplab.player.look.theme import Theme
from rtplab.player.model.commands import BY_NAME, LAB_COMMANDS, Command, tooltip
from rtplab.player.model.status import PlayerState, clock

_TIME_WIDTH = 5  # characters, enough for an hour: a longer time widens it once
_SPEEDS = ("slower", "faster", "normal_speed")
_BUTTONS = ("record", "snapshot", "panel", "fullscreen", "menu")
_DISPENSABLE = ("snapshot", "record")  # hidden if there is no room; the menu has them, too
_PADDING = 8  # left and right of both, at 1x
_NUMBER_WIDTH = 12  # characters: "Frame 100000"
_STATE_WIDTH = 8


class ControlBar(ttk.Frame):
    """The widgets of the bar; the command table says what they do."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        run: Callable[[Command], None],
        seek: Callable[[float], None],
        choose_speed: Callable[[float], None],
    ) -> None:
        super().__init__(master)
        self._theme = theme
        self._run = run
        self._choose_speed = choose_speed
        self._now = PlayerState()
        self._elapsed_text = ""
        self._duration: float | None = None
        self._speed_menu = PopupMenu()
        self.buttons: dict[str, ttk.Button] = {}
        self._add_button("toggle", 0)
        self.elapsed = ttk.Label(self, style="Muted.TLabel", width=_TIME_WIDTH, anchor="e")
        self.elapsed.grid(row=0, column=1, padx=theme.px(4))
        self.slider = SeekSlider(self, theme, seek)
        self.slider.grid(row=0, column=2, sticky="ew")
        self.total = ttk.Label(self, style="Muted.TLabel", width=_TIME_WIDTH, anchor="w")
        self.total.grid(row=0, column=3, padx=theme.px(4))
        self.speed = ttk.Button(self, style="Flat.TButton", width=5, command=self._offer_speeds)
        self.speed.grid(row=0, column=4)
        Tooltip(self.speed, self._speed_tooltip)
        for column, name in enumerate(_BUTTONS, start=5):
            self._add_button(name, column)
        self.columnconfigure(2, weight=1)
        self.bind("<<ThemeChanged>>", lambda event: self._draw_icons())
        self.bind("<Configure>", lambda event: self.fit(event.width))
        self.show(self._now)

    def _add_button(self, name: str, column: int) -> None:
        command = BY_NAME[name]
        button = ttk.Button(self, style="Flat.TButton", command=lambda: self._run(command))
        button.grid(row=0, column=column)
        Tooltip(button, lambda: tooltip(command, self._theme.windowing_system, self._now))
        self.buttons[name] = button

    def _speed_tooltip(self) -> str:
        reason = BY_NAME["faster"].why_not(self._now)
        if reason:
            return f"Speed: {reason}"
        system = self._theme.windowing_system
        return "Speed: " + ", ".join(tooltip(BY_NAME[name], system) for name in _SPEEDS)

    @property
    def narrowest(self) -> int:
        """The bar's minimum width in pixels, without the dispensable controls."""
        return self._needed - sum(self.buttons[name].winfo_reqwidth() for name in _DISPENSABLE)

    @property
    def _needed(self) -> int:
        widgets = (*self.buttons.values(), self.elapsed, self.slider, self.total, self.speed)
        return sum(widget.winfo_reqwidth() for widget in widgets) + 4 * self._theme.px(4)

    def fit(self, width: int) -> None:
        """Hide the controls that do not fit into `width` pixels."""
        needed = self._needed
        for name in _DISPENSABLE:
            button = self.buttons[name]
            has_room = needed <= width
            if has_room and not button.winfo_manager():
                button.grid()
            elif not has_room:
                needed -= button.winfo_reqwidth()
                button.grid_remove()

    def show(self, now: PlayerState) -> None:
        """Update the buttons to match the session."""
        self._now = now
        for name, button in self.buttons.items():
            button.state(["!disabled" if BY_NAME[name].enabled(now) else "disabled"])
        can_change_speed = BY_NAME["faster"].enabled(now)
        self.speed.state(["!disabled" if can_change_speed else "disabled"])
        self.speed.configure(text=speed_label(now.speed))
        self._draw_icons()

    def show_position(self, position: float | None, duration: float | None) -> None:
        """Show the position in the movie, in seconds; None: there is no session."""
        self.slider.show(position or 0.0, duration)
        text = "" if position is None else clock(self.slider.shown_position)
        if text != self._elapsed_text:
            self._elapsed_text = text
            self.elapsed.configure(text=text)
        if duration != self._duration:
            self._duration = duration
            self.total.configure(text="" if duration is None else clock(duration))

    def _draw_icons(self) -> None:
        palette = self._theme.palette
        shapes = {
            "toggle": "pause" if self._now.wants_to_play else "play",
            "record": "stop" if self._now.recording else "record",
        }
        for name, button in self.buttons.items():
            shape = shapes.get(name, name)
            colour = palette.bad if name == "record" and self._now.recording else palette.text
            normal = self._theme.icon(shape, colour)
            grey = self._theme.icon(shape, palette.disabled)
            button.configure(image=(normal, "disabled", grey))  # type: ignore[call-overload]

    def _offer_speeds(self) -> None:
        menu = build_speed_menu(self, self._now.speed, self._choose_speed)
        self._speed_menu.above(self.speed, menu)


class LabRow(ttk.Frame):
    """The four buttons of the classic lab, and next to them frame number and state.

    `buttons` has them under the names that they have in the classic client.
    """

    def __init__(self, master: tk.Misc, theme: Theme, run: Callable[[Command], None]) -> None:
        super().__init__(master)
        self._theme = theme
        self._now = PlayerState()
        self._shown: int | None = None
        self.buttons: dict[str, ttk.Button] = {}
        for column, command in enumerate(LAB_COMMANDS):
            self._add_button(command, column, theme, run)
        # Fixed widths: the window stays as wide as it is, whatever they show.
        # It changes with each picture, which costs a label three to six times as much as an entry.
        self._number = tk.StringVar(self)
        self.number = tk.Entry(
            self, textvariable=self._number, justify="right", width=_NUMBER_WIDTH,
            font="TkDefaultFont", borderwidth=0, highlightthickness=0,
            state="readonly", takefocus=False, cursor="",
        )  # fmt: skip
        self.number.bindtags((str(self.number), str(self.winfo_toplevel()), "all"))
        self.number.bind("<Configure>", lambda event: self._show_end())
        self.bind("<<ThemeChanged>>", lambda event: self._dress())
        self.bind("<Destroy>", self._destroyed)
        self._dress()
        self.number.grid(row=0, column=4, sticky="e")
        self.state_name = ttk.Label(self, style="Bold.TLabel", anchor="e", width=_STATE_WIDTH)
        self.state_name.grid(row=0, column=5, sticky="e", padx=(0, theme.px(8)))
        self.columnconfigure(4, weight=1)
        self.bind("<Configure>", lambda event: self.fit(event.width))

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        del self._number  # now: a collection in another thread would wait for Tk

    def _dress(self) -> None:
        palette = self._theme.palette
        self.number.configure(foreground=palette.muted, readonlybackground=palette.window)

    def _add_button(
        self, command: Command, column: int, theme: Theme, run: Callable[[Command], None]
    ) -> None:
        button = ttk.Button(self, text=command.label, command=lambda: run(command))
        button.grid(row=0, column=column, padx=(0, theme.px(6)))
        Tooltip(button, lambda: tooltip(command, theme.windowing_system, self._now))
        self.buttons[command.name] = button

    @property
    def narrowest(self) -> int:
        """Pixels that the row needs without the frame's number."""
        gaps = self._theme.px(6) * len(self.buttons) + self._theme.px(8)
        widgets = (*self.buttons.values(), self.state_name)
        return sum(widget.winfo_reqwidth() for widget in widgets) + gaps

    def fit(self, width: int) -> None:
        """Hide the frame number if it does not fit into `width` pixels."""
        has_room = self.narrowest + self.number.winfo_reqwidth() <= width
        if has_room and not self.number.winfo_manager():
            self.number.grid()
        elif not has_room:
            self.number.grid_remove()

    def show(self, now: PlayerState) -> None:
        """Update the buttons to match the session."""
        self._now = now
        self.state_name.configure(text=now.state.name)
        for command in LAB_COMMANDS:
            enabled = command.enabled(now)
            self.buttons[command.name].state(["!disabled" if enabled else "disabled"])

    def show_number(self, number: int | None) -> None:
        """Show the number of the frame on screen; None clears it."""
        if number != self._shown:
            self._shown = number
            text = "" if number is None else f"Frame {number}"
            self._number.set(text)
            if len(text) > _NUMBER_WIDTH:
                self._show_end()

    def _show_end(self) -> None:
        """If the number is too long for its place, it is not to be taken for another one."""
        self.number.xview("end")


class Controls(ttk.Frame):
    """The bar, and the row below it."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        run: Callable[[Command], None],
        seek: Callable[[float], None],
        choose_speed: Callable[[float], None],
    ) -> None:
        px = theme.px
        super().__init__(master, padding=(px(_PADDING), px(6), px(_PADDING), px(10)))
        self._padding = 2 * px(_PADDING)
        self.bar = ControlBar(self, theme, run, seek, choose_speed)
        self.bar.pack(fill="x")
        self.lab_row = LabRow(self, theme, run)
        self.lab_row.pack(fill="x", pady=(px(6), 0))

    @property
    def narrowest(self) -> int:
        """The minimum width of both in pixels, without the dispensable controls."""
        return max(self.bar.narrowest, self.lab_row.narrowest) + self._padding

    def fit(self, width: int) -> None:
        """Hide the controls that do not fit into a window `width` pixels wide."""
        for part in (self.bar, self.lab_row):
            part.fit(width - self._padding)

    def show(self, now: PlayerState) -> None:
        """Update the buttons to match the session."""
        self.bar.show(now)
        self.lab_row.show(now)
