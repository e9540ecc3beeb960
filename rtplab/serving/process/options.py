"""The command line of the server: which options there are, and what they may be."""

from __future__ import annotations

import argparse
import ipaddress

from rtplab import __version__
from rtplab.serving.process.securityoptions import add_security_options
from rtplab.serving.rtp.multicast import MulticastGroup, parse_group
from rtplab.serving.rtsp.service import DEFAULT_FPS, DEFAULT_MTU
from rtplab.serving.scaling.proxies import Network
from rtplab.serving.scaling.supervisor import MAX_WORKERS, can_share_a_port

DEFAULT_PORT = 5678
MAX_STATUS_INTERVAL = 86_400.0  # seconds: a day
MIN_MTU = 300  # bytes: the headers of RTP/JPEG's first packet take 212 of them


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the options; end the program with a sentence and status 2 when one is wrong."""
    parser = argparse.ArgumentParser(
        prog="Server.py", description="Serve the MJPEG movies of a folder by RTSP and RTP."
    )
    parser.add_argument(
        "port", nargs="?", type=_port, default=DEFAULT_PORT, help="TCP port (default: %(default)s)"
    )
    parser.add_argument("--media", default=".", help="folder of the movies (default: this one)")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument(
        "--fps", type=_fps, default=DEFAULT_FPS, help="frames per second (default: %(default)g)"
    )
    parser.add_argument("--loop", action="store_true", help="begin a movie again at its end")
    parser.add_argument(
        "--marker", action="store_true", help="set the RTP marker on every frame for lab clients"
    )
    parser.add_argument(
        "--mtu",
        type=_mtu,
        default=DEFAULT_MTU,
        help="largest IP packet in bytes, standard dialect only (default: %(default)s)",
    )
    parser.add_argument(
        "--multicast",
        type=_group,
        metavar="GROUP:PORT",
        help="serve multicast too, such as 239.1.2.3:5004; off unless asked for",
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="processes that share the port, best one per core (default: %(default)s)",
    )
    parser.add_argument(
        "--status",
        type=_seconds,
        metavar="SECONDS",
        help="print a line of figures so often; SIGUSR1 asks for one at any time",
    )
    parser.add_argument(
        "--metrics",
        type=_address,
        metavar="[HOST:]PORT",
        help="serve figures for Prometheus by HTTP on this port (default host: loopback)",
    )
    parser.add_argument(
        "--log-level", choices=["debug", "info", "warning", "error"], default="info"
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
    add_security_options(parser)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(argv)
    if problem := _problem(options):
        parser.error(problem)
    return options


def _problem(options: argparse.Namespace) -> str:
    """Say which options do not go together, or not on this system."""
    if options.workers > 1 and not can_share_a_port():
        return "--workers needs a system on which processes can share a port, as Linux and macOS do"
    if options.workers > 1 and options.multicast:
        return "--multicast needs one sender for all its viewers, so it can't go with --workers"
    if options.proxy_protocol and not options.trusted_proxy:
        return "--proxy-protocol needs a --trusted-proxy: a header from anybody else proves nothing"
    if options.trusted_proxy and not options.proxy_protocol:
        return "--trusted-proxy is of use with --proxy-protocol only"
    return ""


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


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


def _mtu(text: str) -> int:
    if not (text.isascii() and text.isdigit() and MIN_MTU <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from {MIN_MTU} to 65535 bytes")
    return int(text)


def _group(text: str) -> MulticastGroup:
    try:
        return parse_group(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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
