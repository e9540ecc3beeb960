"""The RTSP server: `python Server.py [port]` serves the movies of a folder.

It listens, gives every connection to a ServerWorker of its own, and at the first Ctrl+C or
SIGTERM ends them all, frees the port and exits with status 0.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from rtplab.pulling import fetcher
from rtplab.serving.process.server import RtspServer
from rtplab.serving.rtsp.service import Service
from ServerWorker import ServerWorker


class Server(RtspServer):
    """A listening socket and the workers of the clients that came in by it.

    `main` serves as a program does; `listen`, `serve`, `stop` and `close` are its parts.
    """

    def __init__(self, service: Service | None = None) -> None:
        """Serve what `service` has; without one, the movies of the current folder."""
        super().__init__(service, _worker)


def _worker(rtspSocket: socket.socket, address: tuple[Any, ...], service: Service) -> ServerWorker:
    clientInfo = {"rtspSocket": (rtspSocket, address)}
    return ServerWorker(clientInfo, service)


if __name__ == "__main__":
    sys.exit(Server().main(fetcher=fetcher))
