"""The recently played addresses and the window's settings, kept between runs. Needs no Tk."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp import urls
from rtplab.protocol.rtsp.urls import quoted_name

REMEMBERED = 10
MAX_FILE = 64 * 1024  # bytes of a settings file that is read: ours have two thousand
MAX_WIDTH = 10_000  # pixels of a panel
MAX_TEXT = 1024  # characters of a name or address


@dataclass(frozen=True)
class Address:
    """What to open: a movie of a lab server, or an `rtsp://` or `http://` address."""

    host: str = ""
    port: int = 0
    rtp_port: int = 0
    movie: str = ""
    url: str = ""

    @property
    def title(self) -> str:
        """How a list shows it."""
        if self.url:
            return self.url
        return f"{self.movie} from {self.host}, port {self.port}"


def parse_address(host: str, port: str, rtp_port: str, movie: str) -> Address:
    """Read the fields of the open dialog. Raises ValueError with a sentence."""
    if not host.strip():
        raise ValueError("Enter the server: a host name or an IP address.")
    if "://" in host or "://" in movie:
        raise ValueError("This is a complete RTSP address: enter it in the field Address.")
    if meant := urls.meant_address(host):
        raise ValueError(f"Server is a host name only: enter {meant} in the field Address.")
    if not movie.strip():
        raise ValueError("Enter the movie: the name of a file on the server.")
    return Address(
        host.strip(), _port(port, "server", 1), _port(rtp_port or "0", "RTP", 0), movie.strip()
    )


def parse_url(url: str) -> Address:
    """Read an address of RTSP or HTTP. Raises ValueError with a sentence."""
    try:
        urls.parse_stream_url(url.strip())
    except MessageError as error:
        meant = urls.question(urls.meant_address(url)) or "."
        raise ValueError(
            "Not a valid address (expected rtsp://host/movie or http://camera/stream): "
            f"{error}{meant}"
        ) from error
    return Address(url=url.strip())


def with_name(url: str, name: str) -> Address:
    """Return the address of another movie on the server of `url`, for the same user."""
    path = "/" + quoted_name(name)
    return Address(url=urlsplit(url)._replace(path=path, query="", fragment="").geturl())


def _port(text: str, what: str, smallest: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and smallest <= int(text) <= 65535):
        raise ValueError(f"The {what} port must be a number from {smallest} to 65535.")
    return int(text)


@dataclass
class Settings:
    """What the player remembers from one run to the next."""

    recent: list[Address] = field(default_factory=list)
    colours: str = "dark"
    panel_width: int | None = None  # pixels at 1x

    def remember(self, address: Address) -> None:
        """Put an address on top of the list, without its password: the list goes to disk."""
        address = replace(address, url=urls.without_password(address.url))
        others = [other for other in self.recent if other != address]
        self.recent = [address, *others][:REMEMBERED]


def load() -> Settings:
    """Read the settings; unreadable or invalid values are skipped."""
    try:
        with open(_path(), encoding="utf-8") as file:
            stored = json.loads(file.read(MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return Settings()
    if not isinstance(stored, dict):
        return Settings()
    recent = stored.get("recent")
    addresses = [_address(entry) for entry in recent] if isinstance(recent, list) else []
    colours = "light" if stored.get("colours") == "light" else "dark"
    width = stored.get("panel_width")
    is_width = type(width) is int and 0 < width <= MAX_WIDTH
    recent = [address for address in addresses if address][:REMEMBERED]
    return Settings(recent, colours, width if is_width else None)


def save(settings: Settings) -> None:
    """Write the settings. A disk that can't be written to costs the memory, not the session."""
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(settings), indent=1), encoding="utf-8")
        part.replace(path)
    except OSError:
        pass


def _address(entry: Any) -> Address | None:
    if not isinstance(entry, dict) or any(len(str(value)) > MAX_TEXT for value in entry.values()):
        return None
    text = {name: str(entry.get(name, "")) for name in ("host", "port", "rtp_port", "movie", "url")}
    try:
        if text["url"]:
            return parse_url(text["url"])
        return parse_address(text["host"], text["port"], text["rtp_port"], text["movie"])
    except ValueError:
        return None


def _path() -> Path:
    """The platform's usual place."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return folder / "rtplab" / "player.json"
