"""The panel itself: its pages, opening and closing. While closed, it does nothing."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import NamedTuple

from rtplab.player.look.theme import Theme
from rtplab.player.model import history
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.commands import PAGES
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.ladder import Entry
from rtplab.player.model.streamfeed import StreamFeed
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.drawing import SaveDrawing
from rtplab.player.panel.ladder import LadderPage
from rtplab.player.panel.loss import LossPage
from rtplab.player.panel.messages import MessagesPage
from rtplab.player.panel.network import NetworkPage
from rtplab.player.panel.packet import PacketPage
from rtplab.player.panel.sash import Moved, Sash
from rtplab.player.panel.state import StatePage
from rtplab.player.panel.statistics import StatisticsPage
from rtplab.player.panel.timeline import TimelinePage
from rtplab.receiving.files.capture import CapturedMessage
from rtplab.receiving.rtp.frames import Frame

WIDTH = 486  # at 1x, with its edge, until that is dragged: as narrow as the pages can be
LOWEST = 550  # height at 1x that all pages need
NARROWEST = 320  # width at 1x that is left to the picture
REFRESH = 0.2  # seconds


class Savers(NamedTuple):
    """Callables that ask for a file and save something in it."""

    capture: Callable[[], None]
    drawing: SaveDrawing
    table: Callable[[str, str], None]  # a name, and CSV


class Pages(NamedTuple):
    """The pages, in the order of PAGES."""

    messages: MessagesPage
    state: StatePage
    packet: PacketPage
    statistics: StatisticsPage
    network: NetworkPage
    ladder: LadderPage
    timeline: TimelinePage
    loss: LossPage


class Panel:
    """Made when it is first opened, and kept up to date while it is open.

    It has more attributes than other classes: half are kept for its pages, which are made later.
    """

    def __init__(
        self,
        master: tk.Misc,
        client: PlayerClient,
        controller: PlaybackController,
        traffic: Traffic,
        savers: Savers,
        toggled: Callable[[], None],
        edge_moved: Moved,
    ) -> None:
        """`toggled` is called after it was opened or closed, so that the window makes room.

        `edge_moved` is called while its edge is dragged, and sets its width.
        """
        self._master = master
        self._client, self._controller, self._traffic = client, controller, traffic
        self._savers = savers
        self._toggled, self._edge_moved = toggled, edge_moved
        self._width = history.load().panel_width or WIDTH  # at 1x
        self._stream = StreamFeed(client, traffic)
        self._frame: ttk.Frame | None = None
        self._due = 0.0
        self.open = False

    def toggle(self) -> None:
        if self.open:
            self.close()
        else:
            self._open()

    def show(self, page: str) -> None:
        """Open the panel on a page."""
        if not self.open:
            self._open()
        self.notebook.select(PAGES.index(page))  # type: ignore[no-untyped-call]
        self._due = 0.0

    def _open(self) -> None:
        self.open = self._traffic.watching = True
        self._stream.begin()
        self._due = 0.0
        self._toggled()

    def close(self) -> None:
        """Close it. May be called twice."""
        if self._frame is not None:
            self._frame.grid_remove()
        self.open = self._traffic.watching = False
        self._toggled()

    @property
    def width(self) -> int:
        """The panel's width in pixels while it is open next to the picture."""
        px = Theme.of(self._master).px
        room = self._master.winfo_screenwidth() - px(NARROWEST)
        return max(min(px(self._width), room), px(WIDTH))

    @width.setter
    def width(self, pixels: int) -> None:
        self._width = max(WIDTH, round(pixels / Theme.of(self._master).scale))

    def remember_width(self) -> None:
        """Save its width for the next window."""
        settings = history.load()
        settings.panel_width = self._width
        history.save(settings)

    def place(self, rows: int, is_alone: bool = False) -> None:
        """Show it next to the picture (1 row) or to picture and controls (2), or in its place.

        `is_alone` says that there is no picture.
        """
        if self._frame is None:
            self._frame = self._build()
        self._frame.configure(width=self.width)
        column, columns = (0, 2) if is_alone else (1, 1)
        self._frame.grid(row=0, column=column, rowspan=rows, columnspan=columns, sticky="nsew")
        if is_alone:
            self._sash.grid_remove()
        else:
            self._sash.grid()

    def _build(self) -> ttk.Frame:
        theme, client, traffic = Theme.of(self._master), self._client, self._traffic
        log, savers = self._stream.log, self._savers
        frame = ttk.Frame(self._master, width=self.width)
        frame.grid_propagate(False)
        frame.columnconfigure(1, weight=1)
        frame.rowconfigure(0, weight=1)
        self._sash = Sash(frame, lambda: self.width, self._edge_moved)
        self._sash.grid(row=0, column=0, sticky="ns")
        self.notebook = ttk.Notebook(frame)
        self.notebook.grid(row=0, column=1, sticky="nsew")
        self.notebook.enable_traversal()
        self.pages = Pages(
            MessagesPage(self.notebook, theme, traffic, savers.capture),
            StatePage(self.notebook, theme, self._controller, traffic),
            PacketPage(self.notebook, theme, self._controller, traffic, savers.drawing),
            StatisticsPage(self.notebook, theme, client, savers.drawing, savers.table),
            NetworkPage(self.notebook, theme, client),
            LadderPage(self.notebook, theme, client, traffic, self._show_entry, savers.drawing),
            TimelinePage(
                self.notebook,
                theme,
                client,
                log,
                savers.drawing,
                savers.table,
            ),
            LossPage(self.notebook, theme, client, log, savers.drawing),
        )
        for page, title in zip(self.pages, PAGES, strict=True):
            self.notebook.add(page, text=title)
        return frame

    def _show_entry(self, entry: Entry) -> None:
        """Show a message or a packet on its page."""
        if isinstance(entry, CapturedMessage):
            self.show("Messages")
            self.pages.messages.show(entry)
        else:
            self.show("Packet")
            self.pages.packet.show(entry)

    def shown(self, frame: Frame, broken: int) -> None:
        """Note that a frame is shown now; `broken` pictures could not be decoded so far."""
        if self.open:
            self._stream.show(frame, broken)
        self._stream.broken = broken

    @property
    def page(self) -> ttk.Frame | None:
        """The visible page; None while the panel is closed."""
        if not self.open:
            return None
        current: int = self.notebook.index("current")  # type: ignore[no-untyped-call]
        return self.pages[current]

    def tick(self, now: float) -> None:
        """Update the visible page."""
        if not self.open or now < self._due:
            return
        self._due = now + REFRESH
        self._stream.take()
        self._stream.settle()
        self.pages.statistics.sample(now)
        current: int = self.notebook.index("current")  # type: ignore[no-untyped-call]
        self.pages[current].refresh()
