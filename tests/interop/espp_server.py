"""The RTSP server of ESP32 cameras (espp) on a port, sending the JPEGs of a folder: PORT FOLDER.

A movie begins when somebody watches, and begins again when the next one does. It prints what
espp logs of its sessions.
"""

import datetime
import sys
import time
from pathlib import Path

import espp

FPS = 20


def main(port, folder):
    frames = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    config = espp.RtspServer.Config(server_address="127.0.0.1", port=port, path="/mjpeg/1")
    server = espp.RtspServer(config)
    server.set_session_log_level(espp.Logger.Verbosity.debug)
    server.start(datetime.timedelta(seconds=0.1))
    while True:
        if server.has_active_sessions():
            play(server, frames)
        time.sleep(0.01)


def play(server, frames):
    """Send a frame whenever it is due; one whose turn is over while it waits would be lost."""
    due = time.monotonic()
    for frame in frames:
        if not server.has_active_sessions():
            return
        server.send_frame(frame)
        due = max(due + 1 / FPS, time.monotonic() + 0.5 / FPS)
        time.sleep(max(0, due - time.monotonic()))


main(int(sys.argv[1]), sys.argv[2])
