"""URLs of streams (RFC 2326 section 3.2, RFC 9110 section 4.2): read, resolved, safe to show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
MAX_NEARLY = 150  # characters of an address that is almost right: it is shown in a sentence
HTTP_PORTS = {"http": 80, "https": 443}
_ALL_PORTS = DEFAULT_PORTS | HTTP_PORTS
MAX_URL = 4096  # characters: the longest file name in any encoding, with its folders

# RFC 3986 section 2 allows none of these. Python drops some; others would get into replies.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LEGAL = "%:/?#[]@!$&'()*+,;=-._~"  # in addition to letters and digits
_USER_INFO = re.compile(r"(?<=://)[^/\s]*@")  # a password may have an "@" of its own
# `user:pass/word@host`: what looks like host and port has no number for a port.
_SECRET_WITH_SLASH = re.compile(r"(?<=://)[^/@\s\[]*:(?!\d*/)[^\s]*@")


# What people write for a scheme, with or without all of `://`; it means rtsp unless listed here.
_SCHEME_MEANT = re.compile(r"(r[tsp]{2,3}|rtsps|rstps|https?)(?::[/\\]*|[/\\]{2,})", re.IGNORECASE)
_SCHEMES = {"rtsps": "rtsps", "rstps": "rtsps"}
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:]+\]|[^/\\:\s]+):\d+[/\\]", re.IGNORECASE)
_SURE_HOST = re.compile(r"(localhost|\d+(\.\d+){3})[/\\]", re.IGNORECASE)
_MOVIE_NAME = re.compile(r"[^/\\:]+\.(mjpe?g|avi)", re.IGNORECASE)
_USUAL_SERVER = "rtsp://localhost:5678"  # ours, or a lab's, on this machine


@dataclass(frozen=True)
class Url:
    """The parts of an absolute URL. `path` begins with a slash and keeps its escapes."""

    scheme: str
    host: str
    port: int
    path: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The path without its outer slashes, escapes resolved: what a file may be called."""
        return _unescaped(self.path).strip(b"/").decode("utf-8", "surrogateescape")

    @property
    def is_encrypted(self) -> bool:
        """Tell if the server must be reached inside TLS."""
        return self.scheme in ("rtsps", "https")

    @property
    def is_http(self) -> bool:
        """Tell if the server speaks HTTP and not RTSP."""
        return self.scheme in HTTP_PORTS

    @property
    def authority(self) -> str:
        """Host and port as they stand in the URL; the scheme's usual port is left out."""
        # RFC 6874 section 2: the "%" before an interface is an escape like any other.
        host = f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host
        return host if self.port == _ALL_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The URL as it is sent: without user and password."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str) -> Url:
    """Parse an absolute rtsp:// or rtsps:// URL. Raises MessageError 400."""
    return _parse(text, DEFAULT_PORTS, "an RTSP address")


def parse_stream_url(text: str) -> Url:
    """Parse the URL of a stream, by RTSP or by HTTP. Raises MessageError 400."""
    return _parse(text, _ALL_PORTS, "an RTSP or HTTP address")


def _parse(text: str, ports: dict[str, int], kind: str) -> Url:
    """Parse a URL of one of the schemes in `ports`."""
    try:
        parts = urlsplit(text)
        scheme, host = parts.scheme.lower(), parts.hostname
    except ValueError as error:
        raise _no_address(text, kind) from error
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _no_address(text, f"{kind} with a port from 1 to 65535")
    is_strange = len(text) > MAX_URL or _CONTROL.search(text)
    if scheme not in ports or not host or is_strange:
        raise _no_address(text, kind)
    if ":" in host:  # IPv6, maybe with the interface by which it is reached: [fe80::1%25eth0]
        host = host.replace("%25", "%", 1)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user = _unescaped(parts.username or "").decode("utf-8", "replace")
    password = _unescaped(parts.password or "").decode("utf-8", "replace")
    return Url(scheme, host, port or ports[scheme], path, user, password)


def _no_address(text: str, kind: str) -> MessageError:
    """Say what an address lacks, and show it unless it may contain a password."""
    shown = "" if "@" in text else f": {printable(text, 80)}"
    return MessageError(f"not {kind}{shown}")


def meant_address(text: str) -> str | None:
    """Return the address that a person means by something similar; None if that is unclear.

    Examples are `rtsp:/host/movie`, `rstp://host/movie`, `host:5678/movie` and `movie.Mjpeg`. If
    there may be a password, nothing is guessed.
    """
    nearly = text.strip().strip("<>\"'")
    if "@" in nearly or len(nearly) > MAX_NEARLY:
        return None
    if scheme := _SCHEME_MEANT.match(nearly):
        written = scheme[1].lower()
        right = written if written in HTTP_PORTS else _SCHEMES.get(written, "rtsp")
        rest = nearly[scheme.end() :].lstrip("/\\")
        meant = f"{right}://" + rest.replace("\\", "/")
    elif _HOST_AND_PORT.match(nearly) or _SURE_HOST.match(nearly):
        meant = "rtsp://" + nearly.replace("\\", "/")
    elif _MOVIE_NAME.fullmatch(nearly):
        meant = f"{_USUAL_SERVER}/{quoted_name(nearly)}"
    else:
        return None
    try:
        parse_stream_url(meant)
    except MessageError:
        return None
    return None if meant == text else printable(meant)


def question(meant: str | None) -> str:
    """Return what is appended to a sentence to ask if this was meant; "" for None."""
    return f"; did you mean {meant}?" if meant else ""


def _unescaped(text: str) -> bytes:
    """Resolve escapes; bytes that are not UTF-8 came as surrogates and become bytes again."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def resolve(base: str, control: str) -> str:
    """Return the URL that an SDP's `control` names (RFC 2326 appendix C.1.1).

    `base` is Content-Base, Content-Location or the request URL. Servers expect a relative control
    to be appended to all of it, including its query, whether or not it ends with a slash: cameras
    do not follow RFC 3986, which would drop the query. Raises MessageError 400 if the two can't be
    combined.
    """
    if control in ("", "*"):
        return base
    if re.match(r"rtsps?://", control, re.IGNORECASE):
        return control
    try:
        root = urlsplit(base)
        if control.startswith("//"):
            urlsplit(control)  # only to find invalid ones
            return f"{root.scheme}:{control}"
    except ValueError as error:  # such as brackets around something other than an IPv6 address
        raise MessageError(f"not a control address: {printable(control, 80)}") from error
    if control.startswith("/"):
        return f"{root.scheme}://{root.netloc}{control}"
    if control.startswith("?"):
        return base + control
    return f"{base.rstrip('/')}/{control}"


def quoted_name(name: str) -> str:
    """Return a file's name as it stands in a URL. Its bytes may be any, not only UTF-8."""
    return quote(name, errors="surrogateescape")


def unquoted_name(path: str) -> str:
    """Return the file's name that stands in a URL so."""
    return unquote(path, errors="surrogateescape")


def escaped(url: str) -> str:
    """Return a URL as it may stand in a request line (RFC 3986 section 2); escapes in it stay."""
    return quote(url, _LEGAL, errors="surrogateescape")


def without_password(text: str) -> str:
    """Return a URL, or a text that contains one, without user and password, safe to log.

    A password with a "/" looks like a path, so everything after that up to the last "@" goes, too.
    """
    return _SECRET_WITH_SLASH.sub("", _USER_INFO.sub("", text))
