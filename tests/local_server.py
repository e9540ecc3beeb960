"""Our server inside the test's own process, for settings that its command line does not have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rtplab.serving.process.server import RtspServer
from rtplab.serving.rtsp.service import Service
from Server import Server


@contextmanager
def in_a_thread(server: RtspServer, host: str | None = None, port: int = 0) -> Iterator[int]:
    """Let a server serve until the end of the block; gives its port."""
    _, own_port = server.listen(host, port)
    thread = threading.Thread(target=server.serve, name="server")
    thread.start()
    try:
        yield own_port
    finally:
        server.stop()
        thread.join()


def local_server(
    service: Service, host: str | None = "127.0.0.1", port: int = 0
) -> AbstractContextManager[int]:
    """The lab's server for a `with` statement; gives its port."""
    return in_a_thread(Server(service), host, port)
