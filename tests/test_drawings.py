"""The drawings of the Statistics and the Packet page, and the text in them that has to fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import MOVIE, frames_of

from rtplab.player.model.lettering import broken, cut
from rtplab.player.model.packetview import PacketDrawing
from rtplab.player.model.plotdata import INTERVAL, SPAN, PlotData
from rtplab.player.model.plotview import plot_shapes
from rtplab.player.model.shapes import Line, Rectangle, Shape, Text
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtp.rtpjpeg import packetize
from rtplab.receiving.rtp.statistics import Statistics


class Even:
    """Letters of one size."""

    def width(self, text: str, font: str) -> float:
        return 7.0 * len(text)

    def line_height(self, font: str) -> float:
        return 15.0


def words(shapes: list[Shape]) -> list[str]:
    return [shape.text for shape in shapes if isinstance(shape, Text)]


@given(st.text("ab (", max_size=40), st.integers(0, 300))
def test_a_text_that_is_cut_fits(text: str, width: int) -> None:
    shorter = cut(text, "small", width, Even())
    assert 7 * len(shorter) <= width
    assert shorter == text or 7 * len(text) > width


def test_what_stands_in_brackets_is_dropped_first() -> None:
    assert cut("Loss (RFC 3550 A.3)", "small", 60, Even()) == "Loss"
    assert cut("Playout buffer", "small", 60, Even()) == "Playout…"


@given(st.lists(st.text("ab", min_size=1, max_size=9)), st.integers(1, 200))
def test_a_text_is_broken_between_its_words(parts: list[str], width: int) -> None:
    lines = broken(" ".join(parts), "small", width, Even()).split("\n")
    assert " ".join(lines) == " ".join(parts)
    assert all(7 * len(line) <= width for line in lines if " " in line)


def sampled(seconds: float, step: float = INTERVAL) -> PlotData:
    """A reception of 20 frames a second, and one packet lost a second, looked at every `step`."""
    data, statistics, now = PlotData(), Statistics(), 0.0
    while now < seconds:
        statistics.frames = int(20 * now)
        data.sample(statistics, 0.1, now)
        now += step
    return data


@given(st.floats(1, 2000), st.floats(1, 1500), st.sampled_from([0, 3, 90]))
def test_every_plot_keeps_to_its_box_whatever_the_size(width, height, seconds) -> None:
    parts = plot_shapes(sampled(seconds), width, height, Even())
    boxes = [
        shape
        for shapes in parts.values()
        for shape in shapes
        if isinstance(shape, Rectangle) and shape.right > shape.left
    ]
    for number, box in enumerate(boxes):
        assert 0 <= box.left and box.right <= width and 0 <= box.top and box.bottom <= height
        for other in boxes[:number]:
            assert other.right <= box.left or other.bottom <= box.top


def test_a_plot_has_its_value_its_unit_and_a_minute_to_the_left_of_now() -> None:
    parts = plot_shapes(sampled(30.0), 460, 250, Even())
    frames = parts["frames_per_second"]
    assert words(frames) == ["Frames", "20.0 /s", "30 /s"]
    ground = next(shape for shape in frames if isinstance(shape, Rectangle))
    (line,) = (shape for shape in frames if isinstance(shape, Line))
    wide = ground.right - ground.left
    assert line.points[-2] == pytest.approx(ground.right, abs=2)
    assert line.points[0] == pytest.approx(ground.right - wide * 29 / SPAN, abs=4)
    height = ground.bottom - ground.top
    assert line.points[-1] == pytest.approx(ground.bottom - height * 20 / 30, abs=3)
    assert words(parts["time0"]) == words(parts["time1"]) == ["60 s ago", "now"]


def test_the_top_of_a_plot_is_above_all_that_is_drawn() -> None:
    data, statistics = PlotData(), Statistics()
    for number in range(20):
        statistics.frames = 500 * number
        data.sample(statistics, 0.0, number * INTERVAL)
    frames = plot_shapes(data, 460, 250, Even())["frames_per_second"]
    assert words(frames)[1:] == ["1,000.0 /s", "1,100 /s"]


def test_there_is_no_plot_where_there_is_no_room() -> None:
    assert plot_shapes(sampled(3.0), 460, 40, Even()) == {}
    assert len(plot_shapes(sampled(3.0), 460, 110, Even())) == 4 + 2  # two rows, and their axes


def test_a_packet_is_drawn_bit_by_bit_within_the_width_and_above_the_height() -> None:
    jpeg = next(iter(frames_of(MOVIE)))
    data = pack_header(0, 26, 4711, 90_000, 0x01020304) + packetize(jpeg, 1400)[0]
    drawing = PacketDrawing(460, Even())
    drawing.add_rtp(data, 0.0)
    found = words(drawing.shapes)
    assert {"sequence number", "4,711", "0x01020304   synchronization source"} <= set(found)
    assert "timestamp: 0.000 s into the movie" in " ".join(found)
    assert "JPEG header (RFC 2435 section 3.1)" in found
    number = found.index("sequence number")
    assert "".join(found[number + 1 : number + 17]) == f"{4711:016b}"
    for shape in drawing.shapes:
        if isinstance(shape, Rectangle):
            assert 0 <= shape.left < shape.right <= 460
            assert 0 <= shape.top < shape.bottom <= drawing.height
        if isinstance(shape, Text) and shape.anchor == "nw":
            assert all(shape.x + 7 * len(line) <= 460 for line in shape.text.split("\n"))


def test_reports_and_what_is_no_packet_are_drawn_too() -> None:
    drawing = PacketDrawing(460, Even())
    drawing.add_reports(rtcp.build_compound(rtcp.ReceiverReport(7), "me", rtcp.Bye((7,))))
    assert any(text.startswith("Goodbye") for text in words(drawing.shapes))
    for add in (PacketDrawing.add_reports, lambda one, data: one.add_rtp(data, None)):
        drawing = PacketDrawing(460, Even())
        add(drawing, b"\x80")
        (sentence,) = words(drawing.shapes)
        assert sentence.startswith("Not an RT") and drawing.height > 15
