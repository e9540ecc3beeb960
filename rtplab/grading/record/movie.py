"""The secret movie: drawn from a seed, so that no submission can know it in advance.

The pictures are baseline JPEGs of 384x288 pixels, made here of blocks of one brightness each, with
no other library: the same seed gives the same bytes on every machine. From top to bottom:

    0..255    a mosaic that changes with each frame; coarser or finer, for the size in bytes
    256..271  a bar of one colour, by which the picture is found on a screen
    272..287  the frame's number in binary: 16 cells, white 1 and black 0, as in movie.Mjpeg
"""

from __future__ import annotations

import hashlib
import random
import string
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtplab.protocol.rtp.jpegtables import STANDARD_HUFFMAN

WIDTH, HEIGHT = 384, 288
FRAMES = 120
SMALLEST, LARGEST = 2_400, 14_500  # bytes; the lab's clients in Java receive into 15,000
BAR = (200, 0, 200)
"""Red, green and blue of the bar by which the picture is found."""

_COLUMNS, _ROWS = WIDTH // 16, HEIGHT // 16  # of the units of 16x16 pixels that share a colour
_CELLS = 16  # of the strip, each a whole number of blocks of 8 pixels wide
_HEAD_SIZE = 600  # bytes, about
_DC_STEP = 8  # then a DC coefficient is a brightness
_AC_STEP = 12
_COARSE = 4_500  # bytes: in less, rows of one brightness
_AT_NORMAL_SIZE = 16_000  # bytes: the rest is a comment


@dataclass(frozen=True)
class SecretMovie:
    """A movie and its name."""

    name: str
    frames: tuple[bytes, ...]

    @property
    def file(self) -> bytes:
        """The lab's format: each frame after its length in five digits."""
        return b"".join(b"%05d%b" % (len(frame), frame) for frame in self.frames)

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What a recording says about each frame."""
        return [
            {"size": len(frame), "sha256": hashlib.sha256(frame).hexdigest()}
            for frame in self.frames
        ]


def draw_movie(
    seed: int,
    frames: int = FRAMES,
    sizes: tuple[int, int] = (SMALLEST, LARGEST),
    width: int = WIDTH,
) -> SecretMovie:
    """Draw a movie whose frames have sizes within these bytes, below 99,999 each.

    The width in pixels is a multiple of 128.
    """
    dice = random.Random(f"movie {seed} {sizes}")
    name = "".join(dice.choices(string.ascii_lowercase, k=7)) + ".Mjpeg"
    pictures = [
        draw_frame(dice, number, dice.randint(*sizes), width) for number in range(1, frames + 1)
    ]
    return SecretMovie(name, tuple(pictures))


def draw_frame(dice: random.Random, number: int, size: int, width: int = WIDTH) -> bytes:
    """A picture with this number, of exactly `size` bytes unless it can't be so small.

    What the mosaic doesn't fill is a comment of random bytes behind the picture's head.
    """
    head, scan = _head(width), _scan(dice, number, size - _HEAD_SIZE, width // 16)
    room = size - len(head) - len(scan) - 2  # its end
    comments = b""
    while room >= 4:
        length = min(room - 2, 65_000)
        if 0 < room - 2 - length < 4:
            length -= 4
        comments += struct.pack(">BBH", 0xFF, 0xFE, length) + dice.randbytes(length - 2)
        room -= length + 2
    return head[:2] + comments + head[2:] + scan + b"\xff\xd9"


@cache
def _head(width: int) -> bytes:
    steps = bytes([_DC_STEP] + [_AC_STEP] * 63)
    sizes = struct.pack(">BHHB", 8, HEIGHT, width, 3)
    components = bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])  # 4:2:0
    huffman = b"".join(bytes([key[0] << 4 | key[1]]) + t for key, t in STANDARD_HUFFMAN.items())
    scan = bytes([3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0])
    segments = ((0xDB, b"\0" + steps), (0xC0, sizes + components), (0xC4, huffman), (0xDA, scan))
    return b"\xff\xd8" + b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments
    )


def _scan(dice: random.Random, number: int, room: int, columns: int) -> bytes:
    """The entropy-coded part, which fills `room` bytes with detail, if there is so much."""
    bits = _Bits()
    is_coarse = room < _COARSE
    textures = [""] if is_coarse else _textures(dice, min(room, _AT_NORMAL_SIZE) - _COARSE)
    hue = dice.randint(-60, 60), dice.randint(-60, 60)
    bar, *bar_hue = _ycbcr(*BAR)
    base = 0
    for _ in range(_ROWS - 2):
        base = dice.randint(-70, 60)
        for column in range(columns):
            if not is_coarse and column % 2:
                base = dice.randint(-70, 60)
            for _ in range(4):
                bits.block(0, base, textures[int(dice.random() * len(textures))])
            bits.colour(*hue)
    for _ in range(columns):
        for _ in range(4):
            bits.block(0, bar)
        bits.colour(*bar_hue)
    for column in range(columns):
        for half in (0, 1, 0, 1):
            cell = (2 * column + half) * _CELLS // (2 * columns)
            bits.block(0, 127 if number >> (_CELLS - 1 - cell) & 1 else -128)
        bits.colour(0, 0)
    return bits.bytes()


def _textures(dice: random.Random, size: int) -> list[str]:
    """Codes of small coefficients for a block, such that all blocks together have this size."""
    code = _codes(1, 0)[2]
    each = size * 8 / 5 / (_COLUMNS * (_ROWS - 2) * 4)  # a coefficient takes 4 bits, and DC some
    textures = []
    for _ in range(32):
        values = dice.choices((-3, -2, 2, 3), k=min(60, int(each + dice.random())))
        textures.append("".join(code + _magnitude(value, 2) for value in values))
    return textures


def _ycbcr(red: int, green: int, blue: int) -> tuple[int, int, int]:
    """JFIF's conversion, each around 0."""
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(y - 128), round((blue - y) * 0.564), round((red - y) * 0.713)


class _Bits:
    """Blocks in Huffman's code (T.81 annex F)."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._last = [0, 0, 0]

    def block(self, component: int, level: int, texture: str = "") -> None:
        """A block of this brightness, with the codes of its other coefficients."""
        table = 1 if component else 0
        difference = level - self._last[component]
        self._last[component] = level
        self._codes.append(_step(table, difference) + texture + _codes(1, table)[0])

    def colour(self, blue: int, red: int) -> None:
        """What the four blocks before share."""
        self.block(1, blue)
        self.block(2, red)

    def bytes(self) -> bytes:
        text = "".join(self._codes)
        text += "1" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


@cache
def _step(table: int, difference: int) -> str:
    """The code of a DC coefficient, by its difference from the one before."""
    size = abs(difference).bit_length()
    return _codes(0, table)[size] + _magnitude(difference, size)


def _magnitude(value: int, size: int) -> str:
    """The bits behind a code: negative numbers less one (T.81 section F.1.2.1)."""
    return format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if size else ""


@cache
def _codes(table_class: int, identifier: int) -> dict[int, str]:
    """Symbols and their codes, from the lengths (T.81 annex C)."""
    table = STANDARD_HUFFMAN[table_class, identifier]
    codes: dict[int, str] = {}
    code, at = 0, 16
    for length in range(1, 17):
        for symbol in table[at : at + table[length - 1]]:
            codes[symbol] = format(code, f"0{length}b")
            code += 1
        at += table[length - 1]
        code <<= 1
    return codes
