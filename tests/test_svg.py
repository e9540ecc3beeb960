"""Drawings as SVG files."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args
from xml.etree import ElementTree

import pytest

from rtplab.player.look.palette import DARK, LIGHT, PALETTES
from rtplab.player.model.shapes import (
    Font,
    Line,
    Oval,
    Polygon,
    Rectangle,
    Role,
    Text,
    arrow,
    circle,
    cross,
)
from rtplab.player.model.svg import svg

SPACE = "{http://www.w3.org/2000/svg}"


def written(*shapes, palette=DARK, title="Ladder"):
    """The document's root, and its elements by their names; the first `rect` is the ground."""
    root = ElementTree.fromstring(svg(shapes, (200, 100), asdict(palette), title).encode())
    return root, lambda name: list(root.iter(SPACE + name))


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_every_role_is_a_colour_of_both_palettes(palette):
    for role in get_args(Role):
        assert getattr(palette, role).startswith("#")


def test_a_drawing_is_a_document_of_its_size_and_in_the_colours_given():
    for palette in (DARK, LIGHT):
        root, find = written(Line((0, 1, 20, 1), "accent"), palette=palette, title="a < b")
        assert (root.get("width"), root.get("height")) == ("200", "100")
        assert root.get("viewBox") == "0 0 200 100"
        assert find("title")[0].text == "a < b"
        assert find("rect")[0].get("fill") == palette.window
        assert find("polyline")[0].get("stroke") == palette.accent


def test_each_shape_has_its_place():
    _, find = written(
        Line((1, 2, 3.5, 4), "text", 2, dashed=True),
        Rectangle(10, 20, 30, 50, "raised", "border"),
        Oval(10, 20, 30, 60, None, "bad", 2),
        Polygon((0, 0, 4, 0, 4, 4), "good"),
    )
    (line,), (_, box), (oval,), (polygon,) = map(find, ("polyline", "rect", "ellipse", "polygon"))
    assert line.get("points") == "1,2 3.5,4" and line.get("stroke-dasharray")
    assert [box.get(name) for name in ("x", "y", "width", "height")] == ["10", "20", "20", "30"]
    assert (box.get("fill"), box.get("stroke")) == (DARK.raised, DARK.border)
    assert [oval.get(name) for name in ("cx", "cy", "rx", "ry")] == ["20", "40", "10", "20"]
    assert (oval.get("fill"), oval.get("stroke-width")) == ("none", "2")
    assert polygon.get("points") == "0,0 4,0 4,4" and polygon.get("fill") == DARK.good


def test_what_a_peer_has_sent_is_escaped():
    hostile = "</text><script>alert(1)</script>&\x00\x1b\ud800\uffff"
    root, find = written(Text(0, 0, hostile, "text"), title=hostile)
    assert not find("script")
    assert find("tspan")[0].text == "</text><script>alert(1)</script>&" + 4 * "\ufffd"
    assert {child.tag for child in root} == {SPACE + "title", SPACE + "rect", SPACE + "text"}


@pytest.mark.parametrize(
    "anchor, side, above",
    [("nw", "start", 0), ("e", "end", 1), ("n", "middle", 0), ("center", "middle", 1),
     ("se", "end", 2)],
)  # fmt: skip
def test_a_text_stands_where_its_anchor_says(anchor, side, above):
    """`above`: how many halves of the text's height are above its place."""
    _, find = written(Text(100, 50, "one\ntwo", "text", "fixed", anchor))
    (text,), (first, second) = find("text"), find("tspan")
    assert (text.get("text-anchor"), first.get("x")) == (side, "100")
    step = float(second.get("y")) - float(first.get("y"))
    assert 12 < step < 18
    middle = (float(first.get("y")) + float(second.get("y"))) / 2
    assert middle == pytest.approx(50 + step * (1 - above) + 0.35 * 12)


def test_an_arrow_ends_with_its_head_at_its_end():
    line, head = arrow((0, 0), (30, 40), "accent", key="key")
    assert line.points[:2] == (0, 0) and head.points[:2] == (30, 40)
    x, y = line.points[2:]
    assert x / y == pytest.approx(30 / 40) and 0 < x < 30
    assert ((head.points[2] + head.points[4]) / 2, (head.points[3] + head.points[5]) / 2) == (
        pytest.approx(x),
        pytest.approx(y),
    )
    assert {line.key, head.key} == {"key"}


def test_circles_and_crosses_are_around_their_points():
    assert circle(10, 20, 4, "bad")[:4] == (6, 16, 14, 24)
    one, other = cross(10, 20, 4, "bad", key=1)
    assert one.points == (6, 16, 14, 24) and other.points == (6, 24, 14, 16)


def test_spaces_in_a_text_are_kept_whatever_its_font():
    _, find = written(*(Text(0, 0, "48  384 pixels", "text", font) for font in get_args(Font)))
    texts = find("text")
    assert len(texts) == len(get_args(Font))
    for text in texts:
        assert text.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
