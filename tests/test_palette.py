"""Contrast of the player's colours, as WCAG 2.2 computes it."""

from __future__ import annotations

import pytest

from rtplab.player.look import palette
from rtplab.player.look.palette import PALETTES, SURROUND, Palette

TEXT, CONTROL = 4.5, 3.0
BACKGROUNDS = ("window", "raised", "menu")


def luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_of_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES)
def test_text_and_controls_are_readable(colours: Palette):
    found = {}
    for name in ("text", "muted", "good", "warning", "bad", "accent"):
        for background in BACKGROUNDS:
            found[name, background] = contrast(getattr(colours, name), getattr(colours, background))
    found["text", "hover"] = contrast(colours.text, colours.hover)
    found["text", "pressed"] = contrast(colours.text, colours.pressed)
    found["on_accent", "accent"] = contrast(colours.on_accent, colours.accent)
    found["muted", "hover"] = contrast(colours.muted, colours.hover)
    for background in ("window", "menu"):
        found["disabled", background] = contrast(colours.disabled, getattr(colours, background))
    assert min(found.values()) >= TEXT, found
    controls: dict[object, float] = {
        name: contrast(getattr(colours, name), colours.window)
        for name in ("border", "trough", "accent")
    }
    for background in BACKGROUNDS:
        controls["border", background] = contrast(colours.border, getattr(colours, background))
    controls["text", "border"] = contrast(colours.text, colours.border)  # the edge with the focus
    controls["accent", "hover"] = contrast(colours.accent, colours.hover)
    assert min(controls.values()) >= CONTROL, controls


def test_words_upon_the_picture_are_readable():
    """Behind them is a plate that lets a part of the picture through, at worst a white one."""
    opacity = min(palette.PLATE_OPACITY, palette.LIST_OPACITY) / 255
    parts = (int(SURROUND[start : start + 2], 16) for start in (1, 3, 5))
    plate = "#" + "".join(f"{round(part * opacity + 255 * (1 - opacity)):02x}" for part in parts)
    for name in ("CAPTION", "CAPTION_MUTED", "CAPTION_BAD", "CAPTION_KEY"):
        for background in (SURROUND, plate):
            assert contrast(getattr(palette, name), background) >= TEXT, (name, background)
