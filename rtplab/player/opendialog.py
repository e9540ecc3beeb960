"""The dialog that asks what to play."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.dialogs import Dialog
from rtplab.player.model.history import Address, parse_address, parse_url

_FIELDS = (("host", "Server"), ("port", "Port"), ("rtp_port", "RTP port"), ("movie", "Movie"))
_EXAMPLE = Address("localhost", 5678, 0, "movie.Mjpeg")
_NARROW = 8  # characters of a field for a port


class OpenDialog(Dialog):
    """Asks for a lab server's movie or an address; what was played lately is one click away."""

    def __init__(
        self, parent: tk.Misc, recent: list[Address], opened: Callable[[Address], None]
    ) -> None:
        super().__init__(parent, "Open")
        self._recent = recent
        self._opened = opened
        self.entries: dict[str, ttk.Entry] = {}
        self._kind = tk.StringVar(self.window, "lab")
        self._build()
        self._fill(recent[0] if recent else _EXAMPLE)
        self.window.bind("<Destroy>", self._destroyed)
        self.appear(self.entries["host" if self._kind.get() == "lab" else "url"])

    def _build(self) -> None:
        self._add_kind(0, "lab", "A lab server's movie")
        for row, (name, label) in enumerate(_FIELDS, start=1):
            self._add_field(row, name, label)
        self._add_kind(5, "url", "An RTSP address, rtsp://host/movie")
        self._add_field(6, "url", "Address")
        if self._recent:
            self._add_recent(7)
        self.add_end(9, "Open")

    def _add_kind(self, row: int, kind: str, label: str) -> None:
        px = self.theme.px
        button = ttk.Radiobutton(self.body, text=label, value=kind, variable=self._kind)
        above = px(14) if row else 0
        button.grid(row=row, column=0, columnspan=2, sticky="w", pady=(above, px(4)))

    def _add_field(self, row: int, name: str, label: str) -> None:
        entry = self.add_entry(row, label, _NARROW if "port" in name else 0, indent=24)
        kind = "url" if name == "url" else "lab"
        entry.bind("<Key>", lambda event: self._typed(event.char, kind))
        for paste in ("<<Paste>>", "<<PasteSelection>>"):
            entry.bind(paste, lambda event: self._kind.set(kind), add=True)
        self.entries[name] = entry

    def _typed(self, character: str, kind: str) -> None:
        if character.strip():  # Tab goes past a field without choosing it
            self._kind.set(kind)

    def _add_recent(self, row: int) -> None:
        px = self.theme.px
        label = ttk.Label(self.body, text="Opened lately", style="Bold.TLabel")
        label.grid(row=row, column=0, columnspan=2, sticky="w", pady=(px(14), px(4)))
        self.list = ttk.Treeview(
            self.body, show="tree", height=len(self._recent), selectmode="browse"
        )
        for number, address in enumerate(self._recent):
            self.list.insert("", "end", iid=str(number), text=address.title)
        self.list.grid(row=row + 1, column=0, columnspan=2, sticky="ew")
        self.list.bind("<<TreeviewSelect>>", self._selected)
        for key in ("<Down>", "<Up>"):
            self.list.bind(key, self._choose_first)
        self.list.bind("<Double-Button-1>", lambda event: self.agree())

    def _choose_first(self, event: tk.Event[tk.Misc]) -> str | None:
        """Begin at the top: Tk moves on only from an entry that has been chosen."""
        if self.list.focus():
            return None
        self.list.focus("0")
        self.list.selection_set("0")
        return "break"

    def _selected(self, event: tk.Event[tk.Misc]) -> None:
        for number in self.list.selection():
            self._fill(self._recent[int(number)])

    def _fill(self, address: Address) -> None:
        self._kind.set("url" if address.url else "lab")
        for name in ("url",) if address.url else [name for name, _ in _FIELDS]:
            self.entries[name].delete(0, "end")
            self.entries[name].insert(0, str(getattr(address, name)))

    def agree(self) -> None:
        """Open what was asked for; what makes no sense is told."""
        text = {name: entry.get() for name, entry in self.entries.items()}
        try:
            if self._kind.get() == "url":
                address = parse_url(text["url"])
            else:
                address = parse_address(*(text[name] for name, _ in _FIELDS))
        except ValueError as error:
            self.complain(str(error))
            return
        self.window.destroy()
        self._opened(address)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.window:
            del self._kind  # in this thread: Tcl aborts when another happens to collect it
