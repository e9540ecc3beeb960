"""Tooltips: what a button does, or why it can't now, while the mouse rests on it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.look.theme import Theme

DELAY = 600  # milliseconds that the mouse must rest
SHOWN = 8000  # milliseconds after which it disappears: long enough to read it


class Tooltip:
    """The tooltip of one widget."""

    def __init__(self, widget: tk.Misc, text: Callable[[], str]) -> None:
        """`text` is called each time the tooltip is shown."""
        self._widget = widget
        self._text = text
        self._timer = ""
        self._window: tk.Toplevel | None = None
        widget.bind("<Enter>", self._wait, add=True)
        for event in ("<Leave>", "<Button>", "<Destroy>", "<Key>", "<Unmap>"):
            widget.bind(event, self._hide, add=True)

    def _wait(self, event: tk.Event[tk.Misc]) -> None:
        self._hide(event)  # there may be two <Enter> in a row, as after a menu
        self._timer = self._widget.after(DELAY, self._show)

    def _show(self) -> None:
        self._timer = self._widget.after(SHOWN, self._hide)
        theme = Theme.of(self._widget)
        palette, px = theme.palette, theme.px
        self._window = window = tk.Toplevel(self._widget, background=palette.border)
        window.wm_overrideredirect(True)
        label = ttk.Label(window, text=self._text(), padding=(px(8), px(4)), font=theme.small_font)
        label.pack(padx=px(1), pady=px(1))
        width, height = label.winfo_reqwidth(), label.winfo_reqheight()
        x = self._widget.winfo_rootx() + (self._widget.winfo_width() - width) // 2
        x = max(0, min(x, self._widget.winfo_screenwidth() - width - px(2)))
        y = self._widget.winfo_rooty() - height - px(8)
        window.wm_geometry(f"+{x}+{max(0, y)}")

    def _hide(self, event: tk.Event[tk.Misc] | None = None) -> None:
        if self._timer:
            self._widget.after_cancel(self._timer)
            self._timer = ""
        if self._window is not None:
            self._window.destroy()
            self._window = None
