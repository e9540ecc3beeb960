"""What this computer is, what it lacks, and how to install that.

On Debian and its derivatives, packages are installed for root. Everybody else gets the command to
type, because nothing here asks a question.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

APT_PEERS = (
    *("xvfb", "xdotool", "imagemagick", "x11-utils"),
    *("ffmpeg", "mpv", "vlc-bin", "vlc-plugin-base"),
    *("gstreamer1.0-tools", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good"),
    *("gstreamer1.0-rtsp", "gir1.2-gst-rtsp-server-1.0", "python3-gi"),
    *("haproxy", "tshark", "iproute2", "openssl", "glib-networking"),
    *("gcc", "libc6-dev", "rtsp-server-perl", "wine", "wine64", "chromium", "curl"),
)
"""The Debian packages of the tests. docs/CONTRIBUTING.md gives the reason for each."""

APT_COMMANDS = {"npm": ("nodejs", "npm"), "javac": ("default-jdk",)}
"""Those that bring a command where there is none: it may have come in a package of another name."""

BREW_PEERS = {
    "ffmpeg": "ffmpeg",
    "mpv": "mpv",
    "gst-launch-1.0": "gstreamer",
    "tshark": "wireshark",
    "npm": "node",
}
"""The commands that the tests look for on macOS, and their Homebrew formulae."""

PROBE_LIMIT = 30
"""Seconds to probe one interpreter: a display behind a dead connection never answers."""


@dataclass(frozen=True)
class Machine:
    """The facts that decide how to install something missing."""

    platform: str
    """As sys.platform says."""
    version: str
    """Of the interpreter, as in "3.12"."""
    prefix: str
    """Where the interpreter is installed, outside of any virtual environment."""
    packager: str
    """What installs packages: "apt-get", "brew", or nothing."""
    python_package: str
    """The names of this interpreter's packages, without their ending; empty if there are none.

    "python3" or "python3.12" on Debian.
    """
    may_install: bool
    """Whether packages may be installed without a question."""


def this_machine() -> Machine:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packager = next(filter(shutil.which, ("apt-get", "brew")), "")
    debian_python = packager == "apt-get" and sys.base_prefix == "/usr"
    return Machine(
        platform=sys.platform,
        version=version,
        prefix=sys.base_prefix,
        packager=packager,
        python_package=_debian_name(f"python{version}") if debian_python else "",
        may_install=packager == "apt-get" and os.geteuid() == 0,
    )


def _debian_name(own_name: str) -> str:
    default = os.path.basename(os.path.realpath("/usr/bin/python3"))
    return "python3" if default == own_name else own_name


def error_of(python: str, code: str) -> str:
    """The error of `python -c code`; empty if it succeeds."""
    try:
        done = subprocess.run(
            [python, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=PROBE_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_LIMIT} s"
    if done.returncode == 0:
        return ""
    return done.stderr.strip() or f"exit status {done.returncode}"


def venv_package(machine: Machine) -> str:
    """The package that completes an interpreter without ensurepip; empty if none does."""
    return f"{machine.python_package}-venv" if machine.python_package else ""


def tkinter_package(machine: Machine, import_error: str) -> str:
    """The package that makes `import tkinter` work; empty if none does."""
    if machine.python_package:
        return f"{machine.python_package}-tk"
    if machine.packager == "brew" and re.search("/Cellar/|/python@", machine.prefix):
        return f"python-tk@{machine.version}"
    # A Python from elsewhere that was built with tkinter, on a Debian without the Tk library.
    library = re.search(r"lib(?:tk|tcl)(\d+\.\d+)\.so", import_error)
    return f"libtk{library[1]}" if library and machine.packager == "apt-get" else ""


def tkinter_advice(machine: Machine) -> str:
    """What to do about a missing tkinter if no package helps."""
    if machine.platform == "win32":
        return "Start the Python installer again, choose Modify and tick tcl/tk."
    headers = {"apt-get": "sudo apt-get install tk-dev", "brew": "brew install tcl-tk"}
    if machine.packager:
        return (
            f"The Python in {machine.prefix} was built without it. Name another Python "
            f"(make run PYTHON=/usr/bin/python3), or type: {headers[machine.packager]} "
            "and build that Python again."
        )
    return "Install Tk for Python with the package manager of this system."


def missing_peers(machine: Machine) -> list[str]:
    """The packages of the tests that are not installed."""
    if machine.packager == "apt-get":
        bringers = (each for name, each in APT_COMMANDS.items() if not shutil.which(name))
        return missing_packages([*APT_PEERS, *chain.from_iterable(bringers)])
    if machine.packager == "brew":
        return [formula for command, formula in BREW_PEERS.items() if not shutil.which(command)]
    return []


def missing_packages(packages: Sequence[str]) -> list[str]:
    """The Debian packages that are not installed."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package}\\n", *packages],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    installed = {line.split()[-1] for line in listing.splitlines() if line.startswith("ii")}
    return [package for package in packages if package not in installed]


def install_command(machine: Machine, packages: Iterable[str]) -> str:
    """What the user types to install packages."""
    if machine.packager == "brew":
        return f"brew install {' '.join(packages)}"
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if machine.may_install:
        return f"apt-get update && {command}"
    if shutil.which("sudo"):
        return f"sudo apt-get update && sudo {command}"
    return f"su - -c 'apt-get update && {command}'"


def install(packages: Iterable[str]) -> bool:
    """Install Debian packages without a question; tell if that worked."""
    apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    for command in (
        ["update"],  # may fail for one stale mirror of many; the installation then decides
        ["install", "--yes", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            [*apt_get, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    return done.returncode == 0


def headless_reason(machine: Machine, environ: Mapping[str, str], python: str) -> str:
    """Why no window can be opened here; empty if one can.

    Tk speaks X11 and not Wayland: it can't use WAYLAND_DISPLAY without DISPLAY.
    """
    if machine.platform not in ("darwin", "win32") and not environ.get("DISPLAY"):
        return "there is no display"
    if error_of(python, "import tkinter"):
        return "there is no tkinter"
    if error_of(python, "import tkinter; tkinter.Tk().destroy()"):
        return "the display does not open"
    return ""
