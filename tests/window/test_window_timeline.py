"""The timeline and the loss page of the panel, by hand."""

from __future__ import annotations

import csv
from xml.etree import ElementTree

import pytest
from display import pump
from windows import answer, asked, drawn_on, focus, middle_of

from rtplab.player.panel.tracks import PRESETS
from rtplab.receiving.rtp.impairment import Conditions

pytestmark = pytest.mark.peers


def test_what_is_lost_is_seen_counted_and_saved(watch, root, display, tmp_path, home):
    player = watch()
    window, panel = player.window, player.window.panel
    focus(root, display)
    display.key("7")
    assert pump(root, lambda: panel.open and panel.pages.timeline.winfo_ismapped())
    page, log = panel.pages.timeline, panel._stream.log
    player.impairment.conditions = Conditions(loss=0.05)
    assert pump(root, lambda: any("missing" in row.status for row in log.table.rows))
    assert pump(root, lambda: "deadline: 100 ms" in " ".join(drawn_on(page.canvas)))
    listed = page.list.tree.get_children()
    newest = page.list.tree.item(listed[-1])["values"]
    assert len(newest) == 7 and newest[0] in {row.sequence_number for row in log.table.rows}

    # The slider moves the deadline, and with it the real playout delay.
    pump(root, lambda: False, limit=0.3)
    scale = page.latency.scale
    left, middle = scale.winfo_rootx(), middle_of(scale)[1]
    display.click(left + scale.winfo_width() // 2, middle)
    assert pump(root, lambda: player.playout.latency > 0.4)
    clicked = player.playout.latency
    display.key("Left")
    assert pump(root, lambda: player.playout.latency == pytest.approx(clicked - 0.01))
    assert player.reception.patience == player.playout.latency
    told = f"deadline: {1000 * player.playout.latency:.0f} ms"
    assert pump(root, lambda: any(told in text for text in drawn_on(page.canvas)))

    # It stands still, and a click on a packet chooses its frame.
    display.click(*middle_of(page.tools.buttons["hold"]))
    assert pump(root, lambda: page.tools.buttons["hold"].cget("text") == "Follow")
    still = drawn_on(page.canvas)
    selection = page.list.tree.selection
    for _ in range(5):  # the last drawing before it stood still may come after the look at it
        display.click(*place_of_tick(page))
        if pump(root, lambda: bool(selection()), limit=1.0):
            break
    assert selection()
    chosen = page._window.focus
    selected = [page.list.tree.index(item) for item in page.list.tree.selection()]
    assert {page.list._rows[index].frame for index in selected} == {chosen}
    assert sorted(drawn_on(page.canvas)) == sorted(still)
    display.click(*middle_of(page.tools.buttons["closer"]))
    assert pump(root, lambda: page.tools.span.cget("text") == "200 ms")

    for button, name in (("picture", "timeline.svg"), ("csv", "packets.csv")):
        display.click(*middle_of(page.tools.buttons[button]))
        assert pump(root, lambda: asked(root, str(home)))
        answer(root, display, "ctrl+slash", str(tmp_path / name), "Return")
        assert pump(root, (tmp_path / name).exists)
    root.update()
    assert len(ElementTree.parse(tmp_path / "timeline.svg").getroot()) > 20
    with (tmp_path / "packets.csv").open(newline="") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert "ok" in statuses and any("missing" in status for status in statuses)

    focus(root, display)
    display.key("8")
    loss = panel.pages.loss
    assert pump(root, lambda: loss.winfo_ismapped() and "measured" in drawn_on(loss.canvas))
    counts = log.frames.counts
    assert 0 < counts.incomplete < counts.sent and counts.shown > 0

    display.key("5")
    network = panel.pages.network
    assert pump(root, network.winfo_ismapped)
    pump(root, lambda: False, limit=0.3)
    display.click(*middle_of(network.presets["Satellite"]))
    satellite = PRESETS[-1].conditions
    assert pump(root, lambda: player.impairment.conditions == satellite)
    assert network.values["burst"].cget("text") == f"{satellite.burst:g} packets"

    display.click(*middle_of(window.picture))
    display.key("i")
    assert pump(root, lambda: not panel.open)
    count = len(log.table.rows)
    pump(root, lambda: False, limit=0.5)
    assert len(log.table.rows) == count  # nothing is computed for a panel that is closed


def place_of_tick(page) -> tuple[int, int]:
    """Where one of the newest packets stands on the screen."""
    canvas = page.canvas
    lines = [item for item in canvas.find_withtag("opens") if canvas.type(item) == "line"]
    # Not the crosses: the packets of a frame that was not shown may be out of sight.
    upright = [item for item in lines if canvas.coords(item)[0] == canvas.coords(item)[2]]
    item = max(upright, key=lambda item: canvas.coords(item)[0])
    left, top, _, bottom = canvas.coords(item)
    return canvas.winfo_rootx() + round(left), canvas.winfo_rooty() + round((top + bottom) / 2)
