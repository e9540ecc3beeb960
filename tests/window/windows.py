"""What the tests of the window share: its words and buttons, its dialogs, its screen."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from display import Display, pump
from strip import frame_number_in_screenshot

from Client import Client

LAB_BUTTONS = ("setup", "start", "pause", "teardown")


def enabled(client: Client) -> list[str]:
    return [name for name in LAB_BUTTONS if not getattr(client, name).instate(["disabled"])]


def words(client: Client) -> str:
    """All that is written in the picture area."""
    area = client.window.picture
    items = [item for item in area.find_all() if area.type(item) == "text"]
    return " / ".join(area.itemcget(item, "text") for item in items)


def is_closed(root) -> bool:
    import tkinter

    try:
        return not root.winfo_exists()
    except tkinter.TclError:
        return True


def middle_of(widget) -> tuple[int, int]:
    return (
        widget.winfo_rootx() + widget.winfo_width() // 2,
        widget.winfo_rooty() + widget.winfo_height() // 2,
    )


def picture_box(client: Client) -> tuple[int, int, int, int]:
    area = client.window.picture
    left, top, right, bottom = area.box
    x, y = area.winfo_rootx(), area.winfo_rooty()
    return left + x, top + y, right + x, bottom + y


def shown_number(client: Client, display: Display) -> int:
    return frame_number_in_screenshot(display.screenshot(), picture_box(client))


def set_up(client: Client, root) -> None:
    assert pump(root, lambda: enabled(client) == ["setup"])
    client.setup.invoke()
    assert pump(root, lambda: enabled(client) == ["start", "teardown"]), client.error


def play(client: Client, root) -> None:
    set_up(client, root)
    client.start.invoke()
    assert pump(root, lambda: bool(client.window.picture.jpeg)), client.error


def window_named(display: Display, title: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        command = ["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"]
        found = subprocess.run(command, env=display.environment, capture_output=True, text=True)
        if found.stdout.strip():
            return found.stdout.split()[-1]
        time.sleep(0.05)
    raise AssertionError(f"no window named {title}")


def position(client: Client) -> float:
    return client.window.controller.position


def focus(root, display: Display) -> None:
    """Put the mouse upon the picture: without a window manager the keys go where it is."""
    display.move(root.winfo_rootx() + 100, root.winfo_rooty() + 100)
    root.update()


def drawn_on(canvas) -> list[str]:
    """All words on a canvas."""
    items = [item for item in canvas.find_all() if canvas.type(item) == "text"]
    return [canvas.itemcget(item, "text") for item in items]


def tshark(path, port: int | str, wanted: str, *fields: str) -> list[list[str]]:
    """What tshark reads in a capture, with RTSP on `port`, or on a range such as "8000-8010"."""
    if shutil.which("tshark") is None:
        reason = "not installed: tshark"
        pytest.skip(reason)
    command = ["tshark", "-r", str(path), "-d", f"tcp.port=={port},rtsp", "-Y", wanted]
    command += ["-T", "fields", *(part for field in fields for part in ("-e", field))]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.split("\t") for line in out.splitlines()]


def dialogs_of(root) -> list:
    """The questions that are asked at the moment."""
    return [child for child in root.winfo_children() if child.winfo_class() == "Toplevel"]


def questions(root) -> str:
    """All that the questions say and what their fields show."""
    texts = []
    widgets = dialogs_of(root)
    while widgets:
        widget = widgets.pop()
        widgets += widget.winfo_children()
        if widget.winfo_class() in ("TLabel", "TButton", "TRadiobutton"):
            texts.append(str(widget.cget("text")))
    return " / ".join(texts)


def asked(root, sentence: str) -> bool:
    return any(dialog.winfo_viewable() for dialog in dialogs_of(root)) and sentence in questions(
        root
    )


def answer(root, display: Display, *keys: str) -> None:
    """Type into the question that is asked: without a window manager keys go where the mouse is."""
    (dialog,) = dialogs_of(root)
    root.update()
    display.move(*middle_of(dialog))
    root.update()
    for key in keys:
        is_key = key in ("Tab", "Return", "Escape", "space") or "+" in key
        display.key(key) if is_key else display.type(key)


def client_of(root):
    """The client whose window is in a root; None as long as there is none."""
    from rtplab.player.window import PlayerWindow

    window = PlayerWindow.of(root)
    return None if window is None else window.client


def entries_of(widget) -> list:
    """The fields to type into, in a dialog."""
    found = [widget] if widget.winfo_class() == "TEntry" else []
    for child in widget.winfo_children():
        found += entries_of(child)
    return found
