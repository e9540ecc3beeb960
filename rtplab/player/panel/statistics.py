"""The numbers of the reception, and their course over the last minute."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.plotdata import PlotData, Totals
from rtplab.player.model.plotview import plot_shapes
from rtplab.player.model.shapes import Shape
from rtplab.player.model.tables import figures_csv
from rtplab.player.panel.drawing import Drawing, SaveDrawing


class StatisticsPage(ttk.Frame):
    """Plots above, totals below."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        client: PlayerClient,
        save_drawing: SaveDrawing,
        save_table: Callable[[str, str], None],
    ) -> None:
        """`save_drawing` and `save_table` (a name, and CSV) ask for a file and save."""
        super().__init__(master)
        self._save_drawing, self._save_table = save_drawing, save_table
        self._theme = theme
        self._client = client
        self._data = PlotData()
        px = theme.px
        self._totals = ttk.Frame(self, padding=(px(14), px(6), px(14), px(12)))
        self._totals.pack(side="bottom", fill="x")
        self._halves = [ttk.Frame(self._totals) for _ in range(2)]  # below a column of plots each
        for column, half in enumerate(self._halves):
            half.grid(row=0, column=column, sticky="new", padx=(px(14) * column, 0))
            half.columnconfigure(1, weight=1)
        self._totals.columnconfigure(0, weight=1, uniform="half")
        self._totals.columnconfigure(1, weight=1, uniform="half", pad=px(14))
        self.values: dict[str, ttk.Label] = {}
        self._before: Totals | None = None  # what had come when the totals were reset
        tools = ttk.Frame(self._totals)
        tools.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(px(4), 0))
        self.picture, self.save, self.reset = (
            ttk.Button(tools, text=text, style="Small.TButton", command=command)
            for text, command in (
                ("Picture …", self._save_plots),
                ("CSV …", self._save),
                ("Reset", self._reset),
            )
        )
        self.picture.pack(side="left")
        self.save.pack(side="left", padx=px(6))
        self.reset.pack(side="right")
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True, pady=(px(6), 0))
        self.canvas.bind("<Configure>", lambda event: self._draw_plots())
        self._drawing = Drawing(self.canvas, theme)
        self.parts: dict[str, list[Shape]] = {}  # of the drawing: each plot's, each axis's

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
        figures, jitter = self._data.figures, reception.statistics.jitter
        if figures:
            jitter = figures[-1].jitter_ms / 1000  # the same as on its plot
        rows = since.rows(jitter, reception.statistics.max_jitter)
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

    def _save_plots(self) -> None:
        """Save the plots as they are seen."""
        title = "Reception over the last minute"
        self._save_drawing("statistics", self._drawing.svg(title), self.canvas)

    def _save(self) -> None:
        """Save the plotted data."""
        self._save_table("statistics", figures_csv(*self._data.table()))

    def _show_total(self, number: int, name: str, value: str) -> None:
        if name not in self.values:
            px = self._theme.px
            row, column = divmod(number, 2)
            half = self._halves[column]
            label = ttk.Label(half, text=name, style="Muted.TLabel")
            label.grid(row=row, column=0, sticky="w", padx=(0, px(8)))
            self.values[name] = ttk.Label(half, anchor="e")
            self.values[name].grid(row=row, column=1, sticky="e", pady=px(2))
        if self.values[name].cget("text") != value:
            self.values[name].configure(text=value)

    def _draw_plots(self) -> None:
        drawing = self._drawing
        self.parts = plot_shapes(self._data, *drawing.size, drawing.lettering)
        drawing.draw([shape for part in self.parts.values() for shape in part])
