"""Our server inside the test's own process, for settings that its command line does not have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rtplab.serving.rtsp.service import Service
from Server import Server


@contextmanager
def local_server(service: Service, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve in a thread; the port."""
    server = Server(service)
    _, port = server.listen(host)
    thread = threading.Thread(target=server.serve, name="server")
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join()
