"""Dialogs for files, in which nobody chooses one."""

from __future__ import annotations

from typing import Any


def askopenfilename(*_: Any, **__: Any) -> str:
    return ""


asksaveasfilename = askdirectory = askopenfilename
