"""A bad network on request: sliders for what happens to packets that arrive."""

from __future__ import annotations

import tkinter as tk
from dataclasses import replace
from functools import partial
from tkinter import ttk
from typing import Any

from rtplab.player.look.theme import Theme
from rtplab.player.model.client import PlayerClient
from rtplab.player.panel.tracks import PRESETS, TRACKS, Preset
from rtplab.player.panel.trackslider import TrackSlider
from rtplab.receiving.rtp.impairment import Conditions

_EXPLANATION = (
    "Applied to the packets that arrive, in this player alone. What happens to the n-th packet is "
    "drawn from the seed, so that everybody with the same seed sees the same."
)

_TEXT_WIDTH = 400  # at 1x


class NetworkPage(ttk.Frame):
    """The sliders; a change takes effect at once."""

    def __init__(self, master: tk.Misc, theme: Theme, client: PlayerClient) -> None:
        super().__init__(master, padding=theme.px(16))
        self._theme = theme
        self._client = client
        px = theme.px
        text = ttk.Label(self, text=_EXPLANATION, style="Muted.TLabel", wraplength=px(_TEXT_WIDTH))
        text.grid(row=0, column=0, columnspan=3, sticky="w", pady=(0, px(10)))
        self._add_presets()
        self._sliders = {
            track.name: TrackSlider(self, theme, row, track, partial(self._moved, track.name))
            for row, track in enumerate(TRACKS, start=2)
        }
        self.scales = {name: slider.scale for name, slider in self._sliders.items()}
        self.values = {name: slider.value for name, slider in self._sliders.items()}
        self._add_seed(len(TRACKS) + 2)
        self.reset = ttk.Button(self, text="Reset", command=self._reset)
        self.reset.grid(row=len(TRACKS) + 3, column=2, sticky="e", pady=(px(10), 0))
        self.columnconfigure(1, weight=1)
        self._show(client.impairment.conditions)
        self._text = text
        self.bind("<<ThemeChanged>>", lambda event: self._dress())

    def _dress(self) -> None:
        self._text.configure(wraplength=self._theme.px(_TEXT_WIDTH))
        self.seed.configure(font=self._theme.font)  # measures its text again: it may have grown

    def _add_presets(self) -> None:
        px = self._theme.px
        row = ttk.Frame(self)
        row.grid(row=1, column=0, columnspan=3, sticky="w", pady=(0, px(8)))
        self.presets: dict[str, ttk.Button] = {}
        for preset in PRESETS:
            button = ttk.Button(row, text=preset.name, style="Small.TButton")
            button.configure(command=partial(self._use, preset))
            button.pack(side="left", padx=(0, px(6)))
            self.presets[preset.name] = button

    def _use(self, preset: Preset) -> None:
        seed = self._client.impairment.conditions.seed
        self._client.impairment.conditions = replace(preset.conditions, seed=seed)
        self._show(self._client.impairment.conditions)

    def _add_seed(self, row: int) -> None:
        px = self._theme.px
        ttk.Label(self, text="Seed").grid(row=row, column=0, sticky="w", pady=px(9))
        self.seed = ttk.Entry(self, width=12, justify="right", font=self._theme.font)
        self.seed.grid(row=row, column=2, sticky="e")
        for event in ("<KeyRelease>", "<FocusOut>"):
            self.seed.bind(event, self._typed)

    def _moved(self, name: str, value: float) -> None:
        """Change one condition, and keep the exact values of the others."""
        changed: dict[str, Any] = {name: value}
        self._apply(replace(self._client.impairment.conditions, **changed))

    def _typed(self, event: tk.Event[tk.Misc]) -> None:
        text = self.seed.get()
        seed = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
        self._apply(replace(self._client.impairment.conditions, seed=seed))

    def _apply(self, conditions: Conditions) -> None:
        if conditions != self._client.impairment.conditions:
            self._client.impairment.conditions = conditions
        for name, slider in self._sliders.items():
            slider.tell(getattr(conditions, name))

    def _reset(self) -> None:
        self._client.impairment.conditions = Conditions()
        self._show(Conditions())

    def _show(self, conditions: Conditions) -> None:
        self.seed.delete(0, "end")
        self.seed.insert(0, str(conditions.seed))
        for name, slider in self._sliders.items():
            slider.show(getattr(conditions, name))

    def refresh(self) -> None:
        """Do nothing: only the user changes this page."""
