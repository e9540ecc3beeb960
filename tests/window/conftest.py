"""The player's window on the tests' screen, before a real server."""

from __future__ import annotations

import gc

import pytest
from display import Display, pump
from movies import ROOT
from processes import HOST, ServerProcess

from Client import Client


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

    gc.collect()  # the window of the test before, which pytest has held until now
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
