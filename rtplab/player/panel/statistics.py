"""The numbers of the reception, and their course over the last minute."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.tables import figures_csv
from rtplab.player.panel.plotdata import SPAN, Figures, PlotData, Totals

# Attribute of Figures, title, unit, and the smallest value at the top of the plot.
_PLOTS = (
    ("frames_per_second", "Frames", "/s", 30.0),
    ("kbit_per_second", "Bit rate", "kbit/s", 100.0),
    ("loss_percent", "Loss (RFC 3550 A.3)", "%", 10.0),
    ("jitter_ms", "Jitter (RFC 3550 A.8)", "ms", 10.0),
    ("reordered_per_second", "Out of order", "/s", 10.0),
    ("late_per_second", "Late", "/s", 10.0),
    ("duplicates_per_second", "Duplicates", "/s", 10.0),
    ("buffer_ms", "Playout buffer", "ms", 200.0),
)
_COLUMNS = 2
_GAP = 14  # at 1x
_TITLE = 24  # height of what stands above a plot, at 1x
_AXIS = 16  # height of the time's axis at 1x
_LOWEST = 50  # height of a plot with its title, at 1x: less shows nothing

Box = tuple[float, float, float, float]  # left, top, right, bottom


class StatisticsPage(ttk.Frame):
    """Plots above, totals below."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        client: PlayerClient,
        save_table: Callable[[str, str], None],
    ) -> None:
        """`save_table` asks where a table of this name, CSV, is to be saved."""
        super().__init__(master)
        self._save_table = save_table
        self._theme = theme
        self._client = client
        self._data = PlotData()
        px = theme.px
        self._totals = ttk.Frame(self, padding=(px(14), px(6), px(14), px(12)))
        self._totals.pack(side="bottom", fill="x")
        self.values: dict[str, ttk.Label] = {}
        self._before: Totals | None = None  # what had come when the totals were reset
        self.save = ttk.Button(self._totals, text="CSV …", style="Small.TButton")
        self.save.configure(command=self._save)
        self.save.grid(row=7, column=0, columnspan=2, sticky="w", pady=(px(4), 0))
        self.reset = ttk.Button(self._totals, text="Reset", style="Small.TButton")
        self.reset.configure(command=self._reset)
        self.reset.grid(row=7, column=3, sticky="e", pady=(px(4), 0))
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True, pady=(px(6), 0))
        self.canvas.bind("<Configure>", lambda event: self._draw_plots())

    def sample(self, now: float) -> None:
        """Take a sample when one is due; also while another page is seen."""
        if self._data.is_due(now):
            client = self._client
            self._data.sample(client.reception.statistics, client.playout.fill(now), now)

    def refresh(self) -> None:
        """Show the newest numbers."""
        client = self._client
        reception, playout = client.reception, client.playout
        totals = Totals.of(reception.statistics, reception.malformed, playout.skipped)
        if self._before is not None and totals.packets < self._before.packets:
            self._before = None  # another session
        since = totals if self._before is None else totals.since(self._before)
        rows = since.rows(reception.statistics.jitter, reception.statistics.max_jitter)
        rows.append(("Latency set", f"{playout.latency * 1000:.0f} ms"))
        for number, (name, value) in enumerate(rows):
            self._show_total(number, name, value)
        self._draw_plots()

    def _reset(self) -> None:
        """Count from now on. What receiver reports tell the server goes on."""
        client = self._client
        self._before = Totals.of(
            client.reception.statistics, client.reception.malformed, client.playout.skipped
        )
        self.refresh()

    def _save(self) -> None:
        """Save what is plotted."""
        self._save_table("statistics", figures_csv(*self._data.table()))

    def _show_total(self, number: int, name: str, value: str) -> None:
        if name not in self.values:
            px = self._theme.px
            row, column = divmod(number, 2)
            label = ttk.Label(self._totals, text=name, style="Muted.TLabel")
            label.grid(row=row, column=2 * column, sticky="w", padx=(px(14) * column, px(8)))
            self.values[name] = ttk.Label(self._totals, anchor="e")
            self.values[name].grid(row=row, column=2 * column + 1, sticky="e", pady=px(2))
            self._totals.columnconfigure(2 * column + 1, weight=1)
        if self.values[name].cget("text") != value:
            self.values[name].configure(text=value)

    def _draw_plots(self) -> None:
        """As many rows of plots as there is room for; each keeps to its box."""
        px, canvas = self._theme.px, self.canvas
        gap = px(_GAP)
        canvas.delete("all")
        canvas.configure(background=self._theme.palette.window)
        room = canvas.winfo_width(), canvas.winfo_height()
        rows = min(math.ceil(len(_PLOTS) / _COLUMNS), room[1] // px(_LOWEST))
        width, height = (room[0] - gap) / _COLUMNS, (room[1] - px(_AXIS)) / max(1, rows)
        for number, plot in enumerate(_PLOTS[: rows * _COLUMNS]):
            row, column = divmod(number, _COLUMNS)
            left, top = gap + column * width, row * height
            self._draw_plot((left, top, left + width - gap, top + height), *plot)
        for column in range(_COLUMNS if rows else 0):
            left = gap + column * width
            self._draw_time(left, left + width - gap, room[1], f"time{column}")

    def _draw_time(self, left: float, right: float, bottom: float, tag: str) -> None:
        """What the ends of a column of plots mean."""
        for x, anchor, text in ((left, "sw", f"{SPAN:.0f} s ago"), (right, "se", "now")):
            self.canvas.create_text(
                x, bottom, text=text, anchor=anchor, font=self._theme.small_font,
                fill=self._theme.palette.muted, tags=tag,
            )  # type: ignore[call-overload]  # fmt: skip

    def _draw_plot(self, box: Box, name: str, title: str, unit: str, least: float) -> None:
        theme = self._theme
        p, px, canvas = theme.palette, theme.px, self.canvas
        left, top, right, bottom = box
        figures = self._data.figures
        value = f"{getattr(figures[-1], name):,.1f} {unit}" if figures else ""
        value = _cut(value, theme.bold_font, right - left)
        room = right - left - theme.bold_font.measure(value) - px(8)
        middle = top + px(_TITLE) / 2 + px(1)
        for x, anchor, text, font, colour in (
            (left, "w", _cut(title, theme.small_font, room), theme.small_font, p.muted),
            (right, "e", value, theme.bold_font, p.text),
        ):
            canvas.create_text(
                x, middle, text=text, anchor=anchor, font=font, fill=colour, tags=name
            )  # type: ignore[call-overload]
        plot = left, top + px(_TITLE), right, bottom - px(4)
        highest = max([least, *(getattr(figure, name) * 1.1 for figure in figures)])
        canvas.create_rectangle(*plot, fill=p.raised, outline="", tags=name)
        line = px(1.6)
        # Half of a line's width is on either side of it.
        inner = plot[0] + line, plot[1] + line, plot[2] - line, plot[3] - line
        for run in self._data.runs():
            points = _points(run, figures[-1].when, name, highest, inner)
            if len(points) >= 4:
                canvas.create_line(*points, fill=p.accent, width=line, tags=name)
        scale = _cut(f"{highest:,.0f} {unit}", theme.small_font, right - left - px(8))
        canvas.create_text(
            left + px(4), plot[1] + px(2), text=scale, anchor="nw", font=theme.small_font,
            fill=p.muted, tags=name,
        )  # fmt: skip


def _cut(text: str, font: tkfont.Font, width: float) -> str:
    """As much of a text as there is room for, in pixels; what is in brackets goes first."""
    if font.measure(text) > width:
        text = text.partition(" (")[0]
    whole = text
    while text and font.measure(text) > width:
        whole = whole[:-1]
        text = f"{whole.rstrip()}…" if whole else ""
    return text


def _points(run: list[Figures], now: float, name: str, highest: float, box: Box) -> list[float]:
    """The course of a figure as coordinates: `now` at the right, a minute ago at the left."""
    left, top, right, bottom = box
    points = []
    for figure in run:
        points.append(right - (right - left) * (now - figure.when) / SPAN)
        points.append(bottom - (bottom - top) * getattr(figure, name) / highest)
    return points
