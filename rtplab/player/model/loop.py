"""What the player repeats: from A to B, or the whole movie. Needs no Tk."""

from __future__ import annotations

from rtplab.player.model.status import clock


class Loop:
    """The marks A and B, in seconds, and whether the whole movie is repeated."""

    def __init__(self) -> None:
        self.start: float | None = None
        self.end: float | None = None
        self.whole = False

    @property
    def active(self) -> bool:
        """Tell if the end of the movie is not the end."""
        return self.whole or self.start is not None

    def mark(self, position: float) -> str:
        """Set A, then B, then neither; return a sentence that says what was done."""
        if self.start is None:
            self.start = position
            return f"A is {clock(position)}: press l again at B"
        if self.end is None and position > self.start:
            self.end = position
            return f"Repeating from {clock(self.start)} to {clock(position)}"
        self.start = self.end = None
        return "A and B are cleared"

    def toggle_whole(self) -> str:
        """Repeat the whole movie, or stop repeating it; return a sentence that says so."""
        self.whole = not self.whole
        return "The movie is repeated" if self.whole else "The movie is not repeated"

    def target(self, position: float) -> float | None:
        """Where to go on from a position; None: just go on."""
        return self.start if self.end is not None and position >= self.end else None
