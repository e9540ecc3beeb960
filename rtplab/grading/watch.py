"""Waits until a file of a submission is saved, for --watch."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

LOOK = 0.3  # seconds between two looks, and for which nothing changes when all has been saved
DEEPEST = 3  # folders below the submission's own
_MADE = (".jpg", ".jpeg", ".png", ".log", ".pyc")
"""Endings of what programs write while they run."""


class Watched:
    """A submission's files as they were last seen: what is saved meanwhile is a change, too."""

    def __init__(self, path: Path, ignored: Sequence[Path], only_python: bool) -> None:
        """`ignored` are files and folders that the grader itself writes."""
        self._path = path
        self._ignored = {path.resolve() for path in ignored}
        self._only_python = only_python
        self._seen = self._look()

    def wait(self, limit: float = math.inf) -> bool:
        """Until something is otherwise than last time, and has stayed so: editors save in steps.

        False if nothing is for so many seconds.
        """
        deadline = time.monotonic() + limit
        now = self._look()
        while now == self._seen:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK)
            now = self._look()
        while True:
            time.sleep(LOOK)
            before, now = now, self._look()
            if now == before:
                break
        self._seen = now
        return True

    def _look(self) -> dict[str, tuple[int, int, int]]:
        seen = {}
        for file in [str(self._path)] if self._path.is_file() else self._files():
            with suppress(OSError):  # an editor may just be replacing it
                status = os.stat(file)
                seen[file] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return seen

    def _files(self) -> Iterator[str]:
        for top, folders, names in os.walk(self._path):
            depth = len(Path(top).relative_to(self._path).parts)
            folders[:] = [
                name for name in folders if depth < DEEPEST and self._is_theirs(top, name)
            ]
            for name in names:
                if self._is_source(name) and self._is_theirs(top, name):
                    yield os.path.join(top, name)

    def _is_source(self, name: str) -> bool:
        return name.endswith(".py") if self._only_python else not name.lower().endswith(_MADE)

    def _is_theirs(self, top: str, name: str) -> bool:
        hidden = name.startswith(".") or name == "__pycache__"
        return not hidden and Path(top, name).resolve() not in self._ignored
