"""Makes the pictures that the documents show, of the player and of the pages for browsers.

`python tools/screenshots.py [DIR]` (default docs/pictures) needs Xvfb, ImageMagick's `import` and
Chromium.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from Client import Client  # noqa: E402
from rtplab.player.model.commands import BY_NAME  # noqa: E402
from rtplab.player.model.traffic import is_media  # noqa: E402
from rtplab.protocol.rtp.packet import parse_packet  # noqa: E402
from rtplab.receiving.rtp.impairment import Conditions  # noqa: E402
from rtplab.serving.admission.access import UserDatabase  # noqa: E402
from rtplab.serving.media.library import MovieLibrary  # noqa: E402
from rtplab.serving.rtsp.service import Service  # noqa: E402
from Server import Server  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
SCREEN = "1280x800"
PAGE_COLOURS = 200  # of a page with a picture in it, looked at from afar
PATIENCE = 20.0  # seconds for the player to reach the state to be shown


@contextmanager
def display(dpi: int) -> Iterator[None]:
    """Run a screen of our own, so that nothing else is in the pictures."""
    reader, writer = os.pipe()
    # -noreset: a program that connects while Xvfb resets itself, as the last one has left, hangs.
    arguments = ("-screen", "0", f"{SCREEN}x24", "-dpi", str(dpi), "-nolisten", "tcp", "-noreset")
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *arguments],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with open(reader) as answer:
            os.environ["DISPLAY"] = f":{answer.readline().strip()}"
        yield
    finally:
        screen.terminate()
        screen.wait()


@contextmanager
def server(*users: tuple[str, str]) -> Iterator[int]:
    """Serve the demonstration movie, only to these users if there are any; yield the port."""
    access = UserDatabase(list(users)) if users else None
    running = Server(Service(MovieLibrary(ROOT), users=access))
    _, port = running.listen()
    thread = threading.Thread(target=running.serve, name="server")
    thread.start()
    try:
        yield port
    finally:
        running.stop()
        thread.join()


class Photographer:
    """One player, and pictures of it."""

    def __init__(self, folder: Path, host: str, port: int, movie: str) -> None:
        import tkinter

        self.root = tkinter.Tk()
        self.root.title("RTPClient")
        self.root.geometry("+0+0")
        self._folder = folder
        self.client = Client(self.root, host, port, 0, movie)
        self.window = self.client.window

    def wait(self, condition: Callable[[], bool]) -> None:
        """Let the player run until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"the player did not reach the state to be shown: {condition}")
            self.root.update()
            time.sleep(0.002)

    def wait_for_frame(self, number: int) -> None:
        controller = self.window.controller
        self.wait(lambda: controller.frame is not None and controller.frame.number >= number)

    def run_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end)

    def take(self, name: str) -> None:
        """Write a picture of the window."""
        self.run_for(0.4)
        top = self.root
        box = f"{top.winfo_width()}x{top.winfo_height()}+{top.winfo_rootx()}+{top.winfo_rooty()}"
        path = self._folder / f"{name}.png"
        command = ["import", "-silent", "-window", "root", "-crop", box, "+repage", str(path)]
        subprocess.run(command, check=True)
        print(path)

    def take_paused(self, name: str, prepare: Callable[[], None] = lambda: None) -> None:
        """Write a picture of the window while the movie stands still, so that its numbers agree."""
        actions = self.window.actions
        actions["pause"]()
        self.wait(lambda: self.client.state == Client.READY)
        prepare()
        self.take(name)
        actions["toggle"]()

    def hold_packet_of_picture(self) -> None:
        """Show the last packet of the frame that is seen on the Packet page."""
        frame = self.window.controller.frame
        assert frame is not None
        newest = (one for one in reversed(self.window.traffic.packets) if is_media(one))
        packet = next(
            one for one in newest if parse_packet(one.data).timestamp == frame.timestamp % 2**32
        )
        self.window.panel.pages.packet.show(packet)

    def close(self) -> None:
        self.client.close()
        self.root.destroy()


def watching(folder: Path, port: int) -> None:
    """The player as a viewer sees it, and the pages of its panel."""
    player = Photographer(folder, "", 0, f"rtsp://127.0.0.1:{port}/movie.Mjpeg")
    player.window.play()
    player.window.actions["loop_movie"]()  # the pages below take longer than the movie
    player.wait_for_frame(80)
    player.take_paused("watching")
    actions = player.window.actions
    actions["messages"]()
    player.take("panel-messages")
    actions["state"]()
    player.take("panel-state")
    actions["packet"]()
    player.run_for(0.4)
    player.take_paused("panel-packet", player.hold_packet_of_picture)
    player.client.impairment.conditions = Conditions(
        loss=0.02, jitter=0.001, reorder=0.01, duplicate=0.01
    )
    actions["statistics"]()
    player.run_for(1.0)
    player.window.panel.pages.statistics.reset.invoke()  # all that it shows is under these
    player.run_for(8.0)
    player.take("panel-statistics")
    player.client.impairment.conditions = Conditions(loss=0.05, delay=0.02, jitter=0.0005)
    actions["timeline"]()
    player.run_for(2.0)
    player.window.panel.pages.timeline.tools.buttons["hold"].invoke()
    player.take("panel-timeline")
    player.window.panel.pages.loss.reset.invoke()
    player.run_for(8.0)
    actions["loss"]()
    player.take("panel-loss")
    actions["network"]()
    player.window.panel.pages.network.presets["LTE"].invoke()
    player.take("panel-network")
    player.client.impairment.conditions = Conditions()
    actions["panel"]()
    player.run_for(0.4)
    before = player.root.geometry()
    player.root.geometry("900x780+0+0")  # its text is small in a small window
    actions["help"]()
    player.take("keys")
    actions["help"]()
    player.root.geometry(before)
    player.run_for(0.5)
    actions["fullscreen"]()
    player.wait_for_frame(400)
    player.window.run(BY_NAME["toggle"])  # by the key, which the display tells of
    player.take("full-screen")
    player.run_for(3.0)  # until it tells no more
    actions["toggle"]()
    actions["leave_fullscreen"]()
    actions["colours"]()
    player.take_paused("light")
    actions["colours"]()
    player.close()


def ladder(folder: Path, port: int) -> None:
    """The beginning of a session on the panel's ladder."""
    player = Photographer(folder, "", 0, f"rtsp://127.0.0.1:{port}/movie.Mjpeg")
    player.client.impairment.conditions = Conditions(loss=0.05, reorder=0.03, seed=3)
    player.window.actions["ladder"]()
    player.root.geometry("1062x760+0+0")
    player.window.play()
    player.wait_for_frame(30)
    page = player.window.panel.pages.ladder
    page.tools.closer.invoke()
    page.view.scroll_to(0.0)
    player.take("panel-ladder")
    player.close()


def error(folder: Path, port: int) -> None:
    """A movie that the server does not have."""
    player = Photographer(folder, "127.0.0.1", port, "holiday.Mjpeg")
    player.wait(lambda: player.client.setup.instate(["!disabled"]))  # type: ignore[attr-defined]
    player.client.setupMovie()
    player.wait(lambda: bool(player.client.error))
    player.take("error")
    player.close()


def login(folder: Path) -> None:
    """A server that asks who the viewer is."""
    with server(("ann", "secret")) as port:
        player = Photographer(folder, "", 0, f"rtsp://127.0.0.1:{port}/movie.Mjpeg")
        player.window.play()
        player.wait(lambda: player.client.needs_password)
        player.run_for(0.5)
        dialog = player.window._login_dialog
        assert dialog is not None
        dialog.user.insert(0, "ann")
        dialog.password.insert(0, "secret")
        player.take("login")
        player.close()


def browsers(folder: Path) -> None:
    """The pages of `--http`: what there is, and a live stream that the server makes itself."""
    command = ["serve", "0", "--host", "127.0.0.1", "--media", str(ROOT)]
    with subprocess.Popen(
        [sys.executable, "-m", "rtplab", *command, "--http", "0", "--test-picture"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            address = next(line.split()[-1] for line in running.stdout if "browser" in line)
            page_of(address, folder / "browser-list.png", "800x420")
            page_of(f"{address}test", folder / "browser-live.png", "800x740")
        finally:
            running.terminate()


def page_of(address: str, path: Path, size: str) -> None:
    """Write a picture of a page, as large as it needs."""
    with tempfile.TemporaryDirectory() as profile:
        options = ("--kiosk", "--no-first-run", "--no-sandbox", "--disable-gpu", "--disable-sync")
        place = (f"--window-size={size.replace('x', ',')}", "--window-position=0,0")
        with subprocess.Popen(
            ["chromium", *options, *place, f"--user-data-dir={profile}", f"--app={address}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser:
            try:
                box = ("-window", "root", "-crop", f"{size}+0+0", "+repage")
                command = ["import", "-silent", *box]
                deadline = time.monotonic() + 2 * PATIENCE
                is_there = False
                while not is_there and time.monotonic() < deadline:
                    subprocess.run([*command, str(path)], check=True)
                    with Image.open(path) as page:
                        colours = page.convert("RGB").resize((80, 60)).getcolors(4800)
                    is_there = colours is not None and len(colours) > PAGE_COLOURS
                time.sleep(PATIENCE / 4)  # until its figures are there, too
                subprocess.run([*command, str(path)], check=True)
                print(path)
            finally:
                browser.terminate()


def main(folder: Path, dpi: int = 96) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = os.environ["XDG_STATE_HOME"] = home
        with display(dpi), server() as port:
            watching(folder, port)
            ladder(folder, port)
            error(folder, port)
            login(folder)
            browsers(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
