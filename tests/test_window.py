"""The player's window on a screen of its own, before a real server."""

from __future__ import annotations

import gc
import os
import socket
import struct
import subprocess
import sys
import time

import pytest
from display import Display, pump, running_display
from movies import ROOT, frames_of
from processes import HOST, ServerProcess
from strip import frame_number_in_screenshot, frame_number_of_jpeg

from Client import Client

pytestmark = pytest.mark.peers
LAB_BUTTONS = ("setup", "start", "pause", "teardown")


@pytest.fixture(scope="module")
def display():
    with running_display() as running:
        before = os.environ.get("DISPLAY")
        os.environ["DISPLAY"] = running.name
        yield running
        if before is None:
            del os.environ["DISPLAY"]
        else:
            os.environ["DISPLAY"] = before


@pytest.fixture
def root(display: Display):
    import tkinter

    root = tkinter.Tk()
    root.title("RTPClient")
    yield root
    try:
        root.destroy()
    except tkinter.TclError:
        pass  # the test has closed the window
    del root
    gc.collect()  # Tcl aborts when another thread happens to collect an interpreter


@pytest.fixture
def server(small_movie):
    with ServerProcess(small_movie.parent) as running:
        yield running


@pytest.fixture
def open_player(root):
    clients = []

    def open_one(port: int, movie: str = "movie.Mjpeg", rtp_port: int = 0) -> Client:
        client = Client(root, HOST, port, rtp_port, movie)
        clients.append(client)
        root.geometry("+0+0")
        root.update()
        return client

    yield open_one
    for client in clients:
        client.close()


@pytest.fixture
def player(open_player, server):
    return open_player(server.port)


def enabled(client: Client) -> list[str]:
    return [name for name in LAB_BUTTONS if not getattr(client, name).instate(["disabled"])]


def words(client: Client) -> str:
    """All that is written in the picture area."""
    area = client.window.picture
    items = [item for item in area.find_all() if area.type(item) == "text"]
    return " / ".join(area.itemcget(item, "text") for item in items)


def is_closed(root) -> bool:
    import tkinter

    try:
        return not root.winfo_exists()
    except tkinter.TclError:
        return True


def middle_of(widget) -> tuple[int, int]:
    return (
        widget.winfo_rootx() + widget.winfo_width() // 2,
        widget.winfo_rooty() + widget.winfo_height() // 2,
    )


def picture_box(client: Client) -> tuple[int, int, int, int]:
    area = client.window.picture
    left, top, right, bottom = area.box
    x, y = area.winfo_rootx(), area.winfo_rooty()
    return left + x, top + y, right + x, bottom + y


def shown_number(client: Client, display: Display) -> int:
    return frame_number_in_screenshot(display.screenshot(), picture_box(client))


def set_up(client: Client, root) -> None:
    assert pump(root, lambda: enabled(client) == ["setup"])
    client.setup.invoke()
    assert pump(root, lambda: enabled(client) == ["start", "teardown"]), client.error


def play(client: Client, root) -> None:
    set_up(client, root)
    client.start.invoke()
    assert pump(root, lambda: bool(client.window.picture.jpeg)), client.error


def test_the_buttons_follow_the_state(player, root):
    assert [str(getattr(player, name).cget("text")) for name in LAB_BUTTONS] == [
        "Setup",
        "Play",
        "Pause",
        "Teardown",
    ]
    set_up(player, root)
    player.start.invoke()
    assert pump(root, lambda: enabled(player) == ["pause", "teardown"])
    player.pause.invoke()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    player.teardown.invoke()
    assert pump(root, lambda: enabled(player) == ["setup"])
    player.setup.invoke()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])


def test_no_button_is_enabled_while_a_reply_is_awaited(open_player, root):
    with socket.create_server((HOST, 0)) as silent:
        player = open_player(silent.getsockname()[1])
        player.setup.invoke()
        assert pump(root, player.isWaiting)
        assert pump(root, lambda: enabled(player) == [])
        player.close()
        assert pump(root, lambda: enabled(player) == ["setup"])


def test_the_mouse_plays_and_the_screen_shows_the_frame(player, root, display, small_movie):
    assert pump(root, lambda: enabled(player) == ["setup"])
    display.click(*middle_of(player.setup))
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    display.click(*middle_of(player.start))
    assert pump(root, lambda: enabled(player) == ["pause", "teardown"])
    pump(root, lambda: False, limit=0.6)
    display.click(*middle_of(player.pause))
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    number = shown_number(player, display)
    assert 2 <= number <= 40
    assert player.window.picture.jpeg == frames_of(small_movie)[number - 1]
    assert player.window.viewing.frame.number == number
    display.click(*middle_of(player.teardown))
    assert pump(root, lambda: enabled(player) == ["setup"])
    assert player.window.picture.jpeg == b""


def test_the_picture_keeps_its_aspect_when_the_window_is_resized(player, root, display):
    play(player, root)
    player.pause.invoke()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    pump(root, lambda: False, limit=0.3)
    for size in ("1300x700", "600x900", "480x420"):
        root.geometry(size)
        pump(root, lambda: False, limit=0.3)
        left, top, right, bottom = player.window.picture.box
        assert (right - left) / (bottom - top) == pytest.approx(384 / 288, rel=0.01)
        assert shown_number(player, display) == frame_number_of_jpeg(player.window.picture.jpeg)


def test_a_file_that_the_server_lacks_is_a_sentence(open_player, server, root):
    player = open_player(server.port, "nothing.Mjpeg")
    assert pump(root, lambda: enabled(player) == ["setup"])
    player.setup.invoke()
    assert pump(root, lambda: "nothing.Mjpeg: check the name" in words(player)), words(player)
    assert pump(root, lambda: enabled(player) == ["setup"])


def test_no_server_is_a_sentence_and_setup_tries_again(open_player, small_movie, root):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    player = open_player(port)
    assert pump(root, lambda: "No server listens" in words(player)), words(player)
    assert pump(root, lambda: enabled(player) == ["setup"])
    player.setup.invoke()
    assert pump(root, lambda: "No server listens" in words(player)), words(player)


def test_a_busy_rtp_port_is_a_sentence(open_player, server, root):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 0))
        player = open_player(server.port, rtp_port=taken.getsockname()[1])
        assert pump(root, lambda: enabled(player) == ["setup"])
        player.setup.invoke()
        assert pump(root, lambda: "RTP port" in words(player)), words(player)
    player.setup.invoke()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"]), player.error


def test_a_lost_server_is_a_sentence_and_another_can_be_set_up(player, server, root):
    play(player, root)
    server.stop()
    assert pump(root, lambda: "closed the connection" in words(player)), words(player)
    assert pump(root, lambda: enabled(player) == ["setup"])


def test_damaged_and_monstrous_jpegs_do_not_stop_the_window(player, root, small_movie):
    area = player.window.picture
    good = frames_of(small_movie)[0]
    player.updateMovie(good)
    frame_header = good.index(b"\xff\xc0")
    forged = bytearray(good)
    struct.pack_into("!HH", forged, frame_header + 5, 13000, 13000)
    bad = [b"", b"\xff\xd8", good[:300], bytes(forged), good[: len(good) // 2], b"x" * 5000]
    bad.append(good[:700] + bytes(200) + good[900:])
    for jpeg in bad:
        player.updateMovie(jpeg)
        root.update()
    assert area.broken >= len(bad) - 1  # a decoder may well make something of the last
    player.updateMovie(good)
    assert area.jpeg == good


class Question:
    """Stands in for the question at closing, and answers."""

    def __init__(self, monkeypatch, answer: bool) -> None:
        self.asked: list[str] = []
        self.answer = answer
        monkeypatch.setattr("tkinter.messagebox.askokcancel", self._ask)

    def _ask(self, title: str, message: str, **options: object) -> bool:
        self.asked.append(message)
        return self.answer


def test_closing_while_playing_asks_and_goes_on_after_cancel(player, root, monkeypatch):
    play(player, root)
    question = Question(monkeypatch, answer=False)
    player.handler()
    assert len(question.asked) == 1
    assert pump(root, lambda: enabled(player) == ["pause", "teardown"])
    before = player.frameNbr
    assert pump(root, lambda: player.frameNbr > before + 3)


def test_closing_while_nothing_plays_asks_nothing(player, root, monkeypatch):
    question = Question(monkeypatch, answer=False)
    assert pump(root, lambda: enabled(player) == ["setup"])
    root.tk.eval(root.protocol("WM_DELETE_WINDOW"))
    assert pump(root, lambda: is_closed(root))
    assert not question.asked


def test_closing_after_ok_ends_session_and_window(player, root, monkeypatch):
    play(player, root)
    Question(monkeypatch, answer=True)
    player.handler()
    assert pump(root, lambda: is_closed(root))
    assert player.state is Client.INIT


def test_the_launcher_opens_a_window_with_the_title_of_the_lab(display, server, tmp_path):
    command = [sys.executable, str(ROOT / "ClientLauncher.py"), HOST, str(server.port), "0"]
    with open(tmp_path / "errors", "w+") as errors:
        launched = subprocess.Popen([*command, "movie.Mjpeg"], stderr=errors)
        try:
            _window_named(display, "RTPClient")
            display.key("q")
            assert launched.wait(10) == 0
        finally:
            launched.kill()
            launched.wait()
        errors.seek(0)
        assert errors.read() == ""


def _window_named(display: Display, title: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        command = ["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"]
        found = subprocess.run(command, env=display.environment, capture_output=True, text=True)
        if found.stdout.strip():
            return found.stdout.split()[-1]
        time.sleep(0.05)
    raise AssertionError(f"no window named {title}")
