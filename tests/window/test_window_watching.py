"""Watching in the standard dialect: keys, mouse, full screen, and a server that comes back."""

from __future__ import annotations

import threading

import pytest
from display import pump
from processes import HOST, ServerProcess
from standard_servers import StandardServer
from strip import frame_number_of_jpeg
from windows import client_of, drawn_on, enabled, focus, picture_box, position, shown_number, words

from Client import Client
from rtplab.player.model import controller
from rtplab.player.model.status import clock
from rtplab.player.panel.panel import LOWEST

pytestmark = pytest.mark.peers


def test_keys_pause_step_and_play(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("space")
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    before = shown_number(player, display)
    display.key("period")
    assert pump(root, lambda: player.window.controller.frame.number == before + 1)
    assert pump(root, lambda: not player.is_waiting() and enabled(player) == ["start", "teardown"])
    assert shown_number(player, display) == before + 1
    label = player.window.controls.lab_row.number
    assert pump(root, lambda: label.get() == f"Frame {before + 1}")
    display.key("space")
    assert pump(root, lambda: player.window.controller.frame.number > before + 3)


def test_number_and_time_change_with_the_picture_and_go_with_it(watch, root):
    player = watch()
    controls = player.window.controls
    for _ in range(20):
        jpeg = player.window.picture.jpeg
        assert pump(root, lambda jpeg=jpeg: player.window.picture.jpeg is not jpeg)
        shown = controls.lab_row.number.get()
        assert shown == f"Frame {frame_number_of_jpeg(player.window.picture.jpeg)}"
    assert controls.bar.elapsed.cget("text").startswith("0:0")
    player.teardown.invoke()
    assert pump(root, lambda: enabled(player) == ["setup"])
    assert pump(root, lambda: controls.lab_row.number.get() == "")
    assert controls.bar.elapsed.cget("text") == controls.bar.total.cget("text") == ""


@pytest.fixture
def paused(watch, root, display):
    """A player that stands still somewhere in the movie."""
    player = watch()
    focus(root, display)
    assert pump(root, lambda: player.window.state.seekable and player.window.picture.number > 30)
    display.key("space")
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    return player


def test_keys_go_one_frame_back_one_second_and_to_the_end(paused, root, display):
    picture = paused.window.picture
    number = picture.number
    for key, wanted in (("comma", -1), ("comma", -2), ("shift+Right", 18), ("shift+Left", -2)):
        display.key(key)
        assert pump(root, lambda wanted=wanted: picture.number == number + wanted), key
        assert frame_number_of_jpeg(picture.jpeg) == number + wanted
    display.key("End")
    assert pump(root, lambda: picture.number == 500)


def test_the_wheel_seeks(paused, root, display):
    picture = paused.window.picture
    number, (x, y) = picture.number, (root.winfo_rootx() + 100, root.winfo_rooty() + 100)
    display.click(x, y, button=4)
    assert pump(root, lambda: picture.number == number + 100)
    display.click(x, y, button=5)
    assert pump(root, lambda: picture.number == number)


def test_the_picture_follows_the_knob_and_the_time_stands_above_it(paused, root, display):
    slider, picture = paused.window.controls.bar.slider, paused.window.picture
    y = slider.winfo_rooty() + slider.winfo_height() // 2
    xs = [slider.winfo_rootx() + slider.x_of(seconds) for seconds in (5, 10, 15)]
    display._xdotool("mousemove", xs[0], y, "mousedown", 1)
    try:
        for x in xs[1:]:
            display.move(x, y)
            seconds = slider._seconds_at(x - slider.winfo_rootx())
            number = int(seconds * 20)
            assert pump(root, lambda number=number: abs(picture.number - 1 - number) <= 1)
            assert slider._time.cget("text") == clock(seconds)
            left = slider._time.winfo_rootx()
            assert slider._time.winfo_ismapped() and left < x < left + slider._time.winfo_width()
    finally:
        display._xdotool("mouseup", 1)
    display.move(root.winfo_rootx() + 100, root.winfo_rooty() + 100)
    assert pump(root, lambda: not slider._time.winfo_ismapped())


def test_full_screen_says_what_a_key_has_done(paused, root, display):
    display.key("f")
    assert pump(root, lambda: root.winfo_height() == root.winfo_screenheight())
    display.key("Home")
    assert pump(root, lambda: "Pause   0:00 / 0:25" in words(paused))
    display.key("space")
    assert pump(root, lambda: "Play   0:0" in words(paused))
    display.key("bracketright")
    assert pump(root, lambda: "Speed 1.1×" in words(paused))
    area = paused.window.picture

    def is_legible_in_a_hall() -> bool:
        (toast,) = (one for one in area.find_withtag("toast") if area.type(one) == "text")
        left, top, right, bottom = area.bbox(toast)  # one line
        return bottom - top > 0.035 * root.winfo_screenheight()

    assert pump(root, is_legible_in_a_hall)  # once the area has grown, too


def test_full_screen_says_where_a_step_has_led(paused, root, display):
    display.key("f")
    assert pump(root, lambda: root.winfo_height() == root.winfo_screenheight())
    display.key("Home", "shift+Right")
    assert pump(root, lambda: "Pause   0:01 / 0:25   Frame 21" in words(paused)), words(paused)
    for key, told in (
        ("comma", "0:00 / 0:25   Frame 20"),
        ("period", "0:01 / 0:25   Frame 21"),
        ("period", "0:01 / 0:25   Frame 22"),
    ):
        display.key(key)
        assert pump(root, lambda told=told: told in words(paused), limit=1.5), words(paused)
    display.key("s")
    assert pump(root, lambda: "Saved" in words(paused))
    assert "Frame" not in words(paused)  # of the command before


def test_full_screen_counts_the_seconds_as_long_as_it_says_that_it_plays(paused, root, display):
    display.key("f")
    assert pump(root, lambda: root.winfo_height() == root.winfo_screenheight())
    display.key("Home", "space")
    assert pump(root, lambda: "Play   0:00" in words(paused))
    assert pump(root, lambda: "Play   0:01" in words(paused), limit=2)
    assert pump(root, lambda: words(paused) == "", limit=5)


def test_an_address_that_was_copied_is_opened_by_control_v(watch, root, display, server):
    watch()
    focus(root, display)
    root.selection_clear(selection="CLIPBOARD")  # a test before may have copied something
    display.key("ctrl+v")
    assert pump(root, lambda: "been copied" in words(client_of(root)))
    for text, said in (("no address", "valid address"), ("", "valid address")):
        root.clipboard_clear()
        root.clipboard_append(text)
        display.key("ctrl+v")
        assert pump(root, lambda said=said: said in words(client_of(root)))
    url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
    root.clipboard_clear()
    root.clipboard_append(f" {url}\n")
    display.key("ctrl+v")
    assert pump(root, lambda: client_of(root).movie_name == url)
    other = client_of(root)
    assert pump(root, lambda: bool(other.window.picture.jpeg)), other.error
    other.close()


def test_the_mouse_seeks_on_the_slider(watch, root, display):
    player = watch()
    slider = player.window.controls.bar.slider
    assert pump(root, lambda: player.window.state.seekable)
    pump(root, lambda: False, limit=0.2)
    x = slider.winfo_rootx() + slider.x_of(1.5)
    display.click(x, slider.winfo_rooty() + slider.winfo_height() // 2)
    assert pump(root, lambda: 1.4 <= position(player) < 2.0)
    assert pump(root, lambda: player.window.controller.frame.number > 29)
    number = frame_number_of_jpeg(player.window.picture.jpeg)
    assert number == player.window.controller.frame.number


def test_keys_seek_to_the_beginning_and_the_slider_takes_the_focus(watch, root, display):
    player = watch()
    focus(root, display)
    assert pump(root, lambda: player.window.controller.frame.number > 30)
    display.key("Home")
    assert pump(root, lambda: player.window.controller.frame.number < 20)


def test_the_speed_is_changed_by_keys(watch, root, display):
    player = watch()
    focus(root, display)
    assert pump(root, lambda: player.window.state.seekable)
    display.key("braceleft")
    assert pump(root, lambda: "Scale: 0.5" in _received(player)), _received(player)
    assert pump(root, lambda: player.window.controls.bar.speed.cget("text") == "0.5×")
    display.key("BackSpace")
    assert pump(root, lambda: player.window.controls.bar.speed.cget("text") == "1×")
    display.key("bracketright")
    assert pump(root, lambda: "Scale: 1.100" in _received(player)), _received(player)


def _received(player: Client) -> str:
    messages = player.window.traffic.messages
    return b"".join(message.data for message in messages if not message.sent).decode()


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
    assert shown_number(player, display) == player.window.controller.frame.number
    display.move(300, 300)
    assert pump(root, lambda: player.window.controls.winfo_ismapped())
    display.key("Escape")
    assert pump(root, lambda: (root.winfo_width(), root.winfo_height()) == size)
    assert pump(root, lambda: player.window.controls.winfo_ismapped())
    assert root.winfo_exists()  # Esc never quits


def is_back(player, root, size: tuple[int, int]) -> bool:
    """Tell if a window has this size again, with its controls below the picture, and whole."""
    controls, picture = player.window.controls, player.window.picture
    is_whole = controls.winfo_width() >= controls.narrowest and controls.winfo_ismapped()
    bottom = controls.winfo_y() + controls.winfo_height()
    return (
        (root.winfo_width(), root.winfo_height()) == size
        and is_whole
        and controls.winfo_height() == controls.winfo_reqheight()
        and picture.winfo_height() <= controls.winfo_y()
        and bottom == root.winfo_height()
    )


def test_many_quick_f_lead_back_to_the_same_window(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("i")
    assert pump(root, lambda: player.window.panel.open)
    pump(root, lambda: False, limit=0.3)
    size = root.winfo_width(), root.winfo_height()
    hand = threading.Thread(target=display.key, args=30 * ["f"])
    hand.start()
    pump(root, lambda: not hand.is_alive())
    hand.join()
    assert pump(root, lambda: is_back(player, root, size))
    pump(root, lambda: False, limit=0.3)
    assert is_back(player, root, size)


def test_the_panel_may_be_opened_and_closed_in_full_screen(watch, root, display):
    player = watch()
    focus(root, display)
    without = root.winfo_width(), root.winfo_height()
    for is_open in (True, False):
        display.key("f")
        assert pump(root, lambda: root.winfo_height() == root.winfo_screenheight())
        display.key("i")
        assert pump(root, lambda is_open=is_open: player.window.panel.open is is_open)
        display.key("f")
        if is_open:
            size = without[0] + player.window.panel.width, max(without[1], LOWEST)
        else:
            size = without
        assert pump(root, lambda size=size: is_back(player, root, size))


def test_a_panel_that_is_opened_and_closed_before_a_slow_window_manager_obeys(
    watch, root, display, monkeypatch
):
    player = watch()
    focus(root, display)
    size = root.winfo_width(), root.winfo_height()

    def resize(wanted: str | None = None) -> str:
        return root.wm_geometry() if wanted is None else root.after(300, root.wm_geometry, wanted)

    monkeypatch.setattr(root, "geometry", resize)
    for keys in (["i"] * 4, ["shift+i", "Escape", "shift+i", "i"]):
        display.key(*keys)
        pump(root, lambda: False, limit=1.0)
        assert not player.window.panel.open
        assert is_back(player, root, size)


def test_full_screen_of_a_slow_window_manager(watch, root, display, monkeypatch):
    """It obeys half a second later, to each wish in its turn."""
    player = watch()
    focus(root, display)
    size = root.winfo_width(), root.winfo_height()

    def obey(name: str, wanted: bool) -> None:
        whole = root.winfo_screenwidth(), root.winfo_screenheight()
        width, height = whole if wanted else size
        resize(f"{width}x{height}+0+0")

    def resize(wanted: str | None = None) -> str:
        return root.wm_geometry() if wanted is None else root.after(500, root.wm_geometry, wanted)

    monkeypatch.setattr(root, "attributes", obey)
    monkeypatch.setattr(root, "geometry", resize)
    display.key("f")
    assert pump(root, lambda: root.winfo_height() == root.winfo_screenheight())
    display.key("f", "f", "f")
    pump(root, lambda: False, limit=1.0)
    assert is_back(player, root, size)


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
    diagram = player.window.panel.pages.state.canvas
    assert pump(root, lambda: "lost" in drawn_on(diagram))
    assert any("closed the connection" in text for text in drawn_on(diagram))
    with ServerProcess(small_movie.parent, port=port):
        assert pump(root, lambda: bool(player.window.picture.jpeg), limit=15), words(player)
        assert pump(root, lambda: enabled(player) == ["pause", "teardown"])
        assert words(player) == ""


def test_the_end_is_told_and_play_begins_again(open_player, server, root):
    player = open_player(0, f"rtsp://{HOST}:{server.port}/movie.Mjpeg")
    player.window.play()
    player.window.panel.show("State")
    assert pump(root, lambda: "The end" in words(player)), words(player)
    assert pump(root, lambda: "BYE" in drawn_on(player.window.panel.pages.state.canvas))
    player.start.invoke()
    assert pump(root, lambda: player.window.controller.frame.number < 20)
    assert "The end" not in words(player)


def test_frames_that_can_not_be_decoded_are_told(open_player, root, monkeypatch):
    monkeypatch.setattr(controller, "DAMAGE", 0.3)
    damaged = bytes(4) + bytes([0, 12, 8, 8]) + b"\xff\xd8 no picture \xff\xd9"
    with StandardServer([[damaged]] * 1000, 0.02) as server:
        player = open_player(0, server.url)
        player.window.play()
        assert pump(root, lambda: "not a JPEG" in words(player)), words(player)
        player.close()


def test_l_marks_a_and_b_between_which_the_movie_repeats_and_shift_l_repeats_it_all(
    watch, root, display
):
    player = watch()
    focus(root, display)
    loop, picture = player.window.controller.loop, player.window.picture
    assert pump(root, lambda: player.window.state.seekable and (picture.number or 0) > 25)
    display.key("l")
    assert pump(root, lambda: loop.start is not None)
    first = round(loop.start * 20) + 1
    assert pump(root, lambda: picture.number > first + 12)
    display.key("l")
    assert pump(root, lambda: loop.end is not None)
    last = round(loop.end * 20) + 1
    for _ in range(2):
        assert pump(root, lambda: picture.number > last - 8)
        assert pump(root, lambda: picture.number < last - 8)
        assert picture.number >= first - 1
    display.key("l")
    assert pump(root, lambda: loop.start is None and loop.end is None)
    display.key("shift+l")
    assert pump(root, lambda: loop.whole)
    display.key("End")
    assert pump(root, lambda: picture.number == 500)
    assert pump(root, lambda: picture.number < 100)
    assert "Stalled" not in words(player)
