"""Why pictures are missing: frames counted by what became of them, beside the rule."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import asdict
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.lossview import loss_shapes
from rtplab.player.model.shapes import Shape
from rtplab.player.model.streamlog import StreamLog
from rtplab.player.model.svg import svg
from rtplab.player.panel.drawing import Drawing


class LossPage(ttk.Frame):
    """A drawing that is renewed while it is seen."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        client: PlayerClient,
        log: StreamLog,
        save_drawing: Callable[[str, str], None],
    ) -> None:
        """`save_drawing` asks where a drawing of this name, an SVG document, is to be saved."""
        super().__init__(master)
        self._theme, self._client, self._log = theme, client, log
        self._save_drawing = save_drawing
        self._shapes: list[Shape] = []
        self._drawn: tuple[object, ...] = ()
        px = theme.px
        tools = ttk.Frame(self, padding=(px(12), px(8)))
        tools.pack(side="bottom", fill="x")
        self.reset = ttk.Button(tools, text="Reset", command=self._reset)
        self.reset.pack(side="left")
        self.save = ttk.Button(tools, text="Save SVG …", command=self._save)
        self.save.pack(side="right")
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True)
        self.canvas.bind("<Configure>", lambda event: self.refresh())
        self._drawing = Drawing(self.canvas, theme)

    def refresh(self) -> None:
        """Draw the counts, if they are others than before."""
        conditions = self._client.impairment.conditions
        has_bursts = conditions.loss > 0 and conditions.burst > 1
        width = self._drawing.size[0]
        state = (self._log.frames.counts, has_bursts, width, self._theme.name)
        if state != self._drawn:
            self._drawn = state
            self._shapes = loss_shapes(self._log.frames.counts, has_bursts, width)
            self._drawing.draw(self._shapes)

    def _reset(self) -> None:
        """Count from now on."""
        self._log.restart()
        self.refresh()

    def _save(self) -> None:
        drawing = svg(
            self._shapes,
            self._drawing.size,
            asdict(self._theme.palette),
            "Why pictures are missing",
        )
        self._save_drawing("loss", drawing)
