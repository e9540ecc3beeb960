"""Where the user keeps pictures, videos and documents, whatever the folders are called there.

    Linux      ~/.config/user-dirs.dirs has a line a folder: XDG_PICTURES_DIR="$HOME/Bilder"
    Windows    SHGetKnownFolderPath tells, also of folders that OneDrive has moved
    macOS      the names on the disk are English, whatever Finder shows

A folder that is not there is replaced by the user's own. Needs no Tk.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import uuid
from pathlib import Path

MAX_FILE = 64 * 1024  # bytes of user-dirs.dirs that are read: it has about 600

# Name: in user-dirs.dirs, on a Mac, and in Windows' list of known folders.
_FOLDERS = {
    "Pictures": ("XDG_PICTURES_DIR", "Pictures", "33E28130-4E1E-4676-835A-98395C3BC3BB"),
    "Videos": ("XDG_VIDEOS_DIR", "Movies", "18989B1D-99B5-455B-841C-AB7C74E4DDFC"),
    "Documents": ("XDG_DOCUMENTS_DIR", "Documents", "FDD39AD0-238F-46AF-ADB4-6C85480369C7"),
}


def pictures_folder() -> Path:
    """Where snapshots go."""
    return _existing("Pictures")


def videos_folder() -> Path:
    """Where recordings go."""
    return _existing("Videos")


def documents_folder() -> Path:
    """Where captures are offered to go."""
    return _existing("Documents")


def _existing(name: str) -> Path:
    xdg, mac, known = _FOLDERS[name]
    if sys.platform == "win32":
        folder = _known_folder(known) or Path.home() / name
    elif sys.platform == "darwin":
        folder = Path.home() / mac
    else:
        folder = _user_dir(xdg) or Path.home() / name
    return folder if folder.is_dir() else Path.home()


def _user_dir(name: str) -> Path | None:
    """Read a folder from user-dirs.dirs: `NAME="$HOME/..."` or `NAME="/..."`."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    try:
        with open(config / "user-dirs.dirs", encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_FILE)
    except OSError:
        return None
    found = re.search(rf'^\s*{name}\s*=\s*"(.*)"\s*$', text, re.MULTILINE)
    if found is None:
        return None
    value = re.sub(r"\\(.)", r"\1", found[1])
    if value.startswith("$HOME"):
        return Path.home() / value[len("$HOME") :].lstrip("/")
    return Path(value) if value.startswith("/") else None


def _known_folder(known: str) -> Path | None:
    """Ask Windows for a folder by its number; None where it knows none."""
    windll = getattr(ctypes, "windll", None)
    if windll is None:
        return None
    number = (ctypes.c_byte * 16).from_buffer_copy(uuid.UUID(known).bytes_le)
    found = ctypes.c_wchar_p()
    failed = windll.shell32.SHGetKnownFolderPath(ctypes.byref(number), 0, None, ctypes.byref(found))
    path = Path(found.value) if not failed and found.value else None
    windll.ole32.CoTaskMemFree(found)
    return path
