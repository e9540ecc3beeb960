"""A transmission that is stopped while it starts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rtplab.clock import steady
from rtplab.serving.rtp.transmission import Transmission


class NotedPacer:
    """Notes what is scheduled, and sends nothing."""

    def __init__(self) -> None:
        self.added: list[Any] = []

    def add(self, send: Any, deadline: float) -> SimpleNamespace:
        self.added.append(send)
        return SimpleNamespace(cancel=lambda: self.added.remove(send))


@pytest.fixture
def pacer() -> NotedPacer:
    return NotedPacer()


@pytest.fixture
def transmission(pacer: NotedPacer) -> Transmission:
    parts: dict[str, Any] = {
        "playback": SimpleNamespace(interval=0.05),
        "feed": None,
        "stream": SimpleNamespace(is_within_frame=False, ssrc=1),
        "pacer": pacer,
    }
    return Transmission(**parts, viewer="a viewer", cname=None)


def test_what_was_stopped_by_its_first_frame_sends_no_second(
    transmission: Transmission, pacer: NotedPacer
) -> None:
    """A script may set the lab's event at any moment, also from its own `sendRtp`."""

    def send() -> float:
        transmission.stop()
        return steady() + 0.05

    transmission.start(send, lambda is_gone: None)
    assert pacer.added == []


def test_what_is_played_again_is_scheduled_once(
    transmission: Transmission, pacer: NotedPacer
) -> None:
    def send() -> float:
        return steady() + 0.05

    for _ in range(2):
        transmission.start(send, lambda is_gone: None)
        assert pacer.added == [send]
        transmission.stop()
        assert pacer.added == []
