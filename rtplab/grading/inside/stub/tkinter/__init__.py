"""A stand-in for tkinter where there is no screen: widgets that are remembered and show nothing.

It has what the lab's clients use. Any other method of a widget does nothing and returns None.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

N, S, E, W = "n", "s", "e", "w"
NW, NE, SW, SE, NS, EW, NSEW, CENTER = "nw", "ne", "sw", "se", "ns", "ew", "nsew", "center"
LEFT, RIGHT, TOP, BOTTOM, BOTH, X, Y, NONE = "left right top bottom both x y none".split()
END, INSERT, WORD, CHAR, HORIZONTAL, VERTICAL = "end insert word char horizontal vertical".split()
NORMAL, DISABLED, ACTIVE, HIDDEN = "normal", "disabled", "active", "hidden"
FLAT, RAISED, SUNKEN, GROOVE, RIDGE, SOLID = "flat raised sunken groove ridge solid".split()
YES, NO, TRUE, FALSE, ON, OFF = 1, 0, 1, 0, 1, 0
TkVersion = TclVersion = 8.6
TURN = 0.005  # seconds of a main loop without anything to do

_default_root: Tk | None = None


def show(image: Any) -> None:
    """Called with the picture that a widget is given; the hook puts its own in this place."""


class TclError(Exception):
    """As tkinter's."""


class Interpreter:
    """What is asked of Tcl itself."""

    def call(self, command: Any, *arguments: Any) -> Any:
        return command(*arguments) if callable(command) else None

    eval = createcommand = call


class Widget:
    """Any widget: its options, its children, its place in the tree."""

    tk = Interpreter()

    def __init__(self, master: Any = None, cnf: Any = None, **options: Any) -> None:
        self.master = master if master is not None else _default_root
        self.children: dict[str, Widget] = {}
        self._options: dict[str, Any] = {}
        self._bound: dict[str, Any] = {}
        if isinstance(self.master, Widget) and self.master is not self:
            self.master.children[f"w{id(self)}"] = self
        self.configure(cnf, **options)

    def configure(self, cnf: Any = None, **options: Any) -> None:
        given = {**(cnf or {}), **options}
        self._options.update(given)
        if given.get("image"):
            show(given["image"])

    config = configure

    def cget(self, name: str) -> Any:
        if name in ("text", "command") or name in self._options:
            return self._options.get(name, "")
        raise TclError(f'unknown option "-{name}"')

    def __getitem__(self, name: str) -> Any:
        return self.cget(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.configure(**{name: value})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("invoke", "image"):
            raise AttributeError(name)
        return lambda *arguments, **options: None

    def winfo_children(self) -> list[Widget]:
        return list(self.children.values())

    def winfo_exists(self) -> bool:
        return True

    def winfo_toplevel(self) -> Any:
        return self if self.master is None else self.master.winfo_toplevel()

    def _number(self, *_: Any) -> int:
        return 400

    winfo_width = winfo_height = winfo_reqwidth = winfo_reqheight = _number
    winfo_screenwidth = winfo_screenheight = winfo_x = winfo_y = _number

    def bind(self, sequence: str, function: Any = None, add: Any = None) -> Any:
        if function is not None:
            self._bound[sequence] = function
        return self._bound.get(sequence, "")

    def event_generate(self, sequence: str, **_: Any) -> None:
        if function := self._bound.get(sequence):
            function(Event(self))

    def after(self, milliseconds: Any, function: Any = None, *arguments: Any) -> Any:
        if function is None:
            return time.sleep(milliseconds / 1000)
        return _loop.add(milliseconds / 1000, lambda: function(*arguments))

    def after_idle(self, function: Any, *arguments: Any) -> Any:
        return self.after(0, function, *arguments)

    def after_cancel(self, identifier: Any) -> None:
        _loop.cancelled.add(identifier)

    def update(self) -> None:
        _loop.turn()

    update_idletasks = update

    def mainloop(self, n: int = 0) -> None:
        _loop.run()

    def quit(self) -> None:
        _loop.is_over = True

    def destroy(self) -> None:
        if isinstance(self.master, Widget):
            self.master.children.pop(f"w{id(self)}", None)


class Event:
    """What a bound function is called with."""

    def __init__(self, widget: Widget) -> None:
        self.widget = widget
        self.x = self.y = self.delta = 0
        self.keysym = self.char = ""


class Loop:
    """The main loop: what is due, by time."""

    def __init__(self) -> None:
        self.is_over = False
        self.cancelled: set[Any] = set()
        self._count = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[], Any]]] = []
        self._lock = threading.Lock()  # guards what is waiting: any thread may add to it

    def add(self, seconds: float, function: Callable[[], Any]) -> int:
        with self._lock:
            number = next(self._count)
            heapq.heappush(self._waiting, (time.monotonic() + seconds, number, function))
        return number

    def turn(self) -> None:
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._waiting or self._waiting[0][0] > now:
                    return
                _, number, function = heapq.heappop(self._waiting)
            if number in self.cancelled or self.is_over:
                continue
            try:
                function()
            except Exception:
                root = _default_root
                (root or Tk).report_callback_exception(*sys.exc_info())

    def run(self) -> None:
        while not self.is_over:
            self.turn()
            time.sleep(TURN)


_loop = Loop()


class Wm(Widget):
    """A window."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._protocols: dict[str, Any] = {}
        super().__init__(*arguments, **options)

    def protocol(self, name: str, function: Any = None) -> Any:
        if function is not None:
            self._protocols[name] = function
        return self._protocols.get(name, self.destroy)

    wm_protocol = protocol


class Tk(Wm):
    """The program's window."""

    def __init__(self, *_: Any, **__: Any) -> None:
        global _default_root
        super().__init__()
        self.master = None
        _default_root = self

    def destroy(self) -> None:
        _loop.is_over = True
        show(None)

    @staticmethod
    def report_callback_exception(kind: Any, error: Any, trace: Any) -> None:
        sys.excepthook(kind, error, trace)


class Toplevel(Wm):
    """Another window."""


class Frame(Widget):
    """As tkinter's."""


class Button(Widget):
    """As tkinter's; `invoke` does what it was made for."""

    def invoke(self) -> Any:
        if self.cget("command") and self._options.get("state") != DISABLED:
            return self._options["command"]()
        return None


class Label(Widget):
    """As tkinter's."""


class Variable:
    """A value."""

    def __init__(self, master: Any = None, value: Any = "", name: Any = None) -> None:
        self._value = value

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        self._value = value

    def trace_add(self, *_: Any) -> None:
        pass

    trace = trace_add


class PhotoImage:
    """A picture of Tk's own formats: nothing that this lab shows."""

    def __init__(self, *_: Any, **options: Any) -> None:
        self._options = options

    def width(self) -> int:
        return 1

    height = width


class Canvas(Widget):
    """As tkinter's; a picture drawn on it is shown."""

    def create_image(self, *_: Any, **options: Any) -> int:
        self.configure(image=options.get("image"))
        return 1

    def itemconfig(self, _item: Any, **options: Any) -> None:
        self.configure(**options)

    itemconfigure = itemconfig


LabelFrame = PanedWindow = Entry = Text = Scale = Scrollbar = Menu = Listbox = Frame
Checkbutton = Radiobutton = Menubutton = Spinbox = Message = Frame
StringVar = IntVar = DoubleVar = BooleanVar = Variable


def mainloop(n: int = 0) -> None:
    _loop.run()
