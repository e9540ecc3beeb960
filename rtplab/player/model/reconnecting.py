"""When to try again after a lost connection. Needs no Tk and no clock."""

from __future__ import annotations

# Seconds before each attempt; the last is repeated. So attempts are made 1, 2, 4 and 8 s after the
# loss and every 4 s from then on: a server that comes back is found within 5 s.
DELAYS = (1.0, 1.0, 2.0, 4.0)


class Backoff:
    """Attempts with longer and longer pauses between them."""

    def __init__(self) -> None:
        self.attempt = 0  # from 1; 0: nothing is to be tried
        self._due = 0.0

    @property
    def active(self) -> bool:
        return self.attempt > 0

    def failed(self, now: float) -> None:
        """The connection was lost, or an attempt has failed: another is due later."""
        self._due = now + DELAYS[min(self.attempt, len(DELAYS) - 1)]
        self.attempt += 1

    def succeeded(self) -> None:
        """There is a session again."""
        self.attempt = 0

    def remaining(self, now: float) -> float:
        """Seconds until the attempt is due."""
        return max(0.0, self._due - now)
