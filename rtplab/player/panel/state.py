"""The state diagram, with the current state lit and the last transition drawn."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import NamedTuple

from rtplab.player.look.theme import Theme
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.statediagram import ARROWS, PLACES, Arrow, last_arrow
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.states import State

_BOX = (116, 48)  # at 1x
_WIDEST = 480  # of the diagram, at 1x
_MAX_TEXT = 300  # characters of a message's first line


class _Shown(NamedTuple):
    state: State
    arrow: Arrow | None  # that led to it
    request: str
    reply: str
    width: int
    height: int
    look: str


class StatePage(ttk.Frame):
    """A diagram on a canvas that is redrawn after a change."""

    def __init__(
        self, master: tk.Misc, theme: Theme, controller: PlaybackController, traffic: Traffic
    ) -> None:
        super().__init__(master)
        self._theme, self._controller, self._traffic = theme, controller, traffic
        self._shown: _Shown | None = None
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True)

    def refresh(self) -> None:
        """Redraw the diagram, if anything has changed."""
        controller, canvas = self._controller, self.canvas
        client = controller.client
        request, reply = self._traffic.last_exchange()
        if client.ended and client.state is State.READY:
            request, reply = "", "RTCP BYE: the server has sent the whole movie"
        elif controller.change.loss and client.state is State.INIT:
            request, reply = "", controller.change.loss
        arrow = last_arrow(
            controller.change.before, client.state, client.ended, bool(controller.change.loss)
        )
        size = canvas.winfo_width(), canvas.winfo_height()
        shown = _Shown(client.state, arrow, request, reply, *size, self._theme.name)
        if shown != self._shown:
            self._shown = shown
            self._draw(shown)

    def _draw(self, shown: _Shown) -> None:
        p = self._theme.palette
        self.canvas.delete("all")
        self.canvas.configure(background=p.window)
        lit = shown.arrow
        for arrow in ARROWS:
            if lit is not None and arrow.path == lit.path:
                self._draw_arrow(lit, True)
            else:
                self._draw_arrow(arrow, False)
        for state in State:
            self._draw_state(state, state is shown.state)
        self._draw_exchange(shown)

    def _at(self, place: tuple[float, float]) -> tuple[float, float]:
        """A place of the diagram, in shares of its width and height, in pixels."""
        px, room = self._theme.px, self.canvas.winfo_width()
        width = min(room, px(_WIDEST))
        return (room - width) / 2 + place[0] * width, px(30) + place[1] * px(330)

    def _draw_state(self, state: State, lit: bool) -> None:
        theme = self._theme
        p, (width, height) = theme.palette, (theme.px(_BOX[0]), theme.px(_BOX[1]))
        x, y = self._at(PLACES[state])
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        fill, colour = (p.accent, p.on_accent) if lit else (p.raised, p.text)
        outline = p.accent if lit else p.border
        self.canvas.create_rectangle(*box, fill=fill, outline=outline, width=theme.px(1))
        self.canvas.create_text(x, y, text=state.name, font=theme.bold_font, fill=colour)

    def _draw_arrow(self, arrow: Arrow, lit: bool) -> None:
        theme = self._theme
        p, px = theme.palette, theme.px
        colour = p.accent if lit else p.muted
        points = [coordinate for place in arrow.path for coordinate in self._at(place)]
        self.canvas.create_line(
            *points, fill=colour, width=px(3 if lit else 1.4), arrow="last", smooth=True,
            arrowshape=(px(10), px(12), px(4)),
        )  # fmt: skip
        font = theme.bold_font if lit else theme.font
        x, y = self._at(arrow.label_at)
        self.canvas.create_text(x, y, text=arrow.method, font=font, fill=colour)

    def _draw_exchange(self, shown: _Shown) -> None:
        """The request that caused the last transition, and its answer."""
        theme = self._theme
        p, px = theme.palette, theme.px
        y = self._at((0.0, 1.0))[1] + px(46)
        for arrow, text, colour in (("→", shown.request, p.accent), ("←", shown.reply, p.good)):
            if not text:
                continue
            line = self.canvas.create_text(
                px(20), y, text=f"{arrow} {printable(text, _MAX_TEXT)}", anchor="nw", fill=colour,
                font=theme.fixed_font, width=self.canvas.winfo_width() - px(40),
            )  # fmt: skip
            y = self.canvas.bbox(line)[3] + px(8)
