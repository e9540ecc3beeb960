"""What the commands do: a method for each name in the command table."""

from __future__ import annotations

import io
import time
import tkinter as tk
from pathlib import Path
from tkinter import filedialog
from typing import TYPE_CHECKING

from PIL import Image

from rtplab.player.controls.menu import build_menu, speed_label
from rtplab.player.dialogs import OpenDialog
from rtplab.player.look.palette import DARK, LIGHT
from rtplab.player.model import history
from rtplab.player.model.commands import LARGE_STEP, SMALL_STEP, next_speed
from rtplab.player.model.controller import short_name
from rtplab.receiving.files.wholefile import write_whole

if TYPE_CHECKING:
    from rtplab.player.window import PlayerWindow


class Actions:
    """The user's wishes, in one window."""

    def __init__(self, window: PlayerWindow) -> None:
        self._window = window

    # ------------------------------------------------------------------ session

    def setup(self) -> None:
        self._window.client.setupMovie()

    def start(self) -> None:
        self._window.controller.play()

    def pause(self) -> None:
        self._window.controller.pause()

    def teardown(self) -> None:
        self._window.controller.tear_down()

    # ------------------------------------------------------------------ playback

    def toggle(self) -> None:
        self._window.controller.toggle()

    def step(self) -> None:
        self._window.controller.step()

    def back(self) -> None:
        self._window.controller.seek_by(-SMALL_STEP)

    def forward(self) -> None:
        self._window.controller.seek_by(SMALL_STEP)

    def far_back(self) -> None:
        self._window.controller.seek_by(-LARGE_STEP)

    def far_forward(self) -> None:
        self._window.controller.seek_by(LARGE_STEP)

    def beginning(self) -> None:
        self._window.controller.seek(0.0)

    def slower(self) -> None:
        self.set_speed(next_speed(self._window.controller.speed, -1))

    def faster(self) -> None:
        self.set_speed(next_speed(self._window.controller.speed, 1))

    def normal_speed(self) -> None:
        self.set_speed(1.0)

    def set_speed(self, speed: float) -> None:
        self._window.controller.set_speed(speed)
        self._window.picture.toast(f"Speed {speed_label(speed)}")

    # ------------------------------------------------------------------ stream

    def open(self) -> None:
        self._open(in_new_window=False)

    def new_window(self) -> None:
        self._open(in_new_window=True)

    def _open(self, in_new_window: bool) -> None:
        window = self._window
        OpenDialog(
            window.toplevel,
            history.load().recent,
            lambda address: window.open(address, in_new_window),
        )

    def snapshot(self) -> None:
        """Save the frame that is shown, as large as it was sent."""
        window = self._window
        number = window.controller.frame.number if window.controller.frame is not None else 0
        path = _free_path(history.pictures_folder(), self._stem(f"{number:05}"), ".png")
        try:
            with Image.open(io.BytesIO(window.picture.jpeg), formats=("JPEG",)) as image:
                image.save(png := io.BytesIO(), "PNG")
            write_whole(path, png.getvalue())
        except OSError as error:
            window.picture.toast(f"No snapshot could be saved ({error.strerror or error}).")
        else:
            window.picture.toast(f"Saved {path}")

    def record(self) -> None:
        self._record(".Mjpeg")

    def record_bare(self) -> None:
        self._record(".mjpeg")

    def _record(self, suffix: str) -> None:
        if self._window.state.recording:
            self.end_recording()
            return
        stem = self._stem(time.strftime("%Y%m%d-%H%M%S"))
        path = _free_path(history.videos_folder(), stem, suffix)
        try:
            self._window.controller.record(path)
        except OSError as error:
            self._window.picture.toast(f"No recording could be begun ({error.strerror}).")
        else:
            self._window.picture.toast(f"Recording to {path}")

    def end_recording(self) -> None:
        """End the recording, if there is one, and say what came of it."""
        try:
            recording = self._window.controller.stop_recording()
        except OSError as error:
            self._window.picture.toast(f"The recording could not be finished ({error.strerror}).")
            return
        if recording is not None:
            self._window.picture.toast(f"{recording.frames} frames saved in {recording.path}")

    def save_pcap(self) -> None:
        """Ask for a file and write into it what has been observed."""
        window = self._window
        path = filedialog.asksaveasfilename(
            parent=window.toplevel,
            title="Save capture",
            initialfile=self._stem("capture") + ".pcap",
            defaultextension=".pcap",
            filetypes=[("Captures", "*.pcap"), ("All files", "*")],
        )
        if path:
            window.picture.toast(window.panel.save_capture(Path(path)))

    def close(self) -> None:
        self._window.close()

    def _stem(self, suffix: str) -> str:
        """A file name that tells the movie's."""
        name = Path(short_name(self._window.client.fileName)).stem
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60]
        return f"{safe}-{suffix}"

    # ------------------------------------------------------------------ view

    def fullscreen(self) -> None:
        self._window.fullscreen.toggle()

    def leave_fullscreen(self) -> None:
        """Leave whatever lies over the picture, and the controls."""
        window = self._window
        if window.picture.keys_overlay.shown:
            window.picture.keys_overlay.toggle()
        else:
            window.fullscreen.leave()
        window.picture.focus_set()

    def panel(self) -> None:
        self._window.panel.toggle()

    def messages(self) -> None:
        self._window.panel.show("Messages")

    def state(self) -> None:
        self._window.panel.show("State")

    def packet(self) -> None:
        self._window.panel.show("Packet")

    def statistics(self) -> None:
        self._window.panel.show("Statistics")

    def network(self) -> None:
        self._window.panel.show("Network")

    def colours(self) -> None:
        """Change between light and dark, and remember it."""
        theme = self._window.theme
        theme.use(LIGHT if theme.palette is DARK else DARK)
        self._window.toplevel.update_idletasks()  # the window must not be gone when it is redrawn
        settings = history.load()
        settings.colours = theme.palette.name
        history.save(settings)

    def controls(self) -> None:
        """Give the focus to the first control; Tab goes on from there, Esc back."""
        self._window.bar.buttons["toggle"].focus_set()

    def help(self) -> None:
        self._window.picture.keys_overlay.toggle()

    def menu(self) -> None:
        """Open the menu above its button."""
        button = self._window.bar.buttons["menu"]
        menu = self._menu()
        menu.update_idletasks()
        x = button.winfo_rootx() + button.winfo_width() - menu.winfo_reqwidth()
        menu.tk_popup(x, button.winfo_rooty() - menu.winfo_reqheight())

    def menu_at(self, x: int, y: int) -> None:
        """Open the menu at a place of the screen, in pixels."""
        self._menu().tk_popup(x, y)

    def _menu(self) -> tk.Menu:
        window = self._window
        return build_menu(
            window.toplevel,
            window.state,
            window.run,
            history.load().recent,
            lambda address: window.open(address, in_new_window=False),
        )


def _free_path(folder: Path, stem: str, suffix: str) -> Path:
    """A path that nothing has yet."""
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
