"""The signals that end the server, or request a status line."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def ending_signals() -> tuple[signal.Signals, ...]:
    """Ctrl+C, the signal of `kill`, and on Windows Ctrl+Break."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def obey(
    signals: tuple[signal.Signals, ...], end: Callable[[], None], ask: Callable[[], None]
) -> None:
    """Make the first of these signals call `end`, and the second end the process at once.

    SIGUSR1 calls `ask`, on systems that have it.
    """

    def ending(signal_number: int, frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        end()

    def asking(signal_number: int, frame: FrameType | None) -> None:
        ask()

    for number in signals:
        signal.signal(number, ending)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, asking)


@contextmanager
def woken_by_signals(writer: socket.socket) -> Iterator[None]:
    """Make signals wake a `select` on the other end; on Windows it would keep sleeping.

    Only the main thread gets signals; in any other thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
