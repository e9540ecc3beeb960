"""What was handed in: the lab's files in a folder or zip, without running any of them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import stat
import sys
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SIX = (
    "RtpPacket.py",
    "VideoStream.py",
    "Server.py",
    "ServerWorker.py",
    "Client.py",
    "ClientLauncher.py",
)
LAUNCHER = "ClientLauncher.py"
DEEPEST = 3  # folders below the one that was given
MOST_FILES = 2_000
MOST_BYTES = 200 << 20  # of a submission with its movies
MOST_SOURCE = 1 << 20  # bytes of a file of Python that are read
_SKIPPED = {"__MACOSX", "__pycache__", "node_modules", "venv", "env", "build", "dist"}
_NOT_RUN = {"tests", "test", "docs", "doc", "bench"}
_PROVIDED = {"PIL", "tkinter", "_tkinter"}
_CLASSES = {
    "RtpPacket.py": "RtpPacket",
    "VideoStream.py": "VideoStream",
    "Server.py": "Server",
    "ServerWorker.py": "ServerWorker",
    "Client.py": "Client",
}


class Unusable(Exception):
    """A sentence on why nothing of it can be graded."""


@dataclass(frozen=True)
class Submission:
    """Where the files are, and remarks about them."""

    name: str
    folder: Path
    """The folder with the lab's files."""
    files: dict[str, str]
    """By the lab's name of a file, the one in the folder that is it."""
    seed: int
    notes: tuple[str, ...] = ()
    broken: dict[str, str] | None = None
    """By the lab's name of a file, a sentence on why it can't be run."""

    def missing(self, *names: str) -> str:
        """Why these can't be run: a sentence on the first that is missing or broken, or ""."""
        for name in names:
            if name not in self.files:
                return f"There is no {name}."
            if self.broken and name in self.broken:
                return self.broken[name]
        return ""


def name_of(path: Path) -> str:
    """Return what a submission is called: the name of its folder or file, also of "."."""
    return os.path.basename(os.path.realpath(path))


def find(path: Path, unpacked: Path, by_command: bool = False) -> Submission:
    """Look for the lab's files in a folder, or a zip, which is unpacked into the folder `unpacked`.

    With `by_command` there need not be any, because the commands that start its programs are given.
    Raises Unusable and OSError.
    """
    name = name_of(path)
    if path.is_file():
        _unpack(path, unpacked)
        path = unpacked
    elif not path.is_dir():
        raise Unusable(f"There is no folder or zip {path}.")
    folder = max(_folders(path), key=_number_of_files, default=path)
    files, notes = _assign(folder)
    if not files and by_command:
        return Submission(name, path, {}, _seed(path, "*"), ())
    if not files:
        raise Unusable(
            f"None of the lab's files ({', '.join(SIX)}) is in {name} or up to {DEEPEST} folders"
            f" below.{_other_language(path)}"
        )
    broken: dict[str, str] = {}
    for lab_name, own_name in files.items():
        fault = _fault(folder / own_name)
        if fault:
            broken[lab_name] = fault
    notes += [f"There is no {lab_name}." for lab_name in SIX if lab_name not in files]
    notes += list(broken.values()) + _dependencies(folder)
    return Submission(name, folder, files, _seed(folder), tuple(notes), broken)


def guessed_edition(submission: Submission) -> tuple[str, str]:
    """The handout that it was probably written for, and a sentence if not the usual one."""
    if not submission.files:
        is_java = any(submission.folder.glob("*.java")) or any(submission.folder.glob("*.class"))
        return ("java", "It is in Java, so the edition java grades it.") if is_java else _USUAL
    for name in ("ServerWorker.py", "Client.py"):
        own = submission.files.get(name)
        if own is None:
            return _USUAL
        with (submission.folder / own).open("rb") as file:
            if not _FRAGMENTS.search(file.read(MOST_SOURCE)):
                return _USUAL
    return "hd", (
        "Its server and its client both mention fragments, so it is graded by the edition hd;"
        " --edition names another."
    )


_USUAL = ("python", "")
_FRAGMENTS = re.compile(rb"\bMTU\b|fragment|\bpieces?\b", re.IGNORECASE)


def _folders(top: Path) -> Iterator[Path]:
    """The folder and those below it, breadth first."""
    level = [top]
    for _ in range(DEEPEST + 1):
        yield from level
        level = [
            entry
            for folder in level
            for entry in sorted(folder.iterdir())
            if entry.is_dir() and not entry.is_symlink() and not _is_skipped(entry.name)
        ][:MOST_FILES]


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def _is_needed(name: str) -> bool:
    """Whether a program may need this folder when it runs."""
    return not _is_skipped(name) and name not in _NOT_RUN


def _number_of_files(folder: Path) -> int:
    return sum(1 for name in SIX if _named(folder, name))


def _named(folder: Path, name: str) -> str | None:
    """The file of this name, in any case, because much of this was written on Windows."""
    for entry in sorted(folder.iterdir(), reverse=True):
        if entry.name.lower() == name.lower() and entry.is_file() and not entry.is_symlink():
            return entry.name
    return None


def _assign(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Assign the files: by name, else by the class that a file defines."""
    files = {name: own for name in SIX if (own := _named(folder, name))}
    notes = []
    others = [entry for entry in sorted(folder.glob("*.py")) if entry.name not in files.values()]
    for name, wanted in _CLASSES.items():
        if name in files:
            continue
        for entry in others:
            if not entry.is_symlink() and wanted in _classes(entry):
                files[name] = entry.name
                notes.append(f"There is no {name}; {entry.name} has its class {wanted}.")
                break
    if LAUNCHER not in files and "Client.py" in files:
        client = folder / files["Client.py"]
        for entry in (*(other for other in others if other.name not in files.values()), client):
            if not entry.is_symlink() and _starts_client(entry):
                files[LAUNCHER] = entry.name
                notes.append(f"There is no {LAUNCHER}; {entry.name} starts the client.")
                break
    return files, notes


def _tree(path: Path) -> ast.Module | SyntaxError:
    """The file's syntax tree, or what is wrong with it; nothing is run. Raises OSError."""
    with path.open("rb") as file:
        source = file.read(MOST_SOURCE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, path.name)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error) or type(error).__name__)


def _classes(path: Path) -> set[str]:
    tree = _tree(path)
    if isinstance(tree, SyntaxError):
        return set()
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _starts_client(path: Path) -> bool:
    """Whether it is a program (`if __name__ == "__main__"`) that makes a Client."""
    tree = _tree(path)
    if isinstance(tree, SyntaxError):
        return False
    is_program = any(
        isinstance(name, ast.Name) and name.id == "__name__"
        for node in tree.body
        if isinstance(node, ast.If)
        for name in ast.walk(node.test)
    )
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    made = {getattr(called, "id", getattr(called, "attr", "")) for called in calls}
    return is_program and "Client" in made


def _fault(path: Path) -> str:
    tree = _tree(path)
    if not isinstance(tree, SyntaxError):
        return ""
    message, line = str(tree.msg), f" (line {tree.lineno})" if tree.lineno else ""
    if "print" in message or "exec" in message or "except" in message:
        return f"{path.name} is in Python 2{line}, which can't be run here: make it Python 3."
    return f"{path.name} is not valid Python{line}: {message}."


def _dependencies(folder: Path) -> list[str]:
    """A sentence for each imported package that is neither included nor installed here."""
    here = {entry.stem for entry in folder.iterdir()}
    wanted: dict[str, str] = {}
    for path in sorted(folder.glob("*.py"))[:MOST_FILES]:
        tree = None if path.is_symlink() else _tree(path)
        if not isinstance(tree, ast.Module):
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in (dotted.partition(".")[0] for dotted in names):
                if name not in here | _PROVIDED | set(sys.stdlib_module_names):
                    wanted.setdefault(name, path.name)
    if "Tkinter" in wanted:
        del wanted["Tkinter"]  # of Python 2: tried first by programs for both
    return [
        f"{path} imports {name}, which is not installed here: it may not start."
        for name, path in wanted.items()
        if importlib.util.find_spec(name) is None
    ]


def _other_language(path: Path) -> str:
    for entry in _folders(path):
        if any(entry.glob("*.java")):
            return (
                " There are Java files: compile them, and say how to start them with"
                " --server-cmd and --client-cmd."
            )
    return ""


def _seed(folder: Path, sources: str = "*.py") -> int:
    """Six hexadecimal digits of the sources' hash: the same submission gets the same inputs."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(sources)):
        if path.is_file() and not path.is_symlink():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return int(digest.hexdigest()[:6], 16)


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a zip, but no links, no more than MOST_BYTES, and nothing outside the folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(m.file_size for m in members) > MOST_BYTES:
                raise Unusable(
                    f"{path.name} has more than {MOST_FILES} files or {MOST_BYTES >> 20} MB."
                )
            for member in members:
                if not stat.S_ISLNK(member.external_attr >> 16):
                    archive.extract(member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Unusable(f"{path.name} is neither a folder nor a readable zip: {error}.") from None


def copy(submission: Submission, target: Path) -> None:
    """Copy the files of a submission that a run may need; no links, nothing hidden.

    Raises Unusable when there are too many, and OSError.
    """
    count = size = 0
    for top, folders, names in os.walk(submission.folder):
        folders[:] = [f for f in folders if _is_needed(f) and not Path(top, f).is_symlink()]
        into = target / Path(top).relative_to(submission.folder)
        into.mkdir(parents=True, exist_ok=True)
        for name in names:
            source = Path(top, name)
            if source.is_symlink() or not source.is_file() or name.startswith("."):
                continue
            count, size = count + 1, size + source.stat().st_size
            if count > MOST_FILES or size > MOST_BYTES:
                raise Unusable(
                    f"{submission.name} has more than {MOST_FILES} files or {MOST_BYTES >> 20} MB."
                )
            (into / name).write_bytes(source.read_bytes())
