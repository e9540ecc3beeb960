"""An HTTP port for browsers: the same movies, streams, limits and users as the RTSP port.

It accepts connections and hangs up on those whose request is late. `handler` answers requests, and
`site` knows what can be shown.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from contextlib import suppress

from rtplab.clock import steady
from rtplab.serving.admission.descriptors import is_resource_exhaustion
from rtplab.serving.http.handler import PATIENCE, Handler
from rtplab.serving.http.site import Site
from rtplab.serving.http.tls import TlsConnection
from rtplab.serving.rtsp.service import Service

LOOK_INTERVAL = 1.0  # seconds between checks for connections past their deadline
ACCEPT_PAUSE = 0.2  # seconds before the next try when there is no descriptor left

logger = logging.getLogger("rtplab.http")


class HttpServer:
    """Accepts browsers, and serves each connection in a thread of its own."""

    def __init__(
        self,
        service: Service,
        listeners: list[socket.socket],
        rtsp_port: int,
        names: tuple[str, ...] = (),
    ) -> None:
        """Serve on listening sockets. Other players find the server at `rtsp_port`.

        A request's Host must be an IP address, localhost or one of `names`. With the service's
        `tls`, browsers must speak TLS.
        """
        self.port: int = listeners[0].getsockname()[1]
        self._service = service
        self._site = Site(service, rtsp_port, names)
        self._listeners = listeners
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._lock = threading.Lock()  # guards the deadlines
        self._deadlines: dict[socket.socket, float | None] = {}  # of all connections
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http")
        self._thread.start()

    # ------------------------------------------------------------------ accepting

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            for listener in self._listeners:
                listener.setblocking(False)
                selector.register(listener, selectors.EVENT_READ, listener)
            while True:
                for key, _ in selector.select(LOOK_INTERVAL if self._deadlines else None):
                    if key.data is None:
                        return
                    self._accept(key.data)
                self._hang_up_on_the_late()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, address = listener.accept()
        except OSError as error:
            if is_resource_exhaustion(error):
                threading.Event().wait(ACCEPT_PAUSE)
            return  # or the client has already gone
        try:
            with self._lock:
                has_room = len(self._deadlines) < self._service.limits.connections
                if has_room:
                    self._deadlines[connection] = steady() + PATIENCE
            if not has_room or not self._service.admission.enter(address[0]):
                self._forget(connection)
                return
            try:
                self._service.threads.start(lambda: self._serve(connection, address[0]))
            except RuntimeError:  # the system grants no thread
                self._service.admission.leave(address[0])
                raise
        except Exception as error:  # one client must not end the server
            logger.warning("browser refused: %s", error)
            self._forget(connection)

    def _serve(self, connection: socket.socket, host: str) -> None:
        try:
            with suppress(OSError):  # it has gone
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._service.tls is None:
                    Handler(connection, host, self._site, self)
                else:
                    inside = TlsConnection(connection, self._service.tls)
                    Handler(inside, host, self._site, self)
                    inside.say_goodbye()
        finally:
            self._service.admission.leave(host)
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._deadlines.pop(connection, None)
        connection.close()

    def expect_request(self, connection: socket.socket, is_expected: bool) -> None:
        """Note that a request must come in time, or that nothing more is expected."""
        with self._lock:
            self._deadlines[connection] = steady() + PATIENCE if is_expected else None

    def wait(self, seconds: float) -> None:
        """Do nothing for these seconds, or until the server is closed."""
        self._is_closing.wait(seconds)

    def _hang_up_on_the_late(self) -> None:
        now = steady()
        with self._lock:
            late = [one for one, end in self._deadlines.items() if end is not None and end < now]
            for connection in late:
                _hang_up(connection)

    def close(self) -> None:
        """Hang up on all clients and free the port. May be called twice."""
        self._is_closing.set()
        with suppress(OSError):
            self._wake_writer.send(b"x")
        self._thread.join()
        with self._lock:
            for connection in self._deadlines:
                _hang_up(connection)
        for end in (*self._listeners, self._wake_reader, self._wake_writer):
            end.close()


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
