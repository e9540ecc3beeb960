"""Starts the player: `python ClientLauncher.py Server_name Server_port RTP_port Video_file`.

Without arguments it is the demonstration: it starts a server inside the process and plays
movie.Mjpeg from it. With --headless it receives without a window.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from Client import Client
from rtplab import __version__
from rtplab.console import write_every_name
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.files.capture import LiveCapture
from rtplab.receiving.headless import HeadlessOptions, HeadlessRun
from rtplab.receiving.rtp.impairment import Conditions, parse_conditions
from rtplab.receiving.rtp.playout import DEFAULT_LATENCY
from rtplab.receiving.rtsp.standarddialogue import TRANSPORTS
from rtplab.receiving.rtsp.trust import Trust
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtsp.service import Service
from Server import Server

DEMONSTRATION_MOVIE = "movie.Mjpeg"
TITLE = "RTPClient"


def main(argv: list[str] | None = None) -> int:
    """Play as the command line says; return the exit status: 0 fine, 1 failed, 2 usage."""
    write_every_name()
    options = _parse_arguments(argv)
    if options.server is None:
        with _demonstration_server() as port:
            options.movie = f"rtsp://127.0.0.1:{port}/{DEMONSTRATION_MOVIE}"
            return _play(options)
    return _play(options)


def _play(options: argparse.Namespace) -> int:
    if options.headless:
        return _play_headless(options)
    return _play_in_window(options)


def _play_headless(options: argparse.Namespace) -> int:
    client = _client(None, options)
    capture = _capture(client, options)
    if capture is None and options.pcap:
        client.close()
        return 1
    what = HeadlessOptions(options.frames, options.duration, options.save, options.json)
    try:
        return HeadlessRun(client, what).run()
    finally:
        _finish(capture)


def _play_in_window(options: argparse.Namespace) -> int:
    try:
        import tkinter
    except ImportError:
        return _no_window("Python has no tkinter here")
    try:
        root = tkinter.Tk()
    except tkinter.TclError:
        return _no_window("there is no display")
    root.title(TITLE)
    _play_on(root, options)
    # Now, in this thread: Tcl aborts when another happens to collect what is left of the window.
    del root
    gc.collect()
    return 0


def _play_on(root: Any, options: argparse.Namespace) -> None:
    """Play in a window until it and all that were opened from it are closed."""
    from rtplab.player.window import close_clients

    for number in (signal.SIGINT, signal.SIGTERM):
        # Tk would only report a KeyboardInterrupt, and forget a `quit` before its main loop.
        signal.signal(number, lambda *_: root.after(0, root.quit))
    client = _client(root, options)
    capture = _capture(client, options)
    if options.server is not None:
        client.window.remember(_address(options))
    if "://" in options.movie:
        client.window.play()  # whoever names an address wants to see it; the lab presses Setup
    try:
        root.mainloop()
    finally:
        client.close()
        close_clients()
        _finish(capture)


def _address(options: argparse.Namespace) -> Any:
    from rtplab.player.model.history import Address

    if "://" in options.movie:
        return Address(url=options.movie)
    return Address(options.server, options.server_port, options.rtp_port, options.movie)


def _capture(client: Client, options: argparse.Namespace) -> LiveCapture | None:
    """Begin the capture that --pcap asks for."""
    if options.pcap is None:
        return None
    try:
        capture = LiveCapture(options.pcap)
    except OSError as error:
        print(f"{options.pcap} can't be written ({error.strerror}).", file=sys.stderr)
        return None
    client.captureTo(capture)
    return capture


def _finish(capture: LiveCapture | None) -> None:
    if capture is not None:
        capture.close()
        if capture.error:
            print(capture.error, file=sys.stderr)


def _client(master: Any, options: argparse.Namespace) -> Client:
    client = Client(
        master,
        options.server,
        options.server_port or 0,
        options.rtp_port or 0,
        options.movie,
        options.transport,
        Trust(options.ca, options.insecure),
    )
    client.playout.latency = options.latency / 1000
    client.impairment.conditions = options.impair
    return client


def _no_window(reason: str) -> int:
    print(f"No window can be opened: {reason}. Use --headless.", file=sys.stderr)
    return 1


@contextmanager
def _demonstration_server() -> Iterator[int]:
    """Run a server inside this process on a free loopback port; yield the port."""
    server = Server(Service(MovieLibrary(Path(__file__).parent)))
    _, port = server.listen()
    thread = threading.Thread(target=server.serve, name="server")
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join()


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ClientLauncher.py",
        description="Play an MJPEG movie from an RTSP server; without arguments, a demonstration.",
    )
    parser.add_argument(
        "server", nargs="?", metavar="Server_name", help="host of the server, or an rtsp:// address"
    )
    parser.add_argument("server_port", nargs="?", type=_port, metavar="Server_port")
    parser.add_argument(
        "rtp_port", nargs="?", type=_port, metavar="RTP_port", help="0 takes a free one"
    )
    parser.add_argument("movie", nargs="?", metavar="Video_file")
    parser.add_argument(
        "--transport",
        choices=TRANSPORTS,
        default="auto",
        help="how the media of an rtsp:// address comes (default: UDP, TCP where that fails)",
    )
    parser.add_argument(
        "--ca", metavar="FILE", help="rtsps: trust the authorities in this file (PEM)"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="rtsps: take any certificate, whoever has made it"
    )
    parser.add_argument(
        "--latency",
        type=_milliseconds,
        default=DEFAULT_LATENCY * 1000,
        metavar="MS",
        help="how long frames wait for those that are late (default: 100)",
    )
    parser.add_argument(
        "--impair",
        type=_conditions,
        default=Conditions(),
        metavar="WHAT",
        help="a bad network: "
        "loss=5%%,delay=30ms,jitter=10ms,reorder=1%%,duplicate=1%%,rate=2M,seed=1",
    )
    parser.add_argument(
        "--pcap", type=Path, metavar="FILE", help="write RTSP and RTP into a capture file"
    )
    parser.add_argument("--headless", action="store_true", help="receive without a window")
    parser.add_argument("--frames", type=_count, metavar="N", help="headless: stop after N frames")
    parser.add_argument(
        "--duration", type=_seconds, metavar="S", help="headless: stop S seconds after PLAY"
    )
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="headless: write numbered JPEGs into DIR"
    )
    parser.add_argument(
        "--json", action="store_true", help="headless: end with one JSON object on stdout"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(argv)
    if options.server is not None and "://" in options.server:
        if options.server_port is not None:
            parser.error("an rtsp:// address stands alone")
        try:
            parse_url(options.server)
        except MessageError as error:
            parser.error(str(error))
        options.movie = options.server
    elif options.server is not None and options.movie is None:
        parser.error("name Server_name, Server_port, RTP_port and Video_file, or none of them")
    if not options.headless and (
        options.frames or options.duration or options.save or options.json
    ):
        parser.error("--frames, --duration, --save and --json go with --headless")
    return options


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
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 0 to 10000 ms")
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


if __name__ == "__main__":
    sys.exit(main())
