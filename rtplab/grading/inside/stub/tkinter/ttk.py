"""The themed widgets, which look like the others where nothing is seen."""

from __future__ import annotations

from tkinter import Button as Button
from tkinter import Canvas as Canvas
from tkinter import Frame as Frame
from tkinter import Label as Label
from tkinter import Widget
from typing import Any

Entry = Scale = Scrollbar = Progressbar = Combobox = Notebook = Separator = LabelFrame = Frame
Checkbutton = Radiobutton = Treeview = Spinbox = Frame


class Style(Widget):
    """Takes any style, and has none."""

    def lookup(self, *_: Any) -> str:
        return ""

    def theme_names(self) -> tuple[str, ...]:
        return ("default",)
