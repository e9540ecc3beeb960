"""Invalid input that is accepted anyway: reported once, so that nobody takes it for valid.

A parser that forgives gets the Forgiveness of its session, and goes on:

    forgiveness.add("The version in a request", "RTPS/1.0", "RTSP/1.0")

    The version in a request is 'RTPS/1.0'; expected RTSP/1.0.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_FOUND = 80  # characters or bytes of what a peer sent that are shown: a short line


class Forgiveness:
    """The mistakes accepted in one session, each kind once. Any thread may add some."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        """`tell` is called with a sentence about each kind when it first occurs."""
        self._tell = tell
        self._sentences: dict[str, str] = {}

    @property
    def sentences(self) -> list[str]:
        """A sentence about each kind of mistake, in order of appearance."""
        return list(self._sentences.values())

    def add(self, what: str, found: str | bytes | None, right: str) -> None:
        """Note that `what` was `found` (None if it is missing) instead of `right`.

        `what` is one of a fixed set of phrases, which distinguishes the kinds. Anything that a peer
        has sent belongs in `found`, which is escaped and shortened.
        """
        if what in self._sentences:
            return
        sentence = f"{what} is {_shown(found)}; expected {right}."
        if self._sentences.setdefault(what, sentence) is sentence and self._tell is not None:
            self._tell(sentence)


def _shown(found: str | bytes | None) -> str:
    if found is None:
        return "missing"
    dots = "..." if len(found) > MAX_FOUND else ""
    return repr(found[:MAX_FOUND]).removeprefix("b") + dots
