"""The player's window: it shows what the client received and passes the user's wishes on.

It asks the client for frames and state from the Tk main loop; no thread of the client touches Tk.
"""

from __future__ import annotations

import math
import time
from _tkinter import IDLE_EVENTS
from collections.abc import Callable
from tkinter import messagebox, ttk
from typing import Any

from rtplab.player.actions import Actions
from rtplab.player.controls.controlbar import ControlBar, LabRow
from rtplab.player.controls.fullscreen import FullScreen
from rtplab.player.controls.keyboard import bind_keys
from rtplab.player.dialogs import LoginDialog
from rtplab.player.look.palette import PALETTES, SURROUND
from rtplab.player.look.theme import Theme
from rtplab.player.model import history
from rtplab.player.model.commands import Command
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.history import Address
from rtplab.player.model.status import PlayerState, headline_for
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.panel import Panel
from rtplab.player.picture.area import PictureArea
from rtplab.protocol.rtsp.states import State

POLL_INTERVAL = 0.015  # seconds between two looks for a frame, while playing and none waits
DECODING_INTERVAL = 4  # milliseconds between two looks for a large picture that is being decoded
IDLE_INTERVAL = 0.06  # seconds between two looks at the session
# Seconds between two writings of frame number and time: more often than this nobody reads them.
NUMBERS_INTERVAL = 0.25
FAREWELL = 1.5  # seconds that the server gets to answer TEARDOWN when the window closes
FIRST_SIZE = (576, 432)  # of the picture area at 1x, until the first picture tells its own
SMALLEST = (500, 260)  # of the window at 1x
# How much of the screen a window that takes the size of its picture may cover.
SCREEN_SHARE = 0.9
_PADDING = 8  # left and right of the controls, at 1x
NEARLY = 0.1  # so far from a whole number a screen's scale may be, and is taken for it

_windows: list[PlayerWindow] = []  # that are open, of all interpreters


def close_clients() -> None:
    """End the sessions of all windows that are open: the program ends."""
    for window in _windows:
        window.client.close()


class PlayerWindow:
    """The player in `master`, a Tk root or toplevel, for one client."""

    def __init__(self, master: Any, client: Any) -> None:
        self._client = client
        self.master = master
        self.toplevel = master.winfo_toplevel()
        self.theme = Theme.of(master)
        self.theme.use(PALETTES[history.load().colours])
        self.controller = PlaybackController(client)
        self.state = PlayerState()
        self.traffic = client.observer = Traffic(lambda: client.endpoints)
        self._login_dialog: LoginDialog | None = None
        self._numbers_due = 0.0
        self._sized = False
        self._timer: Any = None
        self._is_destroyed = False
        self._build()
        _windows.append(self)
        self.toplevel.protocol("WM_DELETE_WINDOW", client.handler)
        self.picture.bind("<Destroy>", self._destroyed, add=True)
        self._tick()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        master = self.master
        self.toplevel.configure(background=SURROUND)
        master.columnconfigure(0, weight=1)
        master.rowconfigure(0, weight=1)
        self.actions = Actions(self)
        self.picture = PictureArea(master, self.theme)
        self.picture.grid(row=0, column=0, sticky="nsew")
        self.controls = self._build_controls()
        self.panel = Panel(self)
        self.arrange()
        self._take_first_size()
        self.fullscreen = FullScreen(self.toplevel, self.controls, self.arrange)
        self.toplevel.bind("<Configure>", self._resized, add=True)
        bind_keys(self.toplevel, self.picture, self.run)
        self.picture.bind("<Button-1>", lambda event: self.picture.focus_set())
        self.picture.bind("<Double-Button-1>", lambda event: self.fullscreen.toggle())
        clicks = ["<Button-3>"]
        if self.theme.windowing_system == "aqua":  # so Tk calls the right button there up to 8.6
            clicks += ["<Button-2>", "<Control-Button-1>"]
        for click in clicks:
            self.picture.bind(click, self._menu_clicked)
        self.picture.focus_set()

    def _menu_clicked(self, event: Any) -> None:
        self.actions.menu_at(event.x_root, event.y_root)

    def _build_controls(self) -> ttk.Frame:
        px = self.theme.px
        controls = ttk.Frame(self.master, padding=(px(_PADDING), px(6), px(_PADDING), px(10)))
        self.bar = ControlBar(
            controls, self.theme, self.run, self.controller.seek, self.actions.set_speed
        )
        self.bar.pack(fill="x")
        self.lab_row = LabRow(controls, self.theme, self.run)
        self.lab_row.pack(fill="x", pady=(px(6), 0))
        for name, button in self.lab_row.buttons.items():
            setattr(self._client, name, button)  # as the classic client has them
        return controls

    def arrange(self) -> None:
        """Put the controls under the picture; under the panel, too, if they need its width."""
        width = self.toplevel.winfo_width() - self.panel.width
        is_beside = not self.panel.open or width >= self._narrowest
        self.controls.grid(row=1, column=0, columnspan=1 if is_beside else 2, sticky="ew")
        if self.panel.open:
            self.panel.place(rows=2 if is_beside else 1)

    def _resized(self, event: Any) -> None:
        if event.widget is self.toplevel and self.panel.open and not self.fullscreen.active:
            self.arrange()

    @property
    def _narrowest(self) -> int:
        """Pixels that the controls need, without what can be done without."""
        inner = max(self.bar.narrowest, self.lab_row.narrowest)
        return inner + 2 * self.theme.px(_PADDING)

    def _take_first_size(self) -> None:
        """As large as the design has it, so far as the screen has room."""
        top, px = self.toplevel, self.theme.px
        is_new = top.state() == "normal" and not top.winfo_ismapped()
        if is_new:
            top.withdraw()  # not to be seen before it has its size
        top.update_idletasks()  # how large are the controls?
        for controls in (self.bar, self.lab_row):
            controls.fit(top.winfo_screenwidth() - 2 * px(_PADDING))
        width, height = self._room_for_picture()
        self.picture.configure(
            width=min(px(FIRST_SIZE[0]), width), height=min(px(FIRST_SIZE[1]), height)
        )
        self.limit_size()
        if is_new:
            top.deiconify()

    def _room_for_picture(self) -> tuple[int, int]:
        """The pixels that a window which fits on the screen leaves to its picture."""
        top = self.toplevel
        screen = top.winfo_screenwidth() * SCREEN_SHARE, top.winfo_screenheight() * SCREEN_SHARE
        return round(screen[0]), round(screen[1]) - self.controls.winfo_reqheight()

    def limit_size(self) -> None:
        """Let the window become no smaller than its controls, and never have it be too large."""
        px, room = self.theme.px, self._room_for_picture()
        narrowest = max(px(SMALLEST[0]), self._narrowest)
        self.toplevel.minsize(min(narrowest, room[0]), min(px(SMALLEST[1]), room[1]))

    @property
    def client(self) -> Any:
        return self._client

    # ------------------------------------------------------------------ the main loop

    def _tick(self) -> None:
        now = time.monotonic()
        frame = self.controller.tick(now)
        if frame is not None:
            self.show(frame.data)
            self.controller.decoded(self.picture.problem, now)
        self._refresh_controls(now)
        # While it stands still, what is written is what is shown.
        is_stepped = frame is not None and self.state.state is not State.PLAYING
        if now >= self._numbers_due or is_stepped:
            self._write_numbers()
            self._numbers_due = now + NUMBERS_INTERVAL
        self.panel.tick(now)
        is_decoding = self.picture.poll()
        # Draw now: the main loop would ask another thread for events first, and wait for it.
        self.toplevel.tk.dooneevent(IDLE_EVENTS)
        pause = DECODING_INTERVAL if is_decoding else self._pause(time.monotonic())
        if not self._is_destroyed:
            # What `after` stands on: that would make a Tcl command for every frame.
            self._timer = self.toplevel.tk.createtimerhandler(pause, self._timed_tick)

    def _timed_tick(self) -> None:
        """A tick of which an error is reported like any callback's, and ends no other window."""
        try:
            self._tick()
        except Exception:
            self.toplevel._report_exception()

    def _pause(self, now: float) -> int:
        """Milliseconds until there is something to do, and no less: too early would be in vain."""
        due = self.controller.next_due()
        if due is not None:
            return max(1, math.ceil(1000 * min(due - now, IDLE_INTERVAL)))
        playing = self.state.state is State.PLAYING
        return math.ceil(1000 * (POLL_INTERVAL if playing else IDLE_INTERVAL))

    def show(self, jpeg: bytes) -> None:
        """Show a JPEG now."""
        if self.picture.show(jpeg) and not self._sized and self.picture.picture is not None:
            self._sized = True
            self._take_size_of(*self.picture.picture)

    def _take_size_of(self, width: int, height: int) -> None:
        """Give the picture its own size, unless the user has sized the window or it is too large.

        On a screen at 2x a pixel of the picture is two by two of the screen's.
        """
        top = self.toplevel
        if top.geometry().split("+")[0] != f"{top.winfo_reqwidth()}x{top.winfo_reqheight()}":
            return
        self.limit_size()  # Tk knows by now how large the controls are
        there_is = self._room_for_picture()
        room = min(there_is[0] / width, there_is[1] / height)
        least = max(self.controls.winfo_reqwidth(), self.theme.px(FIRST_SIZE[0]))
        flush = least / width  # no bars at the picture's sides
        # Many screens say that they are a little more than 1x: that would only blur the picture.
        whole = round(self.theme.scale)
        scale = whole if abs(self.theme.scale - whole) < NEARLY else self.theme.scale
        factor = min(max(scale, flush), room)
        self.picture.configure(width=round(width * factor), height=round(height * factor))

    def _refresh_controls(self, now: float) -> None:
        """Bring words and buttons in line with the session."""
        if self.controller.recording_error:
            self.picture.toast(self.controller.recording_error)
            self.controller.recording_error = ""
        state = self.controller.state_at(now)
        if state == self.state:
            return
        before, self.state = self.state, state
        if before.has_picture and not state.has_picture:
            self.picture.clear()
        self.picture.say(headline_for(state))
        self.bar.show(state)
        self.lab_row.show(state)
        if state.needs_password and not before.needs_password:
            self._ask_who_it_is()

    def _ask_who_it_is(self) -> None:
        if self._login_dialog is not None:
            self._login_dialog.window.destroy()
        client = self._client
        server = f"{client.serverAddr}, port {client.serverPort}"
        self._login_dialog = LoginDialog(
            self.toplevel, client.error, server, client.userName, self._log_in
        )

    def _log_in(self, user: str, password: str) -> None:
        self._client.logIn(user, password)
        self._refresh_controls(
            time.monotonic()
        )  # before a refusal can come: it is to be asked anew

    def _write_numbers(self) -> None:
        frame, position = self.controller.frame, self.controller.position
        self.lab_row.show_number(None if frame is None else frame.number)
        self.bar.show_position(position, self._client.duration)

    # ------------------------------------------------------------------ the user's wishes

    def run(self, command: Command) -> None:
        """Do what the command says, if it can be done now."""
        self._refresh_controls(time.monotonic())
        if command.enabled(self.state):
            action: Callable[[], None] = getattr(self.actions, command.name)
            action()
            if self in _windows:  # not closed by it
                self._refresh_controls(time.monotonic())

    def play(self) -> None:
        """Set up, and play."""
        self.controller.play()

    def open(self, address: Address, in_new_window: bool) -> None:
        """Play something else, here or in another window of this process."""
        self.remember(address)
        if in_new_window:
            import tkinter

            master: Any = tkinter.Toplevel(self.toplevel)
            master.title(self.toplevel.title())
        else:
            master = self.master
            self._end()
            for child in master.winfo_children():
                child.destroy()
        place = address.host, address.port, address.rtp_port, address.url or address.movie
        self._client.another(master, place).window.play()

    def remember(self, address: Address) -> None:
        """Put an address on top of what was opened lately."""
        settings = history.load()
        settings.remember(address)
        history.save(settings)

    # ------------------------------------------------------------------ closing

    def confirm_close(self) -> None:
        """Close; while playing, pause and ask first, and go on if the answer is no."""
        if self._client.state is not State.PLAYING:
            self.close()
            return
        self.controller.pause()
        if messagebox.askokcancel("Quit?", "Are you sure you want to quit?", parent=self.toplevel):
            self.close()
        else:
            self.controller.play()

    def close(self) -> None:
        """End the session, and close the window when the server has heard of it."""
        self.toplevel.withdraw()
        self._end()
        self._close_by(time.monotonic() + FAREWELL)

    def _destroyed(self, event: Any) -> None:
        self._is_destroyed = True
        self._timer.deletetimerhandler()
        self.fullscreen.end()

    def _end(self) -> None:
        self.actions.end_recording()
        self.controller.tear_down()
        self._timer.deletetimerhandler()
        _windows.remove(self)

    def _close_by(self, deadline: float) -> None:
        ended = self._client.state is State.INIT and not self._client.isWaiting()
        if not ended and time.monotonic() < deadline:
            self.toplevel.after(20, self._close_by, deadline)
            return
        root = self.toplevel._root()
        others = any(window.toplevel._root() is root for window in _windows)
        if not others:
            root.destroy()
        elif self.toplevel is not root:
            self.toplevel.destroy()
