"""What the player's questions look like: fields, a line for what is wrong, and two buttons."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from rtplab.player.look.theme import Theme

_WIDE = 40  # characters


class Dialog:
    """A window of its own in the middle of its parent; Return agrees, Escape cancels."""

    def __init__(self, parent: tk.Misc, title: str) -> None:
        self.theme = Theme.of(parent)
        self.window = tk.Toplevel(parent, background=self.theme.palette.window)
        self.window.withdraw()  # until it is finished, and in its place
        self.window.title(title)
        self.window.transient(parent.winfo_toplevel())
        self.window.resizable(False, False)
        self.body = ttk.Frame(self.window, padding=self.theme.px(20))
        self.body.pack(fill="both", expand=True)
        self.body.columnconfigure(1, weight=1)
        self.window.bind("<Return>", lambda event: self.agree())
        self.window.bind("<Escape>", lambda event: self.window.destroy())

    def agree(self) -> None:
        """Do what was asked for; to be written by each dialog."""
        raise NotImplementedError

    def add_entry(self, row: int, label: str, width: int = 0, indent: int = 0) -> ttk.Entry:
        """Add a field with its label; `width` in characters, or all there is where it is 0."""
        px = self.theme.px
        text = ttk.Label(self.body, text=label, style="Muted.TLabel")
        text.grid(row=row, column=0, sticky="w", padx=(px(indent), px(12)))
        entry = ttk.Entry(self.body, width=width or _WIDE, font=self.theme.font)
        entry.grid(row=row, column=1, sticky="w" if width else "ew", pady=px(3))
        return entry

    def add_end(self, row: int, agree: str) -> None:
        """Add the line for what is wrong, Cancel and the button that agrees."""
        px = self.theme.px
        self.error = ttk.Label(self.body, style="Bad.TLabel", wraplength=px(380))
        self._error_row = row
        buttons = ttk.Frame(self.body)
        buttons.grid(row=row + 1, column=0, columnspan=2, sticky="e", pady=(px(14), 0))
        cancel = ttk.Button(buttons, text="Cancel", command=self.window.destroy)
        cancel.pack(side="left", padx=(0, px(8)))
        ttk.Button(buttons, text=agree, command=self.agree).pack(side="left")

    def complain(self, sentence: str) -> None:
        """Say what is wrong with an answer."""
        self.error.configure(text=sentence)
        above = (self.theme.px(8), 0)
        self.error.grid(row=self._error_row, column=0, columnspan=2, sticky="w", pady=above)

    def appear(self, focused: ttk.Entry) -> None:
        """Show it in the middle of its parent, but within the screen."""
        window, parent = self.window, self.window.master.winfo_toplevel()
        window.update_idletasks()
        width, height = window.winfo_reqwidth(), window.winfo_reqheight()
        x = parent.winfo_rootx() + (parent.winfo_width() - width) // 2
        y = parent.winfo_rooty() + (parent.winfo_height() - height) // 2
        x = min(max(x, 0), max(0, parent.winfo_screenwidth() - width))
        y = min(max(y, 0), max(0, parent.winfo_screenheight() - height))
        window.geometry(f"+{x}+{y}")
        window.deiconify()
        focused.focus_set()
        focused.icursor("end")
