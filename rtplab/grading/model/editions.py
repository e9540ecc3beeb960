"""Which handout a submission was written for: strict forms, numbers and points, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Edition:
    """What the scenarios and the checks must know of a handout."""

    name: str
    language: str = "python"
    interval: float = 0.05
    """Seconds between frames."""
    receive_timeout: float = 0.5
    """Seconds of the time-out on the client's datagram socket."""
    request_form: str = "python"
    """In which form our lab client asks: python (LF, open end) or java (CRLF, three lines)."""
    reply_form: str = "python"
    """In which form our lab server answers."""
    fragments: bool = False
    """HD: frames go in pieces below the MTU, with the marker on the last."""
    points: Mapping[str, float] = field(default_factory=dict)
    """By check, where they differ from the check's own."""


PYTHON = Edition("python")
