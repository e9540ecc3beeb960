"""What a client's window shows, read from the memory of an X server, from outside.

Xvfb keeps its screen in a file (-fbdir), in the format of xwd: a header of big-endian words, a
colour table, and then the pixels row by row, here of four bytes: blue, green, red and nothing.
"""

from __future__ import annotations

import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rtplab.grading.record import strip
from rtplab.grading.record.movie import BAR
from rtplab.grading.record.process import forget, keep_alive
from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.shields import LAUNCHER

SIZE = (1280, 1024)  # pixels
START_LIMIT = 10.0  # seconds
LOOK = 0.008  # seconds between two looks: six a frame at 20 frames/s
SEARCH = 0.03  # seconds between two searches of the whole screen, which take milliseconds
GONE_AFTER = 0.15  # seconds without a picture, after which it is not just being redrawn
TOLERANCE = 14  # of 255, by which decoders and scalers change the bar's colour
NARROWEST = 90  # pixels of a picture that is found
_COLUMNS = NARROWEST // 4  # pixels between those by which a row is seen not to have the bar
_ROWS = 6  # pixels between the rows that are searched: the bar has 16 at full size
_GRID = 40  # pixels between those by which it is seen if there is a window
_XWD_HEADER = struct.Struct(">25I")


@dataclass(frozen=True)
class Place:
    """Where the picture is on the screen, in pixels; right and bottom are those behind it."""

    left: int
    right: int
    bar: int
    """The bar's middle row."""
    bottom: float
    height: float


class Screen:
    """Pixels of four bytes, blue, green, red and one more, as a picture's place is found in."""

    def __init__(
        self, pixels: mmap.mmap | bytes, width: int, height: int, stride: int, offset: int = 0
    ) -> None:
        self.width, self.height = width, height
        self._pixels = pixels
        self._stride, self._offset = stride, offset
        blue, green, red = (_near(BAR[channel]) for channel in (2, 1, 0))
        self._run = re.compile(b"(?:%b%b%b.){%d,}" % (blue, green, red, NARROWEST), re.DOTALL)
        # The same of the red bytes alone, one of each _COLUMNS pixels.
        self._sparse_run = re.compile(b"%b{%d,}" % (red, NARROWEST // _COLUMNS))

    def row(self, y: int) -> bytes:
        start = self._offset + y * self._stride
        return self._pixels[start : start + 4 * self.width]

    def find(self) -> Place | None:
        """Search for the bar."""
        for y in range(0, self.height, _ROWS):
            row = self.row(y)
            found = self._sparse_run.search(row[2 :: 4 * _COLUMNS]) and self._run.search(row)
            if found and found.start() % 4 == 0:
                return self._place(found.start() // 4, found.end() // 4, y)
        return None

    def _place(self, left: int, right: int, y: int) -> Place:
        middle = (left + right) // 2
        top = bottom = y
        while top > 0 and self.is_bar(middle, top - 1):
            top -= 1
        while bottom < self.height - 1 and self.is_bar(middle, bottom + 1):
            bottom += 1
        height = bottom + 1 - top  # of the bar, as much as of the strip
        return Place(left, right, (top + bottom) // 2, bottom + 1 + height, height * 18)

    def is_bar(self, x: int, y: int) -> bool:
        start = self._offset + y * self._stride + 4 * x
        colour = self._pixels[start : start + 3]
        wanted = (BAR[2], BAR[1], BAR[0])
        return all(abs(a - b) <= TOLERANCE for a, b in zip(colour, wanted, strict=True))

    def is_at(self, place: Place) -> bool:
        """Whether the bar is still there."""
        return self.is_bar(place.left + 3, place.bar) and self.is_bar(place.right - 4, place.bar)

    def number(self, place: Place) -> int | None:
        """The number in the strip, if it can be read."""

        def brightness(left: float, top: float, right: float, bottom: float) -> float:
            total = count = 0
            first = place.bottom - place.height
            for y in range(round(first + top), max(round(first + bottom), round(first + top) + 1)):
                start, end = 4 * round(place.left + left), 4 * round(place.left + right)
                # Green stands for all: it is black or white.
                green = self.row(min(y, self.height - 1))[start + 1 : end : 4]
                total += sum(green)
                count += len(green)
            return total / max(count, 1)

        with suppress(ValueError, IndexError):
            return strip.frame_number(place.right - place.left, place.height, brightness)
        return None

    def has_window(self) -> bool:
        """Whether there is anything on the screen, which is otherwise black."""
        for y in range(_GRID // 2, self.height, _GRID):
            colours = self.row(y)[4 * (_GRID // 2) + 1 :: 4 * _GRID]
            if any(colours):
                return True
        return False

    def png(self) -> bytes:
        """All of it as a PNG file."""
        rows = []
        for y in range(self.height):
            row = self.row(y)
            pixels = bytearray(3 * self.width)
            pixels[0::3], pixels[1::3], pixels[2::3] = row[2::4], row[1::4], row[0::4]
            rows.append(b"\0" + pixels)

        def chunk(name: bytes, data: bytes) -> bytes:
            return (
                struct.pack(">I", len(data))
                + name
                + data
                + struct.pack(">I", zlib.crc32(name + data))
            )

        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        body = zlib.compress(b"".join(rows), 6)
        return (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        )


def _near(value: int) -> bytes:
    """A class of bytes, for a pattern, that are near this one."""
    low, high = max(0, value - TOLERANCE), min(255, value + TOLERANCE)
    return b"[\\x%02x-\\x%02x]" % (low, high)


class Watcher:
    """Records when the window comes and goes, and which frame its picture shows."""

    def __init__(self, recorder: Recorder, screen: Screen) -> None:
        self._recorder = recorder
        self._screen = screen
        self._place: Place | None = None
        self._searched = self._seen = 0.0
        self._shown: int | None = None
        self._has_window = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="grader screen")

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Check once, at the time `now` in seconds."""
        if self._place is None or not self._screen.is_at(self._place):
            self._place = None
            if now - self._searched >= SEARCH:
                self._searched = now
                self._place = self._screen.find()
                self._look_for_window()
        number = self._number(self._place) if self._place else None
        if number is not None:
            self._seen = now
            if number != self._shown:
                self._shown = number
                self._recorder.add("picture", frame=number)
        elif self._shown is not None and now - self._seen > GONE_AFTER:
            self._shown = None
            self._recorder.add("picture", frame=None)

    def _number(self, place: Place) -> int | None:
        """The number there; a new one if it is seen twice, for a half drawn picture shows cells
        of two.
        """
        number = self._screen.number(place)
        if number == self._shown or number == self._screen.number(place):
            return number
        return None

    def _look_for_window(self) -> None:
        has_window = self._place is not None or self._screen.has_window()
        if has_window != self._has_window:
            self._has_window = has_window
            self._recorder.add("window", shown=has_window, title="")


def has_xvfb() -> bool:
    """Whether there is a screen that can be seen from outside."""
    return os.name == "posix" and shutil.which("Xvfb") is not None


@contextmanager
def running_xvfb() -> Iterator[tuple[str, Path]]:
    """Run an X server: its display's name, and its screen's file. Raises OSError.

    Each client has one of its own: it may leave windows behind, or bring the server down.
    """
    with tempfile.TemporaryDirectory(prefix="grade-screen-") as folder:
        reader, writer = os.pipe()
        # By way of the launcher, so that it ends with us, however we end.
        launch = (sys.executable, "-I", "-S", str(LAUNCHER), f'{{"parent": {os.getpid()}}}')
        more = ("-ac", "-br", "-noreset")  # anybody may connect, black, and it outlives a window
        screen = ("-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-fbdir", folder, "-nocursor")
        server = subprocess.Popen(
            [*launch, "Xvfb", "-displayfd", str(writer), *screen, "-nolisten", "tcp", *more],
            pass_fds=[writer],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        keep_alive(server.pid)
        os.close(writer)
        try:
            number = _first_line(reader)
            if not number:
                raise OSError("Xvfb has not started")
            yield f":{number}", Path(folder, "Xvfb_screen0")
        finally:
            server.terminate()
            server.wait(START_LIMIT)
            forget(server.pid)


def _first_line(reader: int) -> str:
    """The line that Xvfb writes when it is ready: its display number."""
    with open(reader) as answer:
        return answer.readline().strip()


@contextmanager
def opened(file: Path) -> Iterator[Screen]:
    """The screen in an X server's file. Raises OSError."""
    with file.open("rb") as handle:
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as pixels:
            words = _XWD_HEADER.unpack_from(pixels)
            header, width, height, stride, colours = (words[i] for i in (0, 4, 5, 12, 19))
            yield Screen(pixels, width, height, stride, header + 12 * colours)
