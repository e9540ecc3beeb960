"""What the commands do: a callable for each name in the command table."""

from __future__ import annotations

import io
import time
import tkinter as tk
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PIL import Image

from rtplab.player.layout import Layout
from rtplab.player.look.palette import DARK, LIGHT
from rtplab.player.look.theme import Theme
from rtplab.player.model import folders, history
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.commands import (
    LARGE_STEP,
    PAGES,
    SECOND,
    SMALL_STEP,
    SPEED_STEP,
    ZOOMS,
    changed_speed,
    next_of,
)
from rtplab.player.model.controller import PlaybackController, short_name
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.panel import Panel
from rtplab.player.picture.area import PictureArea
from rtplab.player.savedialog import SaveDialog
from rtplab.player.screenshot import ScreenshotError, screenshot
from rtplab.receiving.files.wholefile import write_whole

Actions = dict[str, Callable[[], None]]  # by the names in the command table


def playback_actions(
    client: PlayerClient,
    controller: PlaybackController,
    set_speed: Callable[[float], None],
    toast: Callable[[str], None],
) -> Actions:
    """The session, and the movie's course; `toast` says something for a moment."""
    seek_by = controller.seek_by

    def change_speed(factor: float) -> None:
        set_speed(changed_speed(controller.speed, factor))

    return {
        "setup": client.set_up,
        "start": controller.play,
        "pause": controller.pause,
        "teardown": controller.tear_down,
        "toggle": controller.toggle,
        "step": controller.step,
        "step_back": controller.step_back,
        "back": partial(seek_by, -SMALL_STEP),
        "forward": partial(seek_by, SMALL_STEP),
        "second_back": partial(seek_by, -SECOND),
        "second_forward": partial(seek_by, SECOND),
        "far_back": partial(seek_by, -LARGE_STEP),
        "far_forward": partial(seek_by, LARGE_STEP),
        "beginning": partial(controller.seek, 0.0),
        "end": lambda: controller.seek(client.duration or 0.0),
        "loop": lambda: toast(controller.loop.mark(controller.position)),
        "loop_movie": lambda: toast(controller.loop.toggle_whole()),
        "slower": partial(change_speed, 1 / SPEED_STEP),
        "faster": partial(change_speed, SPEED_STEP),
        "half_speed": partial(change_speed, 1 / 2),
        "double_speed": partial(change_speed, 2),
        "normal_speed": partial(set_speed, 1.0),
    }


def view_actions(picture: PictureArea, panel: Panel, layout: Layout) -> Actions:
    """The view: size, full screen, colours."""
    fullscreen = layout.fullscreen
    is_on_top = False

    def zoom(direction: int) -> None:
        """Make text larger (1), smaller (-1) or as it was (0)."""
        layout.zoom_to(next_of(ZOOMS, layout.zoom, direction) if direction else 1.0)
        picture.toast(f"Text {layout.zoom:.0%}")

    def leave_fullscreen() -> None:
        """Leave whatever lies over the picture, and the controls."""
        if picture.keys_overlay.shown:
            picture.keys_overlay.hide()
        elif layout.is_panel_alone:
            layout.toggle_panel_alone()
        else:
            fullscreen.leave()
        picture.focus_set()

    def stay_on_top() -> None:
        """Keep the window above all others, or stop doing so."""
        nonlocal is_on_top
        is_on_top = not is_on_top
        picture.winfo_toplevel().attributes("-topmost", is_on_top)
        picture.toast("Always on top" if is_on_top else "No longer on top")

    def change_colours() -> None:
        """Change between light and dark, and remember it."""
        theme = Theme.of(picture)
        theme.use(LIGHT if theme.palette is DARK else DARK)
        picture.update_idletasks()  # the window must not be gone when it is redrawn
        settings = history.load()
        settings.colours = theme.palette.name
        history.save(settings)

    return {
        "fullscreen": fullscreen.toggle,
        "leave_fullscreen": leave_fullscreen,
        "larger": partial(zoom, 1),
        "smaller": partial(zoom, -1),
        "usual_size": partial(zoom, 0),
        "on_top": stay_on_top,
        "colours": change_colours,
        "help": picture.keys_overlay.turn,
        "panel": panel.toggle,
        "panel_alone": layout.toggle_panel_alone,
        **{page.lower(): partial(panel.show, page) for page in PAGES},
    }


class Saving:
    """Snapshots, recordings and captures; results are shown in the picture's corner."""

    def __init__(
        self,
        client: PlayerClient,
        controller: PlaybackController,
        traffic: Traffic,
        picture: PictureArea,
    ) -> None:
        self._client, self._controller = client, controller
        self._traffic, self._picture = traffic, picture

    def actions(self) -> Actions:
        return {
            "snapshot": self._save_snapshot,
            "record": self._record_or_end,
            "save_pcap": self.save_capture,
        }

    def _save_snapshot(self) -> None:
        """Save the shown frame, in the size in which it was sent."""
        stem = self._stem(f"{self._picture.number or 0:05}")
        path = _free_path(folders.pictures_folder(), stem, ".png")
        try:
            with Image.open(io.BytesIO(self._picture.jpeg), formats=("JPEG",)) as image:
                image.save(png := io.BytesIO(), "PNG")
            write_whole(path, png.getvalue())
        except OSError as error:
            self._picture.toast(f"No snapshot could be saved ({error.strerror or error}).")
        else:
            self._picture.toast(f"Saved {path}")

    def _record_or_end(self) -> None:
        recorder = self._controller.recorder
        if recorder.active:
            self.end_recording()
            return
        stem = self._stem(time.strftime("%Y%m%d-%H%M%S"))
        path = _free_path(folders.videos_folder(), stem, ".Mjpeg")
        try:
            recorder.start(path)
        except OSError as error:
            self._picture.toast(f"The recording could not be started ({error.strerror}).")
        else:
            self._picture.toast(f"Recording to {path}")

    def end_recording(self) -> None:
        """End the recording, if one is running, and show the result."""
        try:
            recording = self._controller.recorder.stop()
        except OSError as error:
            self._picture.toast(f"The recording could not be finished ({error.strerror}).")
            return
        if recording is not None and not recording.frames:
            too_large = f"{recording.left_out} frames were too large for the lab's format."
            reason = too_large if recording.left_out else "no frame arrived."
            self._picture.toast(f"Nothing was recorded: {reason}")
        elif recording is not None:
            told = f"{recording.frames} frames saved in {recording.path}"
            if recording.left_out:
                told += f"; {recording.left_out} were too large for the lab's format"
            self._picture.toast(told)

    def save_capture(self) -> None:
        """Ask for a file and write the observed traffic into it."""
        path = folders.documents_folder() / (self._stem("capture") + ".pcapng")
        SaveDialog(self._picture.winfo_toplevel(), "Save capture", path, self._save_capture)

    def _save_capture(self, path: Path) -> None:
        try:
            told = self._traffic.save(path)
        except OSError as error:
            self._picture.toast(f"The capture could not be saved ({error.strerror}).")
        else:
            self._picture.toast(told)

    def save_drawing(self, name: str, document: str, canvas: tk.Canvas) -> None:
        """Ask for a file, and write an SVG document into it or, as PNG, what a canvas shows."""
        formats = {".svg": "", ".png": ""}
        png = io.BytesIO()
        try:  # before the dialog can cover the canvas
            screenshot(canvas, str(canvas["background"])).save(png, "PNG")
        except ScreenshotError as error:
            formats[".png"] = f"{error} Choose SVG, which needs none."
        contents = {".svg": document.encode(), ".png": png.getvalue()}
        self._ask_where("drawing", name, contents, formats)

    def save_table(self, name: str, table: str) -> None:
        """Ask for a file and write a table, CSV, into it."""
        self._ask_where("table", name, {".csv": table.encode()})

    def _ask_where(
        self,
        what: str,
        name: str,
        contents: Mapping[str, bytes],
        formats: Mapping[str, str] | None = None,
    ) -> None:
        """Ask for a file and write the contents for its suffix, the first for any other."""
        usual = next(iter(contents))
        path = folders.documents_folder() / (self._stem(name) + usual)

        def save(path: Path) -> None:
            try:
                write_whole(path, contents.get(path.suffix.lower(), contents[usual]))
            except OSError as error:
                self._picture.toast(f"The {what} could not be saved ({error.strerror}).")
            else:
                self._picture.toast(f"Saved {path}")

        SaveDialog(self._picture.winfo_toplevel(), f"Save {what}", path, save, formats)

    def _stem(self, suffix: str) -> str:
        """A file name that contains the movie's."""
        name = Path(short_name(self._client.movie_name)).stem
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60]
        return f"{safe}-{suffix}"


def _free_path(folder: Path, stem: str, suffix: str) -> Path:
    """A path that does not exist yet."""
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
