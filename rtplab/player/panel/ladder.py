"""The ladder page: what went between client and server, with time downwards."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.ladder import Entry
from rtplab.player.model.ladderfeed import LadderFeed
from rtplab.player.model.ladderview import LadderView, Row
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.drawing import Drawing, SaveDrawing
from rtplab.protocol.rtsp.messages import printable

_WHEEL = 90  # pixels at 1x that the wheel scrolls
_STEP = 34  # pixels at 1x that an arrow key does
_PAGE = 0.9  # of a page, that Page Up and Page Down do
_MAX_NAME = 28  # characters of the server's

_KEYS = {"Up": -_STEP, "Down": _STEP}
_PAGE_KEYS = {"Prior": -_PAGE, "Next": _PAGE}


class _Tools(ttk.Frame):
    """The line below the ladder."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        toggle_follow: Callable[[], None],
        zoom: Callable[[int], None],
        save: Callable[[], None],
    ) -> None:
        px = theme.px
        super().__init__(master, padding=(px(12), px(8)))
        self._follows = tk.BooleanVar(self, True)
        self.follow = ttk.Checkbutton(
            self, text="Follow", variable=self._follows, command=toggle_follow
        )
        self.follow.pack(side="left")
        self.farther = ttk.Button(self, text="−", width=2, command=lambda: zoom(-1))
        self.farther.pack(side="left", padx=(px(10), px(4)))
        self.closer = ttk.Button(self, text="+", width=2, command=lambda: zoom(1))
        self.closer.pack(side="left")
        self._span = ttk.Label(self, style="Muted.TLabel")
        self._span.pack(side="left", padx=px(6))
        self.save = ttk.Button(self, text="Save picture …", command=save)
        self.save.pack(side="right")
        self.bind("<Destroy>", self._destroyed)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        del self._follows  # now: a collection in another thread would wait for Tk

    def show(self, view: LadderView) -> None:
        """Show whether the ladder follows, and how long a row stands for."""
        if self._follows.get() != view.follows:
            self._follows.set(view.follows)
        text = f"{view.span:g} s a row" if view.span else "1 frame a row"
        if self._span.cget("text") != text:
            self._span.configure(text=text)


class LadderPage(ttk.Frame):
    """A ladder that follows the newest row, or stands still and scrolls."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        client: PlayerClient,
        traffic: Traffic,
        opened: Callable[[Entry], None],
        save_drawing: SaveDrawing,
    ) -> None:
        """`opened` shows a message or a packet; `save_drawing` asks for a file and saves."""
        super().__init__(master)
        self._theme = theme
        self._client = client
        self._opened, self._save_drawing = opened, save_drawing
        self.feed = LadderFeed(traffic)
        self.view = LadderView(self.feed.ladder)
        self._drawn: tuple[object, ...] = ()
        self._build()

    def _build(self) -> None:
        px = self._theme.px
        self.tools = _Tools(self, self._theme, self._toggled_follow, self._zoom, self._save)
        self.tools.pack(side="bottom", fill="x")
        self._bar = ttk.Scrollbar(self, command=self._bar_moved)
        self._bar.pack(side="right", fill="y")
        self.canvas = tk.Canvas(
            self, highlightthickness=px(1), borderwidth=0, width=1, height=1, takefocus=True
        )
        self.canvas.pack(side="left", fill="both", expand=True)
        self._drawing = Drawing(self.canvas, self._theme)
        for sequence in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.canvas.bind(sequence, self._wheel)
        for key in (*_KEYS, *_PAGE_KEYS, "Home", "End"):
            self.canvas.bind(f"<{key}>", self._key)
        self.canvas.bind("<Button-1>", self._click)
        self.canvas.bind("<Configure>", lambda event: self.refresh())
        self.tools.show(self.view)

    def refresh(self) -> None:
        """Redraw the visible part, if it has changed."""
        is_new = self.feed.take()
        is_new = self.view.update() or is_new
        size = self.canvas.winfo_width(), self.canvas.winfo_height()
        state = (size, self._theme.name)
        if is_new or state != self._drawn:
            self._drawn = state
            self._draw()

    def _draw(self) -> None:
        p = self._theme.palette
        self.canvas.configure(highlightbackground=p.window, highlightcolor=p.accent)
        self._drawing.draw(self.view.shapes(*self._drawing.size, self._server()))
        self._bar.set(*self.view.fractions)
        self.tools.show(self.view)

    def _server(self) -> str:
        client = self._client
        return printable(f"{client.server_host}:{client.server_port}", _MAX_NAME)

    # ------------------------------------------------------------------ what the viewer does

    def _toggled_follow(self) -> None:
        self.view.follows = not self.view.follows
        self._draw()

    def _zoom(self, direction: int) -> None:
        self.view.zoom(direction)
        self._draw()

    def _bar_moved(self, how: str, amount: str, what: str = "") -> None:
        if how == "moveto":
            self.view.scroll_to(float(amount))
        elif what == "pages":
            self.view.scroll_pages(_PAGE * float(amount))
        else:
            self.view.scroll(_STEP * float(amount))
        self._draw()

    def _wheel(self, event: tk.Event[tk.Misc]) -> None:
        self.view.scroll(-_WHEEL if event.delta > 0 or event.num == 4 else _WHEEL)
        self._draw()

    def _key(self, event: tk.Event[tk.Misc]) -> str:
        key = event.keysym
        if key in _KEYS:
            self.view.scroll(_KEYS[key])
        elif key in _PAGE_KEYS:
            self.view.scroll_pages(_PAGE_KEYS[key])
        elif key == "Home":
            self.view.scroll_to(0.0)
        else:
            self.view.follows = True
        self._draw()
        return "break"  # which would seek

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        row = self._drawing.key_at(event.x, event.y)
        if isinstance(row, Row):
            entry = self.view.entry_at(row, event.x / self._theme.scale, self._drawing.size[0])
            if entry is not None:
                self._opened(entry)

    def _save(self) -> None:
        """Save the visible part."""
        title = f"RTSP and RTP between client and server {self._server()}"
        self._save_drawing("ladder", self._drawing.svg(title), self.canvas)
