"""The player on a screen of its own: `python small_screen.py PORT` with DISPLAY set.

It prints, as JSON, the screen and where things are on it: at first, once a picture has come, with
the panel open at the right edge of the screen, in the smallest window that can be made then, and
after the panel is closed. (Tk ends with the first X server that ends, hence a process for each.)
"""

from __future__ import annotations

import json
import sys
import tkinter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from display import pump  # noqa: E402

from Client import Client  # noqa: E402

Box = list[int]  # left, top, right, bottom on the screen


def box_of(widget) -> Box:
    left, top = widget.winfo_rootx(), widget.winfo_rooty()
    return [left, top, left + widget.winfo_width(), top + widget.winfo_height()]


def look(root, client) -> dict[str, object]:
    root.update()
    window = client.window
    window.controls.update_idletasks()
    root.update()
    must_be_seen = {
        "slider": window.controls.bar.slider,
        "toggle": window.controls.bar.buttons["toggle"],
        "menu": window.controls.bar.buttons["menu"],
        "state": window.controls.lab_row.state_name,
        "teardown": window.controls.lab_row.buttons["teardown"],
        "picture": window.picture,
    }
    seen = {
        name: {"box": box_of(widget), "needs": [widget.winfo_reqwidth(), widget.winfo_reqheight()]}
        for name, widget in must_be_seen.items()
    }
    dropped = [
        name for name, button in window.controls.bar.buttons.items() if not button.winfo_manager()
    ]
    return {"window": box_of(root), "seen": seen, "dropped": dropped}


def plots(page) -> dict[str, tuple[int, ...]]:
    """The box of all that belongs to each plot, on the canvas."""
    items = iter(page.canvas.find_all())  # one for each shape, in their order
    return {
        name: page.canvas.bbox(*(next(items) for _ in shapes))
        for name, shapes in page.parts.items()
    }


def heights(root, panel) -> dict[str, list[int]]:
    """Of each page, where the last thing on it ends, and how high the page is."""
    found = {}
    for name in ("State", "Packet", "Network"):
        panel.show(name)
        pump(root, lambda: False, 0.4)
        page = getattr(panel.pages, name.lower())
        canvas = getattr(page, "canvas", None)
        if canvas is None:
            found[name] = [page.winfo_reqheight(), page.winfo_height()]
        else:
            found[name] = [canvas.bbox("all")[3], canvas.winfo_height()]
    panel.show("Statistics")
    return found


def main() -> None:
    root = tkinter.Tk()
    client = Client(root, "127.0.0.1", 0, 0, f"rtsp://127.0.0.1:{sys.argv[1]}/movie.Mjpeg")
    window = client.window
    found = {"screen": [root.winfo_screenwidth(), root.winfo_screenheight()]}
    found["first"] = look(root, client)
    window.play()
    pump(root, lambda: bool(window.picture.jpeg))
    root.update()
    found["sized"] = look(root, client)
    place = root.winfo_screenwidth() - root.winfo_width(), 40
    root.geometry(f"+{place[0]}+{place[1]}")
    pump(root, lambda: (root.winfo_x(), root.winfo_y()) == place)
    before = root.winfo_geometry()
    window.panel.show("Statistics")
    pump(root, lambda: root.winfo_geometry() != before, 2)
    pump(root, lambda: len(plots(window.panel.pages.statistics)) > 1, 2)
    found["panel"] = look(root, client)
    found["plots"] = [plots(window.panel.pages.statistics)]
    found["canvas"] = [box_of(window.panel.pages.statistics.canvas)]
    found["pages"] = heights(root, window.panel)
    root.geometry("x".join(map(str, root.minsize())))
    pump(root, lambda: (root.winfo_width(), root.winfo_height()) == root.minsize(), 2)
    pump(root, lambda: False, 0.5)
    found["smallest"] = look(root, client)
    found["plots"].append(plots(window.panel.pages.statistics))
    found["canvas"].append(box_of(window.panel.pages.statistics.canvas))
    window.panel.toggle()
    pump(root, lambda: (root.winfo_x(), root.winfo_y()) == place, 2)
    found["came_back"] = (root.winfo_x(), root.winfo_y()) == place
    root.geometry("x".join(map(str, root.minsize())))
    pump(root, lambda: (root.winfo_width(), root.winfo_height()) == root.minsize(), 2)
    found["closed"] = look(root, client)
    client.close()
    print(json.dumps(found))


main()
