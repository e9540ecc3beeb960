"""The command `rtplab info`: describe a movie, and say which clients can't receive it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rtplab.commandline import CommandLine
from rtplab.console import write_every_name
from rtplab.movies.movie import Movie
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg, rtpjpeg
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.listing import too_large_for
from rtplab.serving.media.playback import frame_rate

_CODINGS = {
    jpeg.SOF0: "baseline",
    jpeg.SOF1: "extended sequential",
    jpeg.SOF2: "progressive",
    0xC3: "lossless",
    0xC9: "arithmetic",
    0xCA: "arithmetic progressive",
}


def main(argv: Sequence[str] | None = None, prog: str = "rtplab info") -> int:
    """Describe each movie; return the exit status: 0 fine, 1 if one can't be played, 2 usage."""
    write_every_name()
    parser = CommandLine(
        prog=prog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Describe movie files, and say which clients can't receive them.",
        epilog=f"example:\n    {prog} movie.Mjpeg\n\n"
        "exit status: 0 fine, 1 a file is not a movie that can be played, 2 usage",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a movie file")
    return 0 if all([_tell(file) for file in parser.parse_args(argv).files]) else 1


def _tell(file: Path) -> bool:
    name = printable(str(file))
    try:
        movie = Movie(file)
        lines = list(_lines(movie))
    except MovieError as error:
        print(f"{name} can't be played: {error}", file=sys.stderr)
        return False
    except OSError as error:
        print(f"{name} can't be opened: {error.strerror}", file=sys.stderr)
        return False
    print(name, *(f"  {line}" for line in lines), sep="\n")
    return True


def _lines(movie: Movie) -> Iterator[str]:
    rate = frame_rate(movie, None)
    frames = len(movie.frames)
    kinds, sizes, reasons = _look_through(movie)
    said = "" if movie.frame_rate else " (not stated in the file; set it with --fps)"
    yield f"format:   {movie.format}"
    yield f"frames:   {frames}, the largest has {movie.largest:,} bytes"
    yield f"size:     {_counted(sizes, frames)}"
    yield f"rate:     {rate:.4g} frames/s{said}"
    yield f"duration: {frames / rate:.1f} s"
    yield f"JPEG:     {_counted(kinds, frames)}"
    if movie.damage:
        yield f"damage:   {movie.damage}"
    large = too_large_for(movie)
    if large:
        yield f"lab:      {large}"
    elif not reasons:
        yield "viewers:  every client can receive it as it is"
    for reason, count in reasons.most_common():
        if rtpjpeg.fits(movie.width, movie.height):
            yield f"standard: {_of(count, frames)} converted while it is sent: {reason}"
        else:
            yield f"standard: {_of(count, frames)} too large for RTP/JPEG: {reason}"


def _look_through(movie: Movie) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Count the kinds of JPEG, the sizes, and the reasons why RTP/JPEG can't carry a picture."""
    kinds: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for number in range(1, len(movie.frames) + 1):
        picture = movie.frame(number)
        try:
            header = jpeg.parse(picture)
        except MovieError:
            kinds["damaged, skipped"] += 1
            continue
        kinds[kind_of(header)] += 1
        sizes[f"{header.width}x{header.height}"] += 1
        if reason := rtpjpeg.unsupported_reason(header):
            reasons[reason] += 1
    return kinds, sizes, reasons


def kind_of(header: jpeg.JpegHeader) -> str:
    """Return the kind of a JPEG in words."""
    coding = _CODINGS.get(header.sof, f"SOF{header.sof - jpeg.SOF0}")
    tables = "" if header.standard_huffman else ", its own Huffman tables"
    first = header.components[0]
    colours = {1: "grey", 4: "four colours"}.get(len(header.components), "")
    if not colours:
        chroma = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1"}
        sampling = first.horizontal, first.vertical
        colours = "RGB" if header.rgb else chroma.get(sampling, f"{sampling[0]}x{sampling[1]}")
    return f"{coding}, {colours}{tables}"


def _counted(kinds: Counter[str], frames: int) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"{kind} ({count} of {frames})" for kind, count in kinds.most_common())


def _of(count: int, frames: int) -> str:
    return "all" if count == frames else f"{count} of {frames}"
