"""The numbers of the reception, and their course over the last minute."""

from __future__ import annotations

import math
import tkinter as tk
from tkinter import ttk
from typing import Any

from rtplab.player.plotdata import SPAN, Figures, PlotData, totals
from rtplab.player.theme import Theme

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

Box = tuple[float, float, float, float]  # left, top, right, bottom


class StatisticsPage(ttk.Frame):
    """Plots above, totals below."""

    def __init__(self, master: tk.Misc, theme: Theme, client: Any) -> None:
        super().__init__(master)
        self._theme = theme
        self._client = client
        self._data = PlotData()
        px = theme.px
        self._totals = ttk.Frame(self, padding=(px(14), px(6), px(14), px(12)))
        self._totals.pack(side="bottom", fill="x")
        self.values: dict[str, ttk.Label] = {}
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True, pady=(px(6), 0))

    def sample(self, now: float) -> None:
        """Take a sample when one is due; also while another page is seen."""
        if self._data.is_due(now):
            client = self._client
            self._data.sample(client.reception.statistics, client.playout.fill(now), now)

    def refresh(self) -> None:
        """Show the newest numbers."""
        client = self._client
        reception, playout = client.reception, client.playout
        rows = totals(reception.statistics, reception.malformed, playout.skipped)
        rows.append(("Latency set", f"{playout.latency * 1000:.0f} ms"))
        for number, (name, value) in enumerate(rows):
            self._show_total(number, name, value)
        self._draw_plots()

    def _show_total(self, number: int, name: str, value: str) -> None:
        if name not in self.values:
            px = self._theme.px
            row, column = divmod(number, 2)
            label = ttk.Label(self._totals, text=name, style="Muted.TLabel")
            label.grid(row=row, column=2 * column, sticky="w", padx=(px(14) * column, px(8)))
            self.values[name] = ttk.Label(self._totals, anchor="e")
            self.values[name].grid(row=row, column=2 * column + 1, sticky="e", pady=px(2))
            self._totals.columnconfigure(2 * column + 1, weight=1, uniform="values")
        if self.values[name].cget("text") != value:
            self.values[name].configure(text=value)

    def _draw_plots(self) -> None:
        gap = self._theme.px(_GAP)
        self.canvas.delete("all")
        self.canvas.configure(background=self._theme.palette.window)
        figures = list(self._data.figures)
        width = (self.canvas.winfo_width() - gap) / _COLUMNS
        height = self.canvas.winfo_height() / math.ceil(len(_PLOTS) / _COLUMNS)
        for number, plot in enumerate(_PLOTS):
            row, column = divmod(number, _COLUMNS)
            left, top = gap + column * width, row * height
            self._draw_plot((left, top, left + width - gap, top + height), figures, *plot)

    def _draw_plot(
        self, box: Box, figures: list[Figures], name: str, title: str, unit: str, least: float
    ) -> None:
        theme = self._theme
        p, px, canvas = theme.palette, theme.px, self.canvas
        left, top, right, bottom = box
        middle = top + px(_TITLE) / 2 + px(1)
        canvas.create_text(
            left, middle, text=title, anchor="w", font=theme.small_font, fill=p.muted
        )
        if figures:
            value = f"{getattr(figures[-1], name):,.1f} {unit}"
            canvas.create_text(
                right, middle, text=value, anchor="e", font=theme.bold_font, fill=p.text
            )
        plot = left, top + px(_TITLE), right, bottom - px(4)
        highest = max([least, *(getattr(figure, name) * 1.1 for figure in figures)])
        canvas.create_rectangle(*plot, fill=p.raised, outline="")
        points = _points(figures, name, highest, plot)
        if len(points) >= 4:
            canvas.create_line(*points, fill=p.accent, width=px(1.6))
        canvas.create_text(
            left + px(4), plot[1] + px(2), text=f"{highest:,.0f}", anchor="nw",
            font=theme.small_font, fill=p.muted,
        )  # fmt: skip


def _points(figures: list[Figures], name: str, highest: float, box: Box) -> list[float]:
    """The course of a figure as coordinates: the newest at the right, a minute ago at the left."""
    left, top, right, bottom = box
    points = []
    for figure in figures:
        age = figures[-1].when - figure.when
        points.append(right - (right - left) * age / SPAN)
        points.append(bottom - (bottom - top) * getattr(figure, name) / highest)
    return points
