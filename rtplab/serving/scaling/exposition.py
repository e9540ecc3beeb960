"""The server's figures for Prometheus, over HTTP. Needs the prometheus-client library."""

from __future__ import annotations

import logging
import math
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterable
from socketserver import TCPServer
from types import ModuleType
from typing import Any

from rtplab.protocol.errors import RtpLabError
from rtplab.serving.admission.descriptors import is_resource_exhaustion
from rtplab.serving.scaling.metrics import Metrics, Snapshot

# Seconds that a client may take for its request and our answer: the next client, and the server's
# shutdown, have to wait for it.
PATIENCE = 2.0
# Seconds before the next try if a client can't be accepted: it keeps waiting, and trying without a
# pause would keep a core busy.
PAUSE = 0.2
LOG_INTERVAL = 60.0  # seconds between two log lines about that

logger = logging.getLogger("rtplab.metrics")

# Name, description, and how to get the value. `_total` is appended to a counter's name.
_COUNTERS = (
    ("rtplab_frames", "Frames sent", "frames"),
    ("rtplab_packets", "RTP packets sent", "packets"),
    ("rtplab_payload_bytes", "Bytes of RTP payload sent", "payload"),
    ("rtplab_skipped_frames", "Frames not sent because they were too late", "skipped"),
)
_GAUGES = (
    ("rtplab_sessions", "Sessions set up", "sessions"),
    ("rtplab_reporting_sessions", "Sessions whose viewers have reported", "reporting"),
    ("rtplab_loss_ratio", "Mean recent loss reported by viewers", "loss"),
    ("rtplab_worst_loss_ratio", "Worst recent loss reported by viewers", "worst_loss"),
    ("rtplab_jitter_seconds", "Mean jitter reported by viewers", "jitter"),
    ("rtplab_worst_jitter_seconds", "Worst jitter reported by viewers", "worst_jitter"),
    ("rtplab_timed_sessions", "Sessions whose round trip is known", "timed"),
    ("rtplab_round_trip_seconds", "Median round trip, from receiver reports", "round_trip"),
    (
        "rtplab_worst_round_trip_seconds",
        "Worst round trip, from receiver reports",
        "worst_round_trip",
    ),
    ("rtplab_pacer_lateness_seconds", "How late recent frames left, 99th percentile", "lateness"),
    ("rtplab_resident_memory_bytes", "Memory of the process", "memory"),
)


def prometheus_client() -> ModuleType:
    """Return the library. Raises ValueError with a sentence when it is not installed."""
    try:
        import prometheus_client.core
    except ImportError as error:
        raise ValueError(
            "--metrics needs the prometheus-client library: pip install prometheus-client"
        ) from error
    return prometheus_client


def open_metrics_listeners(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Return listening sockets on `count` ports in a row; each process has figures of its own.

    Port 0 takes free ones. Raises ValueError with a sentence.
    """
    prometheus_client()
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listeners: list[socket.socket] = []
    try:
        for number in range(count):
            wanted = (host, port and port + number)
            listeners.append(socket.create_server(wanted, family=family))
    except (OSError, OverflowError) as error:
        for listener in listeners:
            listener.close()
        raise ValueError(
            f"Metrics can't be served on {wanted[0]} port {wanted[1]}: {error}"
        ) from error
    return listeners


class MetricsServer:
    """Answers HTTP requests with the figures, in a thread of its own."""

    def __init__(self, metrics: Metrics, listener: socket.socket, worker: int) -> None:
        """Serve on a listening socket; `worker` 0 is the only process. Raises ValueError."""
        self._server = _HttpServer(listener, _handler(metrics, worker))
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._logged = -math.inf  # when a client that can't be accepted was last logged
        self._thread = threading.Thread(target=self._run, name="metrics")
        self._thread.start()

    def close(self) -> None:
        """Free the port and wait for the thread."""
        self._wake_writer.close()
        self._thread.join()
        self._wake_reader.close()
        self._server.server_close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as closing, selectors.DefaultSelector() as selector:
            closing.register(self._wake_reader, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            selector.register(self._server, selectors.EVENT_READ)
            while all(key.fileobj is self._server for key, _ in selector.select()):
                try:
                    self._server.handle_request()
                except Exception as error:
                    self._log(error)
                    if closing.select(PAUSE):
                        break

    def _log(self, error: Exception) -> None:
        """Log it, but not for every attempt."""
        if time.monotonic() >= self._logged + LOG_INTERVAL:
            self._logged = time.monotonic()
            is_ours = not isinstance(error, _NotTaken)
            logger.error("metrics can't be served for now: %s", error, exc_info=is_ours)


class _NotTaken(RtpLabError):
    """A client that waits, and can't be accepted."""


class _HttpServer(TCPServer):
    """One request at a time; not HTTPServer, which asks the DNS for its own name."""

    timeout = 0  # handle_request does not wait: there is a request, or it is already gone

    def __init__(self, listener: socket.socket, handler: Any) -> None:
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept the next client. Raises _NotTaken if the system has no descriptor for it."""
        try:
            return super().get_request()
        except OSError as error:
            if is_resource_exhaustion(error):
                raise _NotTaken(error.strerror) from error
            raise  # the client has already gone: the base class ignores that

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request, and hang up on a client that dribbles."""
        deadline = threading.Timer(PATIENCE, _hang_up, (request,))
        deadline.start()
        try:
            super().process_request(request, client_address)
        finally:
            deadline.cancel()
            deadline.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            logger.info("a metrics client is lost: %s", error)
        else:
            logger.error("a request for metrics failed", exc_info=True)


def _hang_up(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has gone already


def _handler(metrics: Metrics, worker: int) -> Any:
    library = prometheus_client()
    registry = library.CollectorRegistry()
    registry.register(_Collector(metrics, worker, library))
    handler = library.MetricsHandler.factory(registry)
    handler.timeout = PATIENCE
    return handler


class _Collector:
    """The collector that the library calls for each request."""

    def __init__(self, metrics: Metrics, worker: int, library: ModuleType) -> None:
        self._metrics = metrics
        self._labels = {"worker": str(worker)} if worker else {}
        self._core = library.core

    def collect(self) -> Iterable[Any]:
        snapshot = self._metrics.snapshot()
        for name, meaning, field in _COUNTERS:
            yield self._family(self._core.CounterMetricFamily, name, meaning, snapshot, field)
        for name, meaning, field in _GAUGES:
            yield self._family(self._core.GaugeMetricFamily, name, meaning, snapshot, field)

    def _family(self, kind: Any, name: str, meaning: str, snapshot: Snapshot, field: str) -> Any:
        family = kind(name, meaning, labels=list(self._labels))
        family.add_metric(list(self._labels.values()), getattr(snapshot, field))
        return family
