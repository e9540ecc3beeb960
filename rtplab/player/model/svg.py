"""Writes a drawing as a standalone SVG file. Needs no Tk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from rtplab.player.model.shapes import Font, Line, Oval, Polygon, Rectangle, Shape, Text

_LINE_HEIGHT = 1.3  # of a font's size
_BASELINE = 0.35  # of a font's size from the middle of a line down to its baseline
_FONTS: dict[Font, tuple[int, str]] = {
    "normal": (13, 'font-family="sans-serif"'),
    "small": (12, 'font-family="sans-serif"'),
    "bold": (13, 'font-family="sans-serif" font-weight="bold"'),
    "fixed": (12, 'font-family="monospace"'),
}


def svg(
    shapes: Sequence[Shape], size: tuple[float, float], colours: Mapping[str, str], title: str
) -> str:
    """Return a drawing of that size, on a ground of the colour `window`, as an SVG document.

    `colours` has a colour as `#rrggbb` for each role.
    """
    width, height = size
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}">',
        f"<title>{_text(title)}</title>",
        f'<rect width="100%" height="100%" fill="{colours["window"]}"/>',
        *(_element(shape, colours) for shape in shapes),
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def _element(shape: Shape, colours: Mapping[str, str]) -> str:
    if isinstance(shape, Line):
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        return (
            f'<polyline points="{_points(shape.points)}" fill="none" '
            f'stroke="{colours[shape.colour]}" stroke-width="{shape.width:g}"{dashes}/>'
        )
    if isinstance(shape, Polygon):
        return f'<polygon points="{_points(shape.points)}" fill="{colours[shape.fill]}"/>'
    if isinstance(shape, Text):
        return _text_element(shape, colours)
    paint = f'fill="{colours[shape.fill]}"' if shape.fill else 'fill="none"'
    if shape.outline:
        paint += f' stroke="{colours[shape.outline]}" stroke-width="{shape.width:g}"'
    width, height = shape.right - shape.left, shape.bottom - shape.top
    if isinstance(shape, Oval):
        x, y = (shape.left + shape.right) / 2, (shape.top + shape.bottom) / 2
        return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{width / 2:g}" ry="{height / 2:g}" {paint}/>'
    assert isinstance(shape, Rectangle)
    place = f'x="{shape.left:g}" y="{shape.top:g}" width="{width:g}" height="{height:g}"'
    return f"<rect {place} {paint}/>"


def _points(points: tuple[float, ...]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in zip(points[::2], points[1::2], strict=True))


def _text_element(shape: Text, colours: Mapping[str, str]) -> str:
    size, style = _FONTS[shape.font]
    lines = shape.text.split("\n")
    step = size * _LINE_HEIGHT
    vertical = shape.anchor[0] if shape.anchor[0] in "ns" else "middle"
    top = {"n": 0.0, "middle": -step * len(lines) / 2, "s": -step * len(lines)}[vertical]
    horizontal = shape.anchor[-1] if shape.anchor in ("ne", "e", "se", "nw", "w", "sw") else "n"
    side = {"w": "start", "n": "middle", "e": "end"}[horizontal]
    first = shape.y + top + step / 2 + size * _BASELINE
    spans = "".join(
        f'<tspan x="{shape.x:g}" y="{first + number * step:g}">{_text(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    colour = quoteattr(colours[shape.colour])
    style += f' xml:space="preserve" font-size="{size}" text-anchor="{side}"'
    return f"<text {style} fill={colour}>{spans}</text>"


def _text(text: str) -> str:
    """Escape a text, and replace what no XML document may hold (XML 1.0 section 2.2)."""
    return escape("".join(c if _is_allowed(c) else "\ufffd" for c in text))


def _is_allowed(character: str) -> bool:
    code = ord(character)
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )
