"""JPEGs decoded for display: bounded, and no larger than they are shown. Needs no Tk.

Pillow lets other threads run while it decodes and scales: a large picture is decoded in a thread of
its own, so that the window answers meanwhile. A small one is decoded faster than it is handed over,
so the window does that itself.
"""

from __future__ import annotations

import ctypes
import io
import threading
from typing import Any, NamedTuple

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from rtplab.protocol.errors import MovieError, PacketError
from rtplab.protocol.rtp.jpeg import SOF0, SOF1, SOF2, frame_header

# Pixels of a picture that is decoded: 8K video. A JPEG of 631 bytes can claim to be 13000 pixels
# high and wide, and decoding it takes 663 MB.
MAX_PIXELS = 7680 * 4320

# Scans of a picture that is decoded: a progressive one has about ten, each a pass over all of its
# pixels. 16 MB could hold 300,000, which would keep the decoder busy for a quarter of an hour.
MAX_SCANS = 100
_START_OF_SCAN = b"\xff\xda"

# Baseline, extended and progressive: no movie has others. For a lossless picture libjpeg writes
# full rows even if half the size was requested, and Pillow up to 12 reserves room for half only.
_CODINGS = (SOF0, SOF1, SOF2)

# Pixels, counted once per scan, above which decoding takes several milliseconds.
LARGE = 1280 * 720

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# Bytes that the process keeps when they are freed: there are three copies of a 1080p picture, of
# 8 MB each: decoded, handed over and being drawn.
_KEPT = 64 * 1024 * 1024
_LARGEST_KEPT_PIECE = 32 * 1024 * 1024  # bytes; glibc allows no more

Size = tuple[int, int]


def picture_size(jpeg: bytes) -> Size:
    """Width and height of a JPEG in pixels.

    Raises PacketError if it has none or too many, or if its coding is not supported.
    """
    try:
        sof, width, height = frame_header(jpeg)
    except MovieError as error:
        raise PacketError(f"not a JPEG: {error}") from error
    if sof not in _CODINGS:
        raise PacketError(f"JPEG coding 0xFF{sof:02X} is not supported")
    if width * height > MAX_PIXELS:
        raise PacketError(f"{width} x {height} pixels are too many to decode")
    return width, height


def is_costly(jpeg: bytes, size: Size) -> bool:
    """Tell if a JPEG of this size takes too long for the thread that runs the window."""
    pixels = size[0] * size[1]
    return pixels >= LARGE or pixels * jpeg.count(_START_OF_SCAN) >= LARGE


class FrameDecoder:
    """Decodes the frames of one stream, one after the other.

    Most streams have the same headers in every frame, byte for byte. Those are parsed once, and
    the frames are decoded into the same memory.
    """

    def __init__(self) -> None:
        self._headers = b""  # of the frame that was parsed last, up to its last scan's
        self._picture: Size = (0, 0)  # pixels, as those headers say
        self._target: Size = (0, 0)  # pixels that were asked for
        self._image = Image.new("L", (1, 1))
        self._arguments: tuple[object, ...] = ()  # of Pillow's decoder

    def picture_size(self, jpeg: bytes) -> Size:
        """Like the function of this name, but known headers are not parsed again."""
        return self._picture if self._knows(jpeg) else picture_size(jpeg)

    def decode(self, jpeg: bytes, size: Size) -> Image.Image:
        """Decode a JPEG to `size`; the image is valid until the next call.

        Raises PacketError when it is damaged or too large.
        """
        scans = jpeg.count(_START_OF_SCAN)
        if scans > MAX_SCANS:
            raise PacketError(f"{scans} scans are too many to decode")
        try:
            if size != self._target or not self._knows(jpeg):
                self._prepare(jpeg, size)
            image = self._image
            image.frombytes(jpeg, "jpeg", self._arguments)
            return image if image.size == size else image.resize(size, _filter(image.size, size))
        except PacketError:
            raise
        except Exception as error:  # Pillow passes on whatever its parsers stumble over
            raise PacketError(f"a damaged JPEG: {error}") from error

    def _knows(self, jpeg: bytes) -> bool:
        return bool(self._headers) and jpeg.startswith(self._headers)

    def _prepare(self, jpeg: bytes, size: Size) -> None:
        """Have Pillow parse the headers.

        The result, above all the image's size, holds for every JPEG that begins with the same
        bytes: nothing after the first scan's marker can change it.
        """
        picture = picture_size(jpeg)
        # Not Image.open: this class parses only JPEG, and leaves checking the size to us.
        parsed = JpegImageFile(io.BytesIO(jpeg))
        if parsed.size != picture:
            raise PacketError(f"it also claims to have {parsed.width} x {parsed.height} pixels")
        if picture != size:
            parsed.draft(parsed.mode, size)  # the decoder halves what will be reduced anyway
        arguments: Any = parsed.tile[0][3]
        headers = jpeg[: jpeg.rindex(_START_OF_SCAN) + len(_START_OF_SCAN)]
        if (self._image.mode, self._image.size) != (parsed.mode, parsed.size):
            self._image = _in_one_piece(parsed.mode, parsed.size)
        self._arguments = *arguments, *parsed.decoderconfig
        self._headers, self._picture, self._target = headers, picture, size


def _in_one_piece(mode: str, size: Size) -> Image.Image:
    """An image in one piece of memory, as ImageTk wants it: it would copy every other one first."""
    try:
        memory = Image.core.new_block(mode, size)  # type: ignore[attr-defined]
        return Image.Image()._new(memory)
    except AttributeError:  # not a documented part of Pillow's interface
        return Image.new(mode, size)


def decode(jpeg: bytes, size: Size) -> Image.Image:
    """Decode one JPEG to `size`. Raises PacketError when it is damaged or too large."""
    return FrameDecoder().decode(jpeg, size)


def fitted(picture: Size, room: Size) -> Size:
    """The largest size of the picture's aspect that fits the room."""
    factor = min(room[0] / picture[0], room[1] / picture[1])
    return max(1, round(picture[0] * factor)), max(1, round(picture[1] * factor))


def _filter(source: Size, target: Size) -> Image.Resampling:
    """A whole multiple stays sharp; anything else is interpolated."""
    if target[0] % source[0] == 0 and target[1] % source[1] == 0:
        return Image.Resampling.NEAREST
    return Image.Resampling.BILINEAR


class Picture(NamedTuple):
    """A decoded frame; `image` is None when the JPEG is damaged, and `problem` says how."""

    jpeg: bytes
    image: Image.Image | None
    problem: str = ""


class BackgroundDecoder:
    """A thread with room for one waiting frame and one decoded picture: the newest wins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards everything below
        self._job: tuple[bytes, Size] | None = None
        self._forgotten = False  # the result of the current decoding is no longer wanted
        self._picture: Picture | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.busy = False  # a picture is on its way

    def submit(self, jpeg: bytes, size: Size) -> None:
        """Have a frame decoded to `size`; one that still waits is forgotten.

        If no thread can be started, it is decoded before this returns.
        """
        with self._changed:
            if self._thread is None and not self._start():
                self._picture = _decoded(jpeg, size)
                return
            self._job, self.busy = (jpeg, size), True
            self._changed.notify()

    def _start(self) -> bool:
        """Start the thread; tell if the system grants one."""
        # Daemon: an interrupted program does not destroy its window first.
        thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def take(self) -> Picture | None:
        """Return the newest picture that is ready and was not taken yet."""
        with self._changed:
            picture, self._picture = self._picture, None
            return picture

    def forget(self) -> None:
        """Discard everything submitted so far."""
        with self._changed:
            self._job = self._picture = None
            self._forgotten = True

    def close(self) -> None:
        """End the thread. May be called twice."""
        with self._changed:
            self._closed, self._job = True, None
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self.busy = self._job is not None
                self._changed.wait_for(lambda: self._job is not None or self._closed)
                if self._job is None:
                    return
                (jpeg, size), self._job = self._job, None
                self._forgotten = False
            picture = _decoded(jpeg, size)
            with self._changed:
                if not self._forgotten:
                    self._picture = picture


def _decoded(jpeg: bytes, size: Size) -> Picture:
    try:
        return Picture(jpeg, decode(jpeg, size))
    except PacketError as error:
        return Picture(jpeg, None, str(error))


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for reuse. Does nothing with another C library.

    Otherwise glibc returns a large piece to the system with every picture and takes it back,
    page by page, with the next: at 1080p that costs more than to decode.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_PIECE)
