"""What a program leaves open is closed at its end, or when nothing refers to it any more."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import TypeVar

_Self = TypeVar("_Self", bound="Closable")


class Closable:
    """What `with` closes at its end, and the `closer` at the end of the program."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Closer:
    """Closes streams and servers left open when the main thread ends, or no longer referenced.

    Python waits for every thread that is not a daemon when the main thread has ended, and asks
    `atexit` only afterwards. And the garbage collector may run in any thread, also in the one that
    is to be ended, and under any lock: it can only hand on what it finds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the attributes below
        self._open: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._has_begun = False
        self._forgotten: SimpleQueue[Callable[[], object] | None] = (
            SimpleQueue()
        )  # None: it is the end

    def begin(self, what: Closable) -> None:
        """Close this at the end, unless it has been closed by then."""
        with self._lock:
            self._open.add(what)
            if not self._has_begun:
                self._has_begun = True
                for work in (self._close, self._wait_for_the_end):
                    threading.Thread(target=work, name="closer", daemon=True).start()

    def call_soon(self, close: Callable[[], object]) -> None:
        """Call this soon, in a thread. The garbage collector may ask for it."""
        self._forgotten.put(close)

    def _wait_for_the_end(self) -> None:
        threading.main_thread().join()
        self._forgotten.put(None)

    def _close(self) -> None:
        while (close := self._forgotten.get()) is not None:
            close()
            del close
        for what in list(self._open):
            what.close()


closer = Closer()
