"""Python imports this first in a submission's client: it finds and presses the window's buttons.

It connects to the port in RTPLAB_HOOK, obeys lines of JSON and says what it sees in others:

    {"do": "click", "button": "Setup"}    in the window's main loop; "clicked" before it is pressed
    {"do": "ping"}                        in the main loop: "pong"
    {"do": "close"}                       as the window's closing button does: "closing"
    {"do": "labels"}                      what the labels say: "labels"
    {"do": "stack"}                       where each thread stands: "stack"

Without that variable it does nothing. Its reports improve sentences; no points depend on them.
"""

from __future__ import annotations

import base64
import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import queue
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

BUTTONS = {
    "setup": ("setup", "init", "load", "connect"),
    "play": ("play", "start", "resume", "playpause"),
    "pause": ("pause", "playpause"),
    "teardown": ("teardown", "stop", "exit", "quit", "close"),
    "describe": ("describe",),
}
"""By the assignment's name, the texts of such buttons (letters only); the first found counts."""
AGREES = ("ok", "yes", "quit", "close", "exit", "leave", "stop", "teardown")
"""The texts of a button that agrees to closing the window."""
POLL = 10  # milliseconds between two checks for orders
MOST_RECEIVED = 20  # datagrams that are reported
PICTURE_WIDTH = 180  # pixels, at least, of a picture that is sent to the grader
PONDERED = 0.6  # seconds that a person needs at least to agree to something
LONGEST = 4000  # characters of a text


class Hook:
    """The connection to the grader."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._lock = threading.Lock()  # guards the socket's end for writing
        self._orders: queue.Queue[dict[str, Any]] = queue.Queue()
        self._received = 0
        self._thread: threading.Thread | None = None

    def say(self, name: str, **fields: Any) -> None:
        line = json.dumps({"name": name, **fields}).encode() + b"\n"
        with self._lock, suppress(OSError):
            self._socket.sendall(line)

    def listen(self) -> None:
        """Take orders in a thread; those for the window wait for its main loop."""
        self._thread = threading.Thread(target=self._listen, name="grader hook", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for line in lines:
                order = json.loads(line)
                if order["do"] == "stack":
                    self.say("stack", threads=self._stacks())
                else:
                    self._orders.put(order)

    def _stacks(self) -> dict[str, str]:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return {
            f"{names.get(ident, 'thread')} {ident}": _place(frame)
            for ident, frame in sys._current_frames().items()
            if self._thread is None or ident != self._thread.ident
        }

    # ------------------------------------------------------------------ in the window's main loop

    def attend(self, root: Any) -> None:
        """Look after the orders for this window until it is destroyed."""

        def look() -> None:
            with suppress(queue.Empty):
                while True:
                    self._obey(root, self._orders.get_nowait())
            with suppress(Exception):  # a window that an order has destroyed
                root.after(POLL, look)

        root.after(POLL, look)

    def _obey(self, root: Any, order: dict[str, Any]) -> None:
        if order["do"] == "ping":
            self.say("pong")
        elif order["do"] == "labels":
            self.say("labels", texts=[text[:200] for text in _texts(root) if text])
        elif order["do"] == "close":
            self.say("closing")
            root.after(round(1000 * PONDERED), lambda: self._agree(root))
            root.tk.call(root.protocol("WM_DELETE_WINDOW"))
        elif order["do"] == "click":
            button = _find(root, BUTTONS[order["button"].lower()])
            self.say("clicked", button=order["button"], found=button is not None)
            if button is not None:
                _press(button)

    def _agree(self, root: Any) -> None:
        """Press the button that agrees, if the program asks in a window of its own."""
        for window in _widgets(root):
            if window.winfo_class() == "Toplevel" and (button := _find(window, AGREES)):
                self.say("dialog", form="toplevel", title="", text=str(button.cget("text"))[:200])
                _press(button)
                return

    # ------------------------------------------------------------------ what is watched

    def watch_sockets(self) -> None:
        original = socket.socket.recv

        def recv(self_socket: socket.socket, size: int, *flags: int) -> bytes:
            data = original(self_socket, size, *flags)
            if self_socket.type == socket.SOCK_DGRAM and self._received < MOST_RECEIVED:
                self._received += 1
                self.say("received", asked=size, size=len(data))
            return data

        socket.socket.recv = recv  # type: ignore[method-assign, assignment]

    def watch_faults(self) -> None:
        for_main, for_threads = sys.excepthook, threading.excepthook

        def in_main(kind: Any, error: Any, trace: Any) -> None:
            self.say("traceback", thread="MainThread", text=_trace(error))
            for_main(kind, error, trace)

        def in_thread(args: threading.ExceptHookArgs) -> None:
            name = args.thread.name if args.thread else ""
            self.say("traceback", thread=name, text=_trace(args.exc_value))
            for_threads(args)

        sys.excepthook = in_main
        threading.excepthook = in_thread

    def watch_questions(self) -> None:
        original = builtins.input

        def asked(prompt: object = "") -> str:
            self.say("stdin", text=str(prompt)[:200])
            return original(prompt)

        builtins.input = asked

    def watch_tk(self, tkinter: ModuleType) -> None:
        original = tkinter.Tk.__init__
        hook = self

        def made(root: Any, *arguments: Any, **options: Any) -> None:
            original(root, *arguments, **options)
            hook.say("window", shown=True)
            hook.attend(root)

        def failed(root: Any, kind: Any, error: Any, trace: Any) -> None:
            hook.say("traceback", thread="Tk", text=_trace(error))
            traceback.print_exception(kind, error, trace)

        tkinter.Tk.__init__ = made
        tkinter.Tk.report_callback_exception = failed

    def take_pictures(self, image_tk: ModuleType) -> None:
        """With the stand-in for tkinter: what would be on the screen is sent to the grader."""
        import tkinter

        class PhotoImage:
            def __init__(self, image: Any = None, size: Any = None, **_: Any) -> None:
                self._size = image.size
                scale = max(1, image.size[0] // PICTURE_WIDTH)
                small = image.convert("RGB").reduce(scale)
                self.picture = {"width": small.width, "height": small.height}
                pixels = small.tobytes("raw", "BGRX")
                self.picture["pixels"] = base64.b64encode(pixels).decode()

            def width(self) -> int:
                return int(self._size[0])

            def height(self) -> int:
                return int(self._size[1])

            def paste(self, image: Any, *_: Any) -> None:
                self.__init__(image)  # type: ignore[misc]
                show(self)

        def show(photo: Any) -> None:
            if photo is None:
                self.say("window", shown=False)
            elif isinstance(photo, PhotoImage):
                self.say("picture", **photo.picture)

        image_tk.PhotoImage = PhotoImage  # type: ignore[attr-defined]
        tkinter.show = show  # type: ignore[attr-defined]

    def answer_dialogs(self, messagebox: ModuleType) -> None:
        """Nobody is there to press OK: each dialog is told of, and taken as agreed to."""

        def answered(name: str) -> Callable[..., Any]:
            def dialog(title: Any = None, message: Any = None, **_: Any) -> Any:
                self.say("dialog", form=name, title=str(title)[:200], text=str(message)[:200])
                time.sleep(PONDERED)
                return "yes" if name == "askquestion" else True if name[:3] == "ask" else "ok"

            return dialog

        for name in dir(messagebox):
            if name.startswith(("ask", "show")):
                setattr(messagebox, name, answered(name))


class AfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Has a module changed right after it was first imported."""

    def __init__(self, changes: dict[str, Callable[[ModuleType], None]]) -> None:
        self._changes = changes
        self._found: dict[str, Any] = {}

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in self._changes or name in self._found:
            return None
        self._found[name] = None
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            self._found[name], spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> Any:
        return self._found[spec.name].create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._found[module.__name__].exec_module(module)
        self._changes[module.__name__](module)


def _widgets(widget: Any) -> Iterator[Any]:
    yield widget
    for child in widget.winfo_children():
        yield from _widgets(child)


def _texts(root: Any) -> Iterator[str]:
    for widget in _widgets(root):
        with suppress(Exception):
            yield str(widget.cget("text"))


def _find(root: Any, texts: Iterable[str]) -> Any:
    """The widget with the first of these texts, letters alone, that can be pressed."""
    buttons = []
    for widget in _widgets(root):
        with suppress(Exception):
            text = "".join(c for c in str(widget.cget("text")).lower() if c.isalpha())
            buttons.append((text, widget))
    for wanted in texts:
        for text, widget in buttons:
            if text == wanted and (hasattr(widget, "invoke") or widget.bind("<Button-1>")):
                return widget
    return None


def _press(button: Any) -> None:
    if hasattr(button, "invoke"):
        button.invoke()
    else:
        button.event_generate("<Button-1>")


def _trace(error: Any) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))[-LONGEST:]


def _place(frame: Any) -> str:
    """The innermost line of the submission's own: a function of it, and what that has called."""
    here = os.getcwd()
    while frame is not None:
        name = os.path.join(here, frame.f_code.co_filename)
        if name.startswith(here + os.sep):
            place = f"{frame.f_code.co_name} line {frame.f_lineno}"
            return f"{os.path.basename(name)}: {place}"
        frame = frame.f_back
    return ""


def main() -> None:
    port = os.environ.pop("RTPLAB_HOOK", "")
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != own]
    paths = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    if len(paths) > 1:  # ours is the first
        os.environ["PYTHONPATH"] = os.pathsep.join(paths[1:])
    stub = os.environ.pop("RTPLAB_STUB", "")
    if not port:
        return
    hook = Hook(int(port))
    hook.listen()
    hook.watch_sockets()
    hook.watch_faults()
    hook.watch_questions()
    changes = {"tkinter": hook.watch_tk, "tkinter.messagebox": hook.answer_dialogs}
    if stub:
        sys.path.insert(0, stub)
        changes["PIL.ImageTk"] = hook.take_pictures
    sys.meta_path.insert(0, AfterImport(changes))


main()
