"""Fresh copies of a submission to run in, each with the secret movie in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rtplab.grading.record.movie import SecretMovie
from rtplab.grading.record.shields import Shields

LAB_MOVIE = "movie.Mjpeg"
INSIDE = Path(__file__).parent.parent / "inside"
_MOVIES = (".mjpeg", ".mjpg")


@dataclass(frozen=True)
class Stage:
    """How, and from where, a submission's programs are run."""

    source: Path
    """A copy of the submission that nothing of it can write to."""
    movie: SecretMovie
    shields: Shields
    server: tuple[str, ...]
    """The command that starts the server, with {port} in it; () if there is none."""
    client: tuple[str, ...]
    """The same for the client, with {host}, {port}, {rtp_port} and {movie}."""
    python: str
    packet: str = ""
    """The file with the class RtpPacket; "" if there is none."""
    has_screen: bool = True
    """False: windows are shown by a stand-in for tkinter."""
    kept: Path | None = None
    """Where pictures of the window are put."""
    no_client: str = ""
    """A sentence: why no client can be run here."""
    decoy: SecretMovie | None = None
    """What movie.Mjpeg is if the submission has none: for servers that play no other."""

    @contextmanager
    def fresh(self, movie: SecretMovie) -> Iterator[Path]:
        """A copy to run in, for the duration of the scenario.

        The secret movie is in its folder, and beside any other movie: some programs have theirs in
        a folder of their own. One more, outside.Mjpeg, is beside the copy: nobody may play that.
        """
        with tempfile.TemporaryDirectory(prefix="grade-", ignore_cleanup_errors=True) as top:
            folder = Path(top, "submission")
            shutil.copytree(self.source, folder)
            shutil.copytree(INSIDE, inside(folder), ignore=shutil.ignore_patterns("__pycache__"))
            for place in {folder, *_places_of_movies(folder)}:
                (place / movie.name).write_bytes(movie.file)
            if self.decoy and not (folder / LAB_MOVIE).exists():
                (folder / LAB_MOVIE).write_bytes(self.decoy.file)
            Path(top, "outside.Mjpeg").write_bytes(movie.file)
            if self.shields.uid is not None:
                _hand_over(Path(top), self.shields.uid)
            yield folder


def inside(folder: Path) -> Path:
    """The folder next to a submission's copy for the grader's files that its processes must read.

    Another user may not be able to read the grader's own folder.
    """
    return folder.parent / "inside"


def _places_of_movies(folder: Path) -> set[Path]:
    return {
        Path(top)
        for top, _, names in os.walk(folder)
        if any(name.lower().endswith(_MOVIES) for name in names)
    }


def _hand_over(top: Path, uid: int) -> None:
    os.chown(top, uid, uid)
    for folder, folders, names in os.walk(top):
        for name in (*folders, *names):
            os.chown(os.path.join(folder, name), uid, uid, follow_symlinks=False)
