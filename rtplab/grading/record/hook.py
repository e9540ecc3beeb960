"""The grader's end of the hook in a client: presses buttons, and gets reports from inside."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.screen import Screen

ANSWER_LIMIT = 3.0  # seconds in which a window's main loop obeys
STUCK_LIMIT = 1.5  # seconds for one that has not obeyed the order before
MOST_LINES = 5_000  # that a hook may send: ours sends some dozens, but anybody can connect
LONGEST_LINE = 1 << 20  # bytes; a picture of the stand-in for tkinter takes half of them


class HookLink:
    """Waits for one process's hook. For a `with` statement."""

    def __init__(self, recorder: Recorder, has_screen: bool) -> None:
        """Without a screen, the stand-in for tkinter reports the pictures."""
        self._recorder = recorder
        self._has_screen = has_screen
        self._shown: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._connection: socket.socket | None = None
        self._is_closed = self._is_over = self._is_stuck = False
        self._answers: dict[str, list[dict[str, Any]]] = {}
        self._changed = threading.Condition()  # guards the answers and the connection
        self._thread = threading.Thread(target=self._listen, name="grader hook link")
        self._thread.start()

    def __enter__(self) -> HookLink:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        with self._changed:
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def environment(self, inside: Path) -> dict[str, str]:
        """The environment that makes Python load the hook, whose files are in `inside`."""
        port = self._listener.getsockname()[1]
        stub = {} if self._has_screen else {"RTPLAB_STUB": str(inside / "stub")}
        return {"PYTHONPATH": str(inside / "site"), "RTPLAB_HOOK": str(port), **stub}

    def click(self, button: str, limit: float = ANSWER_LIMIT) -> bool:
        """Press a button; False if there is none, or the window doesn't react."""
        answer = self._order("clicked", limit, do="click", button=button)
        found = bool(answer and answer.get("found"))
        if answer is None:
            self._recorder.add("click", button=button, found=False, reacted=False)
        return found

    def is_responsive(self, limit: float = ANSWER_LIMIT) -> bool:
        """Whether the main loop answers, which is recorded with the time that it took."""
        asked = time.monotonic()
        answer = self._order("pong", limit, do="ping")
        self._recorder.add("responsive", seconds=round(time.monotonic() - asked, 4))
        return answer is not None

    def close_window(self) -> bool:
        """Do what the window frame's closing button does."""
        return self._order("closing", do="close") is not None

    def ask_labels(self) -> None:
        self._order("labels", 1.0, do="labels")

    def ask_stack(self) -> None:
        self._order("stack", 1.0, do="stack")

    def _order(
        self, answered_by: str, limit: float = ANSWER_LIMIT, **order: str
    ) -> dict[str, Any] | None:
        if self._is_stuck:
            limit = min(limit, STUCK_LIMIT)
        with self._changed:
            self._answers[answered_by] = []
            if not self._changed.wait_for(lambda: self._connection is not None, limit):
                return None
            assert self._connection is not None
            with suppress(OSError):
                self._connection.sendall(json.dumps(order).encode() + b"\n")
            self._changed.wait_for(lambda: self._answers[answered_by] or self._is_over, limit)
            answers = self._answers[answered_by]
        self._is_stuck = not answers
        return answers[0] if answers else None

    def _listen(self) -> None:
        with self._listener:
            while not self._is_closed:
                with suppress(OSError):
                    connection, _ = self._listener.accept()
                    break
            else:
                return
        connection.settimeout(None)
        with connection:
            with self._changed:
                self._connection = connection
                self._changed.notify_all()
            with suppress(OSError), connection.makefile("rb") as lines:
                for _ in range(MOST_LINES):
                    line = lines.readline(LONGEST_LINE)
                    if not line or self._is_closed:
                        break
                    with suppress(Exception):  # anybody may have said it
                        self._take(json.loads(line))
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _see(self, name: str, said: dict[str, Any]) -> None:
        """Take what the stand-in for tkinter shows."""
        if name == "window":
            self._recorder.add("window", shown=bool(said["shown"]), title="")
            return
        width, height = int(said["width"]), int(said["height"])
        pixels = base64.b64decode(said["pixels"])
        if len(pixels) != 4 * width * height:
            raise ValueError("this is no picture of that size")
        screen = Screen(pixels, width, height, 4 * width)
        place = screen.find()
        number = screen.number(place) if place else None
        if number != self._shown:
            self._shown = number
            self._recorder.add("picture", frame=number)

    def _take(self, said: dict[str, Any]) -> None:
        name = str(said.pop("name"))
        if name in ("picture", "window"):
            if not self._has_screen:
                self._see(name, said)
            return
        if name == "clicked":
            button = str(said.get("button"))
            self._recorder.add("click", button=button, found=bool(said.get("found")))
        elif name not in ("pong", "closing"):
            self._recorder.add("hook", **{**said, "name": name})
        with self._changed:
            self._answers.setdefault(name, []).append(said)
            self._changed.notify_all()
