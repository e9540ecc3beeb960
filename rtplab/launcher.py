"""The player as a program: the parts it starts, as its command line says (`playoptions`).

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
from rtplab.playoptions import parse_arguments
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtsp.urls import (
    quoted_name,
    unquoted_name,
)
from rtplab.receiving.files.capture import LiveCapture
from rtplab.receiving.headless import HeadlessClient, HeadlessOptions, HeadlessRun
from rtplab.receiving.rtp.impairment import Impairment
from rtplab.receiving.rtp.playout import PlayoutBuffer
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.serving.process.signals import ending_signals

if TYPE_CHECKING:
    from rtplab.player.model.client import PlayerClient
    from rtplab.player.model.history import Address
    from rtplab.player.window import PlayerWindow
    from rtplab.serving.rtsp.service import Service

DEMONSTRATION_MOVIE = Path(__file__).resolve().parent.parent / "movie.Mjpeg"
TITLE = "RTPClient"
# This program's command line without the movie argument; it works from any folder.
PROGRAM = (sys.executable, str(Path(__file__).with_name("__main__.py")), "play")

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
    with _server_inside(make_server, movie) as port:
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
def _server_inside(make_server: MakeServer, movie: Path) -> Iterator[int]:
    """Run a server of a movie and its folder inside this process; yield its port on loopback.

    The movie may have any name: if it is not a movie, the server says what it is.
    """
    from rtplab.serving.media.library import MovieLibrary
    from rtplab.serving.rtsp.service import Service

    server = make_server(Service(MovieLibrary(movie.parent, also=movie)))
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
