"""The handout that a submission was written for: strict forms, numbers and points, as data.

A teacher's own edition is a file of JSON. It names the edition that it changes, and what differs:

    {"name": "ours", "based_on": "python", "interval": 0.1,
     "points": {"client.shows": 10, "packet.ssrc": 0},
     "advice": {"client.timeout": "See page 3 of our handout."}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

FORMS = ("python", "java")
LARGEST_FILE = 1 << 20  # bytes: an edition has one or two thousand
LONGEST_TIME = 10.0  # seconds, of an interval or a time-out


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
    """The form of our lab client's requests: python (LF, open end) or java (CRLF, three lines)."""
    reply_form: str = "python"
    """The form of our lab server's replies."""
    fragments: bool = False
    """HD: frames go in pieces below the MTU, with the marker on the last."""
    points: Mapping[str, float] = field(default_factory=dict)
    """By check, where they differ from the check's own."""
    advice: Mapping[str, str] = field(default_factory=dict)
    """By check, where to look, instead of the check's own hint."""


PYTHON = Edition("python")

# There is no RtpPacket to call by itself: its work is seen on the wire.
JAVA = Edition(
    "java",
    language="java",
    interval=0.1,
    receive_timeout=0.005,
    request_form="java",
    reply_form="java",
    points={
        **dict.fromkeys(
            (
                *("packet.version", "packet.flags", "packet.type", "packet.sequence"),
                *("packet.timestamp", "packet.ssrc", "packet.payload", "packet.instances"),
                "packet.decode",
            ),
            0,
        ),
        **{"server.reply": 5, "server.session": 2, "server.header": 15, "server.frames": 8},
        **{"server.numbers": 5, "server.pace": 3, "server.pause": 4, "server.teardown": 3},
        "extend.late": 5,
    },
)

# Its printed rubric: core 4, HD 3, client-side caching 2.5, and 0.5 for the report, which a person
# reads: the points of the core are those of the Python edition, times 0.4.
HD = Edition(
    "hd",
    fragments=True,
    points={
        **{"packet.version": 1.6, "packet.flags": 1.2, "packet.type": 1.6, "packet.sequence": 2},
        **{"packet.timestamp": 1.2, "packet.ssrc": 1.2, "packet.payload": 1.6},
        **{"packet.instances": 0.8, "packet.decode": 0.8},
        **{"server.reply": 1.2, "server.session": 0.4, "server.header": 1.2, "server.frames": 1.6},
        **{"server.numbers": 0.8, "server.pace": 0.8, "server.pause": 1.2, "server.teardown": 0.8},
        **{"client.header": 1.2, "client.transport": 1.6, "client.cseq": 2, "client.session": 2},
        **{"client.port": 1.6, "client.timeout": 0.8, "client.shows": 3.2, "client.pause": 1.6},
        **{"client.resume": 0.8, "client.states": 1.2, "client.error": 0.4},
        **{"client.teardown": 1.6, "both.movie": 2},
        **{"extend.fragment": 15, "extend.reassemble": 15, "extend.cache": 25},
    },
)

EDITIONS: dict[str, Edition] = {edition.name: edition for edition in (PYTHON, JAVA, HD)}


def read_edition(path: Path) -> Edition:
    """Read a teacher's edition. Raises OSError, and ValueError with a sentence on what is wrong."""
    with path.open("rb") as file:
        text = file.read(LARGEST_FILE)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    return parse_edition(given, path.stem)


def parse_edition(given: Any, name: str) -> Edition:
    """An edition from what a file of JSON says; `name` if it has none. Raises ValueError."""
    if not isinstance(given, dict):
        raise ValueError("an edition is a JSON object, in braces")
    based_on = given.pop("based_on", PYTHON.name)
    if based_on not in EDITIONS:
        raise ValueError(f'"based_on" must be one of {", ".join(EDITIONS)}')
    known = {one.name for one in fields(Edition)}
    for key, value in given.items():
        if key not in known:
            raise ValueError(f'"{key}" is not one of its keys: {", ".join(sorted(known))}')
        _CHECKED[key](key, value)
    base = EDITIONS[based_on]
    merged: dict[str, Any] = {
        key: {**getattr(base, key), **value} if isinstance(value, dict) else value
        for key, value in given.items()
    }
    changed: dict[str, Any] = {"name": name, **merged}
    return replace(base, **changed)


def _text(key: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f'"{key}" must be a text')


def _form(key: str, value: object) -> None:
    if value not in FORMS:
        raise ValueError(f'"{key}" must be one of {", ".join(FORMS)}')


def _seconds(key: str, value: object) -> None:
    if not _is_number(value) or not 0 < float(str(value)) <= LONGEST_TIME:
        raise ValueError(f'"{key}" must be seconds, above 0 and up to {LONGEST_TIME:g}')


def _truth(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f'"{key}" must be true or false')


def _points(key: str, value: object) -> None:
    if not isinstance(value, dict):
        raise ValueError(f'"{key}" must have a number for each check, in braces')
    for check, worth in value.items():
        if not _is_number(worth) or worth < 0:
            raise ValueError(f'the points of "{check}" must be a number, 0 or more')


def _advice(key: str, value: object) -> None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f'"{key}" must have a text for each check, in braces')


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value)


_CHECKED: dict[str, Callable[[str, object], None]] = {
    "name": _text,
    "language": _form,
    "interval": _seconds,
    "receive_timeout": _seconds,
    "request_form": _form,
    "reply_form": _form,
    "fragments": _truth,
    "points": _points,
    "advice": _advice,
}
