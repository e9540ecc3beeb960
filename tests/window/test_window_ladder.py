"""The ladder of the protocol panel, and what a click on it opens."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from display import pump
from movies import ROOT
from processes import HOST, ServerProcess
from windows import answer, asked, drawn_on, focus, play

from rtplab.player.model.bundles import Fate
from rtplab.player.model.traffic import is_media
from rtplab.receiving.rtp.impairment import Conditions

pytestmark = pytest.mark.peers


def place_of(page, start: str) -> tuple[int, int]:
    """Where on the screen a text stands that begins so."""
    canvas = page.canvas
    for item in canvas.find_all():
        if canvas.type(item) == "text" and canvas.itemcget(item, "text").startswith(start):
            left, top, right, bottom = canvas.bbox(item)
            x, y = (left + right) // 2, (top + bottom) // 2
            return canvas.winfo_rootx() + x, canvas.winfo_rooty() + y
    raise AssertionError(drawn_on(canvas))


@pytest.fixture
def ladder(open_player, root, display):
    """A player with the ladder open from the beginning; loss and late packets come soon."""
    with ServerProcess(ROOT) as server:
        player = open_player(0, f"rtsp://{HOST}:{server.port}/movie.Mjpeg")
        player.impairment.conditions = Conditions(loss=0.1, reorder=0.05)
        focus(root, display)
        display.key("6")
        assert pump(root, lambda: player.window.panel.open)
        player.window.play()
        yield player


def test_the_ladder_follows_stands_still_and_opens_what_is_clicked(ladder, root, display):
    panel = ladder.window.panel
    page, messages, packet = panel.pages.ladder, panel.pages.messages, panel.pages.packet

    def fates() -> set[Fate]:
        bundles = (bundle for row in page.view.rows for bundle in row.bundles)
        return {tick.fate for bundle in bundles for tick in bundle.ticks}

    def open_ladder() -> None:
        display.key("6")
        assert pump(root, lambda: page.winfo_ismapped() and bool(drawn_on(page.canvas)))

    assert pump(
        root,
        lambda: fates() >= {Fate.ARRIVED, Fate.REORDERED, Fate.LOST} and len(page.view.rows) > 18,
    )
    assert page.view.follows and "OPTIONS · CSeq 1" not in drawn_on(page.canvas)
    middle = page.canvas.winfo_rootx() + 200, page.canvas.winfo_rooty() + 200
    display.click(*middle, button=4, times=20)  # the wheel
    assert pump(root, lambda: "OPTIONS · CSeq 1" in drawn_on(page.canvas))
    assert not page.view.follows and not page.tools.follow.instate(["selected"])
    display.click(*place_of(page, "SETUP · CSeq 3"))
    assert pump(root, lambda: messages.winfo_ismapped() and bool(messages.text.bbox("sel.first")))
    assert messages.text.get("sel.first", "sel.last").startswith("→ to the server")
    assert "\nSETUP rtsp://" in messages.text.get("sel.first", "sel.last")
    open_ladder()
    display.click(*place_of(page, "RTCP RR"))
    assert pump(root, lambda: packet.winfo_ismapped() and "RC" in drawn_on(packet.canvas))
    assert any(text.startswith("Receiver report") for text in drawn_on(packet.canvas))
    open_ladder()
    page.canvas.focus_set()
    root.update()
    display.key("End")
    assert pump(root, lambda: page.view.follows and page.tools.follow.instate(["selected"]))
    display.key("Prior")
    assert pump(root, lambda: not page.view.follows)


def test_a_click_on_a_bundle_holds_the_packet(player, root, display):
    """In the lab dialect."""
    player.window.panel.show("Ladder")
    page, packet = player.window.panel.pages.ladder, player.window.panel.pages.packet
    play(player, root)
    assert pump(root, lambda: any("frames · seq" in text for text in drawn_on(page.canvas)))
    page.view.scroll_to(0.0)
    page._draw()
    root.update()
    assert {"SETUP · CSeq 1", "PLAY · CSeq 2"} <= set(drawn_on(page.canvas))
    display.click(*place_of(page, "seq 1" if "seq 1" in drawn_on(page.canvas) else "6 frames"))
    assert pump(root, lambda: packet.winfo_ismapped() and "SSRC" in drawn_on(packet.canvas))
    held = packet._choice.packet
    assert held in [*filter(is_media, player.window.traffic.packets)]
    assert packet.hold.cget("text") == "Follow"


def test_what_is_seen_of_the_ladder_is_saved_as_svg(watch, root, display, tmp_path):
    player = watch()
    player.window.panel.show("Ladder")
    page = player.window.panel.pages.ladder
    assert pump(root, lambda: len(drawn_on(page.canvas)) > 20)
    page.view.scroll_to(0.0)
    page._draw()
    focus(root, display)
    page.tools.save.invoke()
    assert pump(root, lambda: asked(root, "movie-ladder.svg") or asked(root, "Save"))
    path = tmp_path / "ladder.svg"
    answer(root, display, "ctrl+slash", str(path), "Return")
    assert pump(root, path.exists)
    document = ElementTree.parse(path)
    words = {element.text for element in document.iter("{http://www.w3.org/2000/svg}tspan")}
    assert {"OPTIONS · CSeq 1", "Client"} <= words
    messages = {word for word in words if word and "CSeq" in word}
    assert messages and messages <= {*drawn_on(page.canvas)}


def test_rtcp_is_shown_wherever_rtp_is(watch, root, display):
    player = watch()
    player.window.panel.show("Packet")
    page = player.window.panel.pages.packet
    assert pump(root, lambda: "SSRC" in drawn_on(page.canvas))
    page.kinds[1].invoke()
    assert pump(root, lambda: "NTP time, fraction" in drawn_on(page.canvas))
    page.back.invoke()
    assert page.where.cget("text").split()[1] == "of"
    page.kinds[0].invoke()
    assert "SSRC" in drawn_on(page.canvas) and page.hold.cget("text") == "Hold"


def test_a_reply_says_how_long_it_has_taken(watch, root):
    player = watch()
    player.window.panel.show("Messages")
    text = player.window.panel.pages.messages.text
    assert pump(root, lambda: "PLAY rtsp://" in text.get("1.0", "end"))
    lines = text.get("1.0", "end").splitlines()
    replies = [line for line in lines if line.startswith("← from the server")]
    assert replies and all(line.endswith(" ms") and "after " in line for line in replies)
