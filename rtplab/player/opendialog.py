"""The dialog that asks what to play."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.history import Address, parse_address, parse_url
from rtplab.player.theme import Theme

_FIELDS = (("host", "Server"), ("port", "Port"), ("rtp_port", "RTP port"), ("movie", "Movie"))
_EXAMPLE = {"host": "localhost", "port": "5678", "rtp_port": "0", "movie": "movie.Mjpeg"}
_NARROW = 8  # characters of a field for a port


class OpenDialog:
    """Asks for a lab server's movie or an address; what was played lately is one click away."""

    def __init__(
        self, parent: tk.Misc, recent: list[Address], opened: Callable[[Address], None]
    ) -> None:
        self._recent = recent
        self._opened = opened
        self._theme = Theme.of(parent)
        self.window = tk.Toplevel(parent, background=self._theme.palette.window)
        self.window.title("Open")
        self.window.transient(parent.winfo_toplevel())
        self.window.resizable(False, False)
        self.entries: dict[str, ttk.Entry] = {}
        self._kind = tk.StringVar(self.window, "lab")
        self._build()
        self._fill(recent[0] if recent else Address(**{**_EXAMPLE, "port": 5678, "rtp_port": 0}))  # type: ignore[arg-type]
        self._centre_on(parent.winfo_toplevel())
        self.window.bind("<Return>", lambda event: self._open())
        self.window.bind("<Escape>", lambda event: self.window.destroy())
        self.window.bind("<Destroy>", self._destroyed)
        self.entries["host" if self._kind.get() == "lab" else "url"].focus_set()

    def _centre_on(self, parent: tk.Misc) -> None:
        self.window.update_idletasks()
        width, height = self.window.winfo_reqwidth(), self.window.winfo_reqheight()
        x = parent.winfo_rootx() + (parent.winfo_width() - width) // 2
        y = parent.winfo_rooty() + (parent.winfo_height() - height) // 2
        x = min(max(x, 0), max(0, parent.winfo_screenwidth() - width))
        y = min(max(y, 0), max(0, parent.winfo_screenheight() - height))
        self.window.geometry(f"+{x}+{y}")

    def _build(self) -> None:
        px = self._theme.px
        body = ttk.Frame(self.window, padding=px(20))
        body.pack(fill="both", expand=True)
        body.columnconfigure(1, weight=1)
        self._add_kind(body, 0, "lab", "A lab server's movie")
        for row, (name, label) in enumerate(_FIELDS, start=1):
            self._add_field(body, row, name, label)
        self._add_kind(body, 5, "url", "An RTSP address, rtsp://host/movie")
        self._add_field(body, 6, "url", "Address")
        if self._recent:
            self._add_recent(body, 7)
        self.error = ttk.Label(body, style="Bad.TLabel", wraplength=px(380))
        self.error.grid(row=9, column=0, columnspan=2, sticky="w", pady=(px(8), 0))
        self._add_buttons(body, 10)

    def _add_kind(self, body: ttk.Frame, row: int, kind: str, label: str) -> None:
        px = self._theme.px
        button = ttk.Radiobutton(body, text=label, value=kind, variable=self._kind)
        above = px(14) if row else 0
        button.grid(row=row, column=0, columnspan=2, sticky="w", pady=(above, px(4)))

    def _add_field(self, body: ttk.Frame, row: int, name: str, label: str) -> None:
        px = self._theme.px
        entry = ttk.Entry(body, width=_NARROW if "port" in name else 40, font=self._theme.font)
        text = ttk.Label(body, text=label, style="Muted.TLabel")
        text.grid(row=row, column=0, sticky="w", padx=(px(24), px(12)))
        entry.grid(row=row, column=1, sticky="w" if "port" in name else "ew", pady=px(3))
        kind = "url" if name == "url" else "lab"
        entry.bind("<Key>", lambda event: self._kind.set(kind))
        self.entries[name] = entry

    def _add_recent(self, body: ttk.Frame, row: int) -> None:
        px = self._theme.px
        label = ttk.Label(body, text="Opened lately", style="Bold.TLabel")
        label.grid(row=row, column=0, columnspan=2, sticky="w", pady=(px(14), px(4)))
        self.list = ttk.Treeview(
            body, show="tree", height=min(len(self._recent), 10), selectmode="browse"
        )
        for number, address in enumerate(self._recent):
            self.list.insert("", "end", iid=str(number), text=address.title)
        self.list.grid(row=row + 1, column=0, columnspan=2, sticky="ew")
        self.list.bind("<<TreeviewSelect>>", self._selected)
        self.list.bind("<Double-Button-1>", lambda event: self._open())

    def _add_buttons(self, body: ttk.Frame, row: int) -> None:
        px = self._theme.px
        buttons = ttk.Frame(body)
        buttons.grid(row=row, column=0, columnspan=2, sticky="e", pady=(px(14), 0))
        self.cancel = ttk.Button(buttons, text="Cancel", command=self.window.destroy)
        self.cancel.pack(side="left", padx=(0, px(8)))
        self.open = ttk.Button(buttons, text="Open", command=self._open)
        self.open.pack(side="left")

    def _selected(self, event: tk.Event[tk.Misc]) -> None:
        for number in self.list.selection():
            self._fill(self._recent[int(number)])

    def _fill(self, address: Address) -> None:
        self._kind.set("url" if address.url else "lab")
        names = ("url",) if address.url else tuple(_EXAMPLE)
        for name in names:
            self.entries[name].delete(0, "end")
            self.entries[name].insert(0, str(getattr(address, name)))

    def _open(self) -> None:
        text = {name: entry.get() for name, entry in self.entries.items()}
        try:
            if self._kind.get() == "url":
                address = parse_url(text["url"])
            else:
                address = parse_address(*(text[name] for name, _ in _FIELDS))
        except ValueError as error:
            self.error.configure(text=str(error))
            return
        self.window.destroy()
        self._opened(address)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.window:
            del self._kind  # in this thread: Tcl aborts when another happens to collect it
