"""The player without its window: `patient_player.py ADDRESS`, until its stdin is closed.

It prints a line for each frame that would be shown ("frame 17") and for each change of the words
in the picture area ("says Stalled: No picture for 3 s.").
"""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from Client import Client
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.status import headline_for

TICK = 0.02  # seconds


def main(address: str) -> None:
    client = Client(None, "", 0, 0, address, "udp")
    client.for_window = True
    controller = PlaybackController(client)
    controller.play()
    said = ""
    while not select.select([sys.stdin], [], [], TICK)[0]:
        frame = controller.tick(time.monotonic())
        if frame is not None:
            print("frame", frame.number, flush=True)
        message = headline_for(controller.state_at(time.monotonic()))
        words = f"{message.title}: {message.detail}".replace("\n", " ")
        if words != said:
            said = words
            print("says", words, flush=True)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])
