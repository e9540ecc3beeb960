"""Asks where to save: a name, and a folder to walk through."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from pathlib import Path
from tkinter import ttk

from rtplab.player.dialogs import Choices, Dialog

_ROWS = 9
MAX_ENTRIES = 2000  # shown of a folder: more take too long, and are too many to look through


class SaveDialog(Dialog):
    """Shows folders and the files of one suffix. To replace a file takes a second press."""

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        path: Path,
        chosen: Callable[[Path], None],
        formats: Mapping[str, str] | None = None,
    ) -> None:
        """`path` is the default; `chosen` is called with the path that the user picks.

        `formats` are the suffixes to choose from, each with a sentence that says why it can't be
        had, or "". Without them there is the one suffix of `path`.
        """
        super().__init__(parent, title)
        self._chosen = chosen
        self._folder = path.parent
        self._formats = formats or {path.suffix: ""}
        self._format = tk.StringVar(self.window, path.suffix)
        self._may_replace: Path | None = None
        px = self.theme.px
        self.where = ttk.Label(self.body, style="Bold.TLabel", wraplength=px(380))
        self.where.grid(row=0, column=0, columnspan=2, sticky="w", pady=(0, px(8)))
        self._add_list()
        self.name = self.add_entry(2, "Name")
        self.name.insert(0, path.name)
        self.formats: dict[str, ttk.Radiobutton] = {}
        if len(self._formats) > 1:
            self._add_formats(3)
        self.add_end(4, "Save")
        self._enter(self._folder)
        self.show(self.name)
        self.name.selection_range(0, len(path.stem))
        self.body.bind("<Destroy>", self._destroyed)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        del self._format  # now: a collection in another thread would wait for Tk

    def _add_formats(self, row: int) -> None:
        px = self.theme.px
        label = ttk.Label(self.body, text="Format", style="Muted.TLabel")
        label.grid(row=row, column=0, sticky="w", padx=(0, px(12)))
        frame = ttk.Frame(self.body)
        frame.grid(row=row, column=1, sticky="w", pady=px(3))
        for suffix in self._formats:
            button = ttk.Radiobutton(
                frame, text=suffix[1:].upper(), value=suffix, variable=self._format,
                command=self._changed_format,
            )  # fmt: skip
            button.pack(side="left", padx=(0, px(12)))
            self.formats[suffix] = button

    def _changed_format(self) -> None:
        """Give the name the suffix of the format that has been chosen."""
        suffix = self._format.get()
        name = Path(self.name.get().strip())
        if name.suffix.lower() in self._formats:
            self.name.delete(0, "end")
            self.name.insert(0, str(name.with_suffix(suffix)))
        self.show_error(self._formats[suffix])
        self._enter(self._folder)

    def _add_list(self) -> None:
        px = self.theme.px
        frame = ttk.Frame(self.body)
        frame.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(0, px(8)))
        self.list = Choices(frame, _ROWS)
        bar = ttk.Scrollbar(frame, command=self.list.yview)
        self.list.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.list.pack(side="left", fill="both", expand=True)
        self.list.bind("<<TreeviewSelect>>", self._selected)
        self.list.bind("<Double-Button-1>", lambda event: self._enter_selected())
        self.list.bind("<Return>", self._pressed_return)

    def _enter(self, folder: Path) -> None:
        """List a folder's contents, if it can be read."""
        try:
            entries = sorted(folder.iterdir(), key=lambda path: path.name.casefold())
            folders = [path for path in entries if path.is_dir() and path.name[0] != "."]
        except OSError as error:
            self.show_error(f"{folder} can't be read ({error.strerror}).")
            return
        files = [path for path in entries if path.suffix == self._format.get() and path.is_file()]
        self._folder = folder
        self.where.configure(text=str(folder))
        self.list.delete(*self.list.get_children())
        for path in [folder.parent, *folders, *files][:MAX_ENTRIES]:
            is_parent = path == folder.parent
            text = "‹ up" if is_parent else path.name + "/" * (path in folders)
            self.list.insert("", "end", iid=str(path), text=text)

    def _selected(self, event: tk.Event[tk.Misc]) -> None:
        for path in map(Path, self.list.selection()):
            if path.suffix == self._format.get() and not path.is_dir():
                self.name.delete(0, "end")
                self.name.insert(0, path.name)

    def _pressed_return(self, event: tk.Event[tk.Misc]) -> str:
        self._enter_selected()
        return "break"  # the dialog would accept

    def _enter_selected(self) -> None:
        for path in map(Path, self.list.selection()):
            self._enter(path) if path.is_dir() else self.accept()

    def accept(self) -> None:
        """Save there, unless it would replace a file without confirmation."""
        name = self.name.get().strip()
        if not name:
            self.show_error("Give the file a name.")
            return
        path = self._folder / Path(name).expanduser()
        if path.is_dir():
            self._enter(path)
            return
        if not path.suffix or (self.formats and path.suffix.lower() not in self._formats):
            path = path.with_name(path.name + self._format.get())
        why_not = self._formats.get(path.suffix.lower())
        if why_not:
            self.show_error(why_not)
            return
        if path.exists() and path != self._may_replace:
            self._may_replace = path
            self.show_error(f"{path.name} already exists: press Save again to replace it.")
            return
        self.window.destroy()
        self._chosen(path)
