"""Text that has to fit: cut to a width, or broken into lines. Needs no Tk."""

from __future__ import annotations

from typing import Protocol

from rtplab.player.model.shapes import Font


class Lettering(Protocol):
    """Measures text as it will be drawn. Lengths are pixels at 1x."""

    def width(self, text: str, font: Font) -> float:
        """Return how wide a line of text is."""

    def line_height(self, font: Font) -> float:
        """Return the distance from one line to the next."""


def cut(text: str, font: Font, width: float, lettering: Lettering) -> str:
    """Shorten a text to fit into a width; a part in brackets at its end is dropped first."""
    if lettering.width(text, font) > width:
        text = text.partition(" (")[0]
    whole = text
    while text and lettering.width(text, font) > width:
        whole = whole[:-1]
        text = f"{whole.rstrip()}…" if whole else ""
    return text


def broken(text: str, font: Font, width: float, lettering: Lettering) -> str:
    """Break a text into lines between its words; a word that is too long has its own line."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and lettering.width(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)
