"""The movies of one folder: a list of them, and the file that a client's name means.

Nothing but a movie inside the folder is ever opened. A name is matched part by part against what
the folders really contain, so `..`, absolute paths and NUL bytes simply match nothing.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.admission.descriptors import is_resource_exhaustion

MOVIE_SUFFIXES = (".mjpeg", ".mjpg", ".avi")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".gif")
MAX_FOLDERS = 16  # in one name: more is not a path that anyone made
MAX_COMPARED = 100  # names that are compared with an unknown one
MAX_SIMILAR = 80  # characters of such a name: a longer one is not a typing error
SLIP = 2  # adjacent letters that may be wrong, missing or superfluous
MAX_KNOWN = 1000  # names remembered: beyond that, they are looked up again
# A name that can't lead anywhere else on any system, nor means a hidden file.
_PLAIN_NAME = re.compile(r"\w[\w.-]*\Z")


class MovieLibrary:
    """The folder whose movies are served; with None there are no movies."""

    def __init__(self, folder: str | os.PathLike[str] | None, also: Path | None = None) -> None:
        """Also serve one more file, which may have any name."""
        self._also = also
        self.folder = None if folder is None else Path(os.path.realpath(folder))
        # Files found directly in the folder under exactly that name, with their identity at the
        # time: to resolve the path again, link by link, takes ten times as long. For all threads.
        self._known: dict[str, tuple[Path, _Status]] = {}

    def movies(self) -> list[Path]:
        """Return the movies directly in the folder, by name. Raises OSError."""
        return sorted(
            path
            for path in self._entries()
            if _is_movie(path) and self._is_inside(os.path.realpath(path))
        )

    def videos(self) -> list[Path]:
        """Return the files that are named as videos, which are no movies. Raises OSError."""
        return sorted(path for path in self._entries() if path.suffix.lower() in VIDEO_SUFFIXES)

    def folders(self) -> list[Path]:
        """Return the folders in the folder that are named as movies are. Raises OSError."""
        if self.folder is None:
            return []
        return sorted(
            path
            for path in self._entries()
            if _is_named_as_movie(path.name) and os.path.isdir(path)
        )

    def _entries(self) -> list[Path]:
        entries = self.folder.iterdir() if self.folder is not None else ()
        return [path for path in entries if _may_be_seen(path.name)]

    def find(self, name: str) -> Path:
        """Return the file that `name` means. Raises MessageError 404 if there is none.

        Raises OSError if no descriptor is free for the search.
        """
        if self._also is not None and name == self._also.name:
            return self._also
        known = self._known.get(name)
        if known is not None and _status(known[0]) == known[1]:
            return known[0]
        return self._find(name)

    def has(self, name: str) -> bool:
        """Tell if `name` means a movie. Raises OSError if no descriptor is free."""
        try:
            self.find(name)
        except MessageError:
            return False
        return True

    def find_meant(self, name: str) -> Path:
        """Return the file that a lab client means by `name`, which a person has typed.

        Besides its own name this may be `/movie.Mjpeg`, `"movie.Mjpeg"`, `.\\movie.Mjpeg`, or
        `videos/movie.Mjpeg` where only `movie.Mjpeg` is there. Raises as `find` does.
        """
        for candidate in (name, *_other_spellings(name)):
            try:
                return self.find(candidate)
            except MessageError:
                continue
        raise _not_found(name)

    def similar(self, name: str) -> str | None:
        """Return the movie that an unknown `name` means if it has one typing error.

        Letter case and the name's suffix do not count. None if there is no such movie.
        """
        if self.folder is None or len(name) > MAX_SIMILAR:
            return None
        try:
            with os.scandir(self.folder) as entries:
                names = (entry.name for entry in entries if _may_be_seen(entry.name))
                movies = [*islice((one for one in names if _is_named_as_movie(one)), MAX_COMPARED)]
        except OSError:
            return None
        wanted = _stem(name.rpartition("/")[2])
        slips = {one: slip for one in movies if (slip := _slip(wanted, _stem(one))) is not None}
        near = min(slips, key=lambda one: (slips[one], one), default=None)
        return printable(near) if near is not None and self.has(near) else None

    def _find(self, name: str) -> Path:
        path = self.folder
        if path is None:
            raise _not_found(name)
        parts = [part for part in name.split("/") if part != "."]
        for part in parts[: MAX_FOLDERS + 1]:
            entry = _entry(path, part)
            if entry is None:
                raise _not_found(name)
            path = path / entry
        real = os.path.realpath(path)
        if len(parts) > MAX_FOLDERS or not _is_movie(path) or not self._is_inside(real):
            raise _not_found(name)
        if name == path.name:
            self._remember(path, real)
        return path

    def _remember(self, path: Path, real: str) -> None:
        status = _status(real, follow_symlinks=False)  # of the file just checked, and nothing else
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        if status is not None:
            self._known[path.name] = path, status

    def _is_inside(self, real: str) -> bool:
        """Tell if a file is in the folder, by its path without symbolic links."""
        return self.folder is not None and Path(real).is_relative_to(self.folder)


# Which file it is (device, inode), when it last changed, and its size: a name that still leads to
# the same unchanged file needs no second check.
_Status = tuple[int, int, int, int]


def _status(path: str | Path, follow_symlinks: bool = True) -> _Status | None:
    try:
        status = os.stat(path, follow_symlinks=follow_symlinks)
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
        if is_resource_exhaustion(error):
            raise
        return None
    if name in names:
        return name
    fitting = [entry for entry in names if entry.casefold() == name.casefold()]
    return fitting[0] if len(fitting) == 1 else None


def _other_spellings(name: str) -> list[str]:
    """Return other readings of a name that no file has; always paths in the folder."""
    path = name.strip("\"'").replace("\\", "/")
    *folders, file = path.split("/")
    spellings = [path.lstrip("/")]
    # A path that leads out of the folder, or to something hidden in it, means no other file.
    is_inside = not path.startswith("/") and ":" not in path
    if is_inside and all(_may_be_seen(part) for part in folders if part != "."):
        spellings.append(file)
    return [spelling for spelling in spellings if spelling != name]


def _may_be_seen(name: str) -> bool:
    return not name.startswith(".")


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()


def _slip(one: str, other: str) -> int | None:
    """Return how many letters one slip has changed between two names; None if it is not one.

    Most of the longer name must be the same in both, at its beginning and end.
    """
    shorter = min(len(one), len(other))
    if max(len(one), len(other)) - shorter > SLIP:
        return None
    start = len(os.path.commonprefix([one, other]))
    end = min(len(os.path.commonprefix([one[::-1], other[::-1]])), shorter - start)
    letters = max(len(one), len(other)) - start - end
    return letters if letters <= SLIP and letters <= start + end else None


def _is_movie(path: Path) -> bool:
    # Not path.is_file, which raises if a link leads into a folder that may not be entered.
    return _is_named_as_movie(path.name) and os.path.isfile(path)


def _is_named_as_movie(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in MOVIE_SUFFIXES


def _not_found(name: str) -> MessageError:
    return MessageError(f"no movie {printable(name, 80)} in the served folder", 404)
