"""The numbers of the reception, and their course over the last minute."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from rtplab.player.plotdata import SPAN, Figures, PlotData, totals

if TYPE_CHECKING:
    from rtplab.player.window import PlayerWindow

# Attribute of Figures, title, unit, and the smallest value at the top of the plot.
_PLOTS = (
    ("frames_per_second", "Frame rate", "frames/s", 30.0),
    ("kbit_per_second", "Bit rate", "kbit/s", 100.0),
    ("loss_percent", "Loss (RFC 3550 A.3)", "%", 10.0),
    ("jitter_ms", "Interarrival jitter (RFC 3550 A.8)", "ms", 10.0),
    ("irregular_per_second", "Out of order, late, doubled", "packets/s", 10.0),
    ("buffer_ms", "Playout buffer", "ms", 200.0),
)


class StatisticsPage(ttk.Frame):
    """Plots above, totals below."""

    def __init__(self, master: tk.Misc, window: PlayerWindow) -> None:
        super().__init__(master)
        self._window = window
        self._data = PlotData()
        px = window.theme.px
        self._totals = ttk.Frame(self, padding=(px(14), px(6), px(14), px(12)))
        self._totals.pack(side="bottom", fill="x")
        self.values: dict[str, ttk.Label] = {}
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True)

    def sample(self, now: float) -> None:
        """Take a sample when one is due; also while another page is seen."""
        if self._data.is_due(now):
            client = self._window.client
            self._data.sample(client.reception.statistics, client.playout.fill(now), now)

    def refresh(self) -> None:
        """Show the newest numbers."""
        client = self._window.client
        reception, playout = client.reception, client.playout
        rows = totals(reception.statistics, reception.malformed, playout.skipped)
        rows.append(("Latency set", f"{playout.latency * 1000:.0f} ms"))
        for number, (name, value) in enumerate(rows):
            self._show_total(number, name, value)
        self._draw_plots()

    def _show_total(self, number: int, name: str, value: str) -> None:
        if name not in self.values:
            px = self._window.theme.px
            row, column = divmod(number, 2)
            label = ttk.Label(self._totals, text=name, style="Muted.TLabel")
            label.grid(row=row, column=2 * column, sticky="w", padx=(px(14) * column, px(8)))
            self.values[name] = ttk.Label(self._totals, anchor="e")
            self.values[name].grid(row=row, column=2 * column + 1, sticky="e", pady=px(2))
            self._totals.columnconfigure(2 * column + 1, weight=1, uniform="values")
        if self.values[name].cget("text") != value:
            self.values[name].configure(text=value)

    def _draw_plots(self) -> None:
        self.canvas.delete("all")
        self.canvas.configure(background=self._window.theme.palette.window)
        height = self.canvas.winfo_height() / len(_PLOTS)
        for number, plot in enumerate(_PLOTS):
            self._draw_plot(number * height, height, *plot)

    def _draw_plot(
        self, y: float, height: float, name: str, title: str, unit: str, least: float
    ) -> None:
        theme = self._window.theme
        p, px, canvas = theme.palette, theme.px, self.canvas
        left, right = px(14), canvas.winfo_width() - px(14)
        top, bottom = y + px(24), y + height - px(2)
        figures = list(self._data.figures)
        highest = max([least, *(getattr(figure, name) * 1.1 for figure in figures)])
        canvas.create_text(left, y + px(13), text=title, anchor="w", font=theme.font, fill=p.text)
        if figures:
            value = f"{getattr(figures[-1], name):,.1f} {unit}"
            canvas.create_text(
                right, y + px(13), text=value, anchor="e", font=theme.bold_font, fill=p.text
            )
        canvas.create_rectangle(left, top, right, bottom, fill=p.raised, outline="")
        canvas.create_text(
            left + px(4), top + px(2), text=f"{highest:,.0f}", anchor="nw", font=theme.small_font,
            fill=p.disabled,
        )  # fmt: skip
        points = self._points(figures, name, highest, (left, top, right, bottom))
        if len(points) >= 4:
            canvas.create_line(*points, fill=p.accent, width=px(1.6))

    def _points(
        self, figures: list[Figures], name: str, highest: float, box: tuple[float, ...]
    ) -> list[float]:
        left, top, right, bottom = box
        points = []
        for figure in figures:
            age = figures[-1].when - figure.when
            points.append(right - (right - left) * age / SPAN)
            points.append(bottom - (bottom - top) * getattr(figure, name) / highest)
        return points
