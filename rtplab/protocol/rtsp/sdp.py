"""Session descriptions (RFC 8866, with RFC 2326 appendix C): ours for one movie, and any server's.

`describe` writes what DESCRIBE answers, `parse` reads what another server answers.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache

from rtplab.protocol.addresses import without_interface
from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.headers import Range, parse_range
from rtplab.protocol.rtsp.messages import printable

JPEG_PAYLOAD_TYPE = 26  # RFC 3551 table 5
JPEG_CLOCK_RATE = 90_000

# How servers state a size that RTP/JPEG can't: RFC 6064 (framesize), and GStreamer's own way.
_SIZES = {
    "framesize": re.compile(r"\d{1,3} +([1-9]\d{0,4})-([1-9]\d{0,4})\Z", re.ASCII),
    "x-dimensions": re.compile(r"([1-9]\d{0,4}) *, *([1-9]\d{0,4})\Z", re.ASCII),
}

MAX_NAME = 200  # characters of a session name, which players put into their window's title
MAX_LINES = 2_000  # a camera with every option on describes itself in about 100
MAX_MEDIA = 64  # audio, video and metadata of several channels

_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,9})?\Z", re.ASCII)


@lru_cache(maxsize=64)  # all viewers of a movie get the same
def describe(
    *,
    name: str,
    origin: str,
    session_id: int,
    duration: float | None,
    frame_rate: float,
    width: int,
    height: int,
    control: str,
) -> str:
    """The session description of one MJPEG movie, with CRLF at the end of every line.

    `origin` is this server's address, `session_id` a number that changes with the movie,
    `duration` in seconds (None: without end), `frame_rate` in frames a second, `width` and
    `height` in pixels, `control` the track's name below the movie's URL. Address and port of the
    media are left to SETUP (RFC 2326 sections C.1.2 and C.1.7). Raises ValueError if `origin` is
    not an address.
    """
    end = "" if duration is None else f"{duration:.3f}"
    lines = [
        "v=0",
        f"o=- {session_id} 1 {_address(origin)}",
        f"s={_clean(name)}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        f"a=range:npt=0-{end}",
        f"m=video 0 RTP/AVP {JPEG_PAYLOAD_TYPE}",
        f"a=rtpmap:{JPEG_PAYLOAD_TYPE} JPEG/{JPEG_CLOCK_RATE}",
        f"a=control:{_clean(control)}",
        f"a=framerate:{frame_rate:g}",
        f"a=framesize:{JPEG_PAYLOAD_TYPE} {width}-{height}",  # RFC 6064
        f"a=x-dimensions:{width},{height}",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _clean(name: str) -> str:
    """A name that stays on its line: a file name may hold line ends, or bytes that aren't text."""
    if not name.isprintable():
        name = "".join(character if character.isprintable() else " " for character in name)
    return name[:MAX_NAME].strip() or "-"


@lru_cache(maxsize=64)  # few, and each is in many descriptions
def _address(text: str) -> str:
    address = ipaddress.ip_address(without_interface(text))
    return f"IN IP{address.version} {address}"


@dataclass
class MediaDescription:
    """One m= section: its media type, and what its attributes say.

    `rtpmap` is by payload type, `framerate` in frames a second, `size` width and height in pixels.
    """

    media: str
    protocol: str
    formats: tuple[str, ...]
    rtpmap: dict[int, str] = field(default_factory=dict)
    control: str = ""
    range: Range | None = None
    framerate: float | None = None
    size: tuple[int, int] | None = None


@dataclass
class SessionDescription:
    """A session, and its media in order."""

    control: str = ""
    range: Range | None = None
    media: list[MediaDescription] = field(default_factory=list)


def parse(text: str | bytes, forgiveness: Forgiveness | None = None) -> SessionDescription:
    """Read a session description as leniently as servers write it.

    Lines end with LF or CRLF. Unknown lines and attributes are skipped, as are those whose value
    makes no sense; a media line with all that belongs to it. Raises MessageError for what is no
    session description at all.
    """
    forgiveness = forgiveness or Forgiveness()
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    lines = [line.rstrip("\r ") for line in text.strip().split("\n", MAX_LINES)]
    if lines[0] != "v=0":
        raise MessageError(f"a session description begins with v=0, not {printable(lines[0], 40)}")
    if len(lines) > MAX_LINES:
        raise MessageError(f"a session description of over {MAX_LINES} lines")
    for letter in "ost":
        if not any(line.startswith(f"{letter}=") for line in lines):
            what = f"The line {letter}= of the session description"
            forgiveness.add(what, None, f"a line that begins with {letter}= (RFC 8866 section 5)")
    session = SessionDescription()
    section: SessionDescription | MediaDescription | None = session
    for line in lines:
        kind, _, value = line.partition("=")
        if kind == "m":
            section = _media(value, session)
            if section is not None:
                session.media.append(section)
            else:
                forgiveness.add(
                    "An m= line of the session description",
                    line,
                    "media, port, protocol and formats (RFC 8866 section 5.14)",
                )
        elif kind == "a" and section is not None:  # not of a media section that is skipped
            name, _, value = value.partition(":")
            _read_attribute(section, name.strip().lower(), value.strip())
    return session


def _media(value: str, session: SessionDescription) -> MediaDescription | None:
    """RFC 8866 section 5.14: media, port[/number of ports], protocol, formats.

    None for an invalid one: cameras have such lines besides the one of their video. SETUP will
    name the ports; one that is out of range still shows that this is not a media line.
    """
    parts = value.split()
    port = parts[1].partition("/")[0] if len(parts) > 3 else ""
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or int(port) > 65535:
        return None
    if len(session.media) == MAX_MEDIA:
        raise MessageError(f"a session description of over {MAX_MEDIA} media")
    return MediaDescription(parts[0], parts[2], tuple(parts[3:]))


def _read_attribute(section: SessionDescription | MediaDescription, name: str, value: str) -> None:
    if name == "control":
        section.control = value
    elif name == "range":
        section.range = _range(value)
    elif isinstance(section, SessionDescription):
        return  # the others are of one medium only
    elif name == "rtpmap":
        payload_type, _, encoding = value.partition(" ")
        if re.fullmatch(r"\d{1,3}", payload_type, re.ASCII):
            section.rtpmap[int(payload_type)] = encoding.strip()
    elif name == "framerate" and _NUMBER.match(value):
        section.framerate = float(value) or None
    elif name in _SIZES and (match := _SIZES[name].match(value)):
        section.size = int(match[1]), int(match[2])


def _range(value: str) -> Range | None:
    try:
        return parse_range(value)
    except MessageError:  # such as an absolute clock: nothing to seek in
        return None
