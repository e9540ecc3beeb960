"""The movies of one folder: which there are, and which file a client's name means.

Nothing but a movie inside the folder is ever opened. A name is matched part by part against what
the folders really contain, so `..`, absolute paths and NUL bytes simply match nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp import printable
from rtplab.serving.descriptors import are_exhausted

MOVIE_SUFFIXES = (".mjpeg", ".mjpg")
MAX_FOLDERS = 16  # in one name: more is not a path that anyone made
MAX_KNOWN = 1000  # names remembered: beyond that, they are looked for anew
# A name that can't lead anywhere else on any system, nor means a hidden file.
_PLAIN_NAME = re.compile(r"\w[\w.-]*\Z")


class MovieLibrary:
    """The folder whose movies are served."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(os.path.realpath(folder))
        # Files found under exactly that name, and what they were then: to look for one again, part
        # by part and link by link, takes ten times as long. For all threads.
        self._known: dict[str, tuple[Path, _Status]] = {}

    def movies(self) -> list[Path]:
        """Return the movies directly in the folder, by name. Raises OSError."""
        return sorted(
            path
            for path in self.folder.iterdir()
            if _may_be_seen(path.name) and _is_movie(path) and self._is_inside(path)
        )

    def find(self, name: str) -> Path:
        """Return the file that `name` means. Raises MessageError 404 when there is none.

        Raises OSError when there is no descriptor to look for it.
        """
        known = self._known.get(name)
        if known is not None and _status(known[0]) == known[1]:
            return known[0]
        return self._look_for(name)

    def _look_for(self, name: str) -> Path:
        path = self.folder
        parts = [part for part in name.split("/") if part != "."]
        for part in parts[: MAX_FOLDERS + 1]:
            entry = _entry(path, part)
            if entry is None:
                raise _not_found(name)
            path = path / entry
        status = _status(path)  # first: whatever takes its place from now on is looked at anew
        if len(parts) > MAX_FOLDERS or not _is_movie(path) or not self._is_inside(path):
            raise _not_found(name)
        if status is not None and path == self.folder / name:
            self._remember(name, path, status)
        return path

    def _remember(self, name: str, path: Path, status: _Status) -> None:
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[name] = path, status

    def _is_inside(self, path: Path) -> bool:
        """Tell if the file is in the folder when all symbolic links are followed."""
        return Path(os.path.realpath(path)).is_relative_to(self.folder)


# Which file it is (device, number in it), when it has changed last, and how large it is: a name
# that still leads to the very same file needs no second look.
_Status = tuple[int, int, int, int]


def _status(path: Path) -> _Status | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size


def _entry(folder: Path, name: str) -> str | None:
    """Return the folder's entry `name`: exactly, or regardless of case if just one fits."""
    if _PLAIN_NAME.match(name) and os.path.lexists(folder / name):
        return name  # without reading through the folder
    try:
        names = [entry for entry in os.listdir(folder) if _may_be_seen(entry)]
    except OSError as error:
        if are_exhausted(error):
            raise
        return None
    if name in names:
        return name
    fitting = [entry for entry in names if entry.casefold() == name.casefold()]
    return fitting[0] if len(fitting) == 1 else None


def _may_be_seen(name: str) -> bool:
    return not name.startswith(".")


def _is_movie(path: Path) -> bool:
    return path.suffix.lower() in MOVIE_SUFFIXES and path.is_file()


def _not_found(name: str) -> MessageError:
    return MessageError(f"no movie {printable(name, 80)} in the folder that is served", 404)
