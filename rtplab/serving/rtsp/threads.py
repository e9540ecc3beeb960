"""Threads for the clients: each has its own while it is connected.

Starting a thread takes longer than answering a request. So a thread whose client has left waits for
the next client before it ends. (The pool of concurrent.futures never ends idle threads, and queues
tasks for which the system grants no thread.)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

IDLE_TIME = 1.0  # seconds: under load, new clients arrive more often than this

logger = logging.getLogger("rtplab.server")

_Mailbox = SimpleQueue["Task | None"]  # of an idle thread; None tells it to end


class Task:
    """Something that runs in a thread."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._running = threading.Lock()  # held until it has ended
        self._running.acquire()

    def is_alive(self) -> bool:
        """Tell if it has not ended yet."""
        return self._running.locked()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, for `timeout` seconds at most; tell if it has."""
        has_ended = self._running.acquire(timeout=-1 if timeout is None else timeout)
        if has_ended:
            self._running.release()  # for others who wait
        return has_ended

    def run(self) -> None:
        """Run it. Raises whatever the call raises."""
        try:
            self._call()
        finally:
            del self._call  # and with it the client: this thread may live for long
            self._running.release()


class ThreadPool:
    """Runs each task in a thread of its own, as many as there are tasks."""

    def __init__(self) -> None:
        self._idle: list[_Mailbox] = []  # each one taken out must be given a task
        self._closing = False

    def start(self, call: Callable[[], None]) -> Task:
        """Start a task. Raises RuntimeError if the system grants no thread."""
        task = Task(call)
        try:
            self._idle.pop().put(task)
        except IndexError:
            threading.Thread(name="client", target=self._work, args=(task,)).start()
        return task

    def close(self) -> None:
        """End idle threads now, and others after their task. May be called twice.

        They are not joined: they have nothing left to do but to end.
        """
        self._closing = True
        while self._idle:
            try:
                self._idle.pop().put(None)
            except IndexError:
                pass  # it has just timed out

    def _work(self, task: Task | None) -> None:
        mailbox: _Mailbox = SimpleQueue()
        while task is not None:
            try:
                task.run()
            except Exception:  # no one joins it: this is the last place to report it
                logger.exception("a client's thread failed")
            task = self._next(mailbox)

    def _next(self, mailbox: _Mailbox) -> Task | None:
        """Wait for the next task; None if none comes in time."""
        self._idle.append(mailbox)
        try:
            return mailbox.get(timeout=0 if self._closing else IDLE_TIME)
        except Empty:
            pass
        try:
            self._idle.remove(mailbox)
        except ValueError:  # somebody has taken it out in the meantime
            return mailbox.get()
        return None
