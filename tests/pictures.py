"""Pictures that no encoder at hand writes."""

from __future__ import annotations

import struct


def lossless(width: int, height: int) -> bytes:
    """A grey lossless JPEG (T.81 annex H): all differences are 0, which takes a bit each."""
    table = b"\0" + bytes([1] + [0] * 15) + b"\0"
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    scan = bytes([1, 1, 0, 1, 0, 0])  # one component, its table, predictor 1
    segments = b"".join(
        bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
        for marker, body in ((0xC4, table), (0xC3, frame), (0xDA, scan))
    )
    return b"\xff\xd8" + segments + bytes(width * height // 8 + 1) + b"\xff\xd9"


def without_huffman(picture: bytes) -> bytes:
    """The picture as AVI files have it: without its Huffman tables."""
    kept, at = picture[:2], 2
    while True:
        marker, length = picture[at + 1], 2 + int.from_bytes(picture[at + 2 : at + 4], "big")
        if marker == 0xDA:
            return kept + picture[at:]
        if marker != 0xC4:
            kept += picture[at : at + length]
        at += length
