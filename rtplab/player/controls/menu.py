"""The menu, made from the command table."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from typing import Any

from rtplab.player.look.theme import Theme
from rtplab.player.model.commands import COMMANDS, MENUS, SPEEDS, Command, key_label
from rtplab.player.model.history import Address
from rtplab.player.model.status import PlayerState

Run = Callable[[Command], None]
# Left out: the menu is open already, and "Full screen" leaves it, too.
_NOT_IN_MENU = ("menu", "leave_fullscreen")


class PopupMenu:
    """Opens one menu at a time, and destroys the one before."""

    def __init__(self) -> None:
        self._menu: tk.Menu | None = None

    def at(self, x: int, y: int, menu: tk.Menu) -> None:
        """Open a menu at a place of the screen, in pixels."""
        if self._menu is not None:
            self._menu.destroy()
        self._menu = menu
        menu.tk_popup(x, y)

    def above(self, button: tk.Misc, menu: tk.Menu, at_right: bool = False) -> None:
        """Open a menu above a button, their left edges in line, or their right ones."""
        menu.update_idletasks()
        overlap = menu.winfo_reqwidth() - button.winfo_width() if at_right else 0
        x, y = button.winfo_rootx() - overlap, button.winfo_rooty() - menu.winfo_reqheight()
        self.at(x, y, menu)


def _draw_arrows(menu: tk.Menu) -> None:
    """Cover the arrows that Tk draws on X11, tiny bevels whatever the colours, with our own.

    Mouse events on an arrow are passed on to the menu. Tk 8.6.16 takes the arrow for a place
    outside of the menu unless <Enter> is among them.
    """
    theme = Theme.of(menu)
    if theme.windowing_system != "x11":
        return
    last = menu.index("end")
    cascades = [index for index in range((last or 0) + 1) if menu.type(index) == "cascade"]
    labels = {index: tk.Label(menu, borderwidth=0, padx=0, pady=0) for index in cascades}

    def place(event: tk.Event[tk.Misc]) -> None:
        width, edge = theme.px(18), theme.px(1)
        for index, label in labels.items():
            below = menu.yposition(index + 1) if index != last else menu.winfo_height() - edge
            top = menu.yposition(index)
            label.place(relx=1.0, x=-edge, anchor="ne", y=top, width=width, height=below - top)

    def colour(event: tk.Event[tk.Misc] | None = None) -> None:
        p, active = theme.palette, menu.index("active")
        for index, label in labels.items():
            lit = index == active
            icon = theme.icon("submenu", p.on_accent if lit else p.text, 12)
            label.configure(image=icon, background=p.accent if lit else p.menu)

    def pass_on(sequence: str, event: tk.Event[tk.Misc]) -> None:
        x, y = event.x + event.widget.winfo_x(), event.y + event.widget.winfo_y()
        menu.event_generate(
            sequence, x=x, y=y, rootx=event.x_root, rooty=event.y_root, state=event.state
        )

    for label in labels.values():
        for sequence in ("<Enter>", "<Motion>", "<Button-1>", "<ButtonRelease-1>"):
            label.bind(sequence, partial(pass_on, sequence))
    menu.bind("<Map>", place, add=True)
    menu.bind("<<MenuSelect>>", colour, add=True)
    colour()


def build_menu(
    master: tk.Misc,
    now: PlayerState,
    run: Run,
    recent: list[Address],
    reopen: Callable[[Address], None],
) -> tk.Menu:
    """Return the menu for this moment; commands that are not available are grey."""
    menu = tk.Menu(master, tearoff=False)
    underlined = ""
    for title in MENUS:
        # Its letter chooses it, so each needs another.
        letter = next(one for one in title if one.lower() not in underlined)
        underlined += letter.lower()
        submenu = _colour(tk.Menu(menu, tearoff=False))
        for command in COMMANDS:
            if command.menu == title and command.name not in _NOT_IN_MENU:
                _add(submenu, command, now, run)
            if command.menu == title and command.name == "open" and recent:
                _add_recent(submenu, recent, reopen)
        menu.add_cascade(label=title, menu=submenu, underline=title.index(letter), **_padding(menu))
        _draw_arrows(submenu)
    _draw_arrows(menu)
    return _colour(menu)


def build_speed_menu(master: tk.Misc, speed: float, choose: Callable[[float], None]) -> tk.Menu:
    """Return a menu of the speeds."""
    menu = tk.Menu(master, tearoff=False)
    for other in reversed(SPEEDS):
        mark = "●" if other == speed else "   "
        menu.add_command(
            label=f"{mark} {speed_label(other)}",
            command=lambda other=other: choose(other),  # type: ignore[misc]
            **_padding(menu),
        )
    return _colour(menu)


def build_links_menu(
    master: tk.Misc, links: list[tuple[str, str]], open_url: Callable[[str], None]
) -> tk.Menu:
    """Return a menu of web pages, given as pairs of name and address."""
    menu = tk.Menu(master, tearoff=False)
    for name, url in links:
        menu.add_command(label=f"{name} …", command=partial(open_url, url), **_padding(menu))
    return _colour(menu)


def speed_label(speed: float) -> str:
    return f"{round(speed, 2):g}×"


def _add(menu: tk.Menu, command: Command, now: PlayerState, run: Run) -> None:
    system = Theme.of(menu).windowing_system
    menu.add_command(
        label=command.label,
        accelerator=f"{key_label(command.keys[0], system)}  " if command.keys else "",
        command=lambda: run(command),
        state="normal" if command.enabled(now) else "disabled",
        **_padding(menu),
    )


def _add_recent(menu: tk.Menu, recent: list[Address], reopen: Callable[[Address], None]) -> None:
    submenu = _colour(tk.Menu(menu, tearoff=False))
    for address in recent:
        submenu.add_command(
            label=address.title,
            command=lambda address=address: reopen(address),  # type: ignore[misc]
            **_padding(menu),
        )
    menu.add_cascade(label="Open again", menu=submenu, **_padding(menu))


def _padding(menu: tk.Menu) -> dict[str, Any]:
    return {"image": Theme.of(menu).spacer(8, 24), "compound": "left"}


def _colour(menu: tk.Menu) -> tk.Menu:
    """Style a menu by hand, as it is not a ttk widget."""
    theme = Theme.of(menu)
    p = theme.palette
    menu.configure(
        background=p.menu,
        foreground=p.text,
        activebackground=p.accent,
        activeforeground=p.on_accent,
        disabledforeground=p.disabled,
        relief="flat",
        borderwidth=theme.px(1),
        activeborderwidth=0,  # Tk can only draw a bevel with it
        font=theme.font,
    )
    if theme.windowing_system == "x11":  # which alone has menus without an edge
        _draw_edge(menu, theme)
    return menu


def _draw_edge(menu: tk.Menu, theme: Theme) -> None:
    """Cover the edge, which Tk draws in the background's colour.

    Another background would show: Tk speckles the padding of disabled entries with it.
    """
    width = theme.px(1)
    places: tuple[dict[str, Any], ...] = (
        {"relwidth": 1.0, "height": width},
        {"relwidth": 1.0, "height": width, "rely": 1.0, "anchor": "sw"},
        {"width": width, "relheight": 1.0},
        {"width": width, "relheight": 1.0, "relx": 1.0, "anchor": "ne"},
    )
    for place in places:
        tk.Frame(menu, background=theme.palette.border).place(**place)
