"""Which real peers are on this machine, and what a player that nobody watches has shown.

Every player here writes its pictures to stdout, as PPM one after the other.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from needs import need
from PIL import Image, ImageChops, ImageStat
from real_servers import SYSTEM_PYTHON
from strip import frame_number

HERE = Path(__file__).resolve().parent
PLAY_LIMIT = 30.0
"""Seconds that a player gets for a movie of a few seconds; a hang is a failure."""

UDP, TCP = "udp", "tcp"
TRANSPORTS = (UDP, TCP)

GSTREAMER_IMPORTS = (
    "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None);"
    "assert all(map(Gst.ElementFactory.find, ('rtspsrc', 'rtpjpegdepay', 'jpegdec', 'appsink')))"
)

_PPM_HEAD = re.compile(rb"P6\n(?:# ?(\d+)\n)?(\d+) (\d+)\n255\n")


def need_command(*commands: str) -> None:
    """Skip the test, or in CI fail it, unless all the commands are there."""
    for command in commands:
        need(shutil.which(command), command)


def need_import(python: str, code: str, name: str) -> None:
    """The same for what `python` must be able to import."""
    found = shutil.which(python) and not subprocess.run([python, "-c", code]).returncode
    need(found, f"{name} for {python}")


@functools.cache
def bundled_ffmpeg() -> str:
    """The path of the one in imageio-ffmpeg, a newer one than most systems have; "" without it."""
    with suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    return ""


@functools.cache
def ffmpeg_has(option: str, topic: str = "full", program: str = "ffmpeg") -> bool:
    """Whether this version of ffmpeg names an option in its help on a topic."""
    if shutil.which(program) is None:
        return False
    asked = [program, "-v", "error", "-h", topic]
    help_ = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    return re.search(rf"^ *{option}\b", help_, re.MULTILINE) is not None


def ffmpeg(url: str, transport: str, *options: str, program: str = "ffmpeg") -> list[str]:
    """The command; `options` apply to the source."""
    source = ["-rtsp_transport", transport, *options, "-i", url]
    is_new = ffmpeg_has("-fps_mode", program=program)
    every_frame = "-fps_mode" if is_new else "-vsync"  # as FFmpeg 4 calls it
    output = [every_frame, "passthrough", "-f", "image2pipe", "-c:v", "ppm", "-"]
    return [program, "-v", "error", "-nostdin", *source, *output]


def new_ffmpeg(url: str, transport: str, *options: str) -> list[str]:
    """The same of the one that imageio-ffmpeg brings."""
    return ffmpeg(url, transport, *options, program=bundled_ffmpeg())


def mpv(url: str, transport: str) -> list[str]:
    output = ["--no-audio", "--o=-", "--of=image2pipe", "--ovc=ppm", "--vf=format=rgb24"]
    return ["mpv", "--no-config", "--really-quiet", f"--rtsp-transport={transport}", *output, url]


def gstreamer(url: str, transport: str, *steps: str) -> list[str]:
    """The command; see play_gstreamer.py for the steps."""
    return [SYSTEM_PYTHON, str(HERE / "play_gstreamer.py"), url, transport, *(steps or ["end"])]


def opencv(url: str, transport: str, *seek: str, **options: str) -> list[str]:
    """The command; `options` are those of FFmpeg's library."""
    listed = _listed(rtsp_transport=transport, **options)
    return [sys.executable, str(HERE / "play_opencv.py"), url, listed, *seek]


def pyav(url: str, transport: str, *seek: str, **options: str) -> list[str]:
    """The command; `options` are those of FFmpeg's library."""
    listed = _listed(rtsp_transport=transport, **options)
    return [sys.executable, str(HERE / "play_pyav.py"), url, listed, *seek]


def _listed(**options: str) -> str:
    """The form in which OpenCV takes options."""
    return "|".join(f"{name};{value}" for name, value in options.items())


PLAYERS = {
    "ffmpeg": ffmpeg,
    "imageio-ffmpeg": new_ffmpeg,
    "mpv": mpv,
    "GStreamer": gstreamer,
    "OpenCV": opencv,
    "PyAV": pyav,
}


def need_player(name: str) -> None:
    """Skip the test, or in CI fail it, unless this one of PLAYERS is there."""
    if name in ("ffmpeg", "mpv"):
        need_command(name)
    elif name == "imageio-ffmpeg":
        need(bundled_ffmpeg(), name)
    elif name == "GStreamer":
        need_import(SYSTEM_PYTHON, GSTREAMER_IMPORTS, "GStreamer with its RTSP plugins")
    else:
        need_import(sys.executable, f"import {'cv2' if name == 'OpenCV' else 'av'}", name)


def output_of(
    command: Sequence[str], limit: float = PLAY_LIMIT, environment: Mapping[str, str] | None = None
) -> bytes:
    """What the command writes to stdout. It must end well, and within `limit` seconds."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired as error:
        words = (error.stderr or b"").decode(errors="replace")
        raise AssertionError(f"{command[0]}: no end after {limit} s; stderr: {words}") from None
    words = done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"{command[0]}: exit status {done.returncode}; stderr: {words}"
    return done.stdout


def pictures(ppm: bytes) -> list[tuple[int, Image.Image]]:
    """The PPM pictures in a row of them, each with the step (0 if not told) it was taken at."""
    found, offset = [], 0
    while offset < len(ppm):
        head = _PPM_HEAD.match(ppm, offset)
        assert head is not None, f"no PPM at byte {offset} of {len(ppm)}: {ppm[offset:][:20]!r}"
        size = int(head[2]), int(head[3])
        offset = head.end() + size[0] * size[1] * 3
        found.append((int(head[1] or 0), Image.frombytes("RGB", size, ppm[head.end() : offset])))
    return found


def numbers_by_step(ppm: bytes) -> dict[int, list[int]]:
    """The frame numbers that the pictures show, in order, by the step they were taken at."""
    numbers: dict[int, list[int]] = {}
    for step, image in pictures(ppm):
        numbers.setdefault(step, []).append(frame_number(image))
    return numbers


def difference(shown: Image.Image, original: Image.Image) -> float:
    """How far two pictures of one size are apart: the mean over pixels and colours, of 255."""
    assert shown.size == original.size, (shown.size, original.size)
    return sum(ImageStat.Stat(ImageChops.difference(shown, original)).mean) / 3
