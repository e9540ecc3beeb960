"""Another movie: in the same window, which keeps nothing of the one before, or in a new one."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
import tkinter.font
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from display import pump
from movies import ROOT
from PIL import ImageTk
from processes import HOST, ServerProcess
from windows import answer, asked, client_of, focus, is_closed, window_named

from Client import Client
from rtplab.player import newwindow
from rtplab.player.dialogs import OpenDialog
from rtplab.player.model import history
from rtplab.player.model.history import Address
from rtplab.player.window import PlayerWindow
from rtplab.receiving.rtp.impairment import Conditions

pytestmark = pytest.mark.peers

WARM_UP = 3  # movies after which all that is made once is there
COUNTED = (PlayerWindow, Client, ImageTk.PhotoImage, tkinter.font.Font, tkinter.Widget)


def kept() -> Counter[str]:
    """How many objects of each class there are, subclasses included."""
    gc.collect()
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        for kind in COUNTED:
            if issubclass(type(thing), kind):  # not isinstance: proxies would be asked
                found[kind.__name__] += 1
    return found


def have_others_ended(found: Counter[str]) -> bool:
    """Whether only this window's session is left, and the one that the fixture holds."""
    return found[PlayerWindow.__name__] <= 2 and found[Client.__name__] <= 2


def open_another(root, address: Address) -> None:
    before = client_of(root)
    PlayerWindow.of(root).open(address)
    assert client_of(root) is not before
    assert pump(root, lambda: bool(PlayerWindow.of(root).picture.jpeg)), client_of(root).error


def test_a_window_that_opens_100_movies_keeps_nothing_of_them(player, root, server):
    address = Address(url=f"rtsp://{HOST}:{server.port}/movie.Mjpeg")
    opened = []
    for number in range(100):
        open_another(root, address)
        if WARM_UP + 4 <= number < 95:
            continue  # only the first and the last are looked at
        window = PlayerWindow.of(root)
        window.panel.show("Messages")
        window.actions["menu"]()
        window.actions["help"]()
        assert pump(root, lambda: have_others_ended(kept()))
        if number >= WARM_UP:
            opened.append((kept(), len(root.tk.call("info", "commands"))))
    client_of(root).close()
    smallest, largest = opened[0][0], opened[-1][0]
    most = {kind: smallest[kind] for kind in smallest}
    for counts, _ in opened[:4]:
        most = {kind: max(most[kind], counts[kind]) for kind in most}
    assert all(largest[kind] <= most[kind] for kind in most), (most, largest)
    assert opened[-1][1] <= max(commands for _, commands in opened[:4])


@pytest.fixture
def collected_by(monkeypatch):
    """The threads in which objects of Tk's have been let go."""
    threads = []

    def watch(kind) -> None:
        end = kind.__del__

        def ended(self) -> None:
            threads.append(threading.current_thread())
            if threads[-1] is threading.main_thread():  # else both would wait for ever
                end(self)

        monkeypatch.setattr(kind, "__del__", ended)

    for kind in (ImageTk.PhotoImage, tkinter.Image, tkinter.Variable, tkinter.font.Font):
        watch(kind)
    return threads


def collect_in_a_thread() -> None:
    """As a receiving thread may have to at any moment."""
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()


def test_no_thread_but_tk_s_ever_lets_go_of_what_is_tk_s(player, root, server, collected_by):
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            open_another(root, Address(url=f"rtsp://{HOST}:{server.port}/movie.Mjpeg"))
            window = PlayerWindow.of(root)
            window.panel.show("Messages")
            for name in ("menu", "help", "open"):
                window.actions[name]()
                root.update()
            del window
            collect_in_a_thread()
        PlayerWindow.of(root).close()
        assert pump(root, lambda: is_closed(root))
        collect_in_a_thread()
    finally:
        gc.enable()
    assert len(collected_by) > 50
    assert set(collected_by) == {threading.main_thread()}


def test_a_receiving_thread_that_collects_garbage_stops_nothing(player, root, server):
    """It holds the client's lock meanwhile, and the window wants that for the user's wishes."""
    gc.disable()
    faulthandler.dump_traceback_later(60, exit=True)  # if they wait for each other
    try:
        wish_again_and_again(root)
        for _ in range(4):
            open_another(root, Address(url=f"rtsp://{HOST}:{server.port}/movie.Mjpeg"))
            client_of(root).on_frame = partial(collect_while_locked, client_of(root))
            number = PlayerWindow.of(root).controller.frame.number
            root.after(300, root.quit)
            root.mainloop()  # only there do other threads wait for Tk
            assert PlayerWindow.of(root).controller.frame.number > number
        client_of(root).close()
    finally:
        faulthandler.cancel_dump_traceback_later()
        gc.enable()


def wish_again_and_again(root) -> None:
    client_of(root).wait_for(lambda: True, 0)
    root.after(2, wish_again_and_again, root)


def collect_while_locked(client, frame) -> None:
    client.wait_for(lambda: gc.collect() >= 0, 0)


@pytest.fixture
def started(monkeypatch):
    """The processes of new windows."""
    processes = []
    start = newwindow.start

    def note(*arguments) -> object:
        processes.append(start(*arguments))
        return processes[-1]

    monkeypatch.setattr(newwindow, "start", note)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def arguments_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="needs /proc")
def test_a_new_window_is_another_process_that_is_set_alike(watch, root, display, started):
    player = watch()
    player.playout.latency = 0.25
    player.impairment.conditions = Conditions(loss=0.01, delay=0.002, seed=7)
    with ServerProcess(ROOT, "--user", "ann:secret") as guarded:
        url = f"rtsp://ann:secret@{HOST}:{guarded.port}/movie.Mjpeg"
        player.window.open_in_new_window(Address(url=url))
        (process,) = started
        where = f"rtsp://{HOST}:{guarded.port}/movie.Mjpeg"
        assert pump(root, lambda: where in arguments_of(process.pid))
        arguments = arguments_of(process.pid)
        assert arguments[arguments.index("--latency") + 1] == "250"
        assert "loss=0.01,burst=1.0,delay=0.002," in arguments[arguments.index("--impair") + 1]
        assert not any("ann" in part or "secret" in part for part in arguments)
        window_named(display, "Log in")  # it asks by itself
        before = player.window.controller.frame.number
        assert pump(root, lambda: player.window.controller.frame.number > before + 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_movie_of_a_lab_server_is_opened_in_a_new_window_by_keys(
    player, root, display, server, started
):
    history.save(history.Settings([Address(HOST, server.port, 0, "movie.Mjpeg")]))
    focus(root, display)
    display.key("n")
    assert pump(root, lambda: asked(root, "Recently played"))
    answer(root, display, "Return")
    assert pump(root, lambda: bool(started))
    (process,) = started
    assert arguments_of(process.pid)[-5:-1] == [HOST, str(server.port), "0", "movie.Mjpeg"]


def test_a_new_window_that_can_not_be_opened_is_a_sentence(watch, root, started):
    player = watch()
    player.window.program = ["/nowhere/python"]
    player.window.open_in_new_window(Address(HOST, 1, 0, "movie.Mjpeg"))
    assert "not be opened" in player.window.picture.captions._toast
    assert not started


def test_the_list_has_what_has_been_played_and_not_what_failed(player, root, server):
    address = Address(HOST, server.port, 0, "movie.Mjpeg")
    for movie in ("nothing.Mjpeg", "movie.Mjpeg"):
        window = PlayerWindow.of(root)
        window.open(Address(HOST, server.port, 0, movie))
        client = client_of(root)
        assert pump(root, lambda client=client: client.error or client.window.picture.jpeg)
        assert history.load().recent == ([address] if movie == "movie.Mjpeg" else [])
    client_of(root).close()


def test_of_20_new_windows_that_have_ended_nothing_is_left(player, root, started):
    player.window.program = [sys.executable, "-S", "-c", ""]
    for _ in range(20):
        player.window.open_in_new_window(Address(HOST, 1, 0, "movie.Mjpeg"))
    assert pump(root, lambda: all(process.returncode == 0 for process in started))
    assert len(started) == 20
    assert pump(root, lambda: "new window" not in [each.name for each in threading.enumerate()])


def test_the_open_dialog_lists_what_a_server_of_ours_has(player, root, server):
    opened = []
    dialog = OpenDialog(root, [], opened.append)
    assert not dialog.list.winfo_ismapped()
    dialog.entries["url"].insert(0, f"rtsp://{HOST}:{server.port}/")
    dialog.ask_server.invoke()
    assert pump(root, lambda: bool(dialog.list.get_children()))
    assert str(server.port) in dialog.heading.cget("text")
    (line,) = dialog.list.get_children()
    assert dialog.list.item(line, "text") == "movie.Mjpeg"
    dialog.list.selection_set(line)
    root.update()
    dialog.accept()
    assert opened == [Address(url=f"rtsp://{HOST}:{server.port}/movie.Mjpeg")]


def test_a_server_that_can_t_be_asked_is_told_and_a_dialog_may_close_meanwhile(player, root):
    dialog = OpenDialog(root, [], lambda address: None)
    dialog.ask_server.invoke()
    assert "rtsp://host/movie" in dialog.error.cget("text")
    dialog.entries["url"].insert(0, f"rtsp://{HOST}:9/")
    dialog.ask_server.invoke()
    assert pump(root, lambda: "listening" in dialog.error.cget("text"))
    dialog.ask_server.invoke()
    dialog.cancel()
    pump(root, lambda: False, limit=0.3)
