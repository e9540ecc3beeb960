"""The panel itself: its pages, opening and closing. Closed, it does nothing."""

from __future__ import annotations

from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING

from rtplab.player.model.commands import PAGES
from rtplab.player.panel.messages import MessagesPage
from rtplab.player.panel.network import NetworkPage
from rtplab.player.panel.packet import PacketPage
from rtplab.player.panel.state import StatePage
from rtplab.player.panel.statistics import StatisticsPage
from rtplab.receiving.files.capture import CapturedMessage as Message
from rtplab.receiving.files.capture import CapturedPacket as Packet
from rtplab.receiving.files.capture import write_capture
from rtplab.receiving.files.wholefile import WholeFile

if TYPE_CHECKING:
    from rtplab.player.window import PlayerWindow

WIDTH = 440  # at 1x
LOWEST = 540  # height at 1x that all pages need
NARROWEST = 320  # width at 1x that is left to the picture
REFRESH = 0.2  # seconds


class Panel:
    """Made when it is first opened, and kept up to date while it is open."""

    def __init__(self, window: PlayerWindow) -> None:
        self._window = window
        self._frame: ttk.Frame | None = None
        self._due = 0.0
        self._grown = 0, 0  # pixels that the window grew by when the panel was opened
        self._moved = 0, 0  # and was moved by
        self.open = False

    def toggle(self) -> None:
        if self.open:
            self._close()
        else:
            self._open()

    def show(self, page: str) -> None:
        """Open the panel on a page."""
        if not self.open:
            self._open()
        self.notebook.select(PAGES.index(page))  # type: ignore[no-untyped-call]
        self._due = 0.0

    def _open(self) -> None:
        if self._frame is None:
            self._frame = self._build()
        self._make_room()
        self.open = self._window.traffic.watching = True
        if not self._window.fullscreen.active:
            self._window.arrange()
        else:
            self.place(rows=2)
        self._due = 0.0

    def _close(self) -> None:
        assert self._frame is not None
        self._frame.grid_remove()
        self.open = self._window.traffic.watching = False
        self._give_room_back()
        self._window.picture.focus_set()

    @property
    def width(self) -> int:
        """Pixels that the panel takes, while it is open."""
        return self._window.theme.px(WIDTH)

    def place(self, rows: int) -> None:
        """Show it beside the picture (1 row), or beside picture and controls (2)."""
        assert self._frame is not None
        self._frame.grid(row=0, column=1, rowspan=rows, sticky="nsew")

    def _make_room(self) -> None:
        """Grow beside the picture, so far as the screen has room, and move for it."""
        if self._window.fullscreen.active:
            return
        top, px = self._window.toplevel, self._window.theme.px
        size, place = (top.winfo_width(), top.winfo_height()), (top.winfo_x(), top.winfo_y())
        # What a window manager puts around it: the same left, right and below, more above.
        edge, title = top.winfo_rootx() - place[0], top.winfo_rooty() - place[1]
        room = top.winfo_screenwidth() - 2 * edge, top.winfo_screenheight() - title - edge
        wanted = size[0] + px(WIDTH), max(size[1], px(LOWEST))
        new = [max(old, min(w, there)) for old, w, there in zip(size, wanted, room, strict=True)]
        moved = [
            max(0, min(old, there - long))
            for old, long, there in zip(place, new, room, strict=True)
        ]
        self._grown = new[0] - size[0], new[1] - size[1]
        self._moved = moved[0] - place[0], moved[1] - place[1]
        self._resize(new[0], new[1], (moved[0], moved[1]))
        top.minsize(min(new[0], px(WIDTH + NARROWEST)), min(new[1], px(LOWEST)))

    def _give_room_back(self) -> None:
        window, top = self._window, self._window.toplevel
        window.limit_size()
        if not window.fullscreen.active:
            window.arrange()
            size = top.winfo_width() - self._grown[0], top.winfo_height() - self._grown[1]
            place = top.winfo_x() - self._moved[0], top.winfo_y() - self._moved[1]
            self._resize(*size, place)
        self._grown = self._moved = 0, 0

    def _resize(self, width: int, height: int, place: tuple[int, int]) -> None:
        """Change the size, and the place only if it is another."""
        top = self._window.toplevel
        is_moved = place != (top.winfo_x(), top.winfo_y())
        top.geometry(f"{width}x{height}" + (f"+{place[0]}+{place[1]}" if is_moved else ""))

    def _build(self) -> ttk.Frame:
        window, theme, px = self._window, self._window.theme, self._window.theme.px
        client, traffic = window.client, window.traffic
        frame = ttk.Frame(window.master, width=px(WIDTH))
        frame.grid_propagate(False)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(0, weight=1)
        self.notebook = ttk.Notebook(frame)
        self.notebook.grid(row=0, column=0, sticky="nsew")
        self.notebook.enable_traversal()
        self.messages = MessagesPage(self.notebook, theme, traffic, window.actions.save_pcap)
        self.state = StatePage(self.notebook, theme, client, window.controller, traffic)
        self.packet = PacketPage(self.notebook, theme, traffic)
        self.statistics = StatisticsPage(self.notebook, theme, client)
        self.network = NetworkPage(self.notebook, theme, client)
        self.pages = (self.messages, self.state, self.packet, self.statistics, self.network)
        for page, title in zip(self.pages, PAGES, strict=True):
            self.notebook.add(page, text=title)
        return frame

    def tick(self, now: float) -> None:
        """Bring the page that is seen up to date."""
        if not self.open or now < self._due:
            return
        self._due = now + REFRESH
        self.statistics.sample(now)
        current: int = self.notebook.index("current")  # type: ignore[no-untyped-call]
        self.pages[current].refresh()

    def save_capture(self, path: Path) -> str:
        """Write what has been observed; return a sentence about it."""
        traffic = self._window.traffic
        entries: list[Message | Packet] = [*traffic.messages, *traffic.packets]
        try:
            with WholeFile(path) as file:
                write_capture(file, entries)
        except OSError as error:
            return f"The capture could not be saved ({error.strerror})."
        return f"{len(entries)} messages and packets saved in {path}"
