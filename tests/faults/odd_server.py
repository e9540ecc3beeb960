"""Server.py with one thing about it changed: `odd_server.py CHANGE ARGUMENTS...`.

near-wrap: sequence numbers and timestamps begin just before they wrap around.
no-segmentation: as on a kernel without UDP_SEGMENT.
quick-keepalive: TCP finds out within three seconds that a client has vanished, not within two
minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from rtplab.serving.rtp import sinks, stream
from rtplab.serving.rtp.stream import CLOCK_RATE, RtpStream
from rtplab.serving.rtsp import connection
from Server import Server

FIRST_SEQUENCE_NUMBER = 65_536 - 50
FIRST_TIMESTAMP = 2**32 - CLOCK_RATE  # a second before


def near_wrap() -> None:
    class NearWrap(RtpStream):
        def __init__(self, *arguments, **numbers) -> None:
            numbers |= {"sequence_number": FIRST_SEQUENCE_NUMBER}
            numbers |= {"first_timestamp": FIRST_TIMESTAMP}
            super().__init__(*arguments, **numbers)

    stream.RtpStream = NearWrap


def no_segmentation() -> None:
    assert sinks._SEGMENTING, "this kernel has none"
    sinks._SEGMENTING = False


def quick_keepalive() -> None:
    quick = {"TCP_KEEPIDLE": 1, "TCP_KEEPALIVE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 2}
    quick["TCP_USER_TIMEOUT"] = 3000
    assert connection.KEEPALIVE.keys() == quick.keys()
    connection.KEEPALIVE = quick


CHANGES = {
    "near-wrap": near_wrap,
    "no-segmentation": no_segmentation,
    "quick-keepalive": quick_keepalive,
}

if __name__ == "__main__":
    CHANGES[sys.argv.pop(1)]()
    sys.exit(Server().main())
