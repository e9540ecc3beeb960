"""The timeline page: packets sent and arrived, frames shown; below, a list of the packets."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import NamedTuple

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.commands import next_of
from rtplab.player.model.packettable import PacketRow
from rtplab.player.model.streamlog import StreamLog
from rtplab.player.model.tables import packets_csv
from rtplab.player.model.timelineview import (
    HEIGHT,
    SPANS,
    Timeline,
    TimelineWindow,
    timeline_shapes,
)
from rtplab.player.panel.drawing import Drawing, SaveDrawing
from rtplab.player.panel.packetlist import PacketList
from rtplab.player.panel.tracks import LATENCY
from rtplab.player.panel.trackslider import TrackSlider

_SCROLL = 0.5  # of the span, a press
_BUTTONS = {
    "hold": "Hold", "back": "◀", "forward": "▶", "farther": "−", "closer": "+", "csv": "CSV …",
    "picture": "Picture …",
}  # fmt: skip
_MOST_ROWS = 1000  # of packets in the list, while the timeline stands still


class _Held(NamedTuple):
    """What the timeline shows while it stands still, and the latest moment of it."""

    timeline: Timeline
    until: float


class _Tools(ttk.Frame):
    """The line of buttons below the drawing."""

    def __init__(
        self, master: tk.Misc, theme: Theme, commands: dict[str, Callable[[], None]]
    ) -> None:
        px = theme.px
        super().__init__(master, padding=(px(12), px(6), px(12), 0))
        self.buttons: dict[str, ttk.Button] = {}
        self.span = ttk.Label(self, style="Muted.TLabel")
        for name, command in commands.items():
            text = _BUTTONS[name]
            width = 6 if name == "hold" else 2 if len(text) == 1 else None
            button = ttk.Button(self, text=text, style="Small.TButton", command=command)
            if width is not None:
                button.configure(width=width)
            at_right = width is None
            gap = (px(4), 0) if at_right else (0, px(4))
            button.pack(side="right" if at_right else "left", padx=gap)
            self.buttons[name] = button
        self.span.pack(side="left")

    def show(self, holds: bool, span: float) -> None:
        """Show whether the timeline stands still, and how many seconds are visible."""
        self.buttons["hold"].configure(text="Follow" if holds else "Hold")
        self.span.configure(text=f"{span:g} s" if span >= 1 else f"{1000 * span:.0f} ms")


class TimelinePage(ttk.Frame):
    """A timeline that follows the newest packets, or stands still and scrolls."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        client: PlayerClient,
        log: StreamLog,
        save_drawing: SaveDrawing,
        save_table: Callable[[str, str], None],
    ) -> None:
        """`save_drawing` and `save_table` (a name, and CSV) ask for a file and save."""
        super().__init__(master)
        self._theme, self._client, self._log = theme, client, log
        self._save_drawing, self._save_table = save_drawing, save_table
        self._held: _Held | None = None
        self._window = TimelineWindow(0.0, 0.5, client.playout.latency)
        self._build()

    def _build(self) -> None:
        theme, px = self._theme, self._theme.px
        self.canvas = tk.Canvas(
            self, highlightthickness=0, borderwidth=0, width=1, height=px(HEIGHT)
        )
        self.canvas.pack(side="top", fill="x", pady=(px(8), 0))
        self._drawing = Drawing(self.canvas, theme)
        self.tools = _Tools(
            self,
            theme,
            {
                "hold": self._toggle_hold,
                "back": lambda: self._scroll(-1),
                "forward": lambda: self._scroll(1),
                "farther": lambda: self._zoom(1),
                "closer": lambda: self._zoom(-1),
                "csv": self._save_packets,
                "picture": self._save,
            },
        )
        self.tools.pack(side="top", fill="x")
        row = ttk.Frame(self, padding=(px(12), 0))
        row.pack(side="top", fill="x")
        row.columnconfigure(1, weight=1)
        self.latency = TrackSlider(row, theme, 0, LATENCY, self._set_latency, gap=4)
        self.list = PacketList(self, theme, self._selected)
        self.list.pack(side="top", fill="both", expand=True)
        self.canvas.bind("<Button-1>", self._click)
        self.canvas.bind("<Configure>", lambda event: self._draw())
        self.bind("<<ThemeChanged>>", lambda event: self._changed_theme())

    def _changed_theme(self) -> None:
        self.canvas.configure(height=self._theme.px(HEIGHT))
        self._draw()

    def refresh(self) -> None:
        """Show the newest, unless it stands still."""
        latency = self._client.playout.latency
        if self._held is None:
            self._window = self._window._replace(
                now=time.time(),
                latency=latency,
                knows_sent=self._client.reception.trusts_timestamps,
            )
            self.list.follow(self._log.table.rows)
            self.latency.show(latency)
            self._draw()

    @property
    def _timeline(self) -> Timeline:
        if self._held is not None:
            return self._held.timeline
        log = self._log
        return Timeline(log.table.rows, log.frames.frames, log.frames.step)

    def _draw(self) -> None:
        width = self._drawing.size[0]
        self._drawing.draw(timeline_shapes(self._timeline, self._window, width))
        self.tools.show(self._held is not None, self._window.span)

    # ------------------------------------------------------------------ what the viewer does

    def _toggle_hold(self) -> None:
        if self._held is not None:
            self._held = None
            self._window = self._window._replace(focus=None)
        else:
            live = self._timeline
            timeline = Timeline(list(live.rows), list(live.frames), live.step)
            self._held = _Held(timeline, self._window.now)
            self._list_rows()
        self.refresh()
        self._draw()

    def _hold(self) -> None:
        if self._held is None:
            self._toggle_hold()

    def _list_rows(self) -> None:
        """List the packets that the timeline shows."""
        self.list.show(self._timeline.rows_in(self._window)[-_MOST_ROWS:])

    def _scroll(self, direction: int) -> None:
        self._hold()
        assert self._held is not None
        rows = self._held.timeline.rows
        oldest = rows[0].when if rows else self._held.until
        now = self._window.now + direction * _SCROLL * self._window.span
        now = min(max(now, oldest), self._held.until)
        self._window = self._window._replace(now=now)
        self._list_rows()
        self._draw()

    def _zoom(self, direction: int) -> None:
        span = next_of(SPANS, self._window.span, direction)
        self._window = self._window._replace(span=span)
        if self._held is not None:
            self._list_rows()
        self._draw()

    def _set_latency(self, seconds: float) -> None:
        self._client.set_latency(seconds)
        self.latency.tell(seconds)
        self._window = self._window._replace(latency=seconds)
        self._draw()

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        """Select one frame: show its deadline and its packets."""
        index = self._drawing.key_at(event.x, event.y)
        if isinstance(index, int):
            self._hold()
            self._window = self._window._replace(focus=index)
            self.list.select_frame(index)
            self._draw()

    def _selected(self, row: PacketRow) -> None:
        """Show the frame of the packet that was chosen in the list."""
        if self._held is not None and row.frame != self._window.focus:
            self._window = self._window._replace(focus=row.frame)
            self._draw()

    def _save(self) -> None:
        """Save the drawing as it is seen."""
        title = "Packets as they were sent, arrived and were shown"
        self._save_drawing("timeline", self._drawing.svg(title, HEIGHT), self.canvas)

    def _save_packets(self) -> None:
        """Save all packets that are kept."""
        self._save_table("packets", packets_csv(list(self._timeline.rows)))
