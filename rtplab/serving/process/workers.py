"""The workers of the connected clients, up to the limit."""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable
from typing import Any

from rtplab.serving.admission.descriptors import RESERVE, most_descriptors
from rtplab.serving.rtsp.connection import refuse
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.worker import RtspWorker

# Makes the worker of a client, by its socket and address. Raises OSError if it has gone.
MakeWorker = Callable[[socket.socket, tuple[Any, ...], Service], RtspWorker]

# Seconds without a request after which a client without a session may be disconnected.
MIN_IDLE = 1.0
FEW = 16  # workers that may have ended before they are reaped
CLOSE_PATIENCE = 2.0  # seconds for sessions to end at shutdown: they need a few ms
FULL_INTERVAL = 60.0  # seconds between two log lines about refused clients

logger = logging.getLogger("rtplab.server")


class Workers:
    """One worker for each client. In the accepting thread."""

    def __init__(self, make_worker: MakeWorker) -> None:
        self._make_worker = make_worker
        self._workers: list[RtspWorker] = []
        self._reap_at = FEW  # number of workers at which some may have ended
        self._logged_full = -math.inf  # when a refused client was last logged

    def take_in(
        self, rtsp_socket: socket.socket, address: tuple[Any, ...], service: Service
    ) -> None:
        """Give a client its own worker, or refuse it. Raises OSError if it is gone."""
        limit = service.limits.connections
        if len(self._workers) >= min(self._reap_at, limit):
            self._reap_workers()
        is_full = (
            len(self._workers) >= limit or rtsp_socket.fileno() >= most_descriptors() - RESERVE
        )
        if is_full and not self._make_room():
            self.log_full("is refused: the server is full")
            refuse(rtsp_socket, service.tls is not None, "the server is full")
            rtsp_socket.close()
            return
        worker = self._make_worker(rtsp_socket, address, service)
        self._workers.append(worker)
        worker.run()

    def _reap_workers(self) -> None:
        """Drop workers that have ended; rarely, because checking all of them takes time."""
        self._workers = [worker for worker in self._workers if worker.is_alive()]
        self._reap_at = 2 * len(self._workers) + FEW

    def _make_room(self) -> bool:
        """Hang up on the client that has been idle longest; False if none is idle."""
        alive = [worker for worker in self._workers if worker.is_alive()]
        idle = [(worker.idle_since() or math.inf, id(worker), worker) for worker in alive]
        since, _, longest = min(idle, default=(math.inf, 0, None))
        if longest is None or since > time.monotonic() - MIN_IDLE:
            return False
        longest.make_room()
        return True

    def log_full(self, what: str) -> None:
        """Log a refused client, but not each one of a crowd."""
        if time.monotonic() >= self._logged_full + FULL_INTERVAL:
            self._logged_full = time.monotonic()
            logger.warning("a client %s (logged at most once a minute)", what)

    def close(self) -> bool:
        """End every session; tell if all have ended in time. May be called twice."""
        for worker in self._workers:
            worker.stop()
        deadline = time.monotonic() + CLOSE_PATIENCE
        ended = [worker.join(max(0.0, deadline - time.monotonic())) for worker in self._workers]
        self._workers.clear()
        return all(ended)
