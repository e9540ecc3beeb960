"""Our server with one live stream, which this program itself shows as a library's user would.

    python live_server.py MOVIE FPS [LOG]

Shows the movie's frames over and over, prints the stream's address, and writes into the file LOG,
when it is ended, a line for each frame: its last bytes (see `key_of`), and when it was sent by
time.monotonic.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import rtplab  # noqa: E402
from VideoStream import VideoStream  # noqa: E402

KEY = 34  # bytes: the last of the scan, which RTP/JPEG carries as they are, and the end marker


def key_of(picture: bytes) -> str:
    """What tells a movie's frames from one another, also after RTP/JPEG has carried them."""
    return picture[-KEY:].hex()


def show(movie: str, fps: float, log: str | None) -> None:
    """Serve until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sent: list[tuple[str, float]] = []
    frames = list(iter(VideoStream(movie).nextFrame, b""))
    with rtplab.serve(0, host="127.0.0.1") as server, server.publish("live", fps) as live:
        print(server.url("live"), flush=True)
        due = time.monotonic()
        for frame in cycle(frames):
            due += 1 / fps
            if ended.wait(max(0.0, due - time.monotonic())):
                break
            sent.append((key_of(frame), time.monotonic()))
            live.send(frame)
    if log is not None:
        Path(log).write_text("".join(f"{key} {moment}\n" for key, moment in sent))


if __name__ == "__main__":
    show(sys.argv[1], float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
