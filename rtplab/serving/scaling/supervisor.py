"""Several processes on one port, to use all cores: starts, replaces and ends them.

The supervisor opens a listening socket per worker and address (SO_REUSEPORT: the kernel spreads
the clients over them) and keeps them open. So clients that come while a worker is being replaced
wait in its queue and are not refused.
"""

from __future__ import annotations

import logging
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from types import FrameType

from rtplab.serving.scaling.listeners import open_both, open_listener

MAX_WORKERS = 256  # more than any machine has cores
# Seconds from one start of a worker to its next: one that dies at once must not keep a core busy.
RESTART_INTERVAL = 1.0

logger = logging.getLogger("rtplab.server")

_RELAYED = {getattr(signal, "SIGUSR1", signal.SIGTERM)}
_ENDING = {signal.SIGINT, signal.SIGTERM}


def can_share_a_port() -> bool:
    """Tell if the system supports several workers: Linux, macOS and the BSDs do."""
    return hasattr(socket, "SO_REUSEPORT") and hasattr(os, "fork")


def open_listeners(host: str | None, port: int, count: int) -> list[list[socket.socket]]:
    """Return the sockets of each of `count` workers, all on one port; port 0 is a free one.

    Without a `host` that is one for IPv4, and one for IPv6 if the system has it. Raises OSError.
    """
    first = open_both(port) if host is None else [open_listener(host, port)]
    if count == 1:
        return [first]
    # A port can be shared with other programs, too. The first sockets bind it exclusively, which
    # shows that nobody else has it.
    addresses = [listener.getsockname()[:2] for listener in first]
    _close(first)
    listeners: list[list[socket.socket]] = []
    try:
        for _ in range(count):
            listeners.append([])
            for address in addresses:
                listeners[-1].append(open_listener(*address, shared=True))
    except OSError:
        _close(chain.from_iterable(listeners))
        raise
    return listeners


class Supervisor:
    """Runs `work` in a process for each set of listeners, until a signal comes.

    The processes are made by os.fork. The supervisor has no threads that a fork would lose, a fork
    starts in a millisecond with all settings as they are, and takes the listening socket along;
    "spawn" would need each of these handed over.
    """

    def __init__(
        self,
        listeners: list[list[socket.socket]],
        work: Callable[[int, list[socket.socket], int], None],
    ) -> None:
        """`work(number, listeners, parent_alive_fd)`, with numbers from 1, serves until SIGTERM.

        Or until the descriptor `parent_alive_fd` can be read: then the supervisor is gone.
        """
        self._listeners = listeners
        self._work = work
        self._numbers: dict[int, int] = {}  # of the workers that run, by process id
        self._starts = dict.fromkeys(range(1, len(listeners) + 1), -math.inf)  # when, by number
        self._signals_obeyed = 0

    def run(self, ready: Callable[[], None]) -> int:
        """Keep the workers running; return the exit status when a signal has ended them all.

        `ready` is called as soon as signals are obeyed.
        """
        self._wake_reader, wake_writer = socket.socketpair()
        # Nothing is ever written to it. Its writing end closes when the supervisor ends.
        self._parent_alive_reader, self._parent_alive_writer = os.pipe()
        try:
            with self._wake_reader, wake_writer:
                for end in (self._wake_reader, wake_writer):
                    end.setblocking(False)
                self._obey_signals(wake_writer)
                ready()
                self._keep_running()
        finally:
            os.close(self._parent_alive_reader)
            os.close(self._parent_alive_writer)
            _close(chain.from_iterable(self._listeners))
        return 0 if self._signals_obeyed == 1 else 1

    def _keep_running(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while self._numbers or not self._signals_obeyed:
                self._start_due()
                if selector.select(self._seconds_to_next_start()):
                    self._wake_reader.recv(4096)
                self._reap_children()

    # ------------------------------------------------------------------ starting

    def _missing(self) -> list[int]:
        running = set(self._numbers.values())
        return [number for number in self._starts if number not in running]

    def _seconds_to_next_start(self) -> float | None:
        if self._signals_obeyed or not self._missing():
            return None
        next_start = min(self._starts[number] for number in self._missing()) + RESTART_INTERVAL
        return max(0.0, next_start - time.monotonic())

    def _start_due(self) -> None:
        for number in self._missing():
            now = time.monotonic()
            if not self._signals_obeyed and now >= self._starts[number] + RESTART_INTERVAL:
                self._starts[number] = now
                self._start(number)

    def _start(self, number: int) -> None:
        # Otherwise the worker could be missed, or take the signal as the supervisor would.
        with _signals_wait():
            try:
                process = os.fork()
                if process == 0:
                    self._be_worker(number)
                self._numbers[process] = number
            except OSError as error:
                logger.error("worker %d can't be started: %s", number, error.strerror)

    def _be_worker(self, number: int) -> None:
        """Do the work in the new process, and end it. Never returns."""
        status = 1
        try:
            self._leave_supervision()
            self._work(number, self._listeners[number - 1], self._parent_alive_reader)
            status = 0
        except Exception:
            logger.exception("worker %d failed", number)
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # we must not clean up what belongs to the supervisor

    def _leave_supervision(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all; the supervisor decides
        for number in _RELAYED:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING | _RELAYED)
        os.close(self._parent_alive_writer)

    # ------------------------------------------------------------------ ending

    def _obey_signals(self, wake_writer: socket.socket) -> None:
        """The first Ctrl+C or SIGTERM ends the workers cleanly, the second at once."""

        def end(signal_number: int, frame: FrameType | None) -> None:
            self._signals_obeyed += 1
            self._send(signal.SIGTERM if self._signals_obeyed == 1 else signal.SIGKILL)

        def relay(signal_number: int, frame: FrameType | None) -> None:
            self._send(signal_number)

        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signal_number, frame: None)  # to be woken up
        for number in _RELAYED:
            signal.signal(number, relay)
        for number in _ENDING:
            signal.signal(number, end)

    def _send(self, signal_number: int) -> None:
        for process in list(self._numbers):
            os.kill(process, signal_number)  # a dead one keeps its id until it is reaped

    def _reap_children(self) -> None:
        for process, number in list(self._numbers.items()):
            with _signals_wait():  # otherwise it could go to a process that has ended
                ended, status = os.waitpid(process, os.WNOHANG)
                if ended:
                    del self._numbers[process]
            if ended and not self._signals_obeyed:
                logger.error("worker %d died (%s): another takes its place", number, _cause(status))


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Block signals between acting on a process and noting it."""
    signals = _ENDING | _RELAYED
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _close(listeners: Iterable[socket.socket]) -> None:
    for listener in listeners:
        listener.close()
