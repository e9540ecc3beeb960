"""What a client's process says may be forged: it neither stops the grader nor bends its record."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtplab.grading.model.recording import from_lines, to_lines
from rtplab.grading.record.hook import HookLink
from rtplab.grading.record.movie import draw_movie
from rtplab.grading.record.recorder import Recorder

LIMIT = 10.0
PIXELS = base64.b64encode(bytes(4 * 8 * 8)).decode()


def picture(**changed: object) -> bytes:
    said = {"name": "picture", "width": 8, "height": 8, "pixels": PIXELS, **changed}
    return json.dumps(said).encode()


FORGED = {
    "not JSON": b"{",
    "not an object": b"[]",
    "deep": b"[" * 100_000,
    "no name": b"{}",
    "an endless width": b'{"name": "picture", "width": 1e999, "height": 8, "pixels": ""}',
    "a height of nothing": picture(height=10**15),
    "no pixels": picture(pixels=7),
    "broken pixels": picture(pixels="?"),
    "a window of nothing": b'{"name": "window"}',
    "another kind": b'{"name": "stack", "kind": "tcp.in"}',
}


@contextmanager
def linked(recorder: Recorder, has_screen: bool) -> Iterator[socket.socket]:
    with HookLink(recorder, has_screen) as link:
        port = int(link.environment(Path("inside"))["RTPLAB_HOOK"])
        with socket.create_connection(("127.0.0.1", port)) as client:
            yield client


@pytest.mark.parametrize("has_screen", [True, False], ids=["screen", "stand-in"])
@pytest.mark.parametrize("forged", FORGED)
def test_what_is_no_report_is_passed_over(forged: str, has_screen: bool) -> None:
    recorder = Recorder()
    with linked(recorder, has_screen) as client:
        client.sendall(FORGED[forged] + b'\n{"name": "stdin", "text": "next"}\n')
        assert recorder.wait_until(lambda event: event.get("text") == "next", LIMIT)


def test_with_a_screen_nothing_that_is_said_is_seen() -> None:
    recorder = Recorder()
    frame = draw_movie(3, 1).frames[0]
    with linked(recorder, has_screen=True) as client:
        for said in ({"name": "window", "shown": True}, {"name": "picture", "frame": 3}):
            client.sendall(json.dumps(said).encode() + b"\n")
        client.sendall(picture(pixels=base64.b64encode(frame).decode()) + b"\n")
        client.sendall(b'{"name": "stdin", "text": "next"}\n')
        assert recorder.wait_until(lambda event: event.get("text") == "next", LIMIT)
    assert not recorder.recording("s", "e").of("window", "picture")


def test_no_report_forges_the_time_or_the_kind_of_an_event() -> None:
    recorder = Recorder()
    recorder.add("hook", name="stdin", t=1000.0, text="forged")
    made = recorder.recording("s", "e")
    (event,) = from_lines(to_lines(made)).events
    assert event.kind == "hook" and event.time == pytest.approx(made.events[0].time, abs=1e-5)
