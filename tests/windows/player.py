"""The player there, told of by lines: `python player.py ADDRESS`.

The first line has, as JSON, the middle of each of the four buttons on the screen. Then a line comes
for each key, with the bits of its modifiers, and for each change: the session's state, the buttons
that can be pressed, and what the picture area says.
"""

from __future__ import annotations

import json
import sys
import tkinter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from Client import Client  # noqa: E402

BUTTONS = ("setup", "start", "pause", "teardown")


def middle_of(widget):
    return (
        widget.winfo_rootx() + widget.winfo_width() // 2,
        widget.winfo_rooty() + widget.winfo_height() // 2,
    )


def state_of(client) -> str:
    area = client.window.picture
    texts = [area.itemcget(item, "text") for item in area.find_all() if area.type(item) == "text"]
    enabled = [name for name in BUTTONS if not getattr(client, name).instate(["disabled"])]
    said = " / ".join(filter(None, texts)) or "nothing"
    return f"{client.state.name} can {' '.join(enabled)} says {said}"


def main() -> None:
    root = tkinter.Tk()
    root.title("RTPClient")
    client = Client(root, "", 0, 0, sys.argv[1])
    root.geometry("+0+0")
    root.update()
    print(json.dumps({name: middle_of(getattr(client, name)) for name in BUTTONS}), flush=True)
    area = client.window.picture
    area.bindtags(("Told", *area.bindtags()))  # before those that take a key
    area.bind_class(
        "Told", "<Key>", lambda key: print("key", key.keysym, hex(key.state & 0xFF), flush=True)
    )
    told = ""

    def tell() -> None:
        nonlocal told
        now = state_of(client)
        if now != told:
            print(now.encode("ascii", "backslashreplace").decode(), flush=True)
            told = now
        root.after(20, tell)

    tell()
    root.mainloop()
    client.close()


if __name__ == "__main__":
    main()
