"""Fonts, of which nothing is seen."""

from __future__ import annotations

from typing import Any


class Font:
    """Takes anything."""

    def __init__(self, *_: Any, **options: Any) -> None:
        self.options = options

    def measure(self, text: str) -> int:
        return 8 * len(text)

    def metrics(self, *_: Any) -> int:
        return 16


nametofont = Font
