"""Measures itself for bench/player.py: the player in its window, or the floor below it.

    player_probe.py player URL WIDTH HEIGHT SECONDS
    player_probe.py floor MOVIE FPS SECONDS
    player_probe.py floor-keeping-memory MOVIE FPS SECONDS

The last word printed is CPU milliseconds per frame shown.
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
from VideoStream import VideoStream  # noqa: E402

SETTLING = 4000  # milliseconds


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
    else:
        if what == "floor-keeping-memory":
            keep_freed_memory()
        print(floor(source, float(numbers[0]), float(numbers[1])))
