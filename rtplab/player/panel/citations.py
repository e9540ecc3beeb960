"""Links to the RFCs: a section that a page cites is opened by a click, or chosen from a menu."""

from __future__ import annotations

import tkinter as tk
import webbrowser
from collections.abc import Callable, Iterator

from rtplab.player.model.citations import Citation, citation_at, citations_in

_LIT = "citation"  # a tag of texts


class CitationLinks:
    """Finds citations in the texts and drawings of a window."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` tells the user something for a moment."""
        self._say = say
        # The widget with a citation under the mouse, and its usual cursor.
        self._lit: tuple[tk.Misc, str] | None = None

    def open(self, url: str) -> None:
        """Show a page in the browser; if there is no browser, show the address."""
        if not webbrowser.open(url):
            self._say(f"No browser was found: see {url}")

    def clicked(self, event: tk.Event[tk.Misc]) -> None:
        """Open the RFC section cited under the mouse, unless the click has selected text."""
        if isinstance(event.widget, tk.Text) and event.widget.tag_ranges("sel"):
            return
        found = _under_mouse(event)
        if found is not None:
            self.open(found.url)

    def moved(self, event: tk.Event[tk.Misc]) -> None:
        """Show a hand over a citation, and underline the citation in a text."""
        found = _under_mouse(event)
        if self._lit is not None:
            widget, cursor = self._lit
            self._lit = None
            if widget.winfo_exists():
                widget.configure(cursor=cursor)  # type: ignore[call-arg]
                if isinstance(widget, tk.Text):
                    widget.tag_remove(_LIT, "1.0", "end")
        if found is None:
            return
        widget = event.widget
        self._lit = widget, str(widget.cget("cursor"))
        widget.configure(cursor="hand2")  # type: ignore[call-arg]
        if isinstance(widget, tk.Text):
            line = f"@{event.x},{event.y} linestart"
            widget.tag_configure(_LIT, underline=True)
            widget.tag_add(_LIT, f"{line} +{found.start}c", f"{line} +{found.end}c")


def citations_on(page: tk.Misc) -> list[Citation]:
    """Return the sections cited on the visible part of a page, each once."""
    found = {one.url: one for text in _texts(page) for one in citations_in(text)}
    return list(found.values())


def _texts(widget: tk.Misc) -> Iterator[str]:
    if isinstance(widget, tk.Text):
        yield widget.get("@0,0", f"@{widget.winfo_width()},{widget.winfo_height()}")
    elif isinstance(widget, tk.Canvas):
        for item in widget.find_all():
            yield _text_of(widget, item)
    elif widget.winfo_class() == "TLabel":
        yield str(widget.cget("text"))
    for child in widget.winfo_children():
        if child.winfo_ismapped():
            yield from _texts(child)


def _under_mouse(event: tk.Event[tk.Misc]) -> Citation | None:
    widget = event.widget
    if isinstance(widget, tk.Text):
        place = f"@{event.x},{event.y}"
        line = widget.get(f"{place} linestart", f"{place} lineend")
        return citation_at(line, int(widget.index(place).partition(".")[2]))
    if isinstance(widget, tk.Canvas):
        x, y = widget.canvasx(event.x), widget.canvasy(event.y)
        for item in widget.find_overlapping(x, y, x, y):
            if text := _text_of(widget, item):
                character: int = widget.index(item, f"@{x:.0f},{y:.0f}")  # type: ignore[no-untyped-call]
                return citation_at(text, character)
    return None


def _text_of(canvas: tk.Canvas, item: int) -> str:
    """Return the text of an item of a drawing; "" if it has none."""
    if str(canvas.type(item)) != "text":
        return ""
    text: str = canvas.itemcget(item, "text")  # type: ignore[no-untyped-call]
    return text
