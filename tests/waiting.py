"""Waiting for what another thread or program does."""

from __future__ import annotations

import time
from collections.abc import Callable


def settles(condition: Callable[[], object], limit: float = 5.0) -> bool:
    """Wait until the condition holds; tell if it does."""
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def wait_until(condition: Callable[[], object], limit: float = 10.0) -> None:
    assert settles(condition, limit), "waited in vain"
