"""One viewer of a live stream, by the library: `python live_viewer.py URL SECONDS`.

Prints for each frame its key (as live_server.py) and when the program had it in its hands.
"""

from __future__ import annotations

import sys
import time

from live_server import key_of

import rtplab

if __name__ == "__main__":
    end = time.monotonic() + float(sys.argv[2])
    with rtplab.play(sys.argv[1], transport="udp") as frames:
        for frame in frames:
            now = time.monotonic()
            print(key_of(frame.jpeg), now)
            if now > end:
                break
