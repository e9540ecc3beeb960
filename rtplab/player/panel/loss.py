"""Why pictures are missing: counts of what became of the frames, next to the rule's prediction."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.lossview import loss_shapes
from rtplab.player.model.streamlog import StreamLog
from rtplab.player.panel.drawing import Drawing, SaveDrawing


class LossPage(ttk.Frame):
    """A drawing that is updated while it is visible."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        client: PlayerClient,
        log: StreamLog,
        save_drawing: SaveDrawing,
    ) -> None:
        """`save_drawing` asks for a file and saves the drawing."""
        super().__init__(master)
        self._theme, self._client, self._log = theme, client, log
        self._save_drawing = save_drawing
        self._drawn: tuple[object, ...] = ()
        px = theme.px
        tools = ttk.Frame(self, padding=(px(12), px(8)))
        tools.pack(side="bottom", fill="x")
        self.reset = ttk.Button(tools, text="Reset", command=self._reset)
        self.reset.pack(side="left")
        self.save = ttk.Button(tools, text="Save picture …", command=self._save)
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
            self._drawing.draw(loss_shapes(self._log.frames.counts, has_bursts, width))

    def _reset(self) -> None:
        """Count from now on."""
        self._log.restart()
        self.refresh()

    def _save(self) -> None:
        self._save_drawing("loss", self._drawing.svg("Why pictures are missing"), self.canvas)
