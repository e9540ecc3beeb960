"""Measures itself for bench/player.py: the player in its window, or the floor below it.

    player_probe.py player URL WIDTH HEIGHT SECONDS
    player_probe.py panel URL PAGE SECONDS LOSS SEED
    player_probe.py floor MOVIE FPS SECONDS
    player_probe.py floor-keeping-memory MOVIE FPS SECONDS

The last word printed is CPU milliseconds per frame shown; with `panel` the last three are cores
used, frames shown and frames that were late, with this page of the panel open (or `closed`).
"""

from __future__ import annotations

import io
import sys
import time
import tkinter
from pathlib import Path
from typing import Any

from PIL import Image, ImageTk

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from Client import Client  # noqa: E402
from rtplab.player.picture.decoding import keep_freed_memory  # noqa: E402
from rtplab.receiving.rtp.impairment import Conditions  # noqa: E402
from VideoStream import VideoStream  # noqa: E402

SETTLING = 4000  # milliseconds
PANEL_WINDOW = "2420x1180+0+0"  # a picture of 1920 pixels, and room for the panel beside it


def player(url: str, width: int, height: int, seconds: float) -> float:
    """Play in a window whose picture has its own size; return CPU milliseconds per frame."""
    root = tkinter.Tk()
    client = Client(root, "", 0, 0, url)
    window: Any = client.window
    root.update()
    controls = window.controls
    root.geometry(f"{max(width, controls.winfo_reqwidth())}x{height + controls.winfo_reqheight()}")
    shown = 0
    show = window.picture._show  # what is decoded and pasted, not what is only asked for

    def counted(picture: Any) -> None:
        nonlocal shown
        shown += 1
        show(picture)

    window.picture._show = counted
    window.play()
    root.after(SETTLING, root.quit)
    root.mainloop()
    shown, began = 0, time.process_time()
    root.after(round(seconds * 1000), root.quit)
    root.mainloop()
    used = time.process_time() - began
    left, top, right, bottom = window.picture.box
    assert (right - left, bottom - top) == (width, height), "the picture is not shown 1:1"
    client.close()
    root.destroy()
    return 1000 * used / shown


def panel(url: str, page: str, seconds: float, loss: float, seed: int) -> tuple[float, int, int]:
    """Play in a window as large as one with the panel open; return cores, shown, late."""
    root = tkinter.Tk()
    client = Client(root, "", 0, 0, url)
    client.impairment.conditions = Conditions(loss=loss, seed=seed)
    window: Any = client.window
    shown = 0
    show = window.picture._show

    def counted(picture: Any) -> None:
        nonlocal shown
        shown += 1
        show(picture)

    window.picture._show = counted
    root.geometry(PANEL_WINDOW)
    root.update()
    if page != "closed":
        window.panel.show(page)
        root.update()
        root.geometry(PANEL_WINDOW)
    window.play()
    root.after(SETTLING, root.quit)
    root.mainloop()
    shown, late = 0, client.playout.skipped
    began, used = time.monotonic(), time.process_time()
    root.after(round(seconds * 1000), root.quit)
    root.mainloop()
    used, late = time.process_time() - used, client.playout.skipped - late
    lasted = time.monotonic() - began
    client.close()
    root.destroy()
    return used / lasted, shown, late


def floor(movie: str, fps: float, seconds: float) -> float:
    """Decode and paste at the movie's pace; only that is counted, not its being drawn."""
    stream = VideoStream(movie)
    frames: list[bytes] = []
    while (jpeg := stream.nextFrame()) and len(frames) < seconds * fps:
        frames.append(jpeg)
    root = tkinter.Tk()
    photo = ImageTk.PhotoImage(Image.open(io.BytesIO(frames[0])), master=root)
    tkinter.Label(root, image=photo, borderwidth=0).pack()
    root.update()
    used, due = 0.0, time.monotonic()
    for jpeg in frames:
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
        began = time.process_time()
        image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        image.load()
        photo.paste(image)
        used += time.process_time() - began
        root.update()
    return 1000 * used / len(frames)


if __name__ == "__main__":
    what, source, *numbers = sys.argv[1:]
    if what == "player":
        print(player(source, int(numbers[0]), int(numbers[1]), float(numbers[2])))
    elif what == "panel":
        page, seconds, loss, seed = numbers
        print(*panel(source, page, float(seconds), float(loss), int(seed)))
    else:
        if what == "floor-keeping-memory":
            keep_freed_memory()
        print(floor(source, float(numbers[0]), float(numbers[1])))
