"""The drawing that says why pictures are missing. Needs no Tk."""

from __future__ import annotations

import textwrap

from rtplab.player.model.framelog import FrameCounts, expected_loss
from rtplab.player.model.shapes import Line, Rectangle, Role, Shape, Text

_MARGIN = 16.0
_ROW = 43.0
_NAMES = 100.0  # width of the names before the bars
_FIGURES = 98.0  # width of the figures behind them
_BAR = 12.0  # height
_CHARACTER = 6.6  # width of one of a small text, on average
_LINE = 17.0  # height of one
FEW_BURSTS = 10  # runs of lost packets needed for a meaningful mean
# How much longer the runs are on average than independent losses make them: then they are bursts.
BURSTY = 1.3


def loss_shapes(counts: FrameCounts, has_bursts: bool, width: float) -> list[Shape]:
    """Draw what became of the frames, and what the loss of packets predicts.

    `has_bursts` tells if losses are made in bursts on purpose.
    """
    shapes: list[Shape] = [
        Text(_MARGIN, 18, "Why is the picture missing?", "text", "bold"),
        Text(_MARGIN, 36, "What became of the frames since the panel was opened or reset", "muted"),
    ]
    if not counts.sent:
        text = "No frame has arrived by RTP so far."
        return [*shapes, Text(_MARGIN, 66, text, "text", "normal")]
    rows: tuple[tuple[str, int, Role, str], ...] = (
        ("Sent", counts.sent, "accent", "by sequence numbers and timestamps"),
        ("Whole", counts.whole, "accent", "all packets came"),
        ("Incomplete", counts.incomplete, "bad", "a packet was lost, or all were"),
        ("Late", counts.late, "warning", "complete, but a later frame was already due"),
        ("Not decoded", counts.undecoded, "bad", "damaged: the JPEG can't be decoded"),
        ("Shown", counts.shown, "good", ""),
    )
    y = 62.0
    for name, count, colour, meaning in rows:
        shapes += _row(name, count, counts.sent, colour, meaning, y, width)
        y += _ROW
    return shapes + _rule(counts, has_bursts, y - 6, width)


def _row(
    name: str, count: int, sent: int, colour: Role, meaning: str, y: float, width: float
) -> list[Shape]:
    left, right = _MARGIN + _NAMES, width - _MARGIN - _FIGURES
    end = left + (right - left) * count / sent
    share = f"{100 * count / sent:.1f} %"
    return [
        Text(_MARGIN, y, name, "text", "normal"),
        Rectangle(left, y - _BAR / 2, right, y + _BAR / 2, "raised", "border"),
        *([Rectangle(left, y - _BAR / 2, end, y + _BAR / 2, colour)] if count else []),
        Text(width - _MARGIN - 58, y, f"{count:,}", "text", "bold", "e"),
        Text(width - _MARGIN, y, share, "muted", "small", "e"),
        Text(left, y + 17, meaning, "muted"),
    ]


def _rule(counts: FrameCounts, has_bursts: bool, y: float, width: float) -> list[Shape]:
    """Next to the measured loss, show the loss that independent losses would cause."""
    loss, packets = counts.lost / counts.packets, counts.packets / counts.sent
    expected, measured = expected_loss(loss, packets), counts.incomplete / counts.sent
    run = counts.lost / counts.bursts if counts.bursts else 0.0
    is_bursty = counts.bursts >= FEW_BURSTS and run > BURSTY / (1 - loss)
    shapes: list[Shape] = [Line((_MARGIN, y, width - _MARGIN, y), "border")]
    given = f"p = {100 * loss:.1f} % of the packets lost, n = {packets:.1f} packets a frame"
    shapes.append(Text(_MARGIN, y + 18, given, "text"))
    shares: tuple[tuple[str, float, Role], ...] = (
        ("1 − (1 − p)ⁿ expected to be lost", expected, "muted"),
        ("measured", measured, "bad"),
    )
    for number, (name, share, colour) in enumerate(shares):
        line = y + 42 + number * 22
        shapes.append(Text(_MARGIN + 52, line, f"{100 * share:.1f} %", "text", "bold", "e"))
        shapes.append(Text(_MARGIN + 60, line, name, "text"))
        left = width - _MARGIN - 90
        shapes.append(Rectangle(left, line - 5, width - _MARGIN, line + 5, "raised", "border"))
        if share:
            end = left + 90 * share
            shapes.append(Rectangle(left, line - 5, end, line + 5, colour))
    if has_bursts or is_bursty:
        mean = f", {run:.1f} packets in a row on average" if run else ""
        sentence = (
            f"Losses come in bursts{mean}. The rule assumes that each loss is independent, so it "
            "does not hold here: a burst hits fewer frames than single losses do."
        )
        shapes += _paragraph(sentence, y + 92, width)
    return shapes


def _paragraph(text: str, y: float, width: float) -> list[Shape]:
    characters = int((width - 2 * _MARGIN) / _CHARACTER)
    lines = textwrap.wrap(text, max(1, characters))  # a page without a size is narrower
    return [Text(_MARGIN, y + number * _LINE, line, "text") for number, line in enumerate(lines)]
