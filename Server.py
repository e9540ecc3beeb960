"""The RTSP server: `python Server.py [port]` serves the movies of a folder.

It listens, gives every connection to a ServerWorker of its own, and at the first Ctrl+C or
SIGTERM ends them all, frees the port and exits with status 0.
"""

from __future__ import annotations

import argparse
import errno
import logging
import math
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import Any

from rtplab.console import write_every_name
from rtplab.serving.admission.descriptors import (
    RESERVE,
    are_exhausted,
    most_descriptors,
    raise_descriptor_limit,
)
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.listing import describe_movies
from rtplab.serving.media.payloads import MediaStore
from rtplab.serving.process.options import host_and_port, parse_arguments
from rtplab.serving.process.securityoptions import security_settings
from rtplab.serving.rtp.multicast import MulticastChannels
from rtplab.serving.rtsp.connection import refuse
from rtplab.serving.rtsp.service import Service, max_payload
from rtplab.serving.scaling.exposition import MetricsServer, open_metrics_listeners
from rtplab.serving.scaling.metrics import StatusReporter
from rtplab.serving.scaling.proxies import TrustedProxies
from rtplab.serving.scaling.supervisor import Supervisor, open_listeners
from ServerWorker import ServerWorker

# Seconds to wait before accepting again when the process has no descriptor left for a connection.
ACCEPT_PAUSE = 0.2
# Seconds without a request after which a client that has no session may have to make room.
MIN_IDLE = 1.0
FEW = 16  # workers that may have ended and wait to be forgotten
WAKE_SIZE = 4096  # bytes: more than there are calls to wake up at one time
FULL_INTERVAL = 60.0  # seconds between two lines of the log that tell of clients without a place

logger = logging.getLogger("rtplab.server")


class Server:
    """A listening socket and the workers of the clients that came in by it."""

    def __init__(self, service: Service | None = None) -> None:
        """Serve what `service` has; without one, the movies of the current folder."""
        self.service = service or Service()
        self._listener: socket.socket | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._workers: list[ServerWorker] = []  # used by the accepting thread alone
        self._look_again_at = FEW  # so many workers: some may have ended
        self._lifeline: int | None = None  # a descriptor; when it can be read, it is time to end
        self._status = StatusReporter(self.service.metrics, None, "status")
        self._status_interval: float | None = None
        self._metrics_listeners: list[socket.socket] = []
        self._announcement: list[str] = []
        self._told_full = -math.inf  # when the log has last told of a client without a place
        self._closing = False

    def main(self, argv: list[str] | None = None) -> int:
        """Serve as the command line says until a signal comes; return the exit status."""
        write_every_name()
        try:
            options = parse_arguments(argv)
        except SystemExit:
            self.close()
            raise
        logging.basicConfig(
            level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
        )
        raise_descriptor_limit()
        try:
            self.service = _service(options)
            self._status_interval = options.status
            movies = describe_movies(self.service.library, options.fps)
            if options.metrics:
                self._metrics_listeners = open_metrics_listeners(options.metrics, options.workers)
            listeners = open_listeners(options.host, options.port, options.workers)
        except ValueError as error:
            return self._give_up(str(error))
        except OSError as error:
            return self._give_up(_explain(error, options))
        except KeyboardInterrupt:
            return self._give_up("Interrupted while starting.")
        self._announcement = [self._address_line(listeners[0]), *movies, *self._metrics_lines()]
        return self._run(listeners)

    def _address_line(self, listener: socket.socket) -> str:
        return f"Listening on {host_and_port(*listener.getsockname()[:2])}"

    def _metrics_lines(self) -> list[str]:
        addresses = [listener.getsockname()[:2] for listener in self._metrics_listeners]
        return [f"Metrics on http://{host_and_port(*address)}/metrics" for address in addresses]

    def _give_up(self, reason: str) -> int:
        print(reason, file=sys.stderr)
        self.close()
        return 1

    def _run(self, listeners: list[socket.socket]) -> int:
        """Serve in this process, or in one more for each listener; return the exit status."""
        if len(listeners) == 1:
            self._serve_until_told(listeners[0], *_ending_signals())
            return 0
        try:
            return Supervisor(listeners, self._work).run(self._announce)
        finally:
            self.close()

    def _work(self, number: int, listener: socket.socket, lifeline: int) -> None:
        """Be worker `number`: a server of its own in a process of its own."""
        server = Server(self.service)
        server._lifeline = lifeline
        server._status_interval = self._status_interval
        server._metrics_listeners = self._metrics_listeners[number - 1 : number]
        server._serve_until_told(listener, signal.SIGTERM, worker=number)

    def _serve_until_told(
        self, listener: socket.socket, *signals: signal.Signals, worker: int = 0
    ) -> None:
        """Serve until one of the signals comes; `worker` 0 is the only process."""
        self._listener = listener
        self._listener.setblocking(False)
        label = f"worker {worker}" if worker else "status"
        metrics = self.service.metrics
        self._status = StatusReporter(metrics, self._status_interval, label)
        self._obey(*signals)
        self._announce()
        with ExitStack() as stack:
            while self._metrics_listeners:  # each has an owner then, which closes it
                own = self._metrics_listeners.pop()
                stack.enter_context(closing(MetricsServer(metrics, own, worker)))
            self.serve()

    def _announce(self) -> None:
        """Say where we listen and what we have, once signals are obeyed."""
        if self._announcement:
            print(*self._announcement, sep="\n", flush=True)

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Bind and listen; return the address. Port 0 takes a free one. Raises OSError."""
        (self._listener,) = open_listeners(host, port, 1)
        self._listener.setblocking(False)
        host, port = self._listener.getsockname()[:2]
        return host, port

    def serve(self) -> None:
        """Accept clients until `stop`; then end all sessions and free the port."""
        assert self._listener is not None, "listen() comes first"
        with ExitStack() as stack:
            stack.callback(self.close)
            stack.enter_context(_woken_by_signals(self._wake_writer))
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                selector.register(self._wake_reader, selectors.EVENT_READ)
                if self._lifeline is not None:
                    selector.register(self._lifeline, selectors.EVENT_READ)
                while not self._closing:
                    for key, _ in selector.select(self._status.seconds_left()):
                        if key.fileobj is self._wake_reader:
                            self._wake_reader.recv(WAKE_SIZE)
                        self._closing |= key.fileobj == self._lifeline
                    self._status.print_if_due()
                    self._accept()

    def stop(self) -> None:
        """Make `serve` return soon. May be called twice, from any thread and a signal handler."""
        self._closing = True
        try:
            self._wake_writer.send(b"x")
        except OSError:
            pass  # it has returned already

    def close(self) -> None:
        """Free the port and end every session. May be called twice."""
        if self._listener is not None:
            self._listener.close()
        for listener in self._metrics_listeners:
            listener.close()
        for worker in self._workers:
            worker.close()
        self._workers.clear()
        self.service.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            rtsp_socket, address = self._listener.accept()
        except OSError as error:
            if are_exhausted(error):
                self._pause(error)
            return  # or the client has gone again, or it was the wake-up call
        try:
            self._take_in(rtsp_socket, address)
        except OSError as error:  # as on macOS when it has hung up already
            rtsp_socket.close()
            logger.info("a client is lost: %s", error)
        except Exception:  # it must not take the server along
            rtsp_socket.close()
            logger.exception("a client is dropped: the server has failed")

    def _take_in(self, rtsp_socket: socket.socket, address: tuple[Any, ...]) -> None:
        """Give a client a worker of its own, or refuse it. Raises OSError when it has gone."""
        self._forget_the_gone()
        if self._is_full(rtsp_socket) and not self._made_room():
            self._tell_full("is refused: the server is full")
            refuse(rtsp_socket, self.service.tls is not None)
            rtsp_socket.close()
            return
        worker = ServerWorker({"rtspSocket": (rtsp_socket, address)}, self.service)
        self._workers.append(worker)
        worker.run()

    def _forget_the_gone(self) -> None:
        """Let go of the workers that have ended; seldom, as to look at all of them takes time."""
        if len(self._workers) >= min(self._look_again_at, self.service.limits.connections):
            self._workers = [worker for worker in self._workers if worker.is_alive()]
            self._look_again_at = 2 * len(self._workers) + FEW

    def _is_full(self, newest: socket.socket) -> bool:
        """Tell if there are as many clients as may be, or as there are descriptors for."""
        if len(self._workers) >= self.service.limits.connections:
            return True
        return newest.fileno() >= most_descriptors() - RESERVE

    def _made_room(self) -> bool:
        """Hang up on who has been idle for longest; False when all have something to do."""
        alive = [worker for worker in self._workers if worker.is_alive()]
        idle = [(worker.idle_since() or math.inf, id(worker), worker) for worker in alive]
        since, _, longest = min(idle, default=(math.inf, 0, None))
        if longest is None or since > time.monotonic() - MIN_IDLE:
            return False
        longest.make_room()
        return True

    def _pause(self, error: OSError) -> None:
        """Let some client go before the next is accepted."""
        self._tell_full(f"can't be accepted for now: {error.strerror}")
        threading.Event().wait(ACCEPT_PAUSE)

    def _tell_full(self, what: str) -> None:
        """Log it, but not for each of a crowd."""
        if time.monotonic() >= self._told_full + FULL_INTERVAL:
            self._told_full = time.monotonic()
            logger.warning("a client %s (told at most once a minute)", what)

    def _obey(self, *signals: signal.Signals) -> None:
        """The first of these signals ends the server cleanly, the second at once.

        SIGUSR1, where there is such a thing, asks for a status line.
        """

        def obey(signal_number: int, frame: FrameType | None) -> None:
            for number in signals:
                signal.signal(number, signal.SIG_DFL)
            self.stop()

        def report(signal_number: int, frame: FrameType | None) -> None:
            self._status.ask()  # `serve` is woken by the signal itself

        for number in signals:
            signal.signal(number, obey)
        if hasattr(signal, "SIGUSR1"):
            signal.signal(signal.SIGUSR1, report)


def _ending_signals() -> tuple[signal.Signals, ...]:
    """Ctrl+C, what `kill` sends, and Ctrl+Break where there is such a key: on Windows."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


@contextmanager
def _woken_by_signals(writer: socket.socket) -> Iterator[None]:
    """Have signals end a `select` on the other end: Windows would let it sleep on.

    Only the main thread gets signals; in any other, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


def _service(options: argparse.Namespace) -> Service:
    """Return what the options ask for. Raises ValueError with a sentence."""
    return Service(
        MovieLibrary(options.media),
        MediaStore(max_payload(options.mtu)),
        fps=options.fps,
        loop=options.loop,
        marker=options.marker,
        multicast=MulticastChannels(options.multicast) if options.multicast else None,
        proxies=TrustedProxies(tuple(options.trusted_proxy)) if options.proxy_protocol else None,
        **security_settings(options),
    )


def _explain(error: OSError, options: argparse.Namespace) -> str:
    """Say what went wrong at the start, and what to do next."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {options.port} is in use: stop the program that has it, or name another port."
    if error.errno == errno.EACCES and error.filename is None:
        return f"Port {options.port} needs more rights than you have: use one above 1023."
    if error.filename is not None:
        return f"The folder {options.media} can't be read ({error.strerror}): check --media."
    return f"Can't listen on {options.host}: {error.strerror or error}. Check --host."


if __name__ == "__main__":
    sys.exit(Server().main())
