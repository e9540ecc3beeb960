"""The player's questions: what to play, who the user is, and whether to close the window.

A dialog has fields, a line for errors, and two buttons. A password stays in its field and
the client.
"""

from __future__ import annotations

import threading
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from urllib.parse import urlsplit

from rtplab.player.look.theme import Theme
from rtplab.player.model.history import Address, parse_address, parse_url, with_name
from rtplab.protocol.errors import SessionError
from rtplab.protocol.rtsp.messages import printable
from rtplab.receiving.rtsp.listing import movies_of

_WIDE = 40  # characters
_FIELDS = (("host", "Server"), ("port", "Port"), ("rtp_port", "RTP port"), ("movie", "Movie"))
_EXAMPLE = Address("localhost", 5678, 0, "movie.Mjpeg")
_NARROW = 8  # characters of a field for a port
LONGEST_LIST = 10  # lines that are seen at a time
LOOK_INTERVAL = 50  # milliseconds between two checks for a server's answer


class Dialog:
    """A window of its own in the middle of its parent; Return accepts, Escape cancels."""

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
        self.window.bind("<Return>", lambda event: self.accept())
        self.window.bind("<Escape>", lambda event: self.cancel())
        self.window.protocol("WM_DELETE_WINDOW", self.cancel)

    def accept(self) -> None:
        """Carry out the request; each dialog implements it."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Close it without doing anything."""
        self.window.destroy()

    def add_entry(self, row: int, label: str, width: int = 0, indent: int = 0) -> ttk.Entry:
        """Add a field with its label; `width` in characters, or all there is where it is 0."""
        px = self.theme.px
        text = ttk.Label(self.body, text=label, style="Muted.TLabel")
        text.grid(row=row, column=0, sticky="w", padx=(px(indent), px(12)))
        entry = ttk.Entry(self.body, width=width or _WIDE, font=self.theme.font)
        entry.grid(row=row, column=1, sticky="w" if width else "ew", pady=px(3))
        return entry

    def add_end(self, row: int, accept: str) -> None:
        """Add the line for errors, Cancel and the button that accepts."""
        px = self.theme.px
        self.error = ttk.Label(self.body, style="Bad.TLabel", wraplength=px(380))
        self._error_row = row
        buttons = ttk.Frame(self.body)
        buttons.grid(row=row + 1, column=0, columnspan=2, sticky="e", pady=(px(14), 0))
        cancel = ttk.Button(buttons, text="Cancel", command=self.cancel)
        cancel.pack(side="left", padx=(0, px(8)))
        self.accept_button = ttk.Button(buttons, text=accept, command=self.accept)
        self.accept_button.pack(side="left")

    def show_error(self, sentence: str) -> None:
        """Show an error about an answer."""
        self.error.configure(text=sentence)
        above = (self.theme.px(8), 0)
        self.error.grid(row=self._error_row, column=0, columnspan=2, sticky="w", pady=above)

    def show(self, focused: ttk.Entry | ttk.Button) -> None:
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
        window.lift()
        focused.focus_set()
        if isinstance(focused, ttk.Entry):
            focused.icursor("end")


class Choices(ttk.Treeview):
    """A list of lines, one of which can be chosen, also by keys alone."""

    def __init__(self, master: tk.Misc, height: int) -> None:
        super().__init__(master, show="tree", height=height, selectmode="browse")
        for key in ("<Down>", "<Up>"):
            self.bind(key, self._choose_first)

    def _choose_first(self, event: tk.Event[tk.Misc]) -> str | None:
        """Begin at the top: Tk moves on only from an entry that has been chosen."""
        if self.focus() or not self.get_children():
            return None
        first = self.get_children()[0]
        self.focus(first)
        self.selection_set(first)
        return "break"


class Question:
    """Asks a server for its movies, in a thread that touches no Tk."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.names: list[str] = []
        self.error = ""  # a sentence
        self.is_answered = False
        threading.Thread(target=self._ask, name="question", daemon=True).start()

    def _ask(self) -> None:
        try:
            self.names = movies_of(self.address)
        except SessionError as error:
            self.error = str(error)
        finally:
            self.is_answered = True


class OpenDialog(Dialog):
    """Asks for a lab server's movie or an address, and lists recently played ones.

    The list also shows a server's movies, once it has been asked.
    """

    def __init__(
        self, parent: tk.Misc, recent: list[Address], opened: Callable[[Address], None]
    ) -> None:
        super().__init__(parent, "Open")
        self._choices = recent  # what the list shows
        self._next_look = ""  # while a server has been asked what it has
        self._opened = opened
        self.entries: dict[str, ttk.Entry] = {}
        self._kind = tk.StringVar(self.window, "lab")
        self._build()
        self._fill(recent[0] if recent else _EXAMPLE)
        self.window.bind("<Destroy>", self._destroyed)
        self.show(self.entries["host" if self._kind.get() == "lab" else "url"])

    def _build(self) -> None:
        self._add_kind(0, "lab", "A lab server's movie")
        for row, (name, label) in enumerate(_FIELDS, start=1):
            self._add_field(row, name, label)
        self._add_kind(5, "url", "An address, rtsp://host/movie or http://camera/stream")
        self._add_field(6, "url", "Address")
        self.ask_server = ttk.Button(
            self.body, text="List what it has", style="Small.TButton", command=self._ask_server
        )
        self.ask_server.grid(row=7, column=1, sticky="e")
        self._add_list(8)
        self.add_end(10, "Open")

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

    def _add_list(self, row: int) -> None:
        px = self.theme.px
        self.heading = ttk.Label(self.body, style="Bold.TLabel")
        self.heading.grid(row=row, column=0, columnspan=2, sticky="w", pady=(px(14), px(4)))
        self.list = Choices(self.body, 1)
        self.list.grid(row=row + 1, column=0, columnspan=2, sticky="ew")
        self.list.bind("<<TreeviewSelect>>", self._selected)
        self.list.bind("<Double-Button-1>", lambda event: self.accept())
        self._show_choices("Recently played", [one.title for one in self._choices])

    def _show_choices(self, heading: str, titles: list[str]) -> None:
        """Show a list, or none where there is nothing to choose."""
        self.heading.configure(text=heading)
        self.list.delete(*self.list.get_children())
        for number, title in enumerate(titles):
            self.list.insert("", "end", iid=str(number), text=title)
        self.list.configure(height=min(len(titles), LONGEST_LIST))
        for widget in (self.heading, self.list):
            widget.grid() if titles else widget.grid_remove()

    def _selected(self, event: tk.Event[tk.Misc]) -> None:
        for number in self.list.selection():
            self._fill(self._choices[int(number)])

    def _ask_server(self) -> None:
        """Ask the server of the address for its movies, in a thread."""
        self._kind.set("url")
        try:
            address = parse_url(self.entries["url"].get())
        except ValueError as error:
            self.show_error(str(error))
            return
        self.ask_server.configure(state="disabled")
        question = Question(address.url)
        self._next_look = self.window.after(LOOK_INTERVAL, self._check_for_answer, question)

    def _check_for_answer(self, question: Question) -> None:
        if not question.is_answered:
            self._next_look = self.window.after(LOOK_INTERVAL, self._check_for_answer, question)
            return
        self._next_look = ""
        self.ask_server.configure(state="normal")
        if question.error:
            self.show_error(question.error)
            return
        self.error.grid_remove()
        if not question.names:
            self.show_error("The server has nothing to play.")
        self._choices = [with_name(question.address, name) for name in question.names]
        host = urlsplit(question.address).netloc.rpartition("@")[2]
        self._show_choices(f"On {printable(host)}", [printable(n, 80) for n in question.names])

    def _fill(self, address: Address) -> None:
        self._kind.set("url" if address.url else "lab")
        for name in ("url",) if address.url else [name for name, _ in _FIELDS]:
            self.entries[name].delete(0, "end")
            self.entries[name].insert(0, str(getattr(address, name)))

    def accept(self) -> None:
        """Open the requested address; an invalid one is reported."""
        text = {name: entry.get() for name, entry in self.entries.items()}
        try:
            if self._kind.get() == "url":
                address = parse_url(text["url"])
            else:
                address = parse_address(*(text[name] for name, _ in _FIELDS))
        except ValueError as error:
            self.show_error(str(error))
            return
        self.window.destroy()
        self._opened(address)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.window:
            if self._next_look:
                self.window.after_cancel(self._next_look)
            del self._kind  # in this thread: Tcl aborts when another happens to collect it


class LoginDialog(Dialog):
    """Asks for a user name and a password; Cancel asks for nothing and changes nothing."""

    def __init__(
        self,
        parent: tk.Misc,
        question: str,
        server: str,
        user: str,
        answered: Callable[[str, str, bool], None],
        needs_basic: bool,
    ) -> None:
        """`question` is the server's message; `user` is filled in.

        With `needs_basic` the user must agree to send the password unencrypted.
        """
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
        self._allows_basic = tk.BooleanVar(self.window, False)
        self._needs_basic = needs_basic
        if needs_basic:
            consent = ttk.Checkbutton(
                self.body,
                text="Send the password unencrypted: anyone on the network path can read it",
                variable=self._allows_basic,
            )
            consent.grid(row=4, column=0, columnspan=2, sticky="w", pady=(px(8), 0))
        self.window.bind("<Destroy>", self._destroyed)
        self.add_end(5, "Log in")
        self.show(self.password if user else self.user)

    def accept(self) -> None:
        """Hand over both, and close."""
        user, password = self.user.get(), self.password.get()
        if not user:
            self.show_error("Enter your user name on this server.")
            self.user.focus_set()
            return
        allows_basic = self._allows_basic.get()
        if self._needs_basic and not allows_basic:
            self.show_error(
                "The server accepts the password only unencrypted: tick the box, or cancel."
            )
            return
        self.window.destroy()
        self._answered(user, password, allows_basic)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.window:
            del self._allows_basic  # in this thread, as above


class ConfirmDialog(Dialog):
    """Asks for confirmation. Only one of the two callables is called, and only once."""

    def __init__(
        self,
        parent: tk.Misc,
        question: str,
        accept: str,
        accepted: Callable[[], None],
        cancelled: Callable[[], None] = lambda: None,
    ) -> None:
        """`accept` is the label of the accepting button."""
        super().__init__(parent, "Quit?")
        self._accepted, self._cancelled = accepted, cancelled
        text = ttk.Label(self.body, text=question, wraplength=self.theme.px(380))
        text.grid(row=0, column=0, columnspan=2, sticky="w")
        self.add_end(1, accept)
        self.show(self.accept_button)

    def accept(self) -> None:
        """Do it."""
        self.window.destroy()
        self._accepted()

    def cancel(self) -> None:
        """Go on as before."""
        super().cancel()
        self._cancelled()
