"""Pictures of any video, by the programs ffmpeg and ffprobe."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from PIL import Image

from rtplab.importing.wanted import ImportingError, Wanted
from rtplab.movies.index import FASTEST, SLOWEST
from rtplab.protocol.rtsp.messages import printable

# A picture as ffmpeg writes it: P6, width, height, 255, then three bytes for each pixel.
_PPM = re.compile(rb"P6\s(\d{1,5})\s(\d{1,5})\s255\s")
_MAX_HEAD = 32  # bytes

# FFmpeg draws the characters of any file that is named as these are, or looks like text.
TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}

_ENDING = 5.0  # seconds for ffmpeg to end on request


def is_available() -> bool:
    """Tell if both programs are installed."""
    return bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))


class VideoSource:
    """The first stream of pictures, upright, with square pixels, at an even rate."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        """Ask ffprobe for the file. Raises ImportingError."""
        # With "file:", no name is taken for an option or a network address.
        self._input = f"file:{path}"
        self._wanted = wanted
        stream, duration = self._probe()
        self.rate = wanted.fps or _rate(stream)
        seconds = max(Fraction(0), duration - wanted.start)
        if wanted.duration is not None:
            seconds = min(seconds, wanted.duration) if duration else wanted.duration
        self.count = round(seconds * self.rate)

    def _probe(self) -> tuple[dict[str, Any], Fraction]:
        run = subprocess.run(
            [
                *("ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"),
                *(
                    "-show_entries",
                    "stream=avg_frame_rate,r_frame_rate:format=duration,format_name",
                ),
                self._input,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if run.returncode:
            raise ImportingError(f"ffmpeg can't read it: {_last_line(run.stderr, self._input)}")
        said = json.loads(run.stdout)
        streams, container = said.get("streams") or [], said.get("format") or {}
        if not streams or container.get("format_name") in TEXT_FORMATS:
            raise ImportingError("it contains no pictures")
        text = container.get("duration") or "0"
        return streams[0], Fraction(text) if re.fullmatch(r"\d+(\.\d+)?", text) else Fraction(0)

    def pictures(self) -> Iterator[Image.Image]:
        """Yield all pictures; end ffmpeg when nobody takes them any longer."""
        wanted = self._wanted
        command = ["ffmpeg", "-v", "error", "-nostdin"]
        if wanted.start:
            command += ["-ss", f"{float(wanted.start):.6f}"]
        command += ["-i", self._input]
        if wanted.duration is not None:
            command += ["-t", f"{float(wanted.duration):.6f}"]
        filters = f"fps={self.rate},scale=iw*sar:ih,setsar=1"
        command += ["-map", "0:v:0", "-vf", filters, "-f", "image2pipe", "-c:v", "ppm", "-"]
        with tempfile.TemporaryFile() as errors:
            # In a session of its own, so that Ctrl+C comes to us alone.
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
            try:
                assert process.stdout is not None
                yield from _ppm_pictures(process.stdout)
                status = process.wait()
            finally:
                _end(process)
            errors.seek(0)
            if status:
                text = _last_line(errors.read(), self._input)
                raise ImportingError(f"ffmpeg failed: {text or status}")


def _rate(stream: dict[str, Any]) -> Fraction:
    """Return the mean rate; if that is unknown, the finest one that is named."""
    for name in ("avg_frame_rate", "r_frame_rate"):
        numerator, _, denominator = str(stream.get(name, "0/0")).partition("/")
        if numerator.isdigit() and denominator.isdigit() and int(denominator):
            rate = Fraction(int(numerator), int(denominator)).limit_denominator(1001)
            if SLOWEST <= rate <= FASTEST:
                return rate
    raise ImportingError("its frame rate is unknown: set it with --fps")


def _ppm_pictures(stream: IO[bytes]) -> Iterator[Image.Image]:
    head = b""
    while data := stream.read(_MAX_HEAD - len(head)):
        head += data
        found = _PPM.match(head)
        if found is None:
            raise ImportingError("the output of ffmpeg is not pictures")
        size = int(found[1]), int(found[2])
        length = size[0] * size[1] * 3
        rest = head[found.end() :]
        pixels = rest[:length] + stream.read(max(0, length - len(rest)))
        head = rest[length:]
        if len(pixels) < length:
            return  # ffmpeg has failed, and its status says so
        yield Image.frombytes("RGB", size, pixels)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None:
        process.stdout.close()
    process.terminate()
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(output: bytes, name: str) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return printable(lines[-1].removeprefix(f"{name}: ")) if lines else ""
