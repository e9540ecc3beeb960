"""A list of packets, a line each, with the columns of Wireshark's RTP analysis."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from itertools import islice
from tkinter import ttk

from rtplab.player.look.theme import PACKET_ROW, Theme
from rtplab.player.model.packettable import OK, PacketRow
from rtplab.player.model.shapes import Anchor

# Heading, width at 1x, and the alignment of the text.
_COLUMNS: tuple[tuple[str, int, Anchor], ...] = (
    ("Number", 56, "e"),
    ("Δ ms", 54, "e"),
    ("Jitter ms", 64, "e"),
    ("Skew ms", 68, "e"),
    ("kbit/s", 58, "e"),
    ("Mark", 40, "center"),
    ("Status", 90, "w"),
)
_STYLE = "Packets.Treeview"


class PacketList(ttk.Frame):
    """As many of the newest packets as fit, or some to scroll through."""

    def __init__(
        self, master: tk.Misc, theme: Theme, selected: Callable[[PacketRow], None]
    ) -> None:
        """`selected` is called with the packet that the user has chosen."""
        super().__init__(master)
        self._theme = theme
        self._selected = selected
        self._rows: list[PacketRow] = []  # that are on the list
        names = [name for name, _, _ in _COLUMNS]
        self.tree = ttk.Treeview(self, columns=names, show="headings", style=_STYLE, height=1)
        bar = ttk.Scrollbar(self, command=self.tree.yview)
        self.tree.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.tree.pack(side="left", fill="both", expand=True)
        self.tree.bind("<<TreeviewSelect>>", self._chosen)
        self.bind("<<ThemeChanged>>", lambda event: self._dress())
        self._dress()

    def _dress(self) -> None:
        p, px = self._theme.palette, self._theme.px
        for name, width, anchor in _COLUMNS:
            self.tree.heading(name, text=name, anchor=anchor)
            self.tree.column(
                name, width=px(width), minwidth=px(30), anchor=anchor, stretch=name == "Status"
            )
        self.tree.tag_configure("remarkable", foreground=p.warning)

    def follow(self, rows: Sequence[PacketRow]) -> None:
        """Show the newest packets of these."""
        room = self.tree.winfo_height() // self._theme.px(PACKET_ROW) - 1
        newest = [*islice(reversed(rows), max(1, room))][::-1]
        if newest != self._rows:
            self.show(newest)

    def show(self, rows: list[PacketRow]) -> None:
        """Show these packets."""
        self._rows = rows
        tree = self.tree
        there = tree.get_children()
        tree.delete(*there[len(rows) :])
        for number, row in enumerate(rows):
            values = (
                row.sequence_number, f"{1000 * row.delta:.2f}", f"{1000 * row.jitter:.2f}",
                f"{1000 * row.skew:.2f}", f"{row.kbit_per_second:,.0f}", "●" * row.marker,
                row.status,
            )  # fmt: skip
            tags = () if row.status == OK else ("remarkable",)
            if number < len(there):
                tree.item(there[number], values=values, tags=tags)
            else:
                tree.insert("", "end", values=values, tags=tags)
        if tree.selection():
            tree.selection_set(())

    def select_frame(self, index: int) -> None:
        """Select the packets of a frame, and scroll to them."""
        items = [
            item
            for item, row in zip(self.tree.get_children(), self._rows, strict=False)
            if row.frame == index
        ]
        self.tree.selection_set(items)
        if items:
            self.tree.see(items[-1])
            self.tree.see(items[0])

    def _chosen(self, event: tk.Event[tk.Misc]) -> None:
        selection = self.tree.selection()
        if selection:
            self._selected(self._rows[self.tree.index(selection[0])])
