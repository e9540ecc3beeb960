"""A system that grants no more threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def no_thread_for(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system grants no thread of this name. There is no telling how many it would grant."""
    start = threading.Thread.start

    def deny(thread: threading.Thread) -> None:
        if thread.name.startswith(name):
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", deny)
        yield
