"""Takes a picture of a widget as it is seen on the screen. Not every system grants that."""

from __future__ import annotations

import subprocess
import sys
import tkinter as tk

from PIL import Image, ImageColor, ImageGrab

_EDGE = 3  # pixels from a corner to where its colour is looked at: a focus ring is thinner
_SIMILAR = 12  # of 255: screens' colour profiles change colours a little
_NEEDED = 3  # corners that must have the widget's background


class ScreenshotError(Exception):
    """The system does not grant a screenshot. The message is a sentence that says why."""


def screenshot(widget: tk.Misc, background: str) -> Image.Image:
    """Return a picture of a widget whose corners have the colour `background`, `#rrggbb`."""
    widget.update_idletasks()
    widget.winfo_pointerxy()  # waits until the X server has drawn
    left, top = widget.winfo_rootx(), widget.winfo_rooty()
    box = left, top, left + widget.winfo_width(), top + widget.winfo_height()
    is_x11 = widget.tk.call("tk", "windowingsystem") == "x11"
    try:
        image = ImageGrab.grab(
            box,
            all_screens=sys.platform == "win32",
            # Without it Pillow would run another program, which may flash and ask questions.
            xdisplay=widget.winfo_screen() if is_x11 else None,
        ).convert("RGB")
    except (OSError, subprocess.SubprocessError) as error:
        raise ScreenshotError("This system does not let programs take screenshots.") from error
    # Instead of an error, Wayland gives black and macOS the empty desktop.
    if not _is_of(image, background):
        raise ScreenshotError(
            "No screenshot of this page could be taken: the system does not allow it, or another "
            "window covers the page."
        )
    return image


def _is_of(image: Image.Image, background: str) -> bool:
    """Tell if a picture has the colour of the background in nearly all corners."""
    right, bottom = image.width - 1 - _EDGE, image.height - 1 - _EDGE
    corners = [(x, y) for x in (_EDGE, right) for y in (_EDGE, bottom)]
    wanted = ImageColor.getrgb(background)
    return _NEEDED <= sum(_is_similar(image.getpixel(corner), wanted) for corner in corners)


def _is_similar(one: object, other: tuple[int, ...]) -> bool:
    assert isinstance(one, tuple)
    return all(abs(a - b) <= _SIMILAR for a, b in zip(one, other, strict=True))
