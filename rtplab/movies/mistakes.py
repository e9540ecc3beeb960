"""Recognises files that are mistaken for movies, and says what to do."""

from __future__ import annotations

import re

LOOKED_AT = 1 << 20  # bytes from the beginning of a file that suffice to recognise it

CONVERT = "convert it with: python -m rtplab import FILE"
_UNPACK = "unpack it, and put the movie here"

_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml|!--)", re.IGNORECASE)
# A packet of 188 bytes begins with 47, three times in a row.
_TRANSPORT_STREAM = rb"\x47.{187}\x47.{187}\x47"
# Start codes of sequences: H.264 (SPS or access unit delimiter), H.265 (VPS), MPEG-1, 2 and 4.
_RAW_VIDEO = rb"\0{2,3}\x01(?:[\x67\x27\x47\x09\x40\x46]|\xb3|\xb0|\xba)"

_KINDS = [
    (re.compile(pattern, re.DOTALL), kind, what_to_do)
    for pattern, kind, what_to_do in (
        (rb"....ftyp(?:heic|heix|mif1|msf1|avif)", "a picture in HEIF or AVIF", CONVERT),
        (rb"....(?:ftyp|moov|mdat|wide|free|skip)", "an MP4 or QuickTime file", CONVERT),
        (rb"\x1a\x45\xdf\xa3", "a Matroska or WebM file", CONVERT),
        (_RAW_VIDEO, "H.264 or MPEG video", CONVERT),
        (_TRANSPORT_STREAM, "an MPEG transport stream", CONVERT),
        (rb"FLV\x01", "a Flash video", CONVERT),
        (rb"OggS", "an Ogg file", CONVERT),
        (rb"\x30\x26\xb2\x75", "a Windows Media file", CONVERT),
        (rb"\x89PNG\r\n\x1a\n", "a PNG picture", CONVERT),
        (rb"GIF8[79]a", "a GIF", CONVERT),
        (rb"RIFF....WEBP", "a WebP picture", CONVERT),
        (rb"BM.{12}\x28\0\0\0", "a BMP picture", CONVERT),
        (rb"RIFF....WAVE|ID3", "sound without pictures", "give the name of a movie"),
        (rb"PK\x03\x04", "a ZIP file", _UNPACK),
        (rb"\x1f\x8b\x08", "a gzip file", _UNPACK),
    )
]

# Bytes of compressed pictures in which line ends are counted: 1 byte in 256 is LF, and 1 in 256 of
# those follows CR by chance.
_ENOUGH = 16
_MANY = 16 * 256


def recognise(beginning: bytes) -> str:
    """Return what a file is and what to do, by its first LOOKED_AT bytes; "" if unknown."""
    if not beginning:
        return "the file is empty: copy or record the movie again"
    if beginning.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the movie: run `git lfs pull` to get the movie"
    if _HTML.match(beginning):
        return "this is a web page, not the movie: download the file itself"
    for pattern, kind, what_to_do in _KINDS:
        if pattern.match(beginning):
            return f"this is {kind}: {what_to_do}"
    return ""


def has_changed_line_ends(beginning: bytes) -> bool:
    """Tell if a program has converted line endings inside compressed pictures."""
    line_feeds = beginning.count(b"\n")
    pairs = beginning.count(b"\r\n")
    if line_feeds >= _ENOUGH and pairs == line_feeds:
        return True  # LF became CRLF
    return line_feeds >= _MANY // 2 and pairs == 0  # CRLF became LF: some 8 are missing


CHANGED_LINE_ENDS = (
    "its line endings were converted, as git does with text files: add `*.[Mm]jpeg binary` to "
    ".gitattributes, and get the file again"
)
