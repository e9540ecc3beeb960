"""The player as a program: its command line, and the parts it starts.

Without arguments it is the demonstration: it starts a server inside the process and plays
movie.Mjpeg from it. A movie file named on the command line is played the same way. With --headless
it receives without a window.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from rtplab.console import StatusLine, write_every_name
from rtplab.protocol.errors import MessageError, PacketError
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import (
    meant_address,
    parse_stream_url,
    question,
    quoted_name,
    unquoted_name,
)
from rtplab.receiving.files.capture import LiveCapture
from rtplab.receiving.headless import HeadlessClient, HeadlessOptions, HeadlessRun
from rtplab.receiving.rtp.impairment import Conditions, Impairment, parse_conditions
from rtplab.receiving.rtp.playout import DEFAULT_LATENCY, PlayoutBuffer
from rtplab.receiving.rtsp.standarddialogue import TRANSPORTS
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.serving.process.signals import ending_signals
from rtplab.version import __version__

if TYPE_CHECKING:
    from rtplab.player.model.client import PlayerClient
    from rtplab.player.model.history import Address
    from rtplab.player.window import PlayerWindow
    from rtplab.serving.rtsp.service import Service

DEMONSTRATION_MOVIE = Path(__file__).resolve().parent.parent / "movie.Mjpeg"
TITLE = "RTPClient"
# This program's command line without the movie argument; it works from any folder.
PROGRAM = (sys.executable, str(Path(__file__).with_name("__main__.py")), "play")

EXAMPLES = """\
examples:
    {prog}                                            play the demonstration movie
    {prog} localhost 1025 5008 movie.Mjpeg            play from a lab server
    {prog} rtsp://camera/stream --transport tcp       play from a camera over TCP
    {prog} rtsp://host/movie --headless --frames 100  measure 100 frames
    {prog} rtsp://host/movie --impair loss=5%         watch what packet loss does
"""

# The modules a window needs, in this order, and the message to show if one is missing.
_WITHOUT = {
    "tkinter": "this Python has no tkinter",
    "PIL.Image": "Pillow is missing (pip install Pillow)",
    # Debian has it in a package of its own.
    "PIL.ImageTk": "Pillow's ImageTk is missing (apt install python3-pil.imagetk)",
}


class LaunchedClient(HeadlessClient, Protocol):
    """The client interface used here: RtspClient, or the lab's Client.

    A client that builds no window of its own must also be a PlayerClient, which the window needs.
    """

    @property
    def movie_name(self) -> str: ...
    @property
    def playout(self) -> PlayoutBuffer: ...
    @property
    def impairment(self) -> Impairment: ...
    def capture_to(self, capture: LiveCapture) -> None: ...
    def close(self) -> None: ...


class DemonstrationServer(Protocol):
    """The server interface used here: RtspServer, or the lab's Server."""

    def listen(self) -> tuple[str, int]: ...
    def serve(self) -> None: ...
    def stop(self) -> None: ...


# Makes a client. The first argument is a Tk root or toplevel, in which the client may build its own
# window, or None. Then follow host, port, RTP port, movie, transport and trust.
MakeClient = Callable[[Any, str, int, int, str, str, TlsTrust], LaunchedClient]
MakeServer = Callable[["Service"], DemonstrationServer]


def package_client(
    master: Any, host: str, port: int, rtp_port: int, movie: str, transport: str, trust: TlsTrust
) -> LaunchedClient:
    """Make the package's client. It builds no window, but must not block one."""
    from rtplab.receiving.opening import client_for
    from rtplab.receiving.rtsp.moviesource import MovieSource

    source = MovieSource(host, port, movie, transport, trust)
    return client_for(source, rtp_port, for_window=master is not None)


def rtsp_server(service: Service) -> DemonstrationServer:
    """Make the package's server."""
    from rtplab.serving.process.server import RtspServer

    return RtspServer(service)


def main(
    argv: list[str] | None = None,
    prog: str = "rtplab play",
    make_client: MakeClient = package_client,
    make_server: MakeServer = rtsp_server,
    program: Sequence[str] = PROGRAM,
) -> int:
    """Play as the command line says; return the exit status: 0 fine, 1 failed, 2 usage.

    `prog` is the program's name in its help and messages. `program` is the command that starts it
    again for another window.
    """
    write_every_name()
    if hasattr(signal, "SIGBREAK"):  # Ctrl+Break, on Windows: as Ctrl+C
        signal.signal(signal.SIGBREAK, signal.default_int_handler)
    options = parse_arguments(argv, prog)
    if options.movie:
        return _play(options, make_client, program)
    movie = options.file or DEMONSTRATION_MOVIE
    if not movie.exists():
        print(
            f"There is no movie to demonstrate: name one, as in `{prog} rtsp://HOST/MOVIE`.",
            file=sys.stderr,
        )
        return 2
    with _server_inside(make_server, movie.parent) as port:
        options.movie = f"rtsp://127.0.0.1:{port}/{quoted_name(movie.name)}"
        return _play(options, make_client, program)


def _why_undecodable(jpeg: bytes) -> str:
    """Return why a JPEG can't be decoded; "" if it can, or if there is no Pillow to try it."""
    try:
        from rtplab.player.picture.decoding import decode
    except ImportError:
        return ""
    try:
        decode(jpeg, (32, 32))  # small pictures are decoded from all the bytes, too
    except PacketError as error:
        return str(error)
    return ""


@contextmanager
def _server_inside(make_server: MakeServer, folder: Path) -> Iterator[int]:
    """Run a server of a folder inside this process on a free loopback port; yield the port."""
    from rtplab.serving.media.library import MovieLibrary
    from rtplab.serving.rtsp.service import Service

    server = make_server(Service(MovieLibrary(folder)))
    _, port = server.listen()
    thread = threading.Thread(target=server.serve, name="server")
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join()


def _play(options: argparse.Namespace, make_client: MakeClient, program: Sequence[str]) -> int:
    if options.headless:
        return _play_headless(options, make_client)
    return _play_in_window(options, make_client, program)


def _play_headless(options: argparse.Namespace, make_client: MakeClient) -> int:
    capture = _open_capture(options)
    if capture is None and options.pcap:
        return 1
    what = HeadlessOptions(options.frames, options.duration, options.save, options.json)
    terminal = StatusLine.on_stderr()
    if terminal is not None:  # log messages go above the line, in Python's default format
        logging.basicConfig(format="%(message)s", handlers=[logging.StreamHandler(terminal)])
    try:
        with _interrupted_once():
            client = client_for(options, None, make_client)
            if capture is not None:
                client.capture_to(capture)
            return HeadlessRun(client, what, terminal, _why_undecodable).run()
    except KeyboardInterrupt:
        print("Interrupted before a connection was made.", file=sys.stderr)
        return 1
    finally:
        _finish(capture)


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let the first ending signal be a KeyboardInterrupt, and no other after it.

    The cleanup takes at most a second; then the program ends.
    """
    is_interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal is_interrupted
        is_interrupted = True
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ending_signals()}
    try:
        yield
    finally:
        if not is_interrupted:
            for number, handler in before.items():
                signal.signal(number, handler)


def _play_in_window(
    options: argparse.Namespace, make_client: MakeClient, program: Sequence[str]
) -> int:
    for module, reason in _WITHOUT.items():
        try:
            import_module(module)
        except ImportError:
            return _no_window(reason)
    import tkinter

    from rtplab.player.look.sharpness import ask_for_sharpness

    ask_for_sharpness()
    try:
        root = tkinter.Tk()
    except tkinter.TclError:
        return _no_window("there is no display")
    _play_on(root, options, make_client, [*program, *_options_for_new_window(options)])
    # Now, in this thread: Tcl aborts if another thread collects the rest of the window.
    del root
    gc.collect()
    return 0


def _no_window(reason: str) -> int:
    print(f"No window can be opened: {reason}. Use --headless.", file=sys.stderr)
    return 1


def _play_on(
    root: Any, options: argparse.Namespace, make_client: MakeClient, program: Sequence[str]
) -> None:
    """Play in a window until it is closed."""
    from rtplab.player.window import PlayerWindow

    def end() -> None:
        """End the session and close the window; do without that if it takes too long."""
        window = PlayerWindow.of(root)
        root.quit() if window is None else window.close()

    for number in ending_signals():
        # Tk would only report a KeyboardInterrupt, and forget a `quit` before its main loop.
        signal.signal(number, lambda *_: root.after(0, end))
    capture = _open_capture(options)

    def show(client: LaunchedClient) -> PlayerWindow:
        """Put a client's window into the root, unless it has built its own."""
        root.title(title_for(client.movie_name))
        window = PlayerWindow.of(root) or PlayerWindow(root, cast("PlayerClient", client))
        if capture is not None:  # now, as the window observes the client, too
            client.capture_to(capture)
        window.program, window.open_here = program, open_here
        return window

    def open_here(address: Address) -> PlayerWindow:
        where = address.host, address.port, address.rtp_port, address.url or address.movie
        return show(client_for(options, root, make_client, where))

    client = client_for(options, root, make_client)
    window = show(client)
    if options.server is not None and options.file is None:
        window.address = _address(options)
    if "://" in options.movie:
        window.play()  # a given address plays at once; in the lab the user presses Setup
    try:
        root.mainloop()
    finally:
        client.close()
        if last := PlayerWindow.of(root):  # another movie may have been opened in it
            last.client.close()
        _finish(capture)


def _options_for_new_window(options: argparse.Namespace) -> list[str]:
    """Return the options that the window can't change, but not --pcap: a file has one writer."""
    given = ["--transport", options.transport]
    if options.ca:
        given += ["--ca", options.ca]
    if options.allow_basic:
        given.append("--allow-basic")
    return [*given, "--insecure"] if options.insecure else given


def client_for(
    options: argparse.Namespace,
    master: Any,
    make_client: MakeClient,
    where: tuple[str, int, int, str] | None = None,
) -> LaunchedClient:
    """Make the client that the options ask for, or one with their settings for `where`.

    `where` is a host, a port, an RTP port and a movie.
    """
    named = options.server, options.server_port or 0, options.rtp_port or 0, options.movie
    host, port, rtp_port, movie = where or named
    trust = TlsTrust(options.ca, options.insecure, options.allow_basic)
    if movie.lower().startswith(("http://", "https://")):  # which the lab's client can't play
        make_client = package_client
    client = make_client(master, host, port, rtp_port, movie, options.transport, trust)
    client.playout.latency = options.latency / 1000
    client.impairment.conditions = options.impair
    return client


def title_for(movie: str) -> str:
    """Return a window's title. In the classic call it is the lab's, which scripts look for."""
    from rtplab.player.model.controller import short_name

    return f"{short_name(unquoted_name(movie))} - {TITLE}" if "://" in movie else TITLE


def _address(options: argparse.Namespace) -> Address:
    from rtplab.player.model.history import Address

    if "://" in options.movie:
        return Address(url=options.movie)
    return Address(options.server, options.server_port, options.rtp_port, options.movie)


def _open_capture(options: argparse.Namespace) -> LiveCapture | None:
    """Begin the capture that --pcap asks for."""
    if options.pcap is None:
        return None
    try:
        return LiveCapture(options.pcap)
    except OSError as error:
        print(f"{options.pcap} can't be written ({error.strerror}).", file=sys.stderr)
        return None


def _finish(capture: LiveCapture | None) -> None:
    if capture is not None:
        capture.close()
        if capture.error:
            print(capture.error, file=sys.stderr)


def parse_arguments(argv: list[str] | None, prog: str) -> argparse.Namespace:
    """Return the options. If one is wrong, exit with a sentence and status 2."""
    parser = argparse.ArgumentParser(
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
    parser.add_argument(
        "--ca", metavar="FILE", help="rtsps: trust the CA certificates in this file (PEM)"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="rtsps: accept any certificate, without checking it"
    )
    parser.add_argument(
        "--allow-basic",
        action="store_true",
        help="rtsp: send the password unencrypted if the server demands it (Basic)",
    )
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
