"""The player's window on a screen of its own, before a real server."""

from __future__ import annotations

import gc
import io
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest
from display import Display, pump
from movies import MOVIE, ROOT, frames_of
from PIL import Image
from processes import HOST, ServerProcess
from strip import frame_number, frame_number_in_screenshot, frame_number_of_jpeg

from Client import Client
from rtplab.player.history import Address
from rtplab.player.status import Situation
from VideoStream import VideoStream

pytestmark = pytest.mark.peers
LAB_BUTTONS = ("setup", "start", "pause", "teardown")


@pytest.fixture(scope="module")
def display(tk_display):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", tk_display.name)
        yield tk_display


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing of the tests' shall land in the user's own folders."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    (tmp_path / "home" / "Pictures").mkdir(parents=True)
    return tmp_path / "home"


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
            display.move(100, 100)
            display.key("q")
            assert launched.wait(10) == 0
        finally:
            launched.kill()
            launched.wait()
        errors.seek(0)
        assert errors.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_player_without_a_word(display, server, tmp_path, number):
    url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
    with open(tmp_path / "errors", "w+") as errors:
        command = [sys.executable, str(ROOT / "ClientLauncher.py"), url]
        launched = subprocess.Popen(command, stderr=errors)
        try:
            _window_named(display, "RTPClient")
            time.sleep(0.5)  # it plays
            launched.send_signal(number)
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


# ---------------------------------------------------------------------- the standard dialect


@pytest.fixture
def watch(open_player, root):
    """A player of the standard dialect that plays a movie, long enough for a slow machine."""
    with ServerProcess(ROOT) as server:

        def begin() -> Client:
            player = open_player(0, f"rtsp://{HOST}:{server.port}/movie.Mjpeg")
            player.window.play()
            assert pump(root, lambda: bool(player.window.picture.jpeg)), player.error
            return player

        yield begin


def position(client: Client) -> float:
    return client.window.viewing.position


def focus(root, display: Display) -> None:
    """Put the mouse upon the picture: without a window manager the keys go where it is."""
    display.move(root.winfo_rootx() + 100, root.winfo_rooty() + 100)
    root.update()


def test_keys_pause_step_and_play(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("space")
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    before = shown_number(player, display)
    display.key("period")
    assert pump(root, lambda: player.window.viewing.frame.number == before + 1)
    assert pump(root, lambda: not player.isWaiting() and enabled(player) == ["start", "teardown"])
    assert shown_number(player, display) == before + 1
    assert player.window.lab_row.number.cget("text") == f"Frame {before + 1}"
    display.key("space")
    assert pump(root, lambda: player.window.viewing.frame.number > before + 3)


def test_the_mouse_seeks_on_the_slider(watch, root, display):
    player = watch()
    slider = player.window.bar.slider
    assert pump(root, lambda: player.window.situation.seekable)
    pump(root, lambda: False, limit=0.2)
    x = slider.winfo_rootx() + slider.x_of(1.5)
    display.click(x, slider.winfo_rooty() + slider.winfo_height() // 2)
    assert pump(root, lambda: 1.4 <= position(player) < 2.0)
    assert pump(root, lambda: player.window.viewing.frame.number > 29)
    number = frame_number_of_jpeg(player.window.picture.jpeg)
    assert number == player.window.viewing.frame.number


def test_keys_seek_to_the_beginning_and_the_slider_takes_the_focus(watch, root, display):
    player = watch()
    focus(root, display)
    assert pump(root, lambda: player.window.viewing.frame.number > 10)
    display.key("Home")
    assert pump(root, lambda: player.window.viewing.frame.number < 8)


def test_full_screen_shows_the_picture_alone_and_escape_leaves(watch, root, display):
    player = watch()
    focus(root, display)
    size = root.winfo_width(), root.winfo_height()
    display.key("f")
    assert pump(root, lambda: root.winfo_height() == root.winfo_screenheight())
    assert pump(root, lambda: not player.window.controls.winfo_ismapped())
    display.key("space")
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    pump(root, lambda: False, limit=0.4)
    left, top, right, bottom = picture_box(player)
    assert bottom - top == root.winfo_screenheight()
    assert shown_number(player, display) == player.window.viewing.frame.number
    display.move(300, 300)
    assert pump(root, lambda: player.window.controls.winfo_ismapped())
    display.key("Escape")
    assert pump(root, lambda: (root.winfo_width(), root.winfo_height()) == size)
    assert pump(root, lambda: player.window.controls.winfo_ismapped())
    assert root.winfo_exists()  # Esc never quits


def test_the_panel_shows_the_protocol(watch, root, display):
    player = watch()
    focus(root, display)
    panel = player.window.panel
    width = root.winfo_width()
    assert not player.window.traffic.watching
    display.key("Tab")
    assert pump(root, lambda: panel.open and root.winfo_width() > width)
    assert pump(root, lambda: "PLAY rtsp://" in panel.messages.text.get("1.0", "end"))
    text = panel.messages.text.get("1.0", "end")
    assert "RFC 2326 §10.5" in text and " CR " not in text
    panel.messages.line_ends.invoke()
    assert "CSeq: 1  CR   LF \n" in panel.messages.text.get("1.0", "end")
    for key, page in (("2", panel.state), ("3", panel.packet), ("4", panel.statistics)):
        display.key(key)
        assert pump(root, lambda page=page: bool(page.winfo_ismapped() and page.canvas.find_all()))
        pump(root, lambda: False, limit=0.3)
    assert panel.statistics.values["Lost"].cget("text") == "0 (0.0 %)"
    drawn = drawn_on(panel.packet.canvas)
    assert {"sequence number", "timestamp", "SSRC", "fragment offset"} <= set(drawn)
    display.key("4")
    assert pump(root, lambda: panel.statistics.winfo_ismapped())
    plots = drawn_on(panel.statistics.canvas)
    assert {"Out of order", "Late", "Duplicates", "Loss (RFC 3550 A.3)"} <= set(plots)
    display.key("i")
    assert pump(root, lambda: not panel.open and root.winfo_width() == width)
    assert not player.window.traffic.watching


def drawn_on(canvas) -> list[str]:
    """All words on a canvas."""
    items = [item for item in canvas.find_all() if canvas.type(item) == "text"]
    return [canvas.itemcget(item, "text") for item in items]


def test_a_packet_is_held_and_others_are_stepped_to(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("3")
    packet = player.window.panel
    assert pump(root, lambda: packet.open and "SSRC" in drawn_on(packet.packet.canvas))
    page = packet.packet
    assert pump(root, lambda: len(player.window.traffic.packets) > 20)
    page.hold.invoke()
    held = drawn_on(page.canvas)
    number = _sequence_number(held)
    came = player.reception.statistics.packets
    assert pump(root, lambda: player.reception.statistics.packets > came + 20)
    assert drawn_on(page.canvas) == held
    page.back.invoke()
    assert _sequence_number(drawn_on(page.canvas)) == (number - 1) % 65536
    page.forward.invoke()
    assert drawn_on(page.canvas) == held
    page.hold.invoke()
    assert pump(root, lambda: _sequence_number(drawn_on(page.canvas)) != number)


def _sequence_number(drawn: list[str]) -> int:
    """The value that stands under the field's name and its 16 bits."""
    return int(drawn[drawn.index("sequence number") + 17].replace(",", ""))


def test_the_network_sliders_lose_packets(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("5")
    assert pump(root, lambda: player.window.panel.open)
    network = player.window.panel.network
    assert pump(root, lambda: network.winfo_ismapped())
    network.scales["loss"].set(5)
    assert player.impairment.conditions.loss == 0.05
    assert pump(root, lambda: player.reception.statistics.lost > 3)
    assert pump(root, lambda: player.ended or player.window.viewing.frame.number > 30)
    network.reset.invoke()
    assert player.impairment.conditions.harmless


def test_the_capture_is_saved_from_the_panel(watch, root, display, tmp_path, monkeypatch):
    player = watch()
    path = tmp_path / "session.pcap"
    monkeypatch.setattr("tkinter.filedialog.asksaveasfilename", lambda **options: str(path))
    player.window.panel.toggle()
    assert pump(root, lambda: len(player.window.traffic.packets) > 20)
    focus(root, display)
    display.key("c")
    assert pump(root, path.exists)
    assert path.stat().st_size > 20_000
    ends = player.endpoints
    fields = ("ip.src", "ip.dst", "udp.dstport")
    (datagram, *_) = tshark(path, ends.server.port, "rtp", *fields)
    assert datagram == [HOST, HOST, str(player.rtpPort)]
    rows = tshark(
        path, ends.server.port, "rtsp.method", "rtsp.method", "tcp.srcport", "tcp.dstport"
    )
    assert rows[0] == ["DESCRIBE", str(ends.client.port), str(ends.server.port)]
    times = [float(row[0]) for row in tshark(path, ends.server.port, "frame", "frame.time_epoch")]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 60


def tshark(path, port: int, wanted: str, *fields: str) -> list[list[str]]:
    """What tshark reads in a capture."""
    if shutil.which("tshark") is None:
        reason = "not installed: tshark"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)
    command = ["tshark", "-r", str(path), "-d", f"tcp.port=={port},rtsp", "-Y", wanted]
    command += ["-T", "fields", *(part for field in fields for part in ("-e", field))]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.split("\t") for line in out.splitlines()]


@pytest.mark.parametrize(("key", "suffix"), [("r", ".Mjpeg"), ("shift+r", ".mjpeg")])
def test_a_snapshot_and_a_recording_are_saved(watch, root, display, home, key, suffix):
    player = watch()
    focus(root, display)
    display.key(key)
    assert pump(root, lambda: player.window.situation.recording)
    first = player.frameNbr
    assert pump(root, lambda: player.frameNbr > first + 10)
    display.key(key)
    assert pump(root, lambda: not player.window.situation.recording)
    display.key("space", "s")
    assert pump(root, lambda: any((home / "Pictures").iterdir()))
    (png,) = (home / "Pictures").iterdir()
    with Image.open(png) as image:
        assert image.size == (384, 288)
        assert frame_number(image.convert("RGB")) == player.window.viewing.frame.number
    (movie,) = home.glob(f"*{suffix}")
    stream = VideoStream(movie)  # as our server serves it
    numbers = [frame_number_of_jpeg(jpeg) for jpeg in iter(stream.nextFrame, b"")]
    assert len(numbers) >= 9
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.fixture
def full_disk():
    """No file can grow beyond 30,000 bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_the_recording_in_words_and_the_picture_goes_on(
    watch, root, display, home, full_disk
):
    player = watch()
    focus(root, display)
    display.key("r")
    assert pump(root, lambda: "The recording has failed (File too large)" in words(player))
    assert pump(root, lambda: not player.window.situation.recording)
    (movie,) = home.glob("*.Mjpeg")
    numbers = [frame_number_of_jpeg(jpeg) for jpeg in frames_of(movie)]
    assert numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert f"{len(numbers)} frames saved in {movie}" in words(player)
    display.key("s")
    assert pump(root, lambda: "No snapshot could be saved (File too large)." in words(player))
    assert not list((home / "Pictures").iterdir())
    number = player.window.viewing.frame.number
    assert pump(root, lambda: player.window.viewing.frame.number != number)


def test_light_and_dark_are_remembered(watch, root, display, home):
    player = watch()
    focus(root, display)
    before = player.window.theme.palette.name
    display.key("d")
    assert pump(root, lambda: player.window.theme.palette.name != before)
    assert (home / "state" / "rtplab" / "player.json").exists()


def test_a_server_that_comes_back_is_played_again(small_movie, open_player, root):
    with ServerProcess(small_movie.parent) as first:
        port = first.port
        player = open_player(0, f"rtsp://{HOST}:{port}/movie.Mjpeg")
        player.window.play()
        assert pump(root, lambda: bool(player.window.picture.jpeg)), player.error
    assert pump(root, lambda: "Reconnecting" in words(player)), words(player)
    player.window.panel.show("State")
    diagram = player.window.panel.state.canvas
    assert pump(root, lambda: "lost" in drawn_on(diagram))
    assert any("closed the connection" in text for text in drawn_on(diagram))
    with ServerProcess(small_movie.parent, port=port):
        assert pump(root, lambda: bool(player.window.picture.jpeg), limit=15), words(player)
        assert pump(root, lambda: enabled(player) == ["pause", "teardown"])
        assert words(player) == ""


def test_a_lab_server_that_comes_back_is_played_after_setup(small_movie, open_player, root):
    with ServerProcess(small_movie.parent) as first:
        port = first.port
        player = open_player(port)
        play(player, root)
    assert pump(root, lambda: "Press Setup to try again" in words(player)), words(player)
    with ServerProcess(small_movie.parent, port=port):
        play(player, root)
        assert words(player) == ""


def test_the_end_is_told_and_play_begins_again(open_player, server, root):
    player = open_player(0, f"rtsp://{HOST}:{server.port}/movie.Mjpeg")
    player.window.play()
    player.window.panel.show("State")
    assert pump(root, lambda: "The end" in words(player)), words(player)
    assert pump(root, lambda: "BYE" in drawn_on(player.window.panel.state.canvas))
    player.start.invoke()
    assert pump(root, lambda: player.window.viewing.frame.number < 20)
    assert "The end" not in words(player)


def test_the_open_dialog_plays_something_else_here(watch, root, display, server):
    watch()
    focus(root, display)
    display.key("o")
    assert pump(root, lambda: asked(root, "A lab server's movie"))
    all_of_it = ("ctrl+slash",)  # Tk's key for it on X11
    answer(root, display, *all_of_it, " ", "Return")
    assert pump(root, lambda: asked(root, "Name the server: a host name or an address."))
    answer(root, display, *all_of_it, HOST, "Tab", *all_of_it, str(server.port), "Return")
    clients = _clients_of(root)
    assert pump(root, lambda: len(clients()) == 1 and clients()[0].fileName == "movie.Mjpeg")
    other = clients()[0]
    try:
        assert pump(root, lambda: bool(other.window.picture.jpeg)), other.error
    finally:
        other.close()


def test_two_windows_play_at_once_and_the_last_ends_the_program(watch, root, server):
    player = watch()
    address = Address(url=f"rtsp://{HOST}:{server.port}/movie.Mjpeg")
    player.window.open(address, in_new_window=True)
    clients = _clients_of(root)
    assert pump(root, lambda: len(clients()) == 2)
    other = clients()[1]
    assert pump(root, lambda: bool(other.window.picture.jpeg)), other.error
    number = other.window.viewing.frame.number
    player.window.close()
    assert pump(root, lambda: len(clients()) == 1)
    assert pump(root, lambda: other.window.viewing.frame.number > number + 3)
    other.window.close()
    assert pump(root, lambda: is_closed(root))


def _clients_of(root):
    from rtplab.player import window

    return lambda: [
        open_one.client for open_one in window._windows if open_one.toplevel._root() is root
    ]


def test_all_is_reached_by_keyboard_alone(watch, root, display):
    player = watch()
    focus(root, display)
    reached = set()
    display.key("shift+Tab")
    for _ in range(20):
        root.update()
        reached.add(root.focus_get())
        display.key("Tab")
        pump(root, lambda: False, limit=0.05)
    wanted = {player.pause, player.teardown, player.window.bar.slider}
    wanted |= set(player.window.bar.buttons.values())
    assert wanted <= reached


def test_the_menu_is_reached_and_used_by_keys(watch, root, display):
    watch()
    focus(root, display)
    display.key("F10")
    assert pump(root, lambda: _menus_of(root))
    pump(root, lambda: False, limit=0.2)
    display.key("Down", "Right", "Return")  # the first command of the first menu
    assert pump(root, lambda: asked(root, "A lab server's movie"))


def _menus_of(root) -> list:
    return [child for child in root.winfo_children() if child.winfo_class() == "Menu"]


def test_the_mouse_upon_a_button_is_told_what_it_does(watch, root, display):
    player = watch()
    root.update()
    display.move(*middle_of(player.window.bar.buttons["snapshot"]))
    assert pump(root, lambda: "Save snapshot  (s)" in _tooltips(root))
    display.move(100, 100)
    assert pump(root, lambda: not _tooltips(root))


def _tooltips(widget) -> str:
    """What all windows within a widget say."""
    texts = ""
    for child in widget.winfo_children():
        if child.winfo_class() == "Toplevel":
            texts += "".join(str(label.cget("text")) for label in child.winfo_children())
        texts += _tooltips(child)
    return texts


def test_the_speed_is_changed_by_keys(watch, root, display):
    player = watch()
    focus(root, display)
    assert pump(root, lambda: player.window.situation.seekable)
    display.key("bracketleft")
    assert pump(root, lambda: "Scale: 0.5" in _received(player)), _received(player)
    assert pump(root, lambda: player.window.bar.speed.cget("text") == "0.5×")
    display.key("BackSpace")
    assert pump(root, lambda: player.window.bar.speed.cget("text") == "1×")


def _received(player: Client) -> str:
    messages = player.window.traffic.messages
    return b"".join(message.data for message in messages if not message.sent).decode()


def test_q_quits_at_once_even_while_playing(watch, root, display, monkeypatch):
    player = watch()
    question = Question(monkeypatch, answer=False)
    focus(root, display)
    display.key("q")
    assert pump(root, lambda: is_closed(root))
    assert player.state is Client.INIT and not question.asked


def test_the_window_stays_as_wide_as_it_is_whatever_the_labels_show(player, root):
    root.update()
    controls, row = player.window.controls, player.window.lab_row
    width = controls.winfo_reqwidth()
    for number, state in ((None, Client.INIT), (5, Client.PLAYING), (99_999, Client.READY)):
        row.show_number(number)
        row.show(Situation(state=state))
        root.update_idletasks()
        assert controls.winfo_reqwidth() == width


def test_the_help_lists_every_key(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("question")
    assert pump(root, lambda: "Save snapshot" in words(player))
    display.key("Escape")
    assert pump(root, lambda: "Save snapshot" not in words(player))


def test_a_frame_is_on_the_screen_150_ms_after_its_arrival(watch, root):
    player = watch()
    delays = []
    show = player.window.picture.show

    def timed(jpeg: bytes) -> bool:
        shown = show(jpeg)
        root.update_idletasks()
        delays.append(time.monotonic() - player.window.viewing.frame.arrival)
        return shown

    player.window.picture.show = timed
    assert pump(root, lambda: len(delays) >= 25)
    delays.sort()
    assert delays[len(delays) // 2] < 0.15


@pytest.fixture(scope="module")
def hd_movie(tmp_path_factory):
    """Two seconds of 1080p at 25 frames a second."""
    path = tmp_path_factory.mktemp("hd") / "hd.mjpeg"
    with open(path, "wb") as file:
        for jpeg in frames_of(MOVIE)[:50]:
            with Image.open(io.BytesIO(jpeg)) as image:
                image.resize((1920, 1080)).save(file, "JPEG", quality=80)
    return path


def test_1080p_is_played_and_resized_while_input_is_answered_within_50_ms(
    hd_movie, open_player, root
):
    with ServerProcess(hd_movie.parent, "--fps", "25", "--loop") as server:
        player = open_player(0, f"rtsp://{HOST}:{server.port}/hd.mjpeg")
        root.geometry("1280x900")
        player.window.play()
        assert pump(root, lambda: bool(player.window.picture.jpeg)), player.error
        lateness: list[float] = []
        width = 1280

        def probe(due: float) -> None:
            nonlocal width
            lateness.append(time.monotonic() - due)
            if len(lateness) % 20 == 0:
                width += 20
                root.geometry(f"{width}x900+{width - 1280}+0")
            timer[0] = root.after(10, probe, time.monotonic() + 0.01)

        timer = [root.after(10, probe, time.monotonic() + 0.01)]
        shown = player.window.viewing.frame.arrival
        pump(root, lambda: False, limit=4)
        root.after_cancel(timer[0])
        assert player.window.viewing.frame.arrival > shown + 3.5
        lateness.sort()
        assert lateness[len(lateness) * 9 // 10] < 0.05
        player.close()


# ---------------------------------------------------------------------- logging in


@pytest.fixture
def guarded_server(small_movie):
    with ServerProcess(small_movie.parent, "--user", "ann:secret word") as running:
        yield running


def dialogs_of(root) -> list:
    """The questions that are asked at the moment."""
    return [child for child in root.winfo_children() if child.winfo_class() == "Toplevel"]


def questions(root) -> str:
    """All that the questions say and what their fields show."""
    texts = []
    widgets = dialogs_of(root)
    while widgets:
        widget = widgets.pop()
        widgets += widget.winfo_children()
        if widget.winfo_class() in ("TLabel", "TButton", "TRadiobutton"):
            texts.append(str(widget.cget("text")))
    return " / ".join(texts)


def asked(root, sentence: str) -> bool:
    return any(dialog.winfo_viewable() for dialog in dialogs_of(root)) and sentence in questions(
        root
    )


def answer(root, display: Display, *keys: str) -> None:
    """Type into the question that is asked: without a window manager keys go where the mouse is."""
    (dialog,) = dialogs_of(root)
    root.update()
    display.move(*middle_of(dialog))
    root.update()
    for key in keys:
        is_key = key in ("Tab", "Return", "Escape") or "+" in key
        display.key(key) if is_key else display.type(key)


def test_a_password_is_asked_for_and_wrong_ones_again(
    guarded_server, open_player, root, display, home, capfd
):
    player = open_player(0, f"rtsp://{HOST}:{guarded_server.port}/movie.Mjpeg")
    player.window.play()
    assert pump(root, lambda: asked(root, "The server asks for a user name and a password."))
    answer(root, display, "ann", "Tab", "guessed", "Return")
    refused = "The server does not accept this user name and password."
    assert pump(root, lambda: asked(root, refused)), words(player)
    answer(root, display, "secret word", "Return")  # the name is still there
    assert pump(root, lambda: bool(player.window.picture.jpeg)), words(player)
    assert player.userName == "ann" and not dialogs_of(root)
    said = b"".join(message.data for message in player.window.traffic.messages).decode()
    written = "".join(path.read_text() for path in home.rglob("*.json"))
    out = capfd.readouterr()
    for text in (words(player), said, written, out.out, out.err, guarded_server.errors()):
        assert "secret" not in text and "guessed" not in text
    assert "Authorization: Digest" in said


def test_who_gives_no_password_is_told_and_can_be_asked_again(
    guarded_server, open_player, root, display
):
    player = open_player(0, f"rtsp://bob@{HOST}:{guarded_server.port}/movie.Mjpeg")
    player.window.play()
    assert pump(root, lambda: asked(root, "does not accept")), words(player)
    shown = [entry.get() for entry in _entries(dialogs_of(root)[0])]
    assert shown == ["bob", ""]
    answer(root, display, "Escape")
    assert pump(root, lambda: not dialogs_of(root))
    assert pump(root, lambda: "Press Setup to be asked again." in words(player)), words(player)
    assert enabled(player) == ["setup"]
    player.setup.invoke()
    assert pump(root, lambda: asked(root, "does not accept")), words(player)
    answer(root, display, "secret word", "Return")
    assert pump(root, lambda: asked(root, "does not accept"), limit=20), words(player)


def _entries(widget) -> list:
    found = [widget] if widget.winfo_class() == "TEntry" else []
    for child in widget.winfo_children():
        found += _entries(child)
    return found
