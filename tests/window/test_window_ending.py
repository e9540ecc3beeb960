"""How windows end: by a question, a key, a signal; one of several."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from display import pump
from movies import ROOT
from processes import HOST, ServerProcess
from windows import answer, asked, dialogs_of, enabled, focus, is_closed, play, window_named

from Client import Client

pytestmark = pytest.mark.peers


def close_by_x(root) -> None:
    """Do what the X of the window does."""
    root.tk.eval(root.protocol("WM_DELETE_WINDOW"))


def test_closing_while_playing_pauses_and_asks_and_goes_on_after_cancel(player, root, display):
    play(player, root)
    close_by_x(root)
    assert pump(root, lambda: asked(root, "want to quit?"))
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    close_by_x(root)
    assert len(dialogs_of(root)) == 1
    answer(root, display, "Escape")
    assert pump(root, lambda: enabled(player) == ["pause", "teardown"])
    before = player.frameNbr
    assert pump(root, lambda: player.frameNbr > before + 3)


def run_for(root, seconds: float) -> None:
    """The real main loop: what errors do to it does not show otherwise."""
    root.after(round(1000 * seconds), root.quit)
    root.mainloop()


def toast(player) -> str:
    return player.window.picture.captions._toast


def test_an_error_in_a_tick_is_reported_and_ends_nothing(player, root, monkeypatch):
    import tkinter

    reported = []
    monkeypatch.setattr(root, "report_callback_exception", lambda *error: reported.append(error))
    other = Client(tkinter.Toplevel(root), HOST, player.serverPort, 0, "movie.Mjpeg")
    try:
        error = RuntimeError("in a tick")
        monkeypatch.setattr(player.window.controller, "tick", raising(error))
        run_for(root, 0.3)
        assert [value for _, value, _ in reported] == [error]
        assert "nternal error" in toast(player)
        again = []
        monkeypatch.setattr(player.window.controller, "tick", again.append)
        run_for(root, 1.3)
        assert len(again) > 2
        seen = []
        monkeypatch.setattr(other.window.controller, "tick", seen.append)
        run_for(root, 0.5)
        assert len(seen) > 2
    finally:
        other.close()


def raising(error: Exception):
    def fail(*arguments: object) -> None:
        raise error

    return fail


def test_an_error_on_a_page_closes_the_panel_and_not_the_picture(player, root, monkeypatch):
    play(player, root)
    panel = player.window.panel
    panel.show("Loss")
    assert pump(root, lambda: panel.page is panel.pages.loss)
    reported = []
    monkeypatch.setattr(root, "report_callback_exception", lambda *error: reported.append(error))
    error = RuntimeError("on a page")
    monkeypatch.setattr(panel.pages.loss, "refresh", raising(error))
    assert pump(root, lambda: not panel.open)
    assert {value for _, value, _ in reported} == {error}  # Tk draws the page, too, as it goes
    assert "panel" in toast(player)
    before = player.frameNbr
    assert pump(root, lambda: player.frameNbr > before + 3)


def test_a_window_that_is_destroyed_in_its_own_tick_ticks_no_more(player, root, monkeypatch):
    import tkinter

    reported = []
    monkeypatch.setattr(root, "report_callback_exception", lambda *error: reported.append(error))
    top = tkinter.Toplevel(root)
    other = Client(top, HOST, player.serverPort, 0, "movie.Mjpeg")
    ticks = []

    def destroy(now: float) -> None:
        ticks.append(now)
        root.after_idle(top.destroy)  # what a tick does itself it does when it draws

    try:
        monkeypatch.setattr(other.window.controller, "tick", destroy)
        run_for(root, 0.5)
        assert not top.winfo_exists()
        assert len(ticks) == 1
        assert reported == []
    finally:
        other.close()


def test_closing_while_nothing_plays_asks_nothing(player, root):
    assert pump(root, lambda: enabled(player) == ["setup"])
    close_by_x(root)
    assert pump(root, lambda: is_closed(root))


def test_closing_after_ok_ends_session_and_window(player, root, display):
    play(player, root)
    player.handler()
    assert pump(root, lambda: asked(root, "want to quit?"))
    answer(root, display, "Return")
    assert pump(root, lambda: is_closed(root))
    assert player.state is Client.INIT


@pytest.mark.parametrize("key", ["q", "ctrl+w", "ctrl+q"])
def test_a_key_quits_at_once_even_while_playing(watch, root, display, key):
    player = watch()
    focus(root, display)
    display.key(key)
    assert pump(root, lambda: is_closed(root))
    assert player.state is Client.INIT


def test_a_key_asks_first_while_something_is_recorded(watch, root, display, home):
    player = watch()
    focus(root, display)
    display.key("r")
    assert pump(root, lambda: player.window.state.recording)
    display.key("q")
    assert pump(root, lambda: asked(root, "recording"))
    answer(root, display, "Escape")
    assert pump(root, lambda: not dialogs_of(root))
    assert player.window.state.recording and player.state is Client.PLAYING
    focus(root, display)
    display.key("q")
    assert pump(root, lambda: asked(root, "recording"))
    answer(root, display, "Return")
    assert pump(root, lambda: is_closed(root))
    (movie,) = home.glob("*.Mjpeg")
    assert movie.stat().st_size > 5000


@contextmanager
def launched(arguments, tmp_path):
    """A player in a process of its own, which must end well, and say nothing."""
    with open(tmp_path / "errors", "w+") as errors:
        command = [sys.executable, str(ROOT / "ClientLauncher.py"), *arguments]
        player = subprocess.Popen(command, stderr=errors)
        try:
            yield player
            assert player.wait(10) == 0
        finally:
            player.kill()
            player.wait()
        errors.seek(0)
        assert errors.read() == ""


def test_the_launcher_opens_a_window_with_the_title_of_the_lab(display, server, tmp_path):
    with launched([HOST, str(server.port), "0", "movie.Mjpeg"], tmp_path):
        window_named(display, "RTPClient")
        display.move(100, 100)
        display.key("q")


def test_a_movie_file_is_played_at_once(display, small_movie, tmp_path, home):
    movie = tmp_path / "my film #1.Mjpeg"
    movie.write_bytes(small_movie.read_bytes())
    with launched([str(movie)], tmp_path):
        window_named(display, "my film #1.Mjpeg - RTPClient")
        display.move(100, 100)
        deadline = time.monotonic() + 10
        while not list((home / "Pictures").iterdir()) and time.monotonic() < deadline:
            display.key("s")
            time.sleep(0.1)
        assert list((home / "Pictures").iterdir())
        display.key("q")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_player_without_a_word(display, server, tmp_path, number):
    with launched([f"rtsp://{HOST}:{server.port}/movie.Mjpeg"], tmp_path) as player:
        window_named(display, "movie.Mjpeg - RTPClient")
        time.sleep(0.5)  # it plays
        player.send_signal(number)


@pytest.mark.parametrize(("key", "title"), [("o", "Open"), ("c", "Save capture")])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_player_while_it_asks(display, server, tmp_path, number, key, title):
    with launched([f"rtsp://{HOST}:{server.port}/movie.Mjpeg"], tmp_path) as player:
        window_named(display, "movie.Mjpeg - RTPClient")
        display.move(100, 100)
        display.key(key)
        window_named(display, title)
        player.send_signal(number)


def test_a_signal_ends_the_player_while_it_asks_for_a_password(display, small_movie, tmp_path):
    with (
        ServerProcess(small_movie.parent, "--user", "ann:secret") as server,
        launched([f"rtsp://{HOST}:{server.port}/movie.Mjpeg"], tmp_path) as player,
    ):
        window_named(display, "Log in")
        player.send_signal(signal.SIGINT)


def test_a_signal_ends_the_player_while_it_asks_if_it_is_to_end(display, tmp_path, home):
    with (
        ServerProcess(ROOT) as server,
        launched([f"rtsp://{HOST}:{server.port}/movie.Mjpeg"], tmp_path) as player,
    ):
        window_named(display, "movie.Mjpeg - RTPClient")
        display.move(100, 100)
        deadline = time.monotonic() + 10
        while not list((home / "Pictures").iterdir()) and time.monotonic() < deadline:
            display.key("s")  # until there is a picture
            time.sleep(0.1)
        display.key("r")
        display.key("q")
        window_named(display, "Quit[?]")
        player.send_signal(signal.SIGINT)
