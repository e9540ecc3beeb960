"""Where the user's pictures, videos and documents are."""

from __future__ import annotations

import ctypes
import sys
import uuid

import pytest

from rtplab.player.model import folders


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path


def write_dirs(home, text: str) -> None:
    (home / ".config").mkdir()
    (home / ".config" / "user-dirs.dirs").write_text(text, encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="reads the file of Linux desktops")
def test_the_folders_have_the_names_of_the_user_s_language(home):
    for name in ("Bilder", "Vidéos", "Pictures"):
        (home / name).mkdir()
    videos = str(home / "Vidéos").replace("/", "\\/")
    write_dirs(home, f'# made by a program\nXDG_PICTURES_DIR="$HOME/Bilder"\n'
               f'XDG_VIDEOS_DIR="{videos}"\nXDG_DOCUMENTS_DIR="$HOME/gone"\n')  # fmt: skip
    assert folders.pictures_folder() == home / "Bilder"
    assert folders.videos_folder() == home / "Vidéos"
    assert folders.documents_folder() == home


@pytest.mark.parametrize("text", ["", "XDG_PICTURES_DIR=", 'XDG_PICTURES_DIR="relative"', "\0\n"])
def test_without_a_line_that_makes_sense_the_usual_name_is_taken(home, text):
    write_dirs(home, text)
    assert folders.pictures_folder() == home
    (home / "Pictures").mkdir()
    assert folders.pictures_folder() == home / "Pictures"


def test_a_mac_has_its_own_name_for_videos(home, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    (home / "Movies").mkdir()
    assert folders.videos_folder() == home / "Movies"


class Windows:
    """Knows one folder, which OneDrive has moved."""

    PICTURES = uuid.UUID("33E28130-4E1E-4676-835A-98395C3BC3BB")

    def __init__(self, folder) -> None:
        self.shell32 = self.ole32 = self
        self.freed = 0
        self._folder = str(folder)

    def SHGetKnownFolderPath(self, number, flags, token, found) -> int:  # noqa: N802
        number = uuid.UUID(bytes_le=bytes(number._obj))
        if number != self.PICTURES or flags or token:
            return -2147024894
        found._obj.value = self._folder
        return 0

    def CoTaskMemFree(self, found) -> None:  # noqa: N802
        self.freed += 1


def test_windows_tells_where_onedrive_has_moved_a_folder(home, monkeypatch):
    moved = home / "OneDrive" / "Pictures"
    moved.mkdir(parents=True)
    (home / "Videos").mkdir()
    windows = Windows(moved)
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(ctypes, "windll", windows, raising=False)
    assert folders.pictures_folder() == moved
    assert folders.videos_folder() == home / "Videos"
    assert windows.freed == 2
