"""The player's window: it shows the client's frames and passes the user's commands on.

It asks the client for frames and state from the Tk main loop; no thread of the client touches Tk.
"""

from __future__ import annotations

import math
import sys
import tkinter as tk
from _tkinter import IDLE_EVENTS
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rtplab.clock import steady
from rtplab.player import newwindow
from rtplab.player.actions import Actions, Saving, playback_actions, view_actions
from rtplab.player.controls.bindings import Bindings
from rtplab.player.controls.controlbar import Controls
from rtplab.player.controls.keyboard import bind_keys, bind_wheel
from rtplab.player.controls.menu import PopupMenu, build_links_menu, build_menu, speed_label
from rtplab.player.dialogs import ConfirmDialog, LoginDialog, OpenDialog
from rtplab.player.layout import Layout
from rtplab.player.look.palette import PALETTES, SURROUND
from rtplab.player.look.theme import Theme
from rtplab.player.model import history
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.commands import Command
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.history import Address
from rtplab.player.model.status import PlayerState, clock, headline_for
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.citations import CitationLinks, citations_on
from rtplab.player.panel.panel import Panel, Savers
from rtplab.player.picture.area import PictureArea
from rtplab.player.ticker import Ticker
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.rtp.frames import Frame

POLL_INTERVAL = 0.015  # seconds between two checks for a frame, while playing and none waits
DECODING_INTERVAL = 4  # milliseconds between two checks for a large picture that is being decoded
IDLE_INTERVAL = 0.06  # seconds between two checks of the session
MAX_TOAST = 200  # characters of a sentence that is shown for a moment
# Commands whose effect is shown in full screen mode: the position, and whether it plays.
TOLD = (
    "toggle back forward second_back second_forward far_back far_forward beginning end step"
    " step_back"
).split()
FAREWELL = 1.5  # seconds that the server gets to answer TEARDOWN when the window closes

# The player's command line without the movie argument; it works from any folder.
PROGRAM = (sys.executable, str(Path(__file__).parents[1] / "__main__.py"), "play")

# For errors in the player itself, of a kind that nobody has thought of.
FAILED = "Internal error: its report is on the terminal"
PANEL_FAILED = "The panel is closed after an internal error: its report is on the terminal"

OpenHere = Callable[[Address], "PlayerWindow"]


class PlayerWindow:
    """The player in `master`, a Tk root or toplevel, for one client.

    It is where the parts of a window are put together, so it has an attribute for each of them.
    """

    def __init__(
        self,
        master: Any,
        client: PlayerClient,
        open_here: OpenHere | None = None,
        ask_to_close: Callable[[], None] | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """`open_here` makes a client for another address, and its window in the same master.

        `ask_to_close` is called when the user closes the window, `confirm_close` or more. `program`
        is started for a new window, which plays in a process of its own.
        """
        self.client = client
        self.master = master
        self.open_here = open_here
        self.program = program
        self.toplevel = master.winfo_toplevel()
        self.toplevel._rtplab_player = self
        self.toplevel.configure(background=SURROUND)
        self.theme = Theme.of(master)
        self.theme.use(PALETTES[history.load().colours])
        self.controller = PlaybackController(client)
        self.state = PlayerState()
        self.traffic = Traffic(lambda: client.endpoints)
        client.observer = self.traffic
        self.address: Address | None = None  # what the list gets when it has played
        self._told = ""  # the viewer's last command, as long as it may still be read
        self._login_dialog: LoginDialog | None = None
        self._question: ConfirmDialog | None = None
        self._build()
        self._bindings.on_close(ask_to_close or self.confirm_close)
        self.picture.bind("<Destroy>", self._destroyed, add=True)
        self._ticker = Ticker(
            self.toplevel,
            self._tick,
            lambda: self.client.state is State.PLAYING,
            lambda: self.picture.toast(FAILED),
        )
        self._ticker.start()

    @staticmethod
    def of(toplevel: Any) -> PlayerWindow | None:
        """The player in a Tk root or toplevel; None when it has none any more."""
        return getattr(toplevel, "_rtplab_player", None)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        master, theme, controller = self.master, self.theme, self.controller
        master.columnconfigure(0, weight=1)
        master.rowconfigure(0, weight=1)
        self._bindings = Bindings(self.toplevel)
        self.picture = PictureArea(master, theme)
        self.picture.grid(row=0, column=0, sticky="nsew")
        self.saving = Saving(self.client, controller, self.traffic, self.picture)
        self.controls = Controls(master, theme, self.run, controller.seek, self._set_speed)
        self.panel = Panel(
            master,
            self.client,
            controller,
            self.traffic,
            Savers(self.saving.save_capture, self.saving.save_drawing, self.saving.save_table),
            lambda: self.layout.panel_toggled(),
            lambda width, is_done: self.layout.move_panel_edge(width, is_done),
        )
        self.layout = Layout(self._bindings, self.picture, self.controls, self.panel)
        self._menu = PopupMenu()
        self._citations = CitationLinks(self.picture.toast)
        self.actions: Actions = {
            "open": lambda: self._ask_what_to_open(self.open),
            "paste": self._open_pasted,
            "new_window": lambda: self._ask_what_to_open(self.open_in_new_window),
            "close": self.close_unless_recording,
            "menu": self._open_menu,
            "citations": self._offer_citations,
            **self.saving.actions(),
            **playback_actions(self.client, controller, self._set_speed, self.picture.toast),
            **view_actions(self.picture, self.panel, self.layout),
        }
        self._bind_picture()
        self._bindings.add("<ButtonRelease-1>", self._citations.clicked)
        self._bindings.add("<Motion>", self._citations.moved)
        for widget in (self.picture, self.controls.bar.slider):
            bind_wheel(widget, self.run)

    def _bind_picture(self) -> None:
        picture = self.picture
        bind_keys(self._bindings, picture, self.run)
        picture.bind("<Button-1>", lambda event: picture.focus_set())
        picture.bind("<Double-Button-1>", lambda event: self.layout.fullscreen.toggle())
        clicks = ["<Button-3>"]
        if self.theme.windowing_system == "aqua":  # so Tk calls the right button there up to 8.6
            clicks += ["<Button-2>", "<Control-Button-1>"]
        for click in clicks:
            picture.bind(
                click,
                lambda event: self._menu.at(event.x_root, event.y_root, self._new_menu()),
            )
        picture.focus_set()

    def _open_menu(self) -> None:
        self._menu.above(self.controls.bar.buttons["menu"], self._new_menu(), at_right=True)

    def _offer_citations(self) -> None:
        """Let the user choose an RFC section that the panel's page cites."""
        page = self.panel.page
        cited = [] if page is None else citations_on(page)
        if page is None or not cited:
            self.picture.toast("No RFC is cited here: open a page of the panel that cites one.")
            return
        sections = [(one.text, one.url) for one in cited]
        menu = build_links_menu(self.toplevel, sections, self._citations.open)
        self._menu.at(page.winfo_rootx(), page.winfo_rooty(), menu)

    def _new_menu(self) -> tk.Menu:
        return build_menu(self.toplevel, self.state, self.run, history.load().recent, self.open)

    # ------------------------------------------------------------------ the main loop

    def _tick(self) -> int:
        """Show the frame that is due; return the milliseconds until the next call."""
        now = steady()
        frame = self.controller.tick(now)
        if frame is not None:
            self.show(frame.data, frame.number)
            self.controller.decoded(self.picture.problem, now)
        is_decoding = self.picture.poll()
        self._refresh_controls(now)
        self.controls.lab_row.show_number(self.picture.number)
        has_session = self.state.state is not State.INIT
        duration = self.client.duration if has_session else None
        self.controls.bar.show_position(self.controller.position if has_session else None, duration)
        self._keep_told_up_to_date()
        self._update_panel(frame, now)
        # Draw now: the main loop would ask another thread for events first, and wait for it.
        self.toplevel.tk.dooneevent(IDLE_EVENTS)
        return DECODING_INTERVAL if is_decoding else self._pause(steady())

    def _update_panel(self, frame: Frame | None, now: float) -> None:
        try:
            if frame is not None:
                self.panel.shown(frame, self.picture.broken)
            self.panel.tick(now)
        except Exception:  # an error on one of its pages must not stop the picture
            self.toplevel._report_exception()
            self.panel.close()
            self.picture.toast(PANEL_FAILED)

    def _pause(self, now: float) -> int:
        """Milliseconds until there is something to do, and no less: too early would be in vain."""
        due = self.client.playout.next_due()
        if due is not None:
            return max(1, math.ceil(1000 * min(due - now, IDLE_INTERVAL)))
        playing = self.client.state is State.PLAYING
        return math.ceil(1000 * (POLL_INTERVAL if playing else IDLE_INTERVAL))

    def show(self, jpeg: bytes, number: int | None = None) -> None:
        """Show a JPEG now, the frame of this number."""
        if self.picture.show(jpeg, number) and self.picture.picture is not None:
            self.layout.take_size_of(*self.picture.picture)
            if self.address is not None:
                self._remember(self.address)
                self.address = None

    def _refresh_controls(self, now: float) -> None:
        """Update texts and buttons to match the session."""
        recorder = self.controller.recorder
        if recorder.error:
            self.picture.toast(recorder.error)
            recorder.error = ""
        state = self.controller.state_at(now)
        if state == self.state:
            return
        before, self.state = self.state, state
        if before.has_picture and not state.has_picture:
            self.picture.clear()
        self.picture.say(headline_for(state))
        self.controls.show(state)
        if state.needs_password and not before.needs_password:
            self._ask_for_login()

    # ------------------------------------------------------------------ the user's wishes

    def run(self, command: Command) -> None:
        """Run the command, if it is available now."""
        self._refresh_controls(steady())
        if command.enabled(self.state):
            self.actions[command.name]()
            if self.layout.fullscreen.active and command.name in TOLD:
                self._told = self._course()
                self.picture.toast(self._told)
            if PlayerWindow.of(self.toplevel) is self:  # not closed by it
                self._refresh_controls(steady())

    def _course(self) -> str:
        """What the controls would show, where they are not visible."""
        place = clock(self.controller.position)
        if self.client.duration is not None:
            place += f" / {clock(self.client.duration)}"
        if self.controller.wants_to_play:
            return f"Play   {place}"
        number = self.picture.number
        return f"Pause   {place}" + ("" if number is None else f"   Frame {number}")

    def _keep_told_up_to_date(self) -> None:
        """A command takes effect later: a step, for example, when the next frame is shown."""
        if self._told:
            course = self._course()
            self._told = course if self.picture.captions.correct(self._told, course) else ""

    def play(self) -> None:
        """Set up, and play."""
        self.controller.play()

    def _set_speed(self, speed: float) -> None:
        self.controller.set_speed(speed)
        self.picture.toast(f"Speed {speed_label(speed)}")

    def _ask_for_login(self) -> None:
        if self._login_dialog is not None:
            self._login_dialog.window.destroy()
        client = self.client
        server = f"{client.server_host}, port {client.server_port}"
        self._login_dialog = LoginDialog(
            self.toplevel,
            client.error,
            server,
            client.user_name,
            self._log_in,
            client.needs_basic,
        )

    def _log_in(self, user: str, password: str, allow_basic: bool) -> None:
        self.client.log_in(user, password, allow_basic)
        # Before a refusal can arrive: then the user must be asked again.
        self._refresh_controls(steady())

    def _ask_what_to_open(self, opened: Callable[[Address], None]) -> None:
        OpenDialog(self.toplevel, history.load().recent, opened)

    def _open_pasted(self) -> None:
        """Play the address on the clipboard."""
        try:
            address = history.parse_url(self.toplevel.clipboard_get().strip())
        except tk.TclError:
            self.picture.toast("Nothing has been copied.")
        except ValueError as error:
            self.picture.toast(printable(str(error), MAX_TOAST))
        else:
            self.open(address)

    def open(self, address: Address) -> None:
        """Play something else here, with another client: a new window takes this one's place."""
        if self.open_here is None:
            self.open_in_new_window(address)
            return
        self._end()
        for child in self.master.winfo_children():
            child.destroy()
        opened = self.open_here(address)
        opened.open_here, opened.program = self.open_here, self.program
        opened.client.playout.latency = self.client.playout.latency
        opened.client.impairment.conditions = self.client.impairment.conditions
        opened.address = address
        opened.play()

    def open_in_new_window(self, address: Address) -> None:
        """Play something else in another process."""
        try:
            newwindow.start(self.program, address, self.client)
        except OSError as error:
            self.picture.toast(f"The window could not be opened ({error.strerror}).")

    def _remember(self, address: Address) -> None:
        """Put an address at the top of the recently played list."""
        settings = history.load()
        settings.remember(address)
        history.save(settings)

    # ------------------------------------------------------------------ closing

    def confirm_close(self) -> None:
        """Close; while playing, pause and ask first, and go on if the answer is no."""
        if self._is_asking():
            return
        if self.client.state is State.PLAYING:
            self.controller.pause()
            self._ask_to_quit("Are you sure you want to quit?", self.controller.play)
        else:
            self.close_unless_recording()

    def close_unless_recording(self) -> None:
        """Close; while something is recorded, ask first."""
        if self._is_asking():
            return
        if self.controller.recorder.active:
            self._ask_to_quit("A recording is running. Quitting ends it.", lambda: None)
        else:
            self.close()

    def _is_asking(self) -> bool:
        """Tell if a question about closing the window is still open."""
        if self._question is None or not self._question.window.winfo_exists():
            return False
        self._question.window.lift()
        return True

    def _ask_to_quit(self, question: str, go_on: Callable[[], None]) -> None:
        self._question = ConfirmDialog(self.toplevel, question, "Quit", self.close, go_on)

    def close(self) -> None:
        """End the session, and close the window when the server has heard of it."""
        self.toplevel.withdraw()
        self._end()
        self._close_by(steady() + FAREWELL)

    def _end(self) -> None:
        """End the session, and let nothing of the toplevel's lead back to here."""
        self.saving.end_recording()
        self.controller.tear_down()
        self._ticker.stop()
        self._bindings.remove()
        self.toplevel._rtplab_player = None

    def _close_by(self, deadline: float) -> None:
        ended = self.client.state is State.INIT and not self.client.is_waiting()
        if not ended and steady() < deadline:
            self.toplevel.after(20, self._close_by, deadline)
            return
        self.toplevel.destroy()

    def _destroyed(self, event: Any) -> None:
        self._ticker.stop()
        self.layout.fullscreen.end()
