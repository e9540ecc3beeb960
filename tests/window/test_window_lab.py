"""The window before a lab server: the four buttons, the picture, and what is said of trouble."""

from __future__ import annotations

import io
import socket
import struct

import pytest
from display import pump
from movies import frames_of
from PIL import Image
from processes import HOST, ServerProcess
from strip import frame_number_of_jpeg
from windows import LAB_BUTTONS, enabled, middle_of, play, set_up, shown_number, words

from Client import Client
from rtplab.player.controls.controlbar import LabRow
from rtplab.player.look.theme import Theme
from rtplab.player.model.status import PlayerState

pytestmark = pytest.mark.peers


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
        assert pump(root, player.is_waiting)
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
    assert player.window.controller.frame.number == number
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
    assert pump(root, lambda: "nothing.Mjpeg" in words(player)), words(player)
    assert pump(root, lambda: enabled(player) == ["setup"])


def test_no_server_is_a_sentence_and_setup_tries_again(open_player, small_movie, root):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    player = open_player(port)
    assert pump(root, lambda: "listening" in words(player)), words(player)
    assert pump(root, lambda: enabled(player) == ["setup"])
    player.setup.invoke()
    assert pump(root, lambda: "listening" in words(player)), words(player)


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
    assert "Connection lost" in words(player)
    assert pump(root, lambda: enabled(player) == ["setup"])


def test_a_lab_server_that_comes_back_is_played_after_setup(small_movie, open_player, root):
    with ServerProcess(small_movie.parent) as first:
        port = first.port
        player = open_player(port)
        play(player, root)
    assert pump(root, lambda: "try again" in words(player)), words(player)
    with ServerProcess(small_movie.parent, port=port):
        play(player, root)
        assert words(player) == ""


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


def test_a_small_picture_of_many_scans_is_decoded_in_the_background(player, root):
    area = player.window.picture
    Image.effect_noise((800, 600), 80).convert("RGB").save(many := io.BytesIO(), "JPEG")
    Image.open(many).save(many := io.BytesIO(), "JPEG", progressive=True)
    player.updateMovie(many.getvalue())
    assert area.jpeg == b""
    assert pump(root, lambda: area.jpeg == many.getvalue())


def test_the_window_stays_as_wide_as_it_is_whatever_the_labels_show(player, root):
    root.update()
    controls = player.window.controls
    width = controls.winfo_reqwidth()
    for number, state in ((None, Client.INIT), (5, Client.PLAYING), (99_999, Client.READY)):
        controls.lab_row.show_number(number)
        controls.lab_row.show(PlayerState(state=state))
        root.update_idletasks()
        assert controls.winfo_reqwidth() == width


def test_of_a_frame_number_too_long_for_its_place_the_last_digits_are_seen(root):
    """It would be another number without them."""
    theme = Theme.of(root)
    row = LabRow(root, theme, lambda command: None)
    row.pack(fill="x")
    root.geometry("1200x100")
    for number in (12_345_678, 12_345_679, 1_234_567_890, 5):
        row.show_number(number)
        root.update()
        first, last = row.number.xview()
        assert last == 1.0 and (first == 0.0) == (number == 5)
    row.show_number(12_345_678)
    for zoom in (2.0, 1.0):
        theme.zoom_to(zoom)
        pump(root, lambda: False, limit=0.2)
        assert row.number.winfo_ismapped() and row.number.xview()[1] == 1.0
