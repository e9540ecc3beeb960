"""The player's command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from rtplab.commandline import CommandLine
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import meant_address, parse_stream_url, question
from rtplab.receiving.rtp.impairment import Conditions, parse_conditions
from rtplab.receiving.rtp.playout import DEFAULT_LATENCY
from rtplab.receiving.rtsp.standarddialogue import TRANSPORTS
from rtplab.version import __version__

EXAMPLES = """\
examples:
    {prog}                                            play the demonstration movie
    {prog} localhost 1025 5008 movie.Mjpeg            play from a lab server
    {prog} rtsp://camera/stream --transport tcp       play from a camera over TCP
    {prog} rtsp://host/movie --headless --frames 100  measure 100 frames
    {prog} rtsp://host/movie --impair loss=5%         watch what packet loss does
"""


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about what a server may be trusted with."""
    parser.add_argument("--ca", metavar="FILE", help="trust the CA certificates in this file (PEM)")
    parser.add_argument(
        "--insecure", action="store_true", help="accept any certificate, without checking it"
    )
    parser.add_argument(
        "--allow-basic",
        action="store_true",
        help="send the password unencrypted if the server demands it (Basic)",
    )


def parse_arguments(argv: list[str] | None, prog: str) -> argparse.Namespace:
    """Return the options. If one is wrong, exit with a sentence and status 2."""
    parser = CommandLine(
        prog=prog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Play MJPEG from an RTSP server or an HTTP camera. Without arguments, play a "
        "demonstration movie.",
        epilog=EXAMPLES.format(prog=prog),
    )
    parser.add_argument(
        "server",
        nargs="?",
        metavar="Server_name",
        help="the server's host name; or, alone, an rtsp:// or http:// address or a movie file",
    )
    parser.add_argument(
        "server_port", nargs="?", type=_port, metavar="Server_port", help="the server's RTSP port"
    )
    parser.add_argument(
        "rtp_port",
        nargs="?",
        type=_port,
        metavar="RTP_port",
        help="the local UDP port for RTP (0: any free port)",
    )
    parser.add_argument(
        "movie", nargs="?", metavar="Video_file", help="the movie's file name on the server"
    )
    parser.add_argument(
        "--transport",
        choices=TRANSPORTS,
        default="auto",
        help="transport for rtsp:// addresses (default: auto, which is UDP, or TCP if UDP fails)",
    )
    add_trust_options(parser)
    parser.add_argument(
        "--latency",
        type=_milliseconds,
        default=DEFAULT_LATENCY * 1000,
        metavar="MS",
        help="playout delay: how long frames are held to even out delays (default: 100)",
    )
    parser.add_argument(
        "--impair",
        type=_conditions,
        default=Conditions(),
        metavar="WHAT",
        help="simulate a bad network: "
        "loss=5%%,burst=4,delay=30ms,jitter=10ms,reorder=1%%,duplicate=1%%,rate=2M,seed=1",
    )
    parser.add_argument(
        "--pcap", type=Path, metavar="FILE", help="write the RTSP and RTP traffic to a capture file"
    )
    parser.add_argument("--headless", action="store_true", help="receive without a window")
    parser.add_argument("--frames", type=_count, metavar="N", help="headless: stop after N frames")
    parser.add_argument(
        "--duration", type=_seconds, metavar="S", help="headless: stop S seconds after PLAY starts"
    )
    parser.add_argument(
        "--save",
        type=Path,
        metavar="DIR",
        help="headless: save each frame as a numbered JPEG in DIR",
    )
    parser.add_argument(
        "--json", action="store_true", help="headless: print one JSON object on stdout at the end"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(argv)
    options.file = None
    if options.server is not None and "://" in options.server:
        try:
            url = parse_stream_url(options.server)
        except MessageError as error:
            parser.error(f"{error}{question(meant_address(options.server))}")
        if options.server_port is not None:
            lab = f"{url.host} {options.server_port} {options.rtp_port} {options.movie}"
            meant = printable(lab) if options.movie else None
            parser.error(f"give nothing after an address{question(meant)}")
        if url.is_http and options.impair != Conditions():
            parser.error("--impair is for RTP only: over HTTP no picture can be lost on the way")
        options.movie = options.server
    elif options.server is not None and options.server_port is None:
        options.file = Path(options.server).absolute()
        if not options.file.is_file():
            parser.error(
                f"there is no file {printable(options.server)}; "
                "give Server_name, Server_port, RTP_port and Video_file, or an rtsp:// address"
                f"{question(_meant(options.file) or meant_address(options.server))}"
            )
    elif options.server is not None and options.movie is None:
        parser.error(
            "give all of Server_name, Server_port, RTP_port and Video_file, or an rtsp:// address"
        )
    if not options.headless and (
        options.frames or options.duration or options.save or options.json
    ):
        parser.error("--frames, --duration, --save and --json need --headless")
    return options


def _meant(file: Path) -> str | None:
    """Return the movie in the folder whose name is closest to that of a missing file."""
    from rtplab.serving.media.library import MovieLibrary

    return MovieLibrary(file.parent).similar(file.name)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames")
    return int(text)


def _milliseconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and int(text) <= 10_000):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of milliseconds from 0 to 10000"
        )
    return float(text)


def _conditions(text: str) -> Conditions:
    try:
        return parse_conditions(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 10**7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
