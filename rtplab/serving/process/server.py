"""The RTSP server: a listening socket, and the program that serves the movies of a folder."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import logging
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import chain
from typing import TYPE_CHECKING

from rtplab.console import is_terminal, log_handler, say, write_every_name
from rtplab.protocol.rtsp.urls import parse_stream_url
from rtplab.serving.admission.descriptors import is_resource_exhaustion, raise_descriptor_limit
from rtplab.serving.media import testpicture
from rtplab.serving.media.listing import addresses_to_play, describe_movies
from rtplab.serving.process.options import host_and_port, parse_arguments, service_from
from rtplab.serving.process.signals import ending_signals, obey, woken_by_signals
from rtplab.serving.process.status import StatusReporter
from rtplab.serving.process.workers import MakeWorker, Workers
from rtplab.serving.rtp.pulled import Fetch, pull
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.worker import RtspWorker
from rtplab.serving.scaling.exposition import MetricsServer, open_metrics_listeners
from rtplab.serving.scaling.listeners import ALL_IPV4
from rtplab.serving.scaling.metrics import Metrics
from rtplab.serving.scaling.supervisor import Supervisor, open_listeners

if TYPE_CHECKING:
    from rtplab.serving.http.server import HttpServer

# Makes a fetcher for the stream at an address; the flag allows a password by Basic.
MakeFetch = Callable[[str, bool], Fetch]

# Seconds to wait before accepting again when the process has no descriptor left for a connection.
ACCEPT_PAUSE = 0.2
WAKE_SIZE = 4096  # bytes: more than there are calls to wake up at one time

logger = logging.getLogger("rtplab.server")


class RtspServer:
    """The listeners, and the workers of the clients they accepted."""

    def __init__(
        self, service: Service | None = None, make_worker: MakeWorker = RtspWorker
    ) -> None:
        """Serve what `service` has; without one, the movies of the current folder."""
        self.service = service or Service()
        self._make_worker = make_worker
        self._workers = Workers(make_worker)  # used by the accepting thread alone
        self._listeners: list[socket.socket] = []
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._closing = False
        self._leaves_threads = False  # behind: they wait for a disk that does not answer

    def listen(self, host: str | None = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Bind and listen; return the address. Port 0 takes a free one. Raises OSError.

        With None as host, that is every address of IPv4, and of IPv6 if the system has it.
        """
        self._adopt(open_listeners(host, port, 1)[0])
        host, port = self._listeners[0].getsockname()[:2]
        return host, port

    def _adopt(self, listeners: list[socket.socket]) -> None:
        for listener in listeners:
            listener.setblocking(False)
        self._listeners = listeners

    def serve(
        self, status: StatusReporter | None = None, parent_alive_fd: int | None = None
    ) -> None:
        """Accept clients until `stop`; then end all sessions and free the port.

        Print `status` whenever it is due. Stop as well when `parent_alive_fd` can be read.
        """
        assert self._listeners, "call listen() first"
        with ExitStack() as stack:
            stack.callback(self.close)
            stack.enter_context(woken_by_signals(self._wake_writer))
            with selectors.DefaultSelector() as selector:
                for listener in self._listeners:
                    selector.register(listener, selectors.EVENT_READ, listener)
                selector.register(self._wake_reader, selectors.EVENT_READ)
                if parent_alive_fd is not None:
                    selector.register(parent_alive_fd, selectors.EVENT_READ)
                while not self._closing:
                    for key, _ in selector.select(status.seconds_left() if status else None):
                        if key.fileobj is self._wake_reader:
                            self._wake_reader.recv(WAKE_SIZE)
                        elif key.data is not None:
                            self._accept(key.data)
                        self._closing |= key.fileobj == parent_alive_fd
                    if status:
                        self._report(status)

    def _report(self, status: StatusReporter) -> None:
        try:
            status.print_if_due()
        except Exception:
            logger.exception("the status line can't be printed: internal error")

    def _accept(self, listener: socket.socket) -> None:
        try:
            rtsp_socket, address = listener.accept()
        except OSError as error:
            if is_resource_exhaustion(error):  # let a client leave before the next is accepted
                self._workers.log_full(f"can't be accepted for now: {error.strerror}")
                threading.Event().wait(ACCEPT_PAUSE)
            return  # or the client has already gone
        except Exception:
            logger.exception("a client can't be accepted: internal error")
            threading.Event().wait(ACCEPT_PAUSE)
            return
        try:
            self._workers.take_in(rtsp_socket, address, self.service)
        except OSError as error:  # macOS does this if the client has already hung up
            rtsp_socket.close()
            logger.info("a client is lost: %s", error)
        except Exception:  # it must not end the server
            rtsp_socket.close()
            logger.exception("a client is dropped: internal error")

    def stop(self) -> None:
        """Make `serve` return soon. May be called twice, from any thread and a signal handler."""
        self._closing = True
        try:
            self._wake_writer.send(b"x")
        except OSError:
            pass  # it has returned already

    def close(self) -> None:
        """Free the port and end every session. May be called twice."""
        for listener in self._listeners:
            listener.close()
        self.service.media.stop()  # release threads that wait for a frame
        self._leaves_threads |= not self._workers.close()
        self.service.close()
        self._wake_reader.close()
        self._wake_writer.close()

    # ------------------------------------------------------------------ as a program

    def main(
        self,
        argv: list[str] | None = None,
        prog: str = "Server.py",
        fetcher: MakeFetch | None = None,
    ) -> int:
        """Serve according to the command line until a signal comes; return the exit status.

        `fetcher` makes what --pull takes.
        """
        write_every_name()
        with ExitStack() as stack:
            stack.callback(self.close)
            options = parse_arguments(argv, prog)
            logging.basicConfig(level=options.log_level.upper(), handlers=[log_handler(sys.stderr)])
            raise_descriptor_limit()
            metrics_listeners: list[socket.socket] = []
            try:
                self.service = service_from(options)
                movies, names = describe_movies(self.service.library, options.fps)
                if options.metrics:
                    metrics_listeners = open_metrics_listeners(options.metrics, options.workers)
                    for listener in metrics_listeners:
                        stack.callback(listener.close)
                listeners = _open_listeners(options, options.port)
                http_listeners: list[list[socket.socket]] = []
                if options.http is not None:
                    stack.callback(_close_all, listeners)
                    http_listeners = _open_listeners(options, options.http)
                    stack.callback(_close_all, http_listeners)
                if options.test_picture:
                    live = self.service.live.publish(testpicture.NAME, testpicture.FPS)
                    stack.callback(testpicture.TestPicture(live.show).close)
                    movies.append(f"  {testpicture.NAME}: a test picture, live")
                    names.append(testpicture.NAME)
                for name, url in options.pull:
                    assert fetcher is not None
                    fetch = fetcher(url, options.allow_basic)
                    pull(self.service.live, name, fetch, options.wait)
                    movies.append(f"  {name}: from {parse_stream_url(url)}, live")
                    names.append(name)
            except (ValueError, OSError, KeyboardInterrupt) as error:
                print(_explain(error, options), file=sys.stderr)
                return 1
            lines = [*(f"Listening on {_address(listener)}" for listener in listeners[0]), *movies]
            secure = "" if options.tls is None else "s"
            page = f"http{secure}://{_local_address(http_listeners)}/" if http_listeners else ""
            lines += [f"In a browser: {page}"] if page else []
            lines += [f"Metrics on http://{_address(own)}/metrics" for own in metrics_listeners]
            lines += addresses_to_play(names, f"rtsp{secure}", _local_address(listeners))
            if is_terminal(sys.stdout):
                lines.append("Press Ctrl+C to stop the server.")

            def announce() -> None:
                if not say(*lines):
                    logger.warning("standard output was closed: nothing more is printed")
                if options.open:
                    import webbrowser

                    webbrowser.open(page)

            def http_servers(number: int) -> list[HttpServer]:
                """This process's HTTP server, if browsers are served; each has its own sockets."""
                if not http_listeners:  # this also saves importing the standard library's HTTP
                    return []
                from rtplab.serving.http.server import HttpServer

                names, port = tuple(options.http_name), _port(listeners)
                own = http_listeners[number : number + 1]
                return [HttpServer(self.service, sockets, port, names) for sockets in own]

            def work(number: int, shared: list[socket.socket], parent_alive_fd: int) -> None:
                server = RtspServer(self.service, self._make_worker)
                own = metrics_listeners[number - 1 : number]
                signals = (signal.SIGTERM,)
                server.serve_process(
                    shared,
                    signals,
                    options.status,
                    own,
                    number,
                    parent_alive_fd,
                    make_http=lambda: http_servers(number - 1),
                )

            if options.workers > 1:
                return Supervisor(listeners, work).run(announce)
            self.serve_process(
                listeners[0],
                ending_signals(),
                options.status,
                metrics_listeners,
                ready=announce,
                make_http=lambda: http_servers(0),
            )
            self.close()
            if self._leaves_threads:
                _end_at_once(0)
            return 0

    def serve_process(
        self,
        listeners: list[socket.socket],
        signals: tuple[signal.Signals, ...],
        status_interval: float | None = None,
        metrics_listeners: list[socket.socket] | None = None,
        number: int = 0,
        parent_alive_fd: int | None = None,
        ready: Callable[[], None] = lambda: None,
        make_http: Callable[[], list[HttpServer]] = list,
    ) -> None:
        """Serve on listening sockets until one of the signals comes, and report in the meantime.

        `number` is that of the worker process, 0 for the only one. `ready` is called as soon as
        signals are obeyed, and `make_http` starts to serve browsers if requested.
        """
        self._adopt(listeners)
        metrics = Metrics(self.service.pacer)
        self.service.observer = metrics
        label = f"worker {number}" if number else "status"
        status = StatusReporter(metrics, status_interval, label)
        obey(signals, self.stop, status.ask)  # `serve` is woken by the signal itself
        ready()
        with ExitStack() as stack:
            for own in metrics_listeners or []:
                stack.enter_context(closing(MetricsServer(metrics, own, number)))
            for http in make_http():
                stack.enter_context(closing(http))
            self.serve(status, parent_alive_fd)


def _end_at_once(status: int) -> None:
    """End the program although some threads can't end: Python would wait for them."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _open_listeners(options: argparse.Namespace, port: int) -> list[list[socket.socket]]:
    """Return the sockets of each process. Raises OSError with the unavailable `port`."""
    try:
        return open_listeners(options.host, port, options.workers)
    except OSError as error:
        error.port = port  # type: ignore[attr-defined]
        raise


def _close_all(listeners: list[list[socket.socket]]) -> None:
    for listener in chain.from_iterable(listeners):
        listener.close()


def _port(listeners: list[list[socket.socket]]) -> int:
    port: int = listeners[0][0].getsockname()[1]
    return port


def _address(listener: socket.socket) -> str:
    return host_and_port(*listener.getsockname()[:2])


def _local_address(listeners: list[list[socket.socket]]) -> str:
    """Return the address at which programs on this machine reach a listener."""
    host, port = listeners[0][0].getsockname()[:2]
    address = ipaddress.ip_address(host.partition("%")[0])
    is_usual = address.is_unspecified or str(address) in ("127.0.0.1", "::1")
    return host_and_port("localhost" if is_usual else host, port)


def _explain(error: BaseException, options: argparse.Namespace) -> str:
    """Describe what went wrong at startup, and what to do next."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted while starting."
    if not isinstance(error, OSError):
        return str(error)
    port = getattr(error, "port", options.port)
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: stop the program that uses it, or choose another port."
    if error.errno == errno.EACCES and error.filename is None and sys.platform == "win32":
        return f"Windows reserves port {port}, or another program uses it: choose another port."
    if error.errno == errno.EACCES and error.filename is None:
        return f"Port {port} needs more rights than you have: use one above 1023."
    if error.filename is not None:
        return f"The folder {options.media} can't be read ({error.strerror}): check --media."
    return f"Can't listen on {options.host or ALL_IPV4}: {error.strerror or error}. Check --host."
