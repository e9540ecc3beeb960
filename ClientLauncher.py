"""Starts the player: `python ClientLauncher.py Server_name Server_port RTP_port Video_file`.

Without arguments it is the demonstration: it starts a server inside the process and plays
movie.Mjpeg from it. With --headless it receives without a window. The command line
is handled by rtplab/launcher.py; this file adds the lab's Client and Server.
"""

from __future__ import annotations

import sys

from Client import PLAYER, Client
from rtplab import launcher
from Server import Server

TITLE = launcher.TITLE


def main(argv: list[str] | None = None) -> int:
    """Play according to the command line; return the exit status: 0 fine, 1 failed, 2 usage."""
    return launcher.main(argv, "ClientLauncher.py", Client, Server, PLAYER)


if __name__ == "__main__":
    sys.exit(main())
