"""A bad network at the viewer's wish: sliders for what happens to packets that arrive."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.receiving.rtp.impairment import Conditions

# Name, label, largest value on the slider, unit, and how many of the unit are 1 in Conditions.
_SLIDERS = (
    ("loss", "Loss", 50, "%", 100),
    ("delay", "Delay", 500, "ms", 1000),
    ("jitter", "Jitter", 200, "ms", 1000),
    ("reorder", "Reordering", 50, "%", 100),
    ("duplicate", "Duplicates", 50, "%", 100),
    ("rate", "Rate limit", 5000, "kbit/s", 0.001),
)
_EXPLANATION = (
    "Applied to the packets that arrive, in this player alone. What happens to the n-th packet is "
    "drawn from the seed, so that everybody with the same seed sees the same."
)


class NetworkPage(ttk.Frame):
    """The sliders; what they say goes to the client at once."""

    def __init__(self, master: tk.Misc, theme: Theme, client: PlayerClient) -> None:
        super().__init__(master, padding=theme.px(16))
        self._theme = theme
        self._client = client
        px = theme.px
        text = ttk.Label(self, text=_EXPLANATION, style="Muted.TLabel", wraplength=px(400))
        text.grid(row=0, column=0, columnspan=3, sticky="w", pady=(0, px(14)))
        self.scales: dict[str, ttk.Scale] = {}
        self.values: dict[str, ttk.Label] = {}
        for row, (name, label, largest, _, _) in enumerate(_SLIDERS, start=1):
            self._add_slider(row, name, label, largest)
        self._add_seed(len(_SLIDERS) + 1)
        self.reset = ttk.Button(self, text="Reset", command=self._reset)
        self.reset.grid(row=len(_SLIDERS) + 2, column=2, sticky="e", pady=(px(18), 0))
        self.columnconfigure(1, weight=1)
        self._show(client.impairment.conditions)

    def _add_slider(self, row: int, name: str, label: str, largest: float) -> None:
        px = self._theme.px
        ttk.Label(self, text=label).grid(row=row, column=0, sticky="w")
        scale = ttk.Scale(self, from_=0, to=largest, command=lambda value: self._changed())
        scale.grid(row=row, column=1, sticky="ew", padx=px(12), pady=px(9))
        value = ttk.Label(self, width=11, anchor="e")
        value.grid(row=row, column=2, sticky="e")
        self.scales[name], self.values[name] = scale, value

    def _add_seed(self, row: int) -> None:
        px = self._theme.px
        ttk.Label(self, text="Seed").grid(row=row, column=0, sticky="w", pady=px(9))
        self.seed = ttk.Entry(self, width=12, justify="right", font=self._theme.font)
        self.seed.grid(row=row, column=2, sticky="e")
        for event in ("<KeyRelease>", "<FocusOut>"):
            self.seed.bind(event, lambda event: self._changed())

    def _conditions(self) -> Conditions:
        values = {name: round(self.scales[name].get()) / per for name, _, _, _, per in _SLIDERS}
        text = self.seed.get()
        seed = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
        return Conditions(**values, seed=seed)

    def _changed(self) -> None:
        self._client.impairment.conditions = self._conditions()
        self._write_values()

    def _reset(self) -> None:
        self._show(Conditions())
        self._changed()

    def _show(self, conditions: Conditions) -> None:
        self.seed.delete(0, "end")
        self.seed.insert(0, str(conditions.seed))
        for name, _, _, _, per in _SLIDERS:
            # Not `configure`: to set a value is no wish of the user's.
            self.scales[name].configure(value=getattr(conditions, name) * per)
        self._write_values()

    def _write_values(self) -> None:
        for name, _, _, unit, _ in _SLIDERS:
            value = round(self.scales[name].get())
            text = "no limit" if name == "rate" and not value else f"{value} {unit}"
            self.values[name].configure(text=text)

    def refresh(self) -> None:
        """Nothing changes here but by the user."""
