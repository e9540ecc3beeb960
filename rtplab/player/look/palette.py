"""The colours of the player, light and dark. The picture's surround is dark in both.

All text has a contrast of at least 4.5:1, and what marks a control 3:1, also on a projector (WCAG
2.2, 1.4.3 and 1.4.11): tests/test_palette.py computes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """One set of colours, each `#rrggbb`."""

    name: str
    window: str  # behind the controls
    raised: str  # buttons and fields
    hover: str
    pressed: str
    menu: str  # behind menus
    border: str
    text: str
    muted: str  # text of less weight
    disabled: str  # text of what can't be used now
    accent: str  # what is lit, chosen or focused
    on_accent: str  # text on the accent
    trough: str  # the part of a slider that is not filled
    good: str
    warning: str
    bad: str


DARK = Palette(
    name="dark",
    window="#1f2125",
    raised="#32353b",
    hover="#3a3e46",
    pressed="#292c31",
    menu="#26282d",
    border="#7d828c",
    text="#e9ebee",
    muted="#b4bac4",
    disabled="#8e949e",
    accent="#5aa7ff",
    on_accent="#0a1a2e",
    trough="#6f747e",
    good="#56c271",
    warning="#f0b849",
    bad="#ff7b72",
)

LIGHT = Palette(
    name="light",
    window="#f3f4f6",
    raised="#ffffff",
    hover="#e9edf2",
    pressed="#dde3ea",
    menu="#eff1f4",
    border="#838b97",
    text="#1d2127",
    muted="#4a5461",
    disabled="#666e7a",
    accent="#125ec4",
    on_accent="#ffffff",
    trough="#868e9a",
    good="#15692d",
    warning="#855800",
    bad="#b71c1c",
)

PALETTES = {palette.name: palette for palette in (DARK, LIGHT)}

# Around and upon the picture, whatever the palette: nothing may compete with it.
SURROUND = "#0b0c0e"
CAPTION = "#f4f5f7"
CAPTION_MUTED = "#b9bec7"
CAPTION_BAD = "#ff9a92"
CAPTION_KEY = "#8ec5ff"
# Of 255, of the plate of SURROUND behind words: they must be legible on any picture.
PLATE_OPACITY = 205
LIST_OPACITY = 225  # where there are many
