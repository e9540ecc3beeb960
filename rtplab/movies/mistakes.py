"""Files that are taken for movies by mistake: what they are, and what to do."""

from __future__ import annotations

import re

LOOKED_AT = 1 << 20  # bytes from the beginning of a file that are enough to know it

CONVERT = "make a movie of it with: ffmpeg -i FILE -huffman default -q:v 5 -f mjpeg movie.mjpeg"
_MP4 = re.compile(rb"....(ftyp|moov|mdat|wide|free|skip)", re.DOTALL)
# Start codes of sequences: H.264 (SPS or access unit delimiter), H.265 (VPS), MPEG-1, 2 and 4.
_RAW_VIDEO = re.compile(rb"\0{2,3}\x01(?:[\x67\x27\x47\x09\x40\x46]|\xb3|\xb0|\xba)")
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml|!--)", re.IGNORECASE)

# Line ends in so many bytes of compressed pictures: one byte of 256 is LF, and one of 256 of those
# stands behind CR by chance.
_ENOUGH = 16
_MANY = 16 * 256


def recognise(beginning: bytes) -> str:
    """Return what a file is and what to do, by its first LOOKED_AT bytes; "" if it isn't known."""
    if not beginning:
        return "the file is empty: copy or record the movie once more"
    if beginning.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer in the movie's place: run `git lfs pull` to get the movie"
    if _HTML.match(beginning):
        return "this is a web page in the movie's place: download the file itself"
    if _MP4.match(beginning):
        return f"this is an MP4 or QuickTime file: {CONVERT}"
    if beginning.startswith(b"\x1a\x45\xdf\xa3"):
        return f"this is a Matroska or WebM file: {CONVERT}"
    if _RAW_VIDEO.match(beginning):
        return f"this is H.264 or MPEG video: {CONVERT}"
    return ""


def has_changed_line_ends(beginning: bytes) -> bool:
    """Tell if a program has converted line ends in what should be compressed pictures."""
    line_feeds = beginning.count(b"\n")
    pairs = beginning.count(b"\r\n")
    if line_feeds >= _ENOUGH and pairs == line_feeds:
        return True  # LF became CRLF
    return line_feeds >= _MANY // 2 and pairs == 0  # CRLF became LF: some 8 are missing


CHANGED_LINE_ENDS = (
    "line ends in it have been changed, as git does with text: write `*.[Mm]jpeg binary` into "
    ".gitattributes, and get the file anew"
)
