"""The panel that shows the protocol."""

from __future__ import annotations

import random
import re
import time
import webbrowser

import pytest
from display import pump
from movies import frames_of
from PIL import ImageColor
from standard_servers import StandardServer, jpeg_payloads
from windows import drawn_on, focus, play, words

from Client import Client
from rtplab.clock import steady
from rtplab.launcher import client_for
from rtplab.player.model import history
from rtplab.player.model.commands import PAGES
from rtplab.player.model.traffic import is_media
from rtplab.player.panel.messages import MAX_PAGE_CHARACTERS, MAX_PAGE_LINES
from rtplab.player.panel.panel import LOWEST
from rtplab.playoptions import parse_arguments
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.receiving.rtp.impairment import Conditions

pytestmark = pytest.mark.peers


def test_the_panel_shows_the_protocol(watch, root, display):
    player = watch()
    focus(root, display)
    panel = player.window.panel
    width = root.winfo_width()
    assert not player.window.traffic.watching
    display.key("i")
    assert pump(root, lambda: panel.open and root.winfo_width() > width)
    assert pump(root, lambda: "PLAY rtsp://" in panel.pages.messages.text.get("1.0", "end"))
    text = panel.pages.messages.text.get("1.0", "end")
    assert "RFC 2326 §10.5" in text and " CR " not in text
    panel.pages.messages.line_ends.invoke()
    assert "CSeq: 1  CR   LF \n" in panel.pages.messages.text.get("1.0", "end")
    for key, page in (
        ("2", panel.pages.state),
        ("3", panel.pages.packet),
        ("4", panel.pages.statistics),
    ):
        display.key(key)
        assert pump(root, lambda page=page: bool(page.winfo_ismapped() and page.canvas.find_all()))
        pump(root, lambda: False, limit=0.3)
    assert panel.pages.statistics.values["Lost"].cget("text") == "0 (0.0 %)"
    drawn = drawn_on(panel.pages.packet.canvas)
    assert {"sequence number", "timestamp", "SSRC", "fragment offset"} <= set(drawn)
    display.key("4")
    assert pump(root, lambda: panel.pages.statistics.winfo_ismapped())
    plots = drawn_on(panel.pages.statistics.canvas)
    assert {"Out of order", "Late packets", "Duplicates", "Loss (RFC 3550 A.3)"} <= set(plots)
    display.key("i")
    assert pump(root, lambda: not panel.open and root.winfo_width() == width)
    assert not player.window.traffic.watching


def test_the_movie_goes_on_if_a_page_is_refreshed_before_it_has_a_size(watch, root):
    """Also if losses come in bursts, of which Loss has more to tell."""
    player = watch()
    player.impairment.conditions = Conditions(loss=0.05, burst=4)
    picture, panel = player.window.picture, player.window.panel
    panel.toggle()
    assert pump(root, lambda: panel.pages.loss._log.frames.counts.sent > 5)
    for page in PAGES:
        panel.show(page)
        panel.tick(steady())
        number = picture.number
        assert pump(root, lambda number=number: picture.number > number), page


def test_the_panel_s_edge_is_dragged_and_its_width_remembered(player, root, display, home):
    window = player.window
    focus(root, display)
    display.key("2")
    assert pump(root, lambda: window.panel.open and window.panel.pages.state.winfo_ismapped())
    width, whole = window.panel.width, root.winfo_width()
    without = whole - width
    sash = window.panel.pages.state.master.master.winfo_children()[0]
    assert str(sash.cget("cursor")) == "sb_h_double_arrow"
    x, y = sash.winfo_rootx() + 2, sash.winfo_rooty() + 200
    display.drag((x, y), (x - 60, y))
    assert pump(root, lambda: window.panel.width == width + 60)
    assert pump(root, lambda: window.picture.winfo_width() == whole - width - 60)
    assert root.winfo_width() == whole
    sash.focus_set()
    display.key("Left")
    assert pump(root, lambda: window.panel.width == width + 80)
    assert history.load().panel_width == width + 80
    for key in ("Right",) * 6:
        display.key(key)
    assert pump(root, lambda: window.panel.width == width), "no page is ever cut off"
    x = sash.winfo_rootx() + 2
    display.drag((x, y), (x - 500, y))  # the controls need the whole width now
    assert pump(root, lambda: window.controls.winfo_width() == root.winfo_width())
    px = window.theme.px
    assert pump(root, lambda: window.panel.notebook.winfo_height() >= px(LOWEST))
    display.key("i")
    assert pump(root, lambda: root.winfo_width() == without and not window.panel.open)


@pytest.mark.parametrize("colours", ["dark", "light"])
def test_the_selected_tab_is_underlined(player, root, display, colours):
    if colours == "light":
        player.window.actions["colours"]()
    panel = player.window.panel
    panel.show("Ladder")
    pump(root, lambda: False, limit=0.3)
    notebook, accent = panel.notebook, ImageColor.getrgb(player.window.theme.palette.accent)
    left, top = notebook.winfo_rootx(), notebook.winfo_rooty()
    tabs = left, top, left + notebook.winfo_width(), panel.pages.ladder.winfo_rooty()
    lit = display.screenshot().crop(tabs)
    places = [
        (x, y)
        for y in range(lit.height)
        for x in range(lit.width)
        if lit.getpixel((x, y)) == accent
    ]
    assert len(places) > 2 * 30
    found = {notebook.tk.call(notebook, "identify", "tab", x, y) for x, y in places}
    assert found == {PAGES.index("Ladder")}


def test_the_panel_takes_the_whole_window_and_gives_it_back(player, root, display):
    window = player.window
    focus(root, display)
    width = root.winfo_width()
    display.key("shift+i")
    assert pump(
        root,
        lambda: window.panel.open and window.panel.notebook.winfo_width() == root.winfo_width(),
    )
    assert not window.picture.winfo_ismapped() and window.controls.winfo_ismapped()
    px = window.theme.px
    assert pump(root, lambda: window.panel.notebook.winfo_height() >= px(LOWEST)), "nothing is cut"
    display.key("2")
    assert pump(root, lambda: bool(window.panel.pages.state.winfo_ismapped()))
    display.key("Escape")
    assert pump(root, lambda: bool(window.picture.winfo_ismapped()))
    assert window.panel.open and window.panel.notebook.winfo_width() < root.winfo_width()
    display.key("shift+i")
    assert pump(root, lambda: not window.picture.winfo_ismapped())
    display.key("i")
    assert pump(root, lambda: root.winfo_width() == width and window.picture.winfo_ismapped())
    assert not window.panel.open


@pytest.mark.parametrize("body", [b"a=tool:x\r\n", b"\n", b"\x00", b"x" * 500 + b"\n"])
def test_many_large_messages_do_not_stop_the_picture(player, root, body):
    traffic, panel = player.window.traffic, player.window.panel
    text = (32 * 1024 // len(body)) * body
    began = time.process_time()
    for number in range(500):
        traffic.message_received(b"RTSP/1.0 200 OK\r\nX-Number: %d\r\n\r\n%s" % (number, text), 1.0)
    panel.show("Messages")
    panel.tick(time.monotonic() + 1)
    root.update()
    assert time.process_time() - began < 2.0
    shown = panel.pages.messages.text.get("1.0", "end")
    assert "X-Number: 499\n" in shown and "X-Number: 3\n" not in shown
    assert len(shown) <= MAX_PAGE_CHARACTERS + 1


def test_pages_without_anything_to_show_say_what_to_do(player, root):
    panel = player.window.panel
    panel.show("Messages")
    text = panel.pages.messages.text
    assert pump(root, lambda: "press Setup" in text.get("1.0", "end"))
    panel.pages.messages.line_ends.invoke()
    assert "press Setup" in text.get("1.0", "end") and text.cget("state") == "disabled"
    panel.show("Ladder")
    assert pump(
        root, lambda: any("press Setup" in it for it in drawn_on(panel.pages.ladder.canvas))
    )
    play(player, root)
    assert pump(
        root, lambda: not any("press Setup" in it for it in drawn_on(panel.pages.ladder.canvas))
    )
    panel.show("Messages")
    assert pump(root, lambda: "SETUP movie.Mjpeg" in text.get("1.0", "end"))
    assert "press Setup" not in text.get("1.0", "end")


def test_a_field_is_as_wide_as_its_text_after_the_text_has_been_enlarged(player, root, display):
    player.window.panel.show("Network")
    seed, font = player.window.panel.pages.network.seed, player.window.theme.font
    assert pump(root, lambda: seed.winfo_ismapped())
    before = font.measure("1")
    focus(root, display)
    display.key("ctrl+equal", "ctrl+equal", "ctrl+equal")
    assert pump(root, lambda: font.measure("1") > before)
    assert pump(root, lambda: seed.bbox(0)[2] == font.measure("1"))


def test_the_long_arrow_reaches_its_states_however_wide_the_panel_is(player, root):
    player.window.panel.show("State")
    canvas = player.window.panel.pages.state.canvas
    player.window.layout.toggle_panel_alone()
    for width in (700, 1500):
        root.geometry(f"{width}x700")
        assert pump(root, lambda w=width: canvas.winfo_width() > w - 20)
        pump(root, lambda: False, limit=0.4)
        box = max(
            canvas.coords(it)[2] for it in canvas.find_all() if canvas.type(it) == "rectangle"
        )
        arrows = [canvas.coords(it) for it in canvas.find_all() if canvas.type(it) == "line"]
        long = max(arrows, key=len)
        assert 0 < long[0] - box < 20 and 0 < long[-2] - box < 20


def test_the_packet_page_scrolls_only_if_there_is_more(watch, root):
    player = watch()
    player.window.panel.show("Packet")
    canvas = player.window.panel.pages.packet.canvas
    assert pump(root, lambda: "SSRC" in drawn_on(canvas))
    root.geometry("1062x900")
    assert pump(root, lambda: root.winfo_height() == 900 and canvas.yview() == (0.0, 1.0))


def test_the_messages_page_shows_what_was_forgiven_where_it_happened(player, root):
    traffic, panel = player.window.traffic, player.window.panel
    panel.show("Messages")
    root.update()
    traffic.message_received(b"RTSP/1.0 200 OK\r\nX-Number: 1\r\n\r\n", 1.0)
    traffic.forgave("The version is 'RTPS/1.0'; expected RTSP/1.0.", 2.0)
    traffic.message_received(b"RTSP/1.0 200 OK\r\nX-Number: 2\r\n\r\n", 3.0)
    panel.tick(time.monotonic() + 1)
    shown = panel.pages.messages.text.get("1.0", "end")
    assert re.search(
        r"X-Number: 1\n(.*\n)*Forgiven .*\n.*'RTPS/1.0'.*\n(.*\n)*X-Number: 2\n", shown
    )


def test_the_messages_page_forgets_its_oldest(player, root):
    traffic, panel = player.window.traffic, player.window.panel
    panel.show("Messages")
    root.update()
    for number in range(1200):
        traffic.message_received(b"RTSP/1.0 200 OK\r\nX-Number: %d\r\n\r\n" % number, 1.0)
        if number % 100 == 99:
            panel.tick(time.monotonic() + number)
    shown = panel.pages.messages.text.get("1.0", "end")
    numbers = [int(found) for found in re.findall("X-Number: ([0-9]+)", shown)]
    assert numbers == list(range(numbers[0], 1200))
    assert numbers[0] > 0 and len(numbers) > 300
    assert shown.startswith("← from the server")
    assert shown.count("\n") <= MAX_PAGE_LINES + 1


def test_a_packet_is_held_and_others_are_stepped_to(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("3")
    packet = player.window.panel
    assert pump(root, lambda: packet.open and "SSRC" in drawn_on(packet.pages.packet.canvas))
    page = packet.pages.packet
    assert pump(root, lambda: len(player.window.traffic.packets) > 20)
    page.hold.invoke()
    pump(root, lambda: False, limit=0.5)  # until the window has grown by the panel
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
    network = player.window.panel.pages.network
    assert pump(root, lambda: network.winfo_ismapped())
    network.scales["loss"].set(5)
    assert player.impairment.conditions.loss == 0.05
    assert pump(root, lambda: player.reception.statistics.lost > 3)
    assert pump(root, lambda: player.ended or player.window.controller.frame.number > 30)
    network.reset.invoke()
    assert player.impairment.conditions.harmless


def test_a_slider_moves_by_steps_and_changes_nothing_but_its_own(watch, root, display):
    player = watch()
    player.impairment.conditions = Conditions(loss=0.015, delay=0.0305)
    focus(root, display)
    display.key("5")
    assert pump(root, lambda: player.window.panel.open)
    network = player.window.panel.pages.network
    assert pump(root, lambda: network.winfo_ismapped())
    assert network.values["loss"].cget("text") == "1.5 %"
    pump(root, lambda: False, limit=0.2)
    scale = network.scales["rate"]
    display.click(scale.winfo_rootx() + 12, scale.winfo_rooty() + scale.winfo_height() // 2)
    assert pump(root, lambda: 0 < player.impairment.conditions.rate < 4e5)
    display.key("Right")
    assert pump(root, lambda: player.impairment.conditions.rate > 1e5)
    for _ in range(8):
        display.key("Prior")
        root.update()
    assert pump(root, lambda: player.impairment.conditions.rate == 0)
    assert network.values["rate"].cget("text") == "no limit"
    assert player.impairment.conditions == Conditions(loss=0.015, delay=0.0305)


def test_totals_fit_however_large_they_are(watch, root, display):
    player = watch()
    statistics = player.reception.statistics
    statistics.bytes, statistics.packets = 99_999_999, 10**14
    statistics._expected_before_restart = 123_456_789
    player.window.panel.show("Statistics")
    values = player.window.panel.pages.statistics.values
    assert pump(root, lambda: "Lost" in values and values["Lost"].winfo_ismapped())
    pump(root, lambda: False, limit=0.3)
    for name, value in values.items():
        assert value.winfo_width() >= value.winfo_reqwidth(), name


def test_totals_are_reset_and_what_the_server_is_told_is_not(watch, root):
    player = watch()
    player.window.panel.show("Statistics")
    page, statistics = player.window.panel.pages.statistics, player.reception.statistics
    assert pump(root, lambda: "Packets" in page.values and statistics.packets > 100)
    page.reset.invoke()
    shown = int(page.values["Packets"].cget("text").replace(",", ""))
    assert shown < 50 < 100 < statistics.packets
    assert pump(root, lambda: page.values["Packets"].cget("text") not in ("0", str(shown)))
    drawn = drawn_on(page.canvas)
    assert {"60 s ago", "now", "30 /s"} <= set(drawn)


def test_the_packet_page_says_what_the_fields_mean(watch, root):
    player = watch()
    player.window.panel.show("Packet")
    page = player.window.panel.pages.packet
    assert pump(root, lambda: "SSRC" in drawn_on(page.canvas))
    drawn = " ".join(drawn_on(page.canvas))
    packet = parse_packet(player.window.traffic.newest(is_media).data)
    assert f"0x{packet.ssrc:08X}" in drawn
    assert "P: no padding" in drawn and "s into the movie" in drawn
    place = float(re.search(r"([0-9.]+) s into the movie", drawn)[1])
    assert abs(place - player.window.controller.position) < 0.5


def test_messages_are_copied_all_or_what_is_selected(watch, root):
    player = watch()
    player.window.panel.show("Messages")
    page = player.window.panel.pages.messages
    assert pump(root, lambda: "PLAY rtsp://" in page.text.get("1.0", "end"))
    page.copy.invoke()
    copied = root.clipboard_get()
    assert copied.startswith("OPTIONS rtsp://") and "\nRTSP/1.0 200 OK\nCSeq: 1\n" in copied
    assert "→" not in copied and "RFC" not in copied
    page.text.tag_add("sel", "2.0", "2.7")
    page.copy.invoke()
    assert root.clipboard_get() == "OPTIONS"


def test_a_message_is_selected_by_its_heading(watch, root, display):
    player = watch()
    player.window.panel.show("Messages")
    text = player.window.panel.pages.messages.text
    assert pump(root, lambda: "PLAY rtsp://" in text.get("1.0", "end"))
    text.see("1.0")
    root.update()
    x, y, _, height = text.bbox("1.4")
    display.click(text.winfo_rootx() + x, text.winfo_rooty() + y + height // 2, times=2)
    assert pump(root, lambda: bool(text.tag_ranges("sel")))
    player.window.panel.pages.messages.copy.invoke()
    copied = root.clipboard_get()
    assert copied.startswith("OPTIONS rtsp://") and "User-Agent" in copied
    assert "RTSP/1.0 200" not in copied and "→" not in copied


# --- Links to the RFCs ---------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch):
    """What the browser was asked for."""
    urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: urls.append(url) or True)
    return urls


def test_a_section_that_is_cited_in_a_text_is_opened_by_a_click(watch, root, display, opened):
    player = watch()
    player.window.panel.show("Messages")
    text = player.window.panel.pages.messages.text
    assert pump(root, lambda: "PLAY rtsp://" in text.get("1.0", "end"))
    place = text.search("RFC 2326 §12.17", "1.0")
    text.see(place)
    root.update()
    x, y, width, height = text.bbox(f"{place} +2c")
    at = text.winfo_rootx() + x + width // 2, text.winfo_rooty() + y + height // 2
    display.move(*at)
    assert pump(root, lambda: str(text.cget("cursor")) == "hand2")
    display.click(*at)
    assert pump(root, lambda: bool(opened))
    display.move(at[0] - 60, at[1])
    assert pump(root, lambda: str(text.cget("cursor")) == "arrow")
    assert opened == ["https://www.rfc-editor.org/rfc/rfc2326.html#section-12.17"]


def test_a_section_that_is_cited_in_a_drawing_is_opened_by_a_click(watch, root, display, opened):
    player = watch()
    player.window.panel.show("Statistics")
    canvas = player.window.panel.pages.statistics.canvas
    assert pump(root, lambda: "Loss (RFC 3550 A.3)" in drawn_on(canvas))
    (item,) = (
        item
        for item in canvas.find_all()
        if canvas.type(item) == "text" and "A.3" in canvas.itemcget(item, "text")
    )
    left, top, right, bottom = canvas.bbox(item)
    x, y = canvas.winfo_rootx() + right - 15, canvas.winfo_rooty() + (top + bottom) // 2
    display.click(x, y)
    assert pump(root, lambda: bool(opened))
    assert opened == ["https://www.rfc-editor.org/rfc/rfc3550.html#appendix-A.3"]


def test_a_cited_section_is_chosen_by_keys_alone(watch, root, display, opened):
    player = watch()
    focus(root, display)
    display.key("shift+r")
    assert pump(root, lambda: "No RFC" in words(player))
    display.key("4")
    statistics = player.window.panel
    assert pump(root, lambda: statistics.open and statistics.pages.statistics.winfo_ismapped())
    pump(root, lambda: False, limit=0.3)
    display.key("shift+r")
    pump(root, lambda: False, limit=0.3)
    display.key("Down", "Down", "Return")
    assert pump(root, lambda: bool(opened))
    assert opened[0].startswith("https://www.rfc-editor.org/rfc/rfc3550.html#appendix-A.")


def test_selected_text_is_legible_whatever_its_colour(watch, root):
    player = watch()
    player.window.panel.show("Messages")
    text = player.window.panel.pages.messages.text
    assert text.tag_names()[-1] == "sel"
    palette = player.window.theme.palette
    assert text.tag_cget("sel", "foreground") == palette.on_accent


@pytest.fixture
def impaired(root, small_movie):
    """A player that was started with --impair, before a server that leaves no packet out."""
    pictures = [jpeg_payloads(jpeg) for jpeg in frames_of(small_movie)]
    with StandardServer(pictures * 5, interval=0.002) as server:
        arguments = [server.url, "--transport", "tcp", "--impair", "loss=5%,seed=1"]
        options = parse_arguments(arguments, "ClientLauncher.py")
        player = client_for(options, root, Client)
        root.geometry("+0+0")
        player.window.play()
        assert pump(root, lambda: bool(player.window.picture.jpeg)), player.error
        yield player
        player.close()


def test_loss_that_the_command_line_asks_for_is_on_its_slider_and_is_measured(
    impaired, root, display
):
    focus(root, display)
    display.key("5")
    panel, statistics = impaired.window.panel, impaired.reception.statistics
    assert pump(root, lambda: panel.open and panel.pages.network.winfo_ismapped())
    assert panel.pages.network.values["loss"].cget("text") == "5 %"
    assert panel.pages.network.scales["loss"].get() == 5
    assert panel.pages.network.seed.get() == "1"
    assert pump(root, lambda: impaired.ended), impaired.error
    sent = statistics.packets + impaired.impairment.lost
    assert sent > 1200
    fates = [random.Random((1 << 32) + number).random() for number in range(1, sent + 1)]
    came = [number for number, fate in enumerate(fates) if fate >= 0.05]
    assert statistics.packets == len(came)
    assert statistics.lost == came[-1] - came[0] + 1 - len(came)
    assert statistics.loss_rate == pytest.approx(0.05, abs=0.01)
    display.key("4")
    assert pump(root, lambda: "Lost" in panel.pages.statistics.values)
    shown = f"{statistics.lost:,} ({100 * statistics.loss_rate:.1f} %)"
    assert pump(root, lambda: panel.pages.statistics.values["Lost"].cget("text") == shown), shown
