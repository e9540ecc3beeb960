"""The player's window: it shows what the client received and passes the user's wishes on.

It asks the client for frames and state from the Tk main loop; no thread of the client touches Tk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from tkinter import messagebox, ttk
from typing import Any

from rtplab.player.commands import LAB_COMMANDS
from rtplab.player.palette import SURROUND
from rtplab.player.picture import PictureArea
from rtplab.player.status import Situation, clock, message_for
from rtplab.player.theme import Theme
from rtplab.protocol.states import State
from rtplab.receiving.frames import Frame

POLL_INTERVAL = 0.015  # seconds between two looks for a frame that is due
# Seconds between two writings of frame number and time: more often than this nobody reads them.
NUMBERS_INTERVAL = 0.1
FAREWELL = 1.5  # seconds that the server gets to answer TEARDOWN when the window closes
FIRST_SIZE = (576, 432)  # of the picture area at 1x, until the first picture tells its own
# How much of the screen a window that takes the size of its picture may cover.
SCREEN_SHARE = 0.9


class PlayerWindow:
    """The player in `master`, a Tk root or toplevel, for one client."""

    def __init__(self, master: Any, client: Any) -> None:
        self._client = client
        self._toplevel = master.winfo_toplevel()
        self._theme = Theme.of(master)
        self._situation: Situation | None = None
        self._frame: Frame | None = None
        self._resume = False  # playing goes on once the server has paused
        self._numbers_due = 0.0
        self._sized = False
        self._timer = ""
        self._build(master)
        self._toplevel.protocol("WM_DELETE_WINDOW", client.handler)
        self._tick()

    # ------------------------------------------------------------------ building

    def _build(self, master: Any) -> None:
        px = self._theme.px
        self._toplevel.configure(background=SURROUND)
        self._toplevel.minsize(px(460), px(240))
        master.columnconfigure(0, weight=1)
        master.rowconfigure(0, weight=1)
        self.picture = PictureArea(master, self._theme)
        self.picture.configure(width=px(FIRST_SIZE[0]), height=px(FIRST_SIZE[1]))
        self.picture.grid(row=0, column=0, sticky="nsew")
        self._controls = controls = ttk.Frame(master, padding=(px(12), px(10)))
        controls.grid(row=1, column=0, sticky="ew")
        self._build_lab_row(controls)

    def _build_lab_row(self, master: ttk.Frame) -> None:
        px = self._theme.px
        self._buttons: dict[str, ttk.Button] = {}
        actions: dict[str, Callable[[], None]] = {
            "setup": self._client.setupMovie,
            "start": self._client.playMovie,
            "pause": self._client.pauseMovie,
            "teardown": self._client.exitClient,
        }
        for column, command in enumerate(LAB_COMMANDS):
            button = ttk.Button(master, text=command.label, command=actions[command.name])
            button.grid(row=0, column=column, padx=(0, px(6)))
            self._buttons[command.name] = button
            setattr(self._client, command.name, button)  # as the classic client has them
        self._numbers = ttk.Label(master, style="Muted.TLabel", anchor="e")
        self._numbers.grid(row=0, column=4, sticky="e", padx=(px(8), px(12)))
        self._state = ttk.Label(master, style="Bold.TLabel", anchor="e")
        self._state.grid(row=0, column=5, sticky="e")
        master.columnconfigure(4, weight=1)

    # ------------------------------------------------------------------ the main loop

    def _tick(self) -> None:
        now = time.monotonic()
        frame = self._client.playout.take(now)
        if frame is not None:
            self._show_frame(frame)
        self._look_at_client()
        if now >= self._numbers_due:
            self._write_numbers()
            self._numbers_due = now + NUMBERS_INTERVAL
        self._timer = self._toplevel.after(round(POLL_INTERVAL * 1000), self._tick)

    def _show_frame(self, frame: Frame) -> None:
        self._frame = frame
        self.show(frame.data)

    def show(self, jpeg: bytes) -> None:
        """Show a JPEG now."""
        if self.picture.show(jpeg) and not self._sized and self.picture.picture is not None:
            self._sized = True
            self._take_size_of(*self.picture.picture)

    def _take_size_of(self, width: int, height: int) -> None:
        """Give the picture its own size, unless the user has sized the window or it is too large.

        On a screen at 2x a pixel of the picture is two by two of the screen's.
        """
        if self._toplevel.geometry().split("+")[0] != self._natural_geometry():
            return
        screen = self._toplevel.winfo_screenwidth(), self._toplevel.winfo_screenheight()
        room = min(screen[0] / width, screen[1] / height) * SCREEN_SHARE
        flush = self._controls.winfo_reqwidth() / width  # no bars at the picture's sides
        factor = min(max(self._theme.scale, flush), room)
        self.picture.configure(width=round(width * factor), height=round(height * factor))

    def _natural_geometry(self) -> str:
        return f"{self._toplevel.winfo_reqwidth()}x{self._toplevel.winfo_reqheight()}"

    def _look_at_client(self) -> None:
        """Bring words and buttons in line with the session."""
        client = self._client
        now = Situation(
            client.state,
            client.isWaiting(),
            client.error,
            client.notice,
            bool(self.picture.jpeg),
            client.fileName,
        )
        if now == self._situation:
            return
        before, self._situation = self._situation, now
        if now.state is State.INIT and before is not None and before.state is not State.INIT:
            self._forget_session()
        self.picture.say(message_for(now))
        self._state.configure(text=now.state.name)
        for command in LAB_COMMANDS:
            enabled = command.enabled(now)
            self._buttons[command.name].state(["!disabled" if enabled else "disabled"])
        if self._resume and now.state is State.READY and not now.waiting:
            self._resume = False
            client.playMovie()

    def _forget_session(self) -> None:
        self._frame = None
        self.picture.clear()

    def _write_numbers(self) -> None:
        text = ""
        if self._frame is not None:
            text = f"Frame {self._frame.number}    {clock(self._frame.media_time)}"
        if str(self._numbers.cget("text")) != text:
            self._numbers.configure(text=text)

    # ------------------------------------------------------------------ closing

    def confirm_close(self) -> None:
        """Pause and ask; close, or go on as before."""
        was_playing = self._client.state is State.PLAYING
        self._client.pauseMovie()
        if messagebox.askokcancel("Quit?", "Are you sure you want to quit?", parent=self._toplevel):
            self.close()
        elif was_playing:
            self._resume = True
            self._situation = None  # it may have paused already

    def close(self) -> None:
        """End the session, and close the window when the server has heard of it."""
        self._toplevel.withdraw()
        self._client.exitClient()
        self._close_by(time.monotonic() + FAREWELL)

    def _close_by(self, deadline: float) -> None:
        ended = self._client.state is State.INIT and not self._client.isWaiting()
        if ended or time.monotonic() >= deadline:
            self._toplevel.after_cancel(self._timer)
            self._toplevel.destroy()
        else:
            self._toplevel.after(20, self._close_by, deadline)
