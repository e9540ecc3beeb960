"""The command `rtplab import`: its options, and the conversion of each file."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import FrameType

from rtplab.commandline import CommandLine
from rtplab.console import write_every_name
from rtplab.importing.encoding import DEFAULT_QUALITY, LOWEST_QUALITY, Encoder, TooLarge
from rtplab.importing.progress import Progress
from rtplab.importing.sources import DEFAULT_RATE, Source, open_source
from rtplab.importing.wanted import ImportingError, Wanted
from rtplab.movies.index import FASTEST, SLOWEST
from rtplab.movies.ratecomment import with_rate
from rtplab.movies.writing import MOST_BYTES, MovieWriter
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtsp.messages import printable

SUFFIXES = {"lab": ".Mjpeg", "bare": ".mjpeg"}

_ROOM_FOR_RATE = 64  # bytes of the comment in the first picture
_SMALLEST_FRAME = 1000  # bytes: the headers of a JPEG alone are 623
_MAX_SIDE = 65_500  # pixels, of a JPEG
_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7}(?:\.\d{1,9})?)\Z")

_EXAMPLES = """examples:
    {prog} film.mp4
        convert a video to film.Mjpeg in the current folder
    {prog} film.mp4 --size 640x360 --start 1:30 --duration 20
        convert 20 seconds of it to smaller pictures
    {prog} pictures -o movies --fps 5
        convert a folder of pictures to a movie in the folder movies
"""


def main(argv: Sequence[str] | None = None, prog: str = "rtplab import") -> int:
    """Convert each file to a movie; return the exit status: 0 fine, 1 failed, 2 usage."""
    write_every_name()
    options = _parse(argv, prog)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of metadata that nobody asked for
            # Go on after a failure: one of a hundred files may be broken.
            return 0 if all([_make(options, file) for file in options.files]) else 1
    except KeyboardInterrupt:
        print("Stopped. Unfinished movies were removed.", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _make(options: argparse.Namespace, file: Path) -> bool:
    """Convert one file or folder to a movie; tell if that worked, else print why."""
    output = _output(options, file)
    try:
        if problem := _problem(output, file, options.force):
            raise ImportingError(problem)
        _convert(open_source(file, options.wanted), output, options)
    except ImportingError as error:
        print(f"{printable(str(file))}: {error}", file=sys.stderr)
        return False
    except OSError as error:
        at_fault = file if isinstance(error, MovieError) else error.filename or output
        print(f"{printable(str(at_fault))}: {error.strerror or error}", file=sys.stderr)
        return False
    return True


def _output(options: argparse.Namespace, file: Path) -> Path:
    whole = Path(os.path.realpath(file))  # also of "."
    name = whole.name if whole.is_dir() else whole.stem
    own = Path(f"{name or 'movie'}{SUFFIXES[options.format]}")
    output: Path | None = options.output
    if output is None:
        return own
    return output / own if output.is_dir() else output


def _problem(output: Path, file: Path, force: bool) -> str:
    if not output.parent.is_dir():
        return (
            f"the folder {printable(str(output.parent))} does not exist: "
            "create it, or choose another with -o"
        )
    if not output.exists():
        return ""
    if file.exists() and os.path.samefile(output, file):
        return "the movie would overwrite it: choose another name with -o"
    if output.is_dir():
        return f"{printable(str(output))} is a folder: choose another name with -o"
    return "" if force else f"{printable(str(output))} already exists: use --force to replace it"


def _convert(source: Source, output: Path, options: argparse.Namespace) -> None:
    """Write the movie; start again whenever a picture turns out to be too large.

    So all pictures have the same size. Raises ImportingError, OSError.
    """
    wanted: Wanted = options.wanted
    box = wanted.size
    while True:
        writer = MovieWriter(output, has_lengths=options.format == "lab")
        encoder = Encoder(wanted, box)
        try:
            writer.begin()
            _write(source, encoder, writer)
        except TooLarge as error:
            print(
                f"{printable(output.name)}: frame {writer.frames + 1} exceeds "
                f"{wanted.max_frame:,} bytes even at quality {LOWEST_QUALITY}, "
                "so the picture is scaled down from "
                f"{encoder.size[0]}x{encoder.size[1]} to fit {error.size[0]}x{error.size[1]}",
                file=sys.stderr,
            )
            box = error.size
        else:
            writer.finish()
            break
        finally:
            writer.discard()
    width, height = encoder.size
    seconds = float(writer.frames / source.rate)
    frames = "1 frame" if writer.frames == 1 else f"{writer.frames} frames"
    print(
        f"{printable(str(output))}: {frames}, {width}x{height}, {seconds:.1f} s at "
        f"{float(source.rate):.4g} frames/s, frames of up to {writer.largest:,} bytes"
    )
    if options.format == "lab" and writer.largest > MOST_BYTES:
        print(f"  other lab servers can't read frames above {MOST_BYTES:,} bytes")


def _write(source: Source, encoder: Encoder, writer: MovieWriter) -> None:
    progress = Progress(printable(writer.path.name), source.count)
    try:
        for picture in source.pictures():
            if writer.frames:
                writer.add(encoder.encode(picture))
            else:
                writer.add(with_rate(encoder.encode(picture, _ROOM_FOR_RATE), source.rate))
            progress.tell(writer.frames)
    finally:
        progress.clear()
    if not writer.frames:
        raise ImportingError("it contains no pictures, or none after --start")


def _parse(argv: Sequence[str] | None, prog: str) -> argparse.Namespace:
    """Return the options; end the program with a sentence and status 2 when one is wrong."""
    parser = CommandLine(
        prog=prog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES.format(prog=prog),
        description="Convert each video, animation or folder of pictures to a movie.\n"
        "Width and height are cropped to multiples of 8, by up to 7 pixels.",
    )
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="video, animation, picture or folder")
    add(
        "-o",
        dest="output",
        type=Path,
        metavar="OUT",
        help="output file, or an existing folder to put it in",
    )
    add(
        "--fps",
        type=_fps,
        help=f"frames per second (default: the file's own rate, else {DEFAULT_RATE})",
    )
    add(
        "--size",
        type=_size,
        metavar="WxH",
        help="fit into this size in pixels; the aspect ratio is kept",
    )
    add("--quality", type=_quality, help=f"JPEG quality, 1 to 95 (default: {DEFAULT_QUALITY})")
    add(
        "--max-frame",
        type=_max_frame,
        default=Wanted.max_frame,
        metavar="BYTES",
        help="size limit of a frame: its quality is lowered to meet it, and if "
        f"{LOWEST_QUALITY} is still too large, the picture is scaled down; 0 means no limit "
        "(default: %(default)s)",
    )
    add(
        "--start",
        type=_time,
        default=Fraction(0),
        metavar="T",
        help="start at this time in the video, e.g. 90 or 1:30",
    )
    add("--duration", type=_time, metavar="T", help="length to convert, e.g. 90 or 1:30")
    add(
        "--format",
        choices=SUFFIXES,
        default="lab",
        help="format of the movie (default: %(default)s)",
    )
    add("--force", action="store_true", help="replace an existing movie")
    options = parser.parse_args(argv)
    if options.output is not None and len(options.files) > 1 and not options.output.is_dir():
        parser.error("-o must be an existing folder if there are several files")
    if options.duration == 0:
        parser.error("--duration must be greater than 0")
    options.wanted = Wanted(
        options.fps,
        options.size,
        options.quality,
        options.max_frame,
        options.start,
        options.duration,
    )
    return options


def _fps(text: str) -> Fraction:
    try:
        fps = Fraction(text)
    except (ValueError, ZeroDivisionError):
        fps = Fraction(0)
    if not SLOWEST <= fps <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate from 0.1 to 1000")
    return fps.limit_denominator(1001)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(8 <= side <= _MAX_SIDE for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size in pixels, as in 384x288")
    return sides


def _quality(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 95:
        raise argparse.ArgumentTypeError(f"{text!r} is not a quality from 1 to 95")
    return int(text)


def _max_frame(text: str) -> int:
    if not text.isdecimal() or (0 < int(text) < _SMALLEST_FRAME):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of bytes of {_SMALLEST_FRAME} or more, or 0 for no limit"
        )
    return int(text)


def _time(text: str) -> Fraction:
    found = _TIME.match(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, as in 90, 1:30 or 0:01:30.5")
    hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds
