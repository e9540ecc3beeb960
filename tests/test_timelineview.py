"""The drawings of the timeline and of the loss, as shapes; and packets as CSV."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest
from test_framelog import LATENCY, captured_later, jpegs, log_of, stream
from wording import lacks

from rtplab.player.look.palette import PALETTES
from rtplab.player.model.framelog import FrameCounts
from rtplab.player.model.lossview import loss_shapes
from rtplab.player.model.shapes import Line, Oval, Rectangle, Text
from rtplab.player.model.streamlog import StreamLog
from rtplab.player.model.svg import svg
from rtplab.player.model.tables import figures_csv, packets_csv
from rtplab.player.model.timelineview import (
    HEIGHT,
    Timeline,
    TimelineWindow,
    timeline_shapes,
)

WIDTH = 480.0
STEP = 0.04  # seconds between two frames
BANDS = ((20, 52), (80, 112), (140, 172))  # top and bottom of each row


def timeline_of(log: StreamLog) -> Timeline:
    return Timeline(log.table.rows, log.frames.frames, log.frames.step)


def drawn(log: StreamLog, now: float, latency: float = LATENCY, **more) -> list:
    window = TimelineWindow(now, 1.0, latency, **more)
    return timeline_shapes(timeline_of(log), window, WIDTH)


def ticks(shapes: list, row: int) -> list[Line]:
    """The ticks of packets in a row, which are upright and inside it."""
    top, bottom = BANDS[row]
    return [
        shape
        for shape in shapes
        if isinstance(shape, Line)
        and shape.key is not None
        and shape.points[0] == shape.points[2]
        and top < shape.points[1] < shape.points[3] < bottom
    ]


def crosses(shapes: list, row: int) -> int:
    top, bottom = BANDS[row]
    slanted = [
        shape
        for shape in shapes
        if isinstance(shape, Line) and shape.colour == "bad" and top < shape.points[1] < bottom
    ]
    return len(slanted) // 2


def words(shapes: list) -> str:
    return " / ".join(shape.text for shape in shapes if isinstance(shape, Text))


def test_three_rows_show_every_packet_and_every_frame():
    log = log_of(stream(10))
    shapes = drawn(log, now=0.5)
    for row in (0, 1):
        assert {tick.key for tick in ticks(shapes, row)} == set(range(10))
    assert len(ticks(shapes, 0)) == 30  # those of one frame stand side by side
    blocks = [s for s in shapes if isinstance(s, Rectangle) and s.key is not None]
    assert [block.key for block in blocks] == list(range(10))
    assert crosses(shapes, 0) == crosses(shapes, 2) == 0
    for word in ("Sent, by RTP timestamp", "Arrived", "Shown", "now", "−0.2 s", "lost", "too late"):
        assert word in words(shapes)


def test_nothing_is_shown_to_the_right_of_now():
    log = log_of(stream(10))
    for frame in log.frames.frames:
        frame.shown_at += LATENCY
    moments = sorted(frame.shown_at for frame in log.frames.frames)
    now = (moments[5] + moments[6]) / 2  # seen again while the timeline stands still
    shapes = drawn(log, now)
    (line,) = (s for s in shapes if isinstance(s, Text) and s.text == "now")
    blocks = [s for s in shapes if isinstance(s, Rectangle) and s.key is not None]
    assert [block.key for block in blocks] == list(range(6))
    assert all((block.left + block.right) / 2 <= line.x for block in blocks)
    assert crosses(shapes, 2) == 0 and not any(
        isinstance(shape, Oval) and shape.key is not None for shape in shapes
    )


def test_frames_differ_by_height_as_well_as_by_colour():
    by_frame = {tick.key: tick for tick in ticks(drawn(log_of(stream(10)), 0.5), 1)}
    for frame in range(9):
        one, other = by_frame[frame], by_frame[frame + 1]
        assert one.colour != other.colour and one.points[1] != other.points[1]


def test_what_is_missing_is_crossed_out_where_it_was_sent_and_where_it_was_to_be_shown():
    packets = stream(10)
    del packets[4 * 3 + 1], packets[6 * 3 + 1]
    shapes = drawn(log_of(packets), now=0.6)
    assert crosses(shapes, 0) == crosses(shapes, 2) == 2


def test_what_is_late_has_a_circle_where_it_arrived():
    packets = stream(20)
    late = captured_later(packets.pop(30), LATENCY + 0.03)
    packets.append(late)
    packets.sort(key=lambda packet: packet.when)
    shapes = drawn(log_of(packets), now=0.9)
    top, bottom = BANDS[1]
    circles = [s for s in shapes if isinstance(s, Oval) and top < s.top < bottom]
    assert [one.outline for one in circles] == ["warning"]


@pytest.mark.parametrize("latency", [0.05, 0.1, 0.3])
def test_the_latency_moves_the_deadline(latency):
    """From where the frame was sent to where it is to be shown, as far apart as the latency."""
    shapes = drawn(log_of(stream(20)), now=0.8, latency=latency, focus=8)
    (line,) = [s for s in shapes if isinstance(s, Line) and s.colour == "warning" and s.width == 2]
    pixels_a_second = WIDTH - 24
    sent, due = line.points[0], line.points[2]
    assert (due - sent) / pixels_a_second == pytest.approx(latency, abs=0.002)
    assert due == line.points[4] and line.points[5] == BANDS[2][1]
    assert f"deadline: {1000 * latency:.0f} ms" in words(shapes)


def test_a_deadline_beyond_what_is_seen_is_drawn_as_far_as_that():
    shapes = drawn(log_of(stream(20)), now=0.8, latency=2.0, focus=18)
    (line,) = [s for s in shapes if isinstance(s, Line) and s.colour == "warning" and s.width == 2]
    assert len(line.points) == 4 and line.points[2] == WIDTH - 12
    assert BANDS[0][1] <= line.points[1] < line.points[3] < BANDS[1][0]
    assert "deadline: 2000 ms" in words(shapes)


def test_timestamps_that_are_no_clock_make_no_deadline():
    log = StreamLog(is_lab=True)
    log.take(jpegs(20, stamps=lambda frame: 0), None)
    shapes = drawn(log, now=1.0, knows_sent=False)
    assert "90 kHz clock" in words(shapes) and "deadline" not in words(shapes)
    assert ticks(shapes, 0) == [] and len(ticks(shapes, 1)) == 17


def test_that_nothing_has_come_is_said():
    """So of a camera whose pictures come by HTTP."""
    shapes = drawn(StreamLog(is_lab=False), now=1.0, knows_sent=False)
    assert "no RTP packet" in words(shapes) and "clock" not in words(shapes)


def test_a_drawing_has_few_shapes_however_many_packets_there_are():
    """As many as pixels, so that it is drawn in time."""
    log = log_of(stream(300, parts=60))
    shapes = drawn(log, now=12.0)
    assert 300 < len(shapes) < 4 * WIDTH
    inside = [s for s in shapes if isinstance(s, Line) and s.key is not None]
    assert all(0 <= x <= WIDTH for line in inside for x in line.points[::2])


def test_the_drawing_is_a_svg_document():
    shapes = drawn(log_of(stream(10)), now=0.5)
    colours = vars(PALETTES["light"])
    root = ElementTree.fromstring(svg(shapes, (WIDTH, HEIGHT), colours, "Timeline"))
    assert len(root) > len(shapes)


# --- Loss ----------------------------------------------------------------------------------------


def test_the_rule_stands_beside_what_was_measured():
    """As at 5 % and 7.4 packets a frame."""
    counts = FrameCounts(1000, 300, 10, 2, 688, packets=7400, lost=370, bursts=352)
    text = words(loss_shapes(counts, False, WIDTH))
    assert "p = 5.0 %" in text and "n = 7.4" in text
    assert "31.6 % / 1 − (1 − p)ⁿ" in text
    assert "30.0 % / measured" in text
    for name, figure in (("Sent", "1,000"), ("Whole", "700"), ("Incomplete", "300")):
        assert f"{name} / {figure}" in text
    assert "Late / 10" in text and "Not decoded / 2" in text and "Shown / 688" in text
    assert "burst" not in text


@pytest.mark.parametrize(("bursts", "has_bursts"), [(90, False), (352, True)])
def test_bursts_are_said_where_they_are_measured_or_made(bursts, has_bursts):
    counts = FrameCounts(1000, 80, 0, 0, 920, packets=7400, lost=370, bursts=bursts)
    text = words(loss_shapes(counts, has_bursts, WIDTH)).replace(" / ", " ")
    assert not lacks(text, "bursts", f"{370 / bursts:.1f} packets")
    assert "does not hold" in text


def test_nothing_is_divided_by_nothing():
    assert "so far" in words(loss_shapes(FrameCounts(), False, WIDTH))
    text = words(loss_shapes(FrameCounts(5, shown=5, packets=35), True, WIDTH))
    assert "0.0 % / measured" in text


@pytest.mark.parametrize("has_bursts", [False, True])
def test_a_page_of_any_width_can_be_drawn(has_bursts):
    """One that is opened for the first time has no width at first."""
    counts = FrameCounts(1000, 80, 0, 0, 920, packets=7400, lost=370, bursts=90)
    log = log_of(stream(10))
    window = TimelineWindow(10 * STEP, 0.5, LATENCY)
    for width in range(int(WIDTH)):
        assert loss_shapes(counts, has_bursts, width)
        assert timeline_shapes(timeline_of(log), window, width)


# --- CSV -----------------------------------------------------------------------------------------


def test_packets_are_a_table():
    packets = stream(3, 2)
    del packets[2]
    table = list(csv.DictReader(io.StringIO(packets_csv(log_of(packets).table.rows))))
    assert [row["sequence_number"] for row in table] == ["0", "1", "3", "4", "5"]
    assert [row["status"] for row in table] == ["ok", "ok", "1 missing", "ok", "ok"]
    assert [row["marker"] for row in table] == ["0", "1", "1", "0", "1"]
    assert table[2]["delta_ms"] == "40.000" and table[2]["time"] == "0.040100"
    assert float(table[1]["skew_ms"]) == -0.1


def test_figures_are_a_table():
    assert figures_csv(("seconds", "loss"), [(0.0, 1.5), (0.5, 2.0)]) == (
        "seconds,loss\r\n0.000,1.500\r\n0.500,2.000\r\n"
    )
