"""The command line of the server: its options, their values, and the Service they describe."""

from __future__ import annotations

import argparse
import ipaddress
import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rtplab.commandline import CommandLine
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.urls import parse_stream_url
from rtplab.serving.admission.access import User, UserDatabase, parse_user
from rtplab.serving.admission.limits import BOUNDS, Bound, Limits, name_of
from rtplab.serving.media import testpicture
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.playback import DEFAULT_FPS
from rtplab.serving.rtp.multicast import MulticastChannels, MulticastGroup, parse_group
from rtplab.serving.rtsp.recording import checked_name
from rtplab.serving.rtsp.service import SESSION_TIMEOUT, Service
from rtplab.serving.scaling.proxies import Network, TrustedProxies
from rtplab.serving.scaling.supervisor import MAX_WORKERS, can_share_a_port
from rtplab.version import __version__

DEFAULT_PORT = 5678
DEFAULT_HTTP_PORT = 8080
MAX_STATUS_INTERVAL = 86_400.0  # seconds: a day
_EXAMPLES = """examples:
    {prog} --media movies
        serve the movies in the folder movies
    {prog} 8554 --http
        serve the movies in the current folder on port 8554, and in browsers
    {prog} --pull cam=rtsp://host/stream
        relay a camera as the live stream cam
    {prog} --user ann:secret --tls cert.pem key.pem
        require a login, and encrypt
"""

# These limits have options of their own; the others are given by --limit.
OPTION_LIMITS = {
    "--max-sessions": "sessions",
    "--max-connections-per-address": "connections_per_address",
}
# A player sends a keep-alive at half this time; a lost packet may delay it.
_SESSION_TIMEOUT = Bound("of silence after which a standard session ends", "seconds", lowest=5)

_T = TypeVar("_T")


def parse_arguments(argv: list[str] | None, prog: str = "Server.py") -> argparse.Namespace:
    """Return the options; end the program with a sentence and status 2 when one is wrong."""
    parser = CommandLine(
        prog=prog,
        description="Serve the MJPEG movies in a folder over RTSP and RTP.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES.format(prog=prog),
        allow_abbrev=False,  # the former --max-connections would match ...-per-address
    )
    parser.add_argument(
        "port",
        nargs="?",
        type=_rtsp_port,
        default=DEFAULT_PORT,
        help="TCP port (default: %(default)s)",
    )
    parser.add_argument(
        "--media", default=".", help="folder with the movies (default: the current folder)"
    )
    parser.add_argument("--host", help="address to listen on (default: all)")
    parser.add_argument(
        "--fps",
        type=_fps,
        help=f"frames per second (default: the movie's own rate, else {DEFAULT_FPS:g})",
    )
    parser.add_argument("--loop", action="store_true", help="restart each movie when it ends")
    parser.add_argument(
        "--marker", action="store_true", help="set the RTP marker on every frame for lab clients"
    )
    parser.add_argument(
        "--shrink",
        action="store_true",
        help="scale pictures over 2,040 pixels down for players that can't show them",
    )
    parser.add_argument(
        "--multicast",
        type=_sentence(parse_group),
        metavar="GROUP:PORT",
        help="also serve by multicast, such as 239.1.2.3:5004 (off by default)",
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="processes that share the port; use one per core (default: %(default)s)",
    )
    parser.add_argument(
        "--status",
        type=_seconds,
        metavar="SECONDS",
        help="print a status line every SECONDS seconds (send SIGUSR1 for one now)",
    )
    parser.add_argument(
        "--metrics",
        type=_address,
        metavar="[HOST:]PORT",
        help="serve Prometheus metrics over HTTP on this port (default host: loopback)",
    )
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="least important messages to log (default: %(default)s)",
    )
    parser.add_argument(
        "--proxy-protocol",
        action="store_true",
        help="expect the header of the PROXY protocol from each --trusted-proxy",
    )
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        type=_network,
        metavar="ADDRESS",
        help="address or network of a proxy; may be given several times",
    )
    _add_publishing_options(parser)
    _add_browser_options(parser)
    _add_login_options(parser)
    _add_limit_options(parser)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(argv)
    if problem := _problem(options):
        parser.error(problem)
    return options


def service_from(options: argparse.Namespace) -> Service:
    """Return the Service for the options. Raises ValueError (a sentence), OSError for --media."""
    multicast: MulticastGroup | None = options.multicast
    proxies = TrustedProxies(tuple(options.trusted_proxy)) if options.proxy_protocol else None
    try:
        users = _user_database(options.user, options.users)
        tls = _tls_context(*options.tls) if options.tls is not None else None
    except OSError as error:
        raise ValueError(f"{error.filename} can't be read ({error.strerror}).") from error
    return Service(
        MovieLibrary(options.media),
        fps=options.fps,
        loop=options.loop,
        marker=options.marker,
        shrink=options.shrink,
        publishing=options.publish,
        wait=options.wait,
        multicast=MulticastChannels(multicast) if multicast is not None else None,
        users=users,
        tls=tls,
        session_timeout=float(options.session_timeout),
        limits=Limits(**options.limit),
        client_address=proxies.client_address if proxies is not None else None,
    )


def _problem(options: argparse.Namespace) -> str:
    """Return a sentence if options conflict or do not work on this system, else ""."""
    if options.workers > 1 and not can_share_a_port():
        return "--workers needs a system where processes can share a port, such as Linux or macOS"
    if options.workers > 1 and options.multicast:
        return "--multicast needs one sender for all viewers, so it can't be used with --workers"
    if problem := _publishing_problem(options):
        return problem
    if options.http is None and (options.open or options.http_name):
        return f"{'--open' if options.open else '--http-name'} needs --http"
    if options.proxy_protocol and not options.trusted_proxy:
        return "--proxy-protocol needs a --trusted-proxy: a header from anyone else proves nothing"
    if options.trusted_proxy and not options.proxy_protocol:
        return "--trusted-proxy needs --proxy-protocol"
    return ""


# --- publishing ----------------------------------------------------------------------------------


def _add_publishing_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("live streams")
    group.add_argument(
        "--publish",
        action="store_true",
        help="let clients publish live streams (ANNOUNCE, RECORD): users with :publish, "
        "or anyone on this machine with --host 127.0.0.1",
    )
    group.add_argument(
        "--test-picture",
        action="store_true",
        help="show a live stream named test: a moving picture with a number and the time",
    )
    group.add_argument(
        "--pull",
        action="append",
        default=[],
        type=_sentence(_parse_pull),
        metavar="NAME=URL",
        help="fetch a camera (rtsp:// or http://) while somebody watches, and serve it to all as "
        "the live stream NAME; may be given several times",
    )
    group.add_argument(
        "--allow-basic",
        action="store_true",
        help="for --pull: allow Basic login, which lets anyone on the path read the password",
    )
    group.add_argument(
        "--wait",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="keep a stream's viewers for this long after its publisher or camera "
        "disconnects (default: 0)",
    )


def _publishing_problem(options: argparse.Namespace) -> str:
    if options.test_picture and options.workers > 1:
        return (
            "--test-picture needs one process for all viewers, so it can't be used with --workers"
        )
    if options.pull and options.workers > 1:
        return "--pull needs one process for all viewers, so it can't be used with --workers"
    names = [name for name, _ in options.pull] + [testpicture.NAME] * options.test_picture
    if twice := next((name for name in names if names.count(name) > 1), ""):
        return f"two live streams can't both be named {printable(twice, 60)}"
    if options.allow_basic and not options.pull:
        return "--allow-basic needs --pull"
    if options.wait and not (options.publish or options.pull):
        return "--wait needs --publish or --pull"
    if not options.publish:
        return ""
    if options.workers > 1:
        return "--publish needs one process for all viewers, so it can't be used with --workers"
    is_local = options.host in ("localhost", "127.0.0.1", "::1")
    if not is_local and not any(user.may_publish for user in options.user):
        return (
            "--publish would let anyone on the network publish: require a login, as in "
            "--user ann:secret:publish, or listen on this machine only with --host 127.0.0.1"
        )
    return ""


def _parse_pull(text: str) -> tuple[str, str]:
    """Return a stream's name and the address to fetch it from. Raises ValueError."""
    name, equals, url = text.partition("=")
    if not equals:
        raise ValueError("name the stream and its address, as in cam=rtsp://host/stream")
    try:
        parse_stream_url(url)
        return checked_name(name), url
    except MessageError as error:
        raise ValueError(f"{error}; expected NAME=URL, as in cam=rtsp://host/stream") from error


# --- browsers ------------------------------------------------------------------------------------


def _add_browser_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("browsers")
    group.add_argument(
        "--http",
        nargs="?",
        type=_port,
        const=DEFAULT_HTTP_PORT,
        metavar="PORT",
        help="show movies and live streams in browsers, on this port (%(const)s; off by default)",
    )
    group.add_argument(
        "--http-name",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name that browsers use for this machine; may be given several times",
    )
    group.add_argument("--open", action="store_true", help="open the page in your browser")


# --- access control ------------------------------------------------------------------------------


def _add_login_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("access control")
    group.add_argument(
        "--user",
        action="append",
        default=[],
        type=_sentence(parse_user),
        metavar="NAME:PASSWORD[:publish]",
        help="allow only this user; with :publish also to publish; may be given several times",
    )
    group.add_argument(
        "--users", type=Path, metavar="FILE", help="allow the users in a file made by htdigest"
    )
    group.add_argument(
        "--tls",
        nargs=2,
        type=Path,
        metavar=("CERT", "KEY"),
        help="use RTSP and HTTP only inside TLS, with this certificate and key (PEM files)",
    )


def _user_database(users: list[User], file: Path | None) -> UserDatabase | None:
    if not users and file is None:
        return None
    passwords = [(user.name, user.password) for user in users]
    publishers = [user.name for user in users if user.may_publish]
    return UserDatabase(passwords, file, publishers)


def _tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    for path in (certificate, key):
        path.open("rb").close()  # ssl would not say which file it can't read
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: the older ones are broken
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could keep us computing forever
    try:
        # An encrypted key is refused, without a prompt: nobody may be there to answer.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            f"{certificate} and {key} are not a PEM certificate and its unencrypted key "
            f"({getattr(error, 'reason', None) or error})."
        ) from error
    return context


# --- how much ------------------------------------------------------------------------------------


class _Limit(argparse.Action):
    """Collects limits in one dictionary, by the names of the fields of Limits."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        text = str(values)
        if option_string in OPTION_LIMITS:
            name, number = OPTION_LIMITS[option_string], text
        elif text == "help":
            print(_limits_help())
            parser.exit()
        else:
            written, _, number = text.partition("=")
            name = next((name for name in _OTHERS if name_of(name) == written), "")
            if not name:
                own = [option for option, name in OPTION_LIMITS.items() if name_of(name) == written]
                raise argparse.ArgumentError(
                    self,
                    f"{written!r} has an option of its own: {own[0]}"
                    if own
                    else f"{written!r} is not a limit: --limit help lists them",
                )
        try:
            limits = {**namespace.limit, name: BOUNDS[name].parse(number)}
        except ValueError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        namespace.limit = limits


_OTHERS = [name for name in BOUNDS if name not in OPTION_LIMITS.values()]


def _add_limit_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits (the defaults are safe; each worker has its own)")
    for option, name in OPTION_LIMITS.items():
        group.add_argument(
            option,
            action=_Limit,
            dest="limit",
            default={},
            metavar="N",
            help=f"{BOUNDS[name].meaning} (default: {getattr(Limits, name)})",
        )
    group.add_argument(
        "--session-timeout",
        type=_sentence(_SESSION_TIMEOUT.parse),
        default=SESSION_TIMEOUT,
        metavar="N",
        help=f"seconds {_SESSION_TIMEOUT.meaning} (default: {SESSION_TIMEOUT:g})",
    )
    group.add_argument(
        "--limit",
        action=_Limit,
        default={},
        metavar="NAME=N",
        help="any other limit; may be given several times. `--limit help` lists them",
    )


def _limits_help() -> str:
    """Return a line for each limit that --limit takes."""
    width = max(len(name_of(name)) for name in _OTHERS)
    lines = ["Limits for --limit NAME=N:"]
    for name in _OTHERS:
        bound = BOUNDS[name]
        meaning = f"{bound.unit} {bound.meaning}".strip()
        default, lowest, highest = getattr(Limits, name), bound.lowest, bound.highest
        lines.append(
            f"  {name_of(name):{width}}  {meaning} (default: {default}, {lowest} to {highest})"
        )
    return "\n".join(lines)


# --- values --------------------------------------------------------------------------------------


def _sentence(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    """Make argparse show a ValueError's sentence; its own would name our function."""

    def parsed(text: str) -> _T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        advice = "; to serve a folder, use --media FOLDER" if os.path.isdir(text) else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535{advice}")
    return int(text)


def _rtsp_port(text: str) -> int:
    try:
        return _port(text)
    except argparse.ArgumentTypeError as error:
        if not os.path.exists(text):
            raise
        hint = "to serve the movies of a folder, use --media FOLDER"
        raise argparse.ArgumentTypeError(f"{error}; {hint}") from None


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_WORKERS}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= MAX_STATUS_INTERVAL:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time from 0.1 to 86400 seconds")
    return seconds


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", _port(port)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, as in 10.0.0.7 or 10.0.0.0/24") from error


def _fps(text: str) -> float:
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0.1 <= fps <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate from 0.1 to 1000")
    return fps


def host_and_port(host: str, port: int) -> str:
    """Return both as they stand in an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
