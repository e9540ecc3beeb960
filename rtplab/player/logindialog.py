"""The question who the user is, for a server that asks. The password stays in it and the client."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.dialogs import Dialog


class LoginDialog(Dialog):
    """Asks for a user name and a password; Cancel asks for nothing and changes nothing."""

    def __init__(
        self,
        parent: tk.Misc,
        question: str,
        server: str,
        user: str,
        answered: Callable[[str, str], None],
    ) -> None:
        """`question` is what the server said; `user` is filled in."""
        super().__init__(parent, "Log in")
        self._answered = answered
        px = self.theme.px
        headline = ttk.Label(self.body, text=server, style="Bold.TLabel", wraplength=px(380))
        headline.grid(row=0, column=0, columnspan=2, sticky="w")
        words = ttk.Label(self.body, text=question, style="Muted.TLabel", wraplength=px(380))
        words.grid(row=1, column=0, columnspan=2, sticky="w", pady=(px(2), px(12)))
        self.user = self.add_entry(2, "User name")
        self.password = self.add_entry(3, "Password")
        self.password.configure(show="●")
        self.user.insert(0, user)
        self.add_end(4, "Log in")
        self.appear(self.password if user else self.user)

    def agree(self) -> None:
        """Hand both over, and go."""
        user, password = self.user.get(), self.password.get()
        if not user:
            self.complain("Give the name that the server knows you by.")
            self.user.focus_set()
            return
        self.window.destroy()
        self._answered(user, password)
