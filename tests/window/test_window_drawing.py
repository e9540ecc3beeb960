"""Shapes on a Canvas."""

from __future__ import annotations

import pytest
from display import pump

from rtplab.player.look.palette import LIGHT
from rtplab.player.look.theme import Theme
from rtplab.player.model.shapes import Line, Polygon, Rectangle, Text, circle
from rtplab.player.panel.drawing import Drawing

pytestmark = pytest.mark.peers


def test_shapes_are_drawn_to_scale_and_found_under_a_click(root):
    import tkinter

    theme = Theme.of(root)
    theme.use(LIGHT)
    theme.zoom_to(2.0)
    canvas = tkinter.Canvas(root, width=400, height=300, highlightthickness=0)
    canvas.pack()
    assert pump(root, lambda: canvas.winfo_width() == 400)
    drawing = Drawing(canvas, theme)
    assert drawing.size == (pytest.approx(200, abs=0.5), pytest.approx(150, abs=0.5))
    drawing.draw(
        [
            Rectangle(0, 0, 100, 100, "raised", key="ground"),
            Line((20, 10, 20, 40), "accent", 2, key="tick"),
            Polygon((50, 50, 60, 50, 60, 60), "bad", key="head"),
            circle(80, 80, 5, None, "warning", key="late"),
            Text(20, 90, "nothing opens here", "text", anchor="nw"),
        ]
    )
    rectangle, line, *_, text = canvas.find_all()
    assert canvas.coords(line) == pytest.approx([40, 20, 40, 80], abs=0.5)
    assert canvas.itemcget(line, "fill") == LIGHT.accent
    assert canvas.itemcget(rectangle, "fill") == LIGHT.raised
    assert canvas.itemcget(text, "text") == "nothing opens here"
    assert canvas["background"] == LIGHT.window
    assert drawing.key_at(40, 50) == "tick"
    assert drawing.key_at(70, 50) == "ground"  # which is exactly there
    assert drawing.key_at(114, 106) == "head" and drawing.key_at(160, 151) == "late"
    assert drawing.key_at(60, 190) == "ground"  # through the text
    assert drawing.key_at(206, 20) == "ground"  # nearly there
    assert drawing.key_at(300, 250) is None
    drawing.draw([Text(0, 0, "other", "text")])
    assert len(canvas.find_all()) == 1 and drawing.key_at(40, 50) is None
